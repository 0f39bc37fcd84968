"""A room over a WebSocket."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.core.exceptions import ValidationError

from rooms.models import Message

LOBBY = "lobby"  # the group of everybody who listens to all rooms


def group_of(room):
    """Return the name of a room's group in the channel layer."""
    return f"room-{room}"


class RoomConsumer(AsyncJsonWebsocketConsumer):
    """One browser in one room: what it says goes to everybody in the room, itself included."""

    async def connect(self):
        """Enter the room."""
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(group_of(self.room), self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        """Leave the room."""
        await self.channel_layer.group_discard(group_of(self.room), self.channel_name)

    async def receive_json(self, content):
        """Keep what was said, and tell the room and the lobby."""
        message = Message(room=self.room, name=content.get("name", ""), text=content.get("text", ""))
        try:
            message.clean_fields()
        except ValidationError as error:
            await self.send_json({"error": error.messages})
            return
        await message.asave()
        event = {"type": "message", "message": message.as_json()}
        await self.channel_layer.group_send(group_of(self.room), event)
        await self.channel_layer.group_send(LOBBY, event)

    async def message(self, event):
        """Tell the browser what somebody said."""
        await self.send_json(event["message"])
