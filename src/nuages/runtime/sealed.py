"""No network and no database while an image is built: whoever tries is refused and named."""

from __future__ import annotations

import errno
import os
import socket
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nuages.errors import ProjectError
from nuages.runtime.django import Report

_LOCAL = {"", "localhost", "localhost.localdomain", "ip6-localhost"}
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - compared as text
_STANDARD = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Who tried what: `what` ends a sentence that begins with «tried», `caller` is a file and a line."""

    what: str
    caller: str
    error: BaseException


class Seal:
    """Refuses connections from the moment it is set; `attempts` are those that were refused.

    Python's sockets are watched by an audit hook (PEP 578), which nothing can go around and nothing takes away again;
    databases at Django's own connections, for their drivers connect below Python.
    """

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.is_set = False
        self._names = {*_LOCAL, socket.gethostname()}

    def set(self) -> None:
        """Refuse from now on."""
        from django.db.backends.base.base import BaseDatabaseWrapper

        def connect(wrapper: Any) -> None:
            settings = wrapper.settings_dict
            name = str(settings.get("NAME") or wrapper.alias)
            from django.db.utils import OperationalError

            raise self._refused(f"to connect to the database {name!r}", OperationalError)

        BaseDatabaseWrapper.connect = connect
        self.is_set = True
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_set or not event.startswith("socket."):
            return
        if event == "socket.getaddrinfo" or event in {"socket.gethostbyname", "socket.gethostbyaddr"}:
            host = arguments[0]
            host = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
            if host not in self._names and not _is_address(host):
                raise self._refused(f"to look up {host!r}", socket.gaierror, socket.EAI_AGAIN)
        elif event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
            # A name for a Unix socket is no tuple: nothing listens in a build, and its own error says so.
            host, port = arguments[1][:2]
            raise self._refused(f"to connect to {host}:{port}", ConnectionRefusedError, errno.ECONNREFUSED)

    def _refused(self, what: str, kind: type[Exception], *arguments: int) -> Exception:
        caller = _caller()
        error = kind(*arguments, f"{caller} tried {what}, and an image is built without network and database")
        self.attempts.append(Attempt(what=what, caller=caller, error=error))
        return error


@contextmanager
def sealed(report: Report) -> Iterator[None]:
    """Refuse network and databases inside; raises ProjectError where that is what went wrong.

    What was refused and got over is told at the end: the project went on without.
    """
    seal = Seal()
    seal.set()
    try:
        yield
    except BaseException as error:
        attempt = _cause(error, seal)
        if attempt is None:
            raise
        raise ProjectError(
            f"collecting static files tried {attempt.what}", where=attempt.caller,
            why="an image is built without network and without databases: none of them is there yet",
            hint="do that where a request or a command needs it, not when the code is loaded or files are collected",
        ) from None  # fmt: skip
    finally:
        seal.is_set = False
    for what, caller in dict.fromkeys((each.what, each.caller) for each in seal.attempts):
        report("refused", f"{caller} tried {what}: refused, for an image is built without; it went on")


def _cause(error: BaseException | None, seal: Seal) -> Attempt | None:
    """Return the refusal that an exception came from, however often it was raised anew on the way."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        for attempt in seal.attempts:
            if attempt.error is error:
                return attempt
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _caller() -> str:
    """Return the innermost line that is the project's own, else that of the package which comes first."""
    packaged = ""
    for frame, line in traceback.walk_stack(sys._getframe(1)):
        path = frame.f_code.co_filename
        if path.startswith((_OWN, "<")):
            continue
        if "site-packages" in path or "dist-packages" in path:
            if not packaged and f"{os.sep}django{os.sep}" not in path:
                packaged = f"{path}:{line}"
        elif not path.startswith(_STANDARD):
            return f"{_short(path)}:{line}"
    return packaged or "Django itself"


def _short(path: str) -> str:
    here = os.getcwd() + os.sep  # noqa: PTH109 - compared as text
    return path.removeprefix(here)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
