"""The measured project with what many real ones carry: Django's admin, REST framework, Pillow and boto3."""

import boto3
import PIL.Image

from measured.settings import *  # noqa: F403 - a settings module that extends another is written so
from measured.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework"]
ROOT_URLCONF = "measured.heavy_urls"
REST_FRAMEWORK = {
    "PAGE_SIZE": 20,
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
}

PIL.Image.init()
STORE = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
