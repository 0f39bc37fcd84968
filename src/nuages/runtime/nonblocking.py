"""Which hooks of Django's own middleware cannot block for a given request, so that they need no thread.

Only startproject's seven classes themselves, never a subclass and none that somebody has patched; only Django's own
requests, sessions, messages and responses. What is lazy there stays lazy: `request.user` and the session ask the
database when a view does, in a thread as always. Read in Django 3.2 to 6.1; the contract tests hold each version to it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Rule = Callable[[Any], bool]

_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
_REQUEST = "django.core.handlers.asgi"
_RESPONSES = ("django.http.response", "django.template.response", "django.shortcuts")
_SESSIONS = ("django.contrib.sessions.backends.db", "django.contrib.sessions.backends.signed_cookies")
_MESSAGES = "django.contrib.messages.storage."


class Phases:
    """What can be told of a run of middleware."""

    def __init__(self, members: tuple[Any, ...]) -> None:
        known = [(member, kind) for member in members if (kind := _known(type(member))) is not None]
        self._members = tuple(known) if len(known) == len(members) else ()

    def takes_request(self, request: Any) -> bool:
        """Return whether no process_request of the run can block for this request."""
        if not self._members or type(request).__module__ != _REQUEST:
            return False
        return all(kind.is_itself(member) and kind.request(member) for member, kind in self._members)

    def takes_response(self, request: Any, response: Any) -> bool:
        """Return whether no process_response of the run can block for this request and response."""
        if not self._members or type(request).__module__ != _REQUEST:
            return False
        if type(response).__module__ not in _RESPONSES:
            return False
        return all(kind.is_itself(member) and kind.response(request) for member, kind in self._members)


class Kind:
    """One of Django's middleware classes, as it was when it was looked at: its hooks, and when they cannot block."""

    HOOKS = ("process_request", "process_view", "process_response")

    def __init__(self, owner: type, request: Rule, response: Rule) -> None:
        self._owner = owner
        self._hooks = tuple((name, owner.__dict__.get(name)) for name in self.HOOKS)
        self.request, self.response = request, response

    def is_itself(self, member: Any) -> bool:
        """Return whether neither the class nor the instance has got another hook meanwhile."""
        own = self._owner.__dict__
        return all(own.get(name) is hook and name not in member.__dict__ for name, hook in self._hooks)


def _known(owner: type) -> Kind | None:
    rules = _RULES.get(f"{owner.__module__}.{owner.__qualname__}")
    module = sys.modules.get(owner.__module__)
    if rules is None or module is None or getattr(module, owner.__qualname__, None) is not owner:
        return None
    for value in vars(owner).values():
        code = getattr(value, "__globals__", None)
        if code is not None and code is not vars(module):
            return None  # somebody has patched it
    return Kind(owner, *rules)


def views(hooks: list[Any]) -> Rule | None:
    """Return what tells whether no process_view hook can block for a request; None where it cannot be told."""
    for hook in hooks:
        member = getattr(hook, "__self__", None)
        known = _known(type(member)) if member is not None else None
        if known is None or getattr(hook, "__func__", None) is not type(member).__dict__.get("process_view"):
            return None
    if not hooks:
        return lambda _request: True
    kinds = [(hook.__self__, _known(type(hook.__self__))) for hook in hooks]

    def cannot_block(request: Any) -> bool:
        return (
            request.method in _SAFE
            and type(request).__module__ == _REQUEST
            and all(kind is not None and kind.is_itself(member) for member, kind in kinds)
        )

    return cannot_block


def _always(_: Any) -> bool:
    return True


def _session_is_lazy(member: Any) -> bool:
    return member.SessionStore.__module__ in _SESSIONS


def _session_is_as_it_was(request: Any) -> bool:
    from django.conf import settings

    session = getattr(request, "session", None)
    if session is None:
        return True
    if type(session).__module__ not in _SESSIONS:
        return False
    return not session.modified and not settings.SESSION_SAVE_EVERY_REQUEST


def _csrf_needs_no_session(_: Any) -> bool:
    from django.conf import settings

    return not settings.CSRF_USE_SESSIONS


def _messages_are_lazy(_: Any) -> bool:
    from django.conf import settings

    return str(settings.MESSAGE_STORAGE).startswith(_MESSAGES)


def _messages_are_as_they_were(request: Any) -> bool:
    messages = getattr(request, "_messages", None)
    if messages is None:
        return not hasattr(request, "_messages")
    return type(messages).__module__.startswith(_MESSAGES) and not messages.used and not messages.added_new


# Class: when its process_request cannot block (of the instance), and its process_response (of the request).
_RULES: dict[str, tuple[Rule, Rule]] = {
    "django.middleware.security.SecurityMiddleware": (_always, _always),
    "django.contrib.sessions.middleware.SessionMiddleware": (_session_is_lazy, _session_is_as_it_was),
    "django.middleware.common.CommonMiddleware": (_always, _always),
    "django.middleware.csrf.CsrfViewMiddleware": (_csrf_needs_no_session, _csrf_needs_no_session),
    "django.contrib.auth.middleware.AuthenticationMiddleware": (_always, _always),
    "django.contrib.messages.middleware.MessageMiddleware": (_messages_are_lazy, _messages_are_as_they_were),
    "django.middleware.clickjacking.XFrameOptionsMiddleware": (_always, _always),
}
