"""What visitors of the chat rely on."""

import asyncio
import json

from asgiref.testing import ApplicationCommunicator
from django.test import TransactionTestCase

from chat.asgi import application
from rooms.models import Message


class Visitor(ApplicationCommunicator):
    """A browser in a room."""

    def __init__(self, path, origin=b"http://localhost"):
        headers = [(b"host", b"localhost"), (b"origin", origin)]
        super().__init__(
            application, {"type": "websocket", "path": path, "headers": headers, "subprotocols": []}
        )

    async def enter(self):
        """Open the WebSocket; return whether the server took it."""
        await self.send_input({"type": "websocket.connect"})
        return (await self.receive_output())["type"] == "websocket.accept"

    async def say(self, **message):
        """Send a message."""
        await self.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def hear(self):
        """Return the next message that arrives."""
        return json.loads((await self.receive_output())["text"])

    async def leave(self):
        """Close the WebSocket."""
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait()


class RoomTests(TransactionTestCase):
    """A room over its WebSocket, and the lobby over server-sent events."""

    async def test_everybody_in_the_room_hears_it(self):
        ann, bob, eve = visitors = Visitor("/room/jazz/"), Visitor("/room/jazz/"), Visitor("/room/other/")
        for visitor in visitors:
            self.assertTrue(await visitor.enter())
        await ann.say(name="Ann", text="Nuages?")
        self.assertEqual((await ann.hear())["text"], "Nuages?")
        self.assertEqual((await bob.hear())["text"], "Nuages?")
        self.assertTrue(await eve.receive_nothing())
        for visitor in visitors:
            await visitor.leave()
        self.assertEqual((await Message.objects.aget()).name, "Ann")
        self.assertContains(await self.async_client.get("/room/jazz/"), "<b>Ann</b> Nuages?")
        self.assertContains(await self.async_client.get("/"), "jazz</a> (1)")

    async def test_silence_is_refused(self):
        ann = Visitor("/room/jazz/")
        await ann.enter()
        await ann.say(name="Ann")
        self.assertIn("error", await ann.hear())
        await ann.leave()

    async def test_pages_of_other_sites_cannot_listen(self):
        self.assertFalse(await Visitor("/room/jazz/", origin=b"http://elsewhere.example").enter())

    async def test_the_lobby_hears_every_room(self):
        headers = [(b"host", b"localhost")]
        scope = {"type": "http", "method": "GET", "path": "/events/", "headers": headers, "query_string": b""}
        lobby = ApplicationCommunicator(application, scope)
        await lobby.send_input({"type": "http.request"})
        self.assertEqual((await lobby.receive_output())["status"], 200)
        self.assertEqual((await lobby.receive_output())["body"], b": welcome\n\n")
        ann = Visitor("/room/jazz/")
        await ann.enter()
        await ann.say(name="Ann", text="Nuages?")
        body = (await lobby.receive_output())["body"].decode()
        self.assertEqual(json.loads(body.removeprefix("data: "))["room"], "jazz")
        await ann.leave()
        await lobby.send_input({"type": "http.disconnect"})
        await asyncio.wait_for(lobby.future, timeout=5)
