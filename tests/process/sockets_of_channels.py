"""A Channels project: sockets and pages on one loop, so that a page can speak to sockets. Run by test_matrix.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, serving
from tests.process.sites import talking, write_site
from websockets.sync.client import connect

SETTINGS = """
INSTALLED_APPS = ["channels", *INSTALLED_APPS]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
"""

ASGI = """\
import json
import os

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
django = get_asgi_application()


class Room(AsyncWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard("room", self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send("room", {"type": "said", "text": text_data})

    async def said(self, event):
        await self.send(text_data=event["text"])


class Echo(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        from django.db import connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.send(text_data=json.dumps([text_data, self.scope["user"].is_anonymous]))


application = ProtocolTypeRouter({
    "http": django,
    "websocket": AuthMiddlewareStack(URLRouter([path("room/", Room.as_asgi()), path("echo/", Echo.as_asgi())])),
})
"""

URLS = """
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer


def shout(request, text):
    async_to_sync(get_channel_layer().group_send)("room", {"type": "said", "text": text})
    return HttpResponse(threading.current_thread().name)


async def ashout(request, text):
    await get_channel_layer().group_send("room", {"type": "said", "text": text})
    return HttpResponse("sent")


urlpatterns += [path("shout/<str:text>/", shout), path("ashout/<str:text>/", ashout)]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project: Path = write_site(tmp_path_factory.mktemp("site"), settings=SETTINGS, urls=URLS)
    (project / "pages" / "asgi.py").write_text(ASGI)
    with serving(project, "--workers", "1", app="pages.asgi:application") as started:
        started.wait_for("ready")
        yield started


def test_what_one_socket_says_the_others_hear(server: Server) -> None:
    url = f"ws://{server.address}/room/"
    with connect(url) as one, connect(url) as two:
        one.send("hello")
        assert [one.recv(timeout=10), two.recv(timeout=10)] == ["hello", "hello"]


def test_a_sync_consumer_has_its_session_and_its_database(server: Server) -> None:
    with connect(f"ws://{server.address}/echo/") as socket:
        for number in range(3):
            socket.send(str(number))
            assert json.loads(socket.recv(timeout=10)) == [str(number), True]


def test_a_page_speaks_to_sockets_from_a_thread_of_ours(server: Server) -> None:
    with connect(f"ws://{server.address}/room/") as socket, talking(server.address) as talk:
        for number in range(5):
            answer = talk.get(f"/shout/{number}/")
            assert answer.text.startswith("nuages-")
            assert not answer.text.startswith("nuages-async")
            assert socket.recv(timeout=10) == str(number)
        assert talk.get("/ashout/loud/").text == "sent"
        assert socket.recv(timeout=10) == "loud"


def test_an_unknown_socket_is_refused(server: Server) -> None:
    with pytest.raises(Exception, match=r"HTTP|close"), connect(f"ws://{server.address}/nowhere/") as socket:
        socket.recv(timeout=10)


def test_open_sockets_do_not_hold_up_the_end(server: Server) -> None:
    with connect(f"ws://{server.address}/room/") as socket:
        assert server.stop() == 0
        with pytest.raises(Exception, match=r"1012|1001|1006|close"):
            socket.recv(timeout=10)
