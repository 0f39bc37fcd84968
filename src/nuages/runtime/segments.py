"""Django's async middleware chain with fewer thread hops: neighbouring middleware classes share them.

Django gives each `process_request`, `process_view` and `process_response` of a MiddlewareMixin class a hop to a thread
of its own. A segment is a run of such classes: one hop for what they do to the request (and to the view, where the run
is the innermost), one for what they do to the response, none where Django's own classes do nothing that could block.
Order, exceptions and early answers are those of `BaseHandler` and `MiddlewareMixin` (django/core/handlers/base.py,
django/utils/deprecation.py); whatever is not exactly theirs stays as Django has made it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nuages.runtime import nonblocking

SEGMENTS = "_nuages_segments"  # the attribute of a handler that is loading its middleware
_MARK = getattr(asyncio.coroutines, "_is_coroutine", None)
TRIP = "_nuages_trip"  # the attribute of a request that is answered by `asgihandler`


@dataclass(slots=True)
class Trip:
    """What a request has with it: `begin` must run in its first hop; `views` is what its process_view hooks said."""

    begin: Callable[[], Any] | None = None
    views: Any = None


def trip_of(request: Any) -> Trip | None:
    """Return what `asgihandler` gave a request, None where another handler has made it."""
    found = request.__dict__.get(TRIP)
    return found if isinstance(found, Trip) else None


class Segment:
    """A run of middleware, outermost first, and `inner`, the async callable that the innermost calls.

    `views` is set where that callable is Django's own call of the view.
    """

    def __init__(self, members: tuple[Any, ...], inner: Any, wrapped: Any) -> None:
        from asgiref.sync import sync_to_async
        from django.core.handlers.exception import response_for_exception

        self.members = members
        self.inner = inner
        self.views: Views | None = None
        self.__wrapped__ = wrapped
        self.__qualname__ = getattr(wrapped, "__qualname__", type(wrapped).__qualname__)
        self._convert = response_for_exception
        self._easy = nonblocking.Phases(members)
        self._enter_hop = sync_to_async(self._enter, thread_sensitive=True)
        self._leave_hop = sync_to_async(self._leave, thread_sensitive=True)
        self._failed_hop = sync_to_async(self._failed, thread_sensitive=True)
        _mark_async(self)

    async def __call__(self, request: Any) -> Any:
        """Answer as the outermost middleware would."""
        trip = trip_of(request)
        begin = trip.begin if trip is not None else None
        if begin is None and self._easy.takes_request(request):
            answer = await self._enter_here(request, trip)
        else:
            if trip is not None:
                trip.begin = None
            answer = await self._enter_hop(request, begin, trip)
        if answer is not None:
            return answer[0]
        response = await self.inner(request)
        if self._easy.takes_response(request, response):
            return await self._leave_here(request, response)
        return await self._leave_hop(request, response, len(self.members) - 1)

    # In a thread, or on the loop where nothing blocks

    def _enter(self, request: Any, begin: Callable[[], Any] | None, trip: Trip | None) -> tuple[Any] | None:
        """Run all process_request hooks; return the answer, in a tuple, if one of them gave it."""
        if begin is not None:
            begin()
        for level, member in enumerate(self.members):
            if hasattr(member, "process_request"):
                try:
                    response = member.process_request(request)
                except Exception as error:  # noqa: BLE001 - as Django's convert_exception_to_response
                    return (self._failed(request, error, level),)
                if response:
                    return (self._leave(request, response, level),)
        if self.views is not None and trip is not None:
            self.views.look_ahead(request, trip)
        return None

    def _leave(self, request: Any, response: Any, level: int) -> Any:
        """Run the process_response hooks from a level outwards."""
        for member in self.members[level::-1] if level >= 0 else ():
            if hasattr(member, "process_response"):
                try:
                    response = member.process_response(request, response)
                except Exception as error:  # noqa: BLE001 - as above
                    response = self._convert(request, error)
        return response

    def _failed(self, request: Any, error: Exception, level: int) -> Any:
        """Answer for a hook of a level that raised: the middleware outside of it sees a response."""
        return self._leave(request, self._convert(request, error), level - 1)

    # On the loop

    async def _enter_here(self, request: Any, trip: Trip | None) -> tuple[Any] | None:
        for level, member in enumerate(self.members):
            if hasattr(member, "process_request"):
                try:
                    response = member.process_request(request)
                except Exception as error:  # noqa: BLE001 - error pages may do anything
                    return (await self._failed_hop(request, error, level),)
                if response:
                    return (await self._leave_hop(request, response, level),)
        if self.views is not None and trip is not None and self.views.are_easy(request):
            self.views.look_ahead(request, trip)
        return None

    async def _leave_here(self, request: Any, response: Any) -> Any:
        for level in range(len(self.members) - 1, -1, -1):
            member = self.members[level]
            if hasattr(member, "process_response"):
                try:
                    response = member.process_response(request, response)
                except Exception as error:  # noqa: BLE001 - as above
                    return await self._failed_hop(request, error, level)
        return response


class Views:
    """The process_view hooks of one handler, and its look-up of the view, in the place of Django's."""

    def __init__(self, handler: Any) -> None:
        from asgiref.sync import SyncToAsync, sync_to_async

        self._hooks = [
            hook.func if isinstance(hook, SyncToAsync) else hook for hook in handler._view_middleware
        ]
        self.are_sync = all(isinstance(hook, SyncToAsync) for hook in handler._view_middleware)
        self._adapted = list(handler._view_middleware)
        self._resolve = handler.resolve_request
        self._easy = nonblocking.views(self._hooks)
        self._all_hop = sync_to_async(self._all, thread_sensitive=True)

    def install(self, handler: Any) -> None:
        """Let the handler's `_get_response_async` use what was found ahead."""
        handler.resolve_request = self.resolve_request
        handler._view_middleware = [self.process_views] if self._hooks else []

    def are_easy(self, request: Any) -> bool:
        """Return whether the hooks do nothing that could block for this request."""
        return self._easy is not None and self._easy(request)

    def look_ahead(self, request: Any, trip: Trip) -> None:
        """Find the view and run the hooks, if all of them are sync; errors are left to when it is done again."""
        if not self.are_sync:
            return
        try:
            found = self._resolve(request)
        except Exception:  # noqa: BLE001 - Django will raise it again, where it has to be
            return
        trip.views = (found, *self._outcome(request, found))

    def _outcome(self, request: Any, found: Any) -> tuple[Any, BaseException | None]:
        try:
            return self._all(request, *found), None
        except Exception as error:  # noqa: BLE001 - raised again where Django would
            return None, error

    def _all(self, request: Any, callback: Any, arguments: Any, keywords: Any) -> Any:
        for hook in self._hooks:
            response = hook(request, callback, arguments, keywords)
            if response:
                return response
        return None

    def resolve_request(self, request: Any) -> Any:
        """Stand in for `BaseHandler.resolve_request`."""
        trip = trip_of(request)
        return trip.views[0] if trip is not None and trip.views is not None else self._resolve(request)

    async def process_views(self, request: Any, callback: Any, arguments: Any, keywords: Any) -> Any:
        """Stand in for all adapted process_view hooks."""
        trip = trip_of(request)
        if trip is not None and trip.views is not None:
            (_, response, error), trip.views = trip.views, None
            if error is not None:
                raise error
            return response
        if self.are_sync:
            if self.are_easy(request):
                return self._all(request, callback, arguments, keywords)
            return await self._all_hop(request, callback, arguments, keywords)
        for hook in self._adapted:
            response = await hook(request, callback, arguments, keywords)
            if response:
                return response
        return None


@contextmanager
def overriding(kind: Any, **methods: Callable[..., Any]) -> Iterator[None]:
    """Let a class have these methods in this block; each is given, before its arguments, what it stands in for.

    That is looked up when it is called: settings that are loaded in the block may begin an agent, which patches a class
    below (sentry-sdk does so with `BaseHandler.load_middleware`).
    """
    had = {name: vars(kind)[name] for name in methods if name in vars(kind)}

    def standing_in(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any, **keywords: Any) -> Any:
            under = had[name].__get__(self, kind) if name in had else getattr(super(kind, self), name)
            return method(self, under, *arguments, **keywords)

        return call

    for name, method in methods.items():
        setattr(kind, name, standing_in(name, method))
    try:
        yield
    finally:
        for name in methods:
            delattr(kind, name)
            if name in had:
                setattr(kind, name, had[name])


@contextmanager
def making(kind: Any) -> Iterator[list[Any]]:
    """Put the handlers of this kind that are made in this block into a list."""
    made: list[Any] = []

    def load_middleware(self: Any, load: Any, *arguments: Any, **keywords: Any) -> None:
        load(*arguments, **keywords)
        made.append(self)

    with overriding(kind, load_middleware=load_middleware):
        yield made


@contextmanager
def sharing() -> Iterator[list[Any]]:
    """Let ASGI handlers that are made in this block share hops; the list has them after it."""
    from django.core.handlers.asgi import ASGIHandler

    def adapt_method_mode(
        self: Any,
        adapt: Any,
        is_async: bool,
        method: Any,
        method_is_async: Any = None,
        *more: Any,
        **keywords: Any,
    ) -> Any:
        if method_is_async:
            segment = _segment(method)
            if segment is not None:
                vars(self).setdefault(SEGMENTS, []).append(segment)
                method = segment
        return adapt(is_async, method, method_is_async, *more, **keywords)

    def load_middleware(self: Any, load: Any, *arguments: Any, **keywords: Any) -> None:
        load(*arguments, **keywords)
        _share_views(self)

    with (
        overriding(ASGIHandler, adapt_method_mode=adapt_method_mode, load_middleware=load_middleware),
        making(ASGIHandler) as made,
    ):
        yield made


def _segment(method: Any) -> Segment | None:
    """Return the segment that stands for a converted middleware, None for anything but an ordinary class."""
    member = getattr(method, "__wrapped__", None)
    if member is None or not _is_converted(method) or not is_ordinary(member):
        return None
    inner = member.get_response
    if isinstance(inner, Segment):
        return Segment((member, *inner.members), inner.inner, member)
    return Segment((member,), inner, member)


def _share_views(handler: Any) -> None:
    """Let the innermost segments find the view and run its hooks."""
    views = Views(handler)
    views.install(handler)
    for segment in vars(handler).pop(SEGMENTS, ()):
        call = getattr(segment.inner, "__wrapped__", None)
        if _is_converted(segment.inner) and call == handler._get_response_async:
            segment.views = views


def _is_converted(method: Any) -> bool:
    """Return whether a callable is what Django's convert_exception_to_response makes, and nobody's wrapper of it."""
    from django.core.handlers.exception import convert_exception_to_response

    code = getattr(method, "__code__", None)
    return code is not None and code in convert_exception_to_response.__code__.co_consts


def is_ordinary(member: Any) -> bool:
    """Return whether a middleware is called as MiddlewareMixin says, with sync hooks, around an async callable."""
    from asgiref.sync import SyncToAsync
    from django.utils.deprecation import MiddlewareMixin

    from nuages.runtime.views import is_coroutine_function

    if not isinstance(member, MiddlewareMixin) or not is_coroutine_function(member):
        return False
    kind = type(member)
    for name in ("__call__", "__acall__"):
        function = getattr(kind, name)
        if function is not getattr(MiddlewareMixin, name) or name in vars(member):
            return False
        if function.__globals__ is not vars(sys.modules[MiddlewareMixin.__module__]):
            return False  # somebody has patched it
    hooks = [getattr(member, name, None) for name in ("process_request", "process_response")]
    return is_coroutine_function(member.get_response) and not any(
        isinstance(hook, SyncToAsync) or is_coroutine_function(hook) for hook in hooks
    )


def _mark_async(instance: Any) -> None:
    """Mark an object as a coroutine function, as MiddlewareMixin looks for it in each version of Django."""
    try:
        from asgiref.sync import markcoroutinefunction
    except ImportError:  # asgiref before 3.6
        instance._is_coroutine = _MARK
    else:
        markcoroutinefunction(instance)
        if sys.version_info < (3, 12):
            instance._is_coroutine = _MARK
