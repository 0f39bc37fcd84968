"""The stockroom's URLs."""

from django.urls import re_path

from stock import views

urlpatterns = [
    re_path(r"^$", views.ItemList.as_view(), name="items"),
    re_path(r"^item/(?P<sku>[-\w]+)/$", views.item, name="item"),
    re_path(r"^item/(?P<sku>[-\w]+)/book/$", views.Book.as_view(), name="book"),
    re_path(r"^report/$", views.report, name="report"),
]
