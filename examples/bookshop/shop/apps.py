"""The shop application."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Books, their authors, and what readers would like to see on the shelves."""

    name = "shop"
