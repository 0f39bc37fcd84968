"""The words for starts that fail, whole."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

from nuages.errors import ProjectError
from nuages.runtime.child import Child, error_fields, error_from
from nuages.runtime.chronicle import Chronicle, why_it_cannot_start
from nuages.runtime.scoreboard import InFlight


def _process(status: int | None = None, **fields: Any) -> Any:
    facts = {"id": 1, "status": status, "error": None, "told_to_end": "", **fields}
    process = SimpleNamespace(**facts)
    process.ending = lambda: Child.ending(process)  # type: ignore[arg-type]
    return process


def test_a_project_that_takes_too_long_to_load() -> None:
    assert why_it_cannot_start(_process(), 120.0, None).render() == (
        "error: the application was not ready within 120 s\n"
        "  worker 1, still loading\n"
        "  what the project does while it is imported takes longer, or never ends: its stack stands above\n"
        "\n"
        "hint: --start-timeout 240s gives it more time"
    )


def test_a_project_that_is_killed_while_it_loads() -> None:
    assert why_it_cannot_start(_process(status=signal.SIGKILL), 120.0, None).render() == (
        "error: the application ended while it was loading\n"
        "  worker 1, after several attempts\n"
        "  its process was killed by SIGKILL: perhaps out of memory, and said nothing\n"
        "\n"
        "hint: look above for what it wrote; `python manage.py check` loads the same code"
    )


def test_a_machine_that_gives_no_process() -> None:
    error = BlockingIOError(11, "Resource temporarily unavailable")
    assert why_it_cannot_start(None, 120.0, error).render() == (
        "error: no worker could be started\n"
        "  posix_spawn(3)\n"
        "  [Errno 11] Resource temporarily unavailable\n"
        "\n"
        "hint: see the limits of processes and memory: `ulimit -u`, pids.max, memory.max"
    )


def test_whose_process_has_ended_that_still_loaded_new_code_and_whose_that_served() -> None:
    log = _Log()
    for is_loading in (True, False):
        zygote = _process(status=signal.SIGKILL, is_loading=is_loading, generation=1, pid=7)
        Chronicle(log).zygote_died(zygote)  # type: ignore[arg-type]
    assert log.texts == [
        "error zygote-died: the process that loads the project was killed by SIGKILL: perhaps out of memory; "
        "the workers go on",
        "error zygote-died: the process that workers are forked from was killed by SIGKILL: perhaps out of memory; "
        "the workers go on",
    ]


def test_a_worker_for_which_the_machine_gives_no_process_says_where_to_look() -> None:
    log = _Log()
    Chronicle(log).not_started(2, BlockingIOError(11, "Resource temporarily unavailable"))  # type: ignore[arg-type]
    assert log.texts == [
        "error worker-start-failed: worker 2 could not be started: Resource temporarily unavailable; "
        "see the limits of processes and memory: `ulimit -u`, pids.max, memory.max"
    ]


def test_the_projects_own_error_is_told_as_it_is_and_survives_the_way_from_the_worker() -> None:
    error = ProjectError("DEBUG is on", where="settings.py:3", why="DEBUG = True", hint="turn it off")
    same = error_from(error_fields(error))
    assert why_it_cannot_start(_process(error=same), 120.0, None) is same
    assert same.render() == error.render()
    assert same.exit_code == 1


def test_lost_requests_that_were_not_noted_are_numbered() -> None:
    said: list[tuple[str, str, dict[str, Any]]] = []
    log: Any = SimpleNamespace(event=lambda _, event, text, **fields: said.append((event, text, fields)))
    request = InFlight(method="GET", path="/slow/", request_id="a", since=98.0)
    Chronicle(log).lost(_process(pid=8), [request], "lost with its worker", 100.0, more=44)
    assert [(event, text) for event, text, _ in said] == [
        ("request-lost", "GET /slow/ lost with its worker, after 2.0 s"),
        ("requests-lost", "and 44 more requests lost with its worker"),
    ]
    assert said[1][2] == {"worker": 1, "pid": 8, "more": 44}
    Chronicle(log).lost(_process(pid=8), [request], "lost with its worker", 100.0)
    assert len(said) == 3


def test_lost_websockets_are_named_and_numbered_alike() -> None:
    said: list[tuple[str, str, str]] = []
    log: Any = SimpleNamespace(event=lambda level, event, text, **_: said.append((level, event, text)))
    socket = InFlight(method="WebSocket", path="/chat/", request_id="a", since=98.0)
    Chronicle(log).sockets_lost(_process(pid=8), [socket], "lost with its worker", 100.0, more=44)
    assert said == [
        ("warning", "websocket-lost", "WebSocket /chat/ lost with its worker, after 2.0 s"),
        ("warning", "websockets-lost", "and 44 more WebSockets lost with its worker"),
    ]


def test_a_huge_traceback_is_cut_from_its_beginning_to_what_a_message_can_hold() -> None:
    fields = error_fields(ProjectError("x" * 10000, why="a" * 100000 + "the end", hint=""))
    assert fields["why"].endswith("the end")
    assert sum(len(str(value)) for value in fields.values()) < 50000


class _Log:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def event(self, level: str, event: str, text: str, **_: Any) -> None:
        self.texts.append(f"{level} {event}: {text}")


def test_what_every_process_finds_is_said_once_until_a_reload_changes_it() -> None:
    log = _Log()
    say = Chronicle(log)  # type: ignore[arg-type]

    def load(generation: int, *texts: str) -> list[str]:
        log.texts.clear()
        for _ in range(3):
            for text in texts:
                message = {"report": "settings", "text": text, "fields": {}}
                say.reported(_process(generation=generation), message)
        return log.texts.copy()

    assert load(1, "a", "b") == ["info settings: a", "info settings: b"]
    assert load(2, "a", "b") == []
    assert load(3, "a", "c") == ["info settings: c"]
    assert load(4, "b", "c") == ["info settings: b"]  # as it was before: that is news
    assert load(3, "c") == []  # a worker that is on its way out
    assert load(5, "b", "c") == []


def test_a_text_is_said_of_each_kind_and_with_the_level_that_it_came_with() -> None:
    log = _Log()
    say = Chronicle(log)  # type: ignore[arg-type]
    kinds: tuple[tuple[str, dict[str, str]], ...] = (
        ("warning", {}),
        ("warm-up", {"level": "warning"}),
        ("media", {}),
    )
    for report, fields in kinds:
        say.reported(_process(generation=1), {"report": report, "text": "x", "fields": fields})
    assert log.texts == ["warning warning: x", "warning warm-up: x", "info media: x"]
