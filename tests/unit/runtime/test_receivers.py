"""What Django's receivers of a request's ends are told, sooner and yet the same."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import django
import pytest
from django.core.cache import CacheHandler
from django.core.cache.backends.base import BaseCache
from django.db import ConnectionHandler
from django.dispatch import Signal

from nuages.runtime.receivers import hasten_caches, hasten_connections, remember_receivers

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
tells_initialized = pytest.mark.skipif(
    django.VERSION < (4, 1), reason="this Django asks for all connections, and makes them"
)


def connections() -> Any:
    handler = ConnectionHandler({"default": dict(SQLITE), "other": dict(SQLITE), "third": dict(SQLITE)})
    hasten_connections(handler)
    return handler


@tells_initialized
def test_the_connections_of_a_thread_are_those_that_django_finds() -> None:
    handler = connections()
    assert handler.all(initialized_only=True) == []
    third, default = handler["third"], handler["default"]
    assert handler.all(initialized_only=True) == [default, third]  # in the order of the settings
    elsewhere: list[Any] = []
    thread = threading.Thread(target=lambda: elsewhere.extend(handler.all(initialized_only=True)))
    thread.start()
    thread.join()
    assert elsewhere == []
    del handler["third"]
    assert handler.all(initialized_only=True) == [default]
    handler["other"] = third
    assert handler.all(True) == [default, third]
    assert len(handler.all()) == 3


@tells_initialized
def test_a_thread_with_an_event_loop_has_the_connections_of_its_context() -> None:
    handler = connections()
    outside = handler["default"]

    async def inside() -> tuple[list[Any], list[Any]]:
        before = handler.all(initialized_only=True)
        return before, [handler["default"], *handler.all(initialized_only=True)]

    before, after = asyncio.run(inside())
    assert before == []
    assert after[0] is after[1]
    assert after[0] is not outside
    assert handler.all(initialized_only=True) == [outside]


@tells_initialized
def test_a_patched_class_of_connections_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = connections()
    monkeypatch.setattr(ConnectionHandler, "all", lambda *_, **__: ["patched"])
    assert handler.all(initialized_only=True) == ["patched"]


class ClosingCache(BaseCache):
    """Counts what Django asks of a cache at the end of a request."""

    closed = 0

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def close(self, **kwargs: Any) -> None:
        type(self).closed += 1


@pytest.fixture
def caches(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(ClosingCache, "closed", 0)
    handler = CacheHandler({"default": LOCMEM, "other": LOCMEM})
    hasten_caches(handler)
    return handler


closes_all = pytest.mark.skipif(
    not hasattr(CacheHandler, "close_all"), reason="this Django closes each cache itself"
)


@closes_all
def test_caches_that_have_nothing_to_close_are_let_alone(
    caches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [type(caches[alias]).close for alias in caches] == [BaseCache.close] * 2
    caches.close_all()
    monkeypatch.setattr(caches, "all", None)  # not even asked for any more
    caches.close_all()


@closes_all
def test_a_cache_that_has_something_to_close_is_closed_each_time() -> None:
    name = f"{__name__}.ClosingCache"
    handler = CacheHandler({"default": LOCMEM, "closing": {"BACKEND": name, "LOCATION": ""}})
    hasten_caches(handler)
    before = ClosingCache.closed
    assert handler["default"] is not None
    handler.close_all()
    assert ClosingCache.closed == before
    handler["closing"] = ClosingCache("", {})
    for number in (1, 2, 3):
        handler.close_all()
        assert ClosingCache.closed == before + number


@closes_all
def test_a_cache_class_that_gets_something_to_close_later_is_closed(
    caches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Any] = []
    for alias in caches:
        assert caches[alias] is not None
    caches.close_all()
    monkeypatch.setattr(type(caches["default"]), "close", lambda self, **_: closed.append(self))
    caches.close_all()
    assert closed == [caches["default"], caches["other"]]


@closes_all
def test_other_settings_of_caches_are_looked_at_anew(caches: Any) -> None:
    for alias in caches:
        assert caches[alias] is not None
    caches.close_all()
    caches.settings = {"default": LOCMEM, "closing": LOCMEM}
    caches["closing"] = closing = ClosingCache("", {})
    caches.close_all()
    caches.close_all()
    assert closing.closed == 2


class Sender:
    """Who sends."""


@pytest.fixture
def signal() -> Signal:
    signal = Signal()
    remember_receivers(signal)
    return signal


def test_receivers_that_come_and_go_are_heard_from_then_on(signal: Signal) -> None:
    heard: list[str] = []

    def first(**_: Any) -> None:
        heard.append("first")

    def second(**_: Any) -> None:
        heard.append("second")

    signal.send(Sender)
    signal.connect(first)
    signal.send(Sender)
    signal.connect(second, sender=Sender)
    signal.send(Sender)
    signal.send(None)
    assert heard == ["first", "first", "second", "first"]
    del first
    gc.collect()
    signal.send(Sender)
    signal.disconnect(second, sender=Sender)
    signal.send(Sender)
    assert heard[4:] == ["second"]


def test_instances_that_send_are_not_kept(signal: Signal) -> None:
    heard: list[Any] = []

    def receive(sender: Any, **_: Any) -> None:
        heard.append(type(sender))

    signal.connect(receive)
    for _ in range(3):
        signal.send(Sender())
    signal.send(Sender)
    assert heard == [Sender, Sender, Sender, type]
    assert list(signal.sender_receivers_cache) == [Sender]


def test_a_signal_that_remembers_already_is_left_as_it_is() -> None:
    signal = Signal(use_caching=True)
    remembered = signal.sender_receivers_cache
    remember_receivers(signal)
    assert signal.sender_receivers_cache is remembered
