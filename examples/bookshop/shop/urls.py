"""The shop's URLs."""

from django.urls import path

from shop import views

app_name = "shop"
urlpatterns = [
    path("", views.book_list, name="books"),
    path("book/<int:pk>/", views.book, name="book"),
    path("author/<int:pk>/", views.author, name="author"),
    path("basket/", views.basket, name="basket"),
    path("basket/<int:pk>/", views.basket_change, name="basket-change"),
    path("suggest/", views.suggest, name="suggest"),
    path("suggest/thanks/", views.thanks, name="thanks"),
    path("export.csv", views.export, name="export"),
    path("events/", views.events, name="events"),
    path("plain/", views.plain, name="plain"),
    path("slow/", views.slow, name="slow"),
]
