"""The site's URLs."""

from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

urlpatterns = [
    path("", include("rooms.urls")),
    *staticfiles_urlpatterns(),  # with DEBUG only
]
