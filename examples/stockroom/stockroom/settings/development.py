"""For a desk."""

from stockroom.settings.base import *  # noqa: F403

SECRET_KEY = "not-a-secret"
DEBUG = True
