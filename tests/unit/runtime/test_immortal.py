"""Which objects of a loaded project may stay for good: what nothing waits for the end of."""

from __future__ import annotations

import functools
import io
import re
import socket
import sqlite3
import sys
import threading
import types
import weakref

import pytest

from nuages.runtime import immortal


class Plain:
    """What most instances of a project are."""


class Slots:
    __slots__ = ("size",)


class Table(dict[str, int]):
    pass


class Ends(Plain):
    def __del__(self) -> None:
        """Give something back."""


class EndsToo(Ends):
    pass


class Connection(sqlite3.Connection):
    pass


@pytest.mark.parametrize(
    "kind",
    [
        types.FunctionType, types.CodeType, types.ModuleType, type, str, tuple, dict, property, re.Pattern,
        functools.partial, Plain, Slots, Table,
    ],
)  # fmt: skip
def test_what_a_project_is_made_of_stays(kind: type) -> None:
    assert immortal.may_stay(kind)


@pytest.mark.parametrize(
    "kind",
    [
        Ends, EndsToo, Connection, sqlite3.Connection, socket.socket, io.TextIOWrapper, io.BytesIO, memoryview,
        type(threading.Lock()), threading.local, weakref.ref, types.GeneratorType, types.CoroutineType,
        types.FrameType, types.TracebackType, ValueError,
    ],
)  # fmt: skip
def test_what_has_an_end_that_counts_does_not(kind: type) -> None:
    assert not immortal.may_stay(kind)


def test_a_class_that_another_class_has_made_is_a_class() -> None:
    class Meta(type):
        pass

    assert immortal.may_stay(Meta)


def test_a_metaclass_may_forbid_to_hash_or_to_look_at_its_classes() -> None:
    class Equal(type):
        def __eq__(cls, other: object) -> bool:
            return NotImplemented

    class Silent(type):
        def __getattribute__(cls, name: str) -> object:
            raise RuntimeError(name)

    assert immortal.may_stay(Equal("Same", (), {"__module__": __name__}))
    assert not immortal.may_stay(Silent("Closed", (), {"__module__": __name__}))


def test_only_interpreters_that_know_immortal_objects_are_asked() -> None:
    known = (3, 12) <= sys.version_info[:2] <= (3, 14) and getattr(sys, "_is_gil_enabled", lambda: True)()
    assert immortal.is_possible() == known
