"""A project as startproject makes it; what a subject varies comes from MEASURED_* variables."""

import json
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MEASURED_DATA", BASE_DIR))

SECRET_KEY = "measured: nothing here is a secret, and nothing here is reachable from outside"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "measured",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if "MEASURED_WHITENOISE" in os.environ:
    MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")

ROOT_URLCONF = "measured.urls"
WSGI_APPLICATION = "measured.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# One of sqlite() and postgresql() of benchmarks/database.py, as JSON.
DATABASES = {
    "default": json.loads(os.environ.get("MEASURED_DATABASE", "null"))
    or {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA / "measured.sqlite3"}
}

USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA / "static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# An upload is read and dropped by the view: Django's own limits are not what is measured.
DATA_UPLOAD_MAX_MEMORY_SIZE = None
