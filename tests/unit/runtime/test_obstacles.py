"""What keeps a loaded project from being forked, by what was seen of it."""

from __future__ import annotations

import pytest

from nuages.runtime.obstacles import Descriptor, Program, State, Thread, obstacle

LOOP = "an event loop"


def test_nothing_keeps_a_quiet_process_from_it() -> None:
    assert obstacle(State()) == ""


@pytest.mark.parametrize(
    ("module", "starter", "told"),
    [
        ("time", "shop.rates", "shop.rates"), ("concurrent.futures.thread", "shop.rates", "shop.rates"),
        ("concurrent.futures.thread", "", "concurrent.futures.thread"), ("celery.beat", "shop.rates", "celery.beat"),
    ],
)  # fmt: skip
def test_a_thread_that_runs_what_python_has_is_named_by_who_started_it(
    module: str, starter: str, told: str
) -> None:
    state = State(threads=(Thread(name="poller", module=module, starter=starter),))
    assert obstacle(state) == f"the thread 'poller' of {told} would not survive a fork"


def test_who_starts_a_thread_does_not_make_it_survive() -> None:
    assert obstacle(State(threads=(Thread(name="x", module="threading", starter="sentry_sdk.client"),)))


def test_pipes_and_child_processes_are_named() -> None:
    state = State(
        descriptors=(Descriptor(what="a pipe", module="shop.renderer"),) * 2,
        programs=(Program(pid=1234, name="cat"),),
    )
    assert obstacle(state) == (
        "a pipe of shop.renderer would be shared by all workers; "
        "the child process 1234 (cat) would be shared by all workers"
    )


def test_threads_and_connections_are_named_with_their_module_each_once() -> None:
    state = State(
        threads=(Thread(name="poller", module="shop.rates"), Thread(name="rust")),
        descriptors=(Descriptor(what="a connection to 10.0.0.1:5432", module="shop.db"),) * 2,
    )
    assert obstacle(state) == (
        "the thread 'poller' of shop.rates would not survive a fork; "
        "the thread 'rust' that a library outside of Python has started would not survive a fork; "
        "a connection to 10.0.0.1:5432 of shop.db would be shared by all workers"
    )


@pytest.mark.parametrize(
    ("module", "hooked", "survives"),
    [
        ("sentry_sdk.monitor", "", True), ("opentelemetry.sdk._shared_internal", "opentelemetry", True),
        ("opentelemetry.sdk._shared_internal", "", False), ("posthog.consumer", "posthog", True),
        ("shop.rates", "shop", False),
    ],
)  # fmt: skip
def test_threads_of_libraries_that_know_of_forks_survive(module: str, hooked: str, survives: bool) -> None:
    state = State(threads=(Thread(name="x", module=module),), hooked=frozenset({hooked}))
    assert (obstacle(state) == "") is survives


@pytest.mark.parametrize(
    ("module", "stays"),
    [
        ("redis.connection", False),
        ("twisted.internet.asyncioreactor", False),
        ("redis_lock", True),
        ("", True),
    ],
)
def test_what_is_open_and_left_alone_by_its_library_keeps_nobody(module: str, stays: bool) -> None:
    assert (obstacle(State(descriptors=(Descriptor(what=LOOP, module=module),))) != "") is stays
