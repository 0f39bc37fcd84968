"""Which way a URL takes: async views on the event loop, everything else in a thread; read from the URLconf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes

MOST_PATHS = 4096  # answers that are kept; then all are forgotten, and the busy ones are soon back


class Views:
    """Answers whether a path leads to an async view, from the URLconf and a cache.

    A guess: middleware may choose another URLconf. A wrong one costs time, never correctness, for Django adapts
    views of both kinds on both ways.
    """

    def __init__(self) -> None:
        self._resolver: Any = None
        self._get_resolver: Any = None
        self._known: dict[bytes, bool] = {}
        self.looked = False  # since the last answer, whether the URLconf is another: the question costs 2 us
        self.any_async = False
        self.refresh()

    def refresh(self) -> None:
        """Read the URLconf; raises whatever the project's urls.py raises."""
        from django.urls import get_resolver

        self._get_resolver = get_resolver
        self._resolver = get_resolver()
        self._known = {}
        self.any_async = has_async(self._resolver)

    def is_async(self, path: bytes) -> bool:
        """Return whether the view for a raw path, as sent and without its query, is a coroutine function."""
        if not self.looked:
            self.looked = True
            self._look_again()
        if not self.any_async:
            return False
        known = self._known.get(path)
        if known is not None:
            return known
        answer = self._look(path)
        if len(self._known) >= MOST_PATHS:
            self._known.clear()
        self._known[path] = answer
        return answer

    def _look_again(self) -> None:
        """Read the URLconf again where it is another."""
        if self._get_resolver() is not self._resolver:
            # ROOT_URLCONF is another, or somebody has called clear_url_caches after changing the patterns.
            try:
                self.refresh()
            except Exception:  # noqa: BLE001 - the new urls.py is broken: Django will say so, with its own page
                self.any_async = False

    def is_async_path(self, path: str) -> bool:
        """Return the same for a decoded path, as ASGI has it."""
        return self.is_async(quote(path).encode())

    def _look(self, path: bytes) -> bool:
        from django.urls import Resolver404

        try:
            text = unquote_to_bytes(path).decode()
            return is_coroutine_function(self._resolver.resolve(text).func)
        except (Resolver404, UnicodeDecodeError):
            return False
        except Exception:  # noqa: BLE001 - a converter of the project's failed: Django will say so, with its own page
            return False


def children(entry: Any) -> Sequence[Any] | None:
    """Return what a URL resolver includes; None of a pattern, which is a view's.

    Raises what importing the URLconf raises: an AttributeError of the project's is no attribute that is missing here.
    """
    return entry.url_patterns if hasattr(type(entry), "url_patterns") else None


def has_async(resolver: Any) -> bool:
    """Return whether any view below a URL resolver is a coroutine function."""
    todo = [resolver]
    seen: set[int] = set()
    while todo:
        entry = todo.pop()
        if id(entry) in seen:
            continue
        seen.add(id(entry))
        included = children(entry)
        if included is not None:
            todo.extend(included)
        elif is_coroutine_function(getattr(entry, "callback", None)):
            return True
    return False


def is_coroutine_function(view: Any) -> bool:
    """Return whether a view is async, as Django of any version marks it."""
    try:
        from asgiref.sync import iscoroutinefunction
    except ImportError:  # asgiref before 3.6, with Django 3.2
        from asyncio import iscoroutinefunction
    return bool(view is not None and iscoroutinefunction(view))
