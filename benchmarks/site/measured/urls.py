"""One URL a subject."""

from django.contrib import admin
from django.urls import path

from measured import views

urlpatterns = [
    path("plain/", views.plain),
    path("pid/", views.process),
    path("query/", views.query),
    path("page/", views.page),
    path("busy/", views.most_busy),
    path("wait/", views.wait),
    path("async/", views.plain_async),
    path("async-query/", views.query_async),
    path("short-async/", views.short_async),
    path("spin/", views.spin),
    path("pg-wait/", views.database_wait),
    path("pg-wait-async/", views.database_wait_async),
    path("upload/", views.upload),
    path("admin/", admin.site.urls),
]
