"""The URLs of pages and of WebSockets."""

from django.urls import path

from rooms import views
from rooms.consumers import RoomConsumer

urlpatterns = [
    path("", views.lobby, name="lobby"),
    path("events/", views.events, name="events"),
    path("room/<slug:room>/", views.room, name="room"),
]

websocket_urlpatterns = [path("room/<slug:room>/", RoomConsumer.as_asgi())]
