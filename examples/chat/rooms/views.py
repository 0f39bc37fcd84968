"""The lobby, the rooms, and what is said in all of them as server-sent events."""

import asyncio
import json

from channels.layers import get_channel_layer
from django.db.models import Count
from django.http import StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify

from rooms.consumers import LOBBY
from rooms.models import Message

HISTORY = 50
HEARTBEAT_SECONDS = 15


def lobby(request):
    """Show the rooms, and open a new one."""
    name = slugify(request.GET.get("room", ""))[:50]
    if name:
        return redirect("room", name)
    rooms = Message.objects.values("room").annotate(messages=Count("pk")).order_by("room")
    return render(request, "rooms/lobby.html", {"rooms": rooms})


def room(request, room):
    """Show a room with what was said last; the rest comes over the WebSocket."""
    messages = Message.objects.filter(room=room).order_by("-pk")[:HISTORY]
    return render(request, "rooms/room.html", {"room": room, "messages": reversed(messages)})


async def events(request):
    """Send what is said in any room, from now on."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(LOBBY, channel)

    async def stream():
        try:
            yield ": welcome\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(layer.receive(channel), HEARTBEAT_SECONDS)
                except asyncio.TimeoutError:  # so that proxies do not take the silence for an end
                    yield ": still here\n\n"
                else:
                    yield f"data: {json.dumps(event['message'])}\n\n"
        finally:
            await layer.group_discard(LOBBY, channel)

    return StreamingHttpResponse(
        stream(), content_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )
