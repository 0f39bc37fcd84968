"""Every name of Django and asgiref that is not documented and is used here; run with each supported version."""

from __future__ import annotations

import inspect

import django
import pytest
from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext
from django.core.cache import caches
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http.response import StreamingHttpResponse
from django.urls.resolvers import ResolverMatch, URLPattern, URLResolver
from django.utils.deprecation import MiddlewareMixin


@pytest.mark.parametrize("name", ["load_middleware", "get_response", "get_response_async", "resolve_request"])
def test_handlers_have_their_methods(name: str) -> None:
    for kind in (BaseHandler, WSGIHandler, ASGIHandler):
        assert callable(getattr(kind, name))


@pytest.mark.parametrize(
    "name", ["read_body", "create_request", "send_response", "chunk_size", "request_class"]
)
def test_the_asgi_handler_has_its_parts(name: str) -> None:
    assert hasattr(ASGIHandler, name)


def test_the_asgi_handler_answers_through_handle_since_django_4() -> None:
    assert hasattr(ASGIHandler, "handle") == (django.VERSION >= (4, 0))


def test_the_wsgi_handler_asks_its_own_get_response() -> None:
    assert "self.get_response(request)" in inspect.getsource(WSGIHandler.__call__)
    assert "self.get_response_async(request)" in inspect.getsource(ASGIHandler)


def test_asgiref_gives_what_sync_code_waits_for_to_its_main_wrap() -> None:
    assert inspect.iscoroutinefunction(AsyncToSync.main_wrap)
    assert "call_result" in inspect.signature(AsyncToSync.main_wrap).parameters


def test_asgiref_finds_the_thread_of_a_context_in_a_mapping() -> None:
    assert hasattr(SyncToAsync, "context_to_thread_executor")
    assert "context_to_thread_executor" in inspect.getsource(ThreadSensitiveContext.__aexit__)
    assert "executor" in inspect.signature(SyncToAsync.__init__).parameters


def test_asgiref_asks_a_context_variable_which_context_a_request_has() -> None:
    source = inspect.getsource(SyncToAsync.__call__)
    assert "self.thread_sensitive_context.get(" in source
    assert "self.context_to_thread_executor[thread_sensitive_context]" in source


def test_the_async_chain_is_built_of_what_segments_stand_in_for() -> None:
    load = inspect.getsource(BaseHandler.load_middleware)
    assert load.count("self.adapt_method_mode(") == 5
    assert "convert_exception_to_response(mw_instance)" in load
    answer = inspect.getsource(BaseHandler._get_response_async)
    assert "self.resolve_request(request)" in answer
    assert "in self._view_middleware:" in answer
    code = convert_exception_to_response.__code__.co_consts
    assert any(getattr(each, "co_name", "") == "inner" for each in code)
    assert "sync_to_async" in inspect.getsource(MiddlewareMixin.__acall__)


def test_a_handled_request_is_closed_where_this_version_closes_it() -> None:
    closes = "response.close" in inspect.getsource(ASGIHandler.send_response)
    assert closes == (django.VERSION < (5, 0))
    assert hasattr(ASGIHandler, "listen_for_disconnect") == (django.VERSION >= (5, 0))
    assert hasattr(ASGIHandler, "run_get_response") == (django.VERSION >= (5, 0))


def test_signals_and_caches_tell_who_they_have() -> None:
    receiver = request_finished.receivers[0]
    assert isinstance(receiver[0], tuple)
    assert hasattr(caches, "_connections")


def test_connections_tell_what_a_request_left_open() -> None:
    source = inspect.getsource(BaseDatabaseWrapper.__init__)
    for name in (
        "in_atomic_block",
        "needs_rollback",
        "savepoint_ids",
        "run_on_commit",
        "autocommit",
        "connection",
    ):
        assert f"self.{name}" in source


def test_responses_tell_whether_they_stream() -> None:
    assert StreamingHttpResponse.streaming is True
    if django.VERSION >= (4, 2):
        assert "self.is_async" in inspect.getsource(StreamingHttpResponse)


def test_resolvers_can_be_walked() -> None:
    assert hasattr(URLResolver, "url_patterns")
    assert "self.callback" in inspect.getsource(URLPattern.__init__)
    assert "self.route" in inspect.getsource(ResolverMatch.__init__)
