"""The metrics of the management socket, read back by prometheus_client's own parsers."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from nuages.runtime.counts import BOUNDS, Counts, Histogram
from nuages.runtime.exposition import Family, Sample, render, wants_openmetrics
from nuages.runtime.ledger import CRASH, REASONS, Ledger, kind_of
from nuages.runtime.metrics import METRICS, families
from nuages.runtime.observation import Observation, Observer, Seen, why_database
from nuages.runtime.pool import Limits, Phase, Pool, Worker
from nuages.runtime.scoreboard import ENTRIES, Board, DatabaseCheck, Figures, InFlight, Scoreboard
from nuages.runtime.status import status

REQUEST = InFlight(method="GET", path="/slow/", request_id="a", since=98.0)
SEEN = Observation(
    now=100.0, started=40.0, started_at=1_700_000_000.5, version="1.2.3", pid=7, project="/srv/shop", urls=("http://127.0.0.1:8000",),
    pool=Pool(limits=Limits(workers=2), proven=0, workers=(
        Worker(id=1, generation=0, phase=Phase.READY, since=41.0),
        Worker(id=2, generation=0, phase=Phase.STARTING, since=99.0),
    )),
    restarts=1,
    workers=(
        Seen(worker=Worker(id=1, generation=0, phase=Phase.READY, since=41.0), pid=8, slot=0, age=60.0,
             figures=Figures(pid=8, heartbeat=99.5, connections=4, threads=3, threads_busy=1, queued=2,
                             database_connections=5),
             in_flight=(REQUEST,), requests=12, memory=50 << 20),
        Seen(worker=Worker(id=2, generation=0, phase=Phase.STARTING, since=99.0)),
    ),
    counts=Counts(
        requests={("books/<int:pk>/", "GET", "2xx"): 10, ('re/(?P<a>"\\d+")\n', "POST", "5xx"): 2},
        durations={
            "books/<int:pk>/": Histogram((5, 3, 2, *(0 for _ in BOUNDS[2:])), 0.25),
            're/(?P<a>"\\d+")\n': Histogram((*(0 for _ in BOUNDS), 2), 125.5),
        },
        queue=Histogram((12, *(0 for _ in BOUNDS)), 0.001), static={"2xx": 40, "3xx": 4}, sent=123456789012,
    ),
    replacements=dict.fromkeys(REASONS, 0) | {CRASH: 3}, last_replacement=None, failed_reloads=0,
    checks_database=True, database=DatabaseCheck(at=97.0, why=""),
)  # fmt: skip


def _values(found: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in found
        for sample in family.samples
    }


@pytest.mark.parametrize("openmetrics", [False, True])
def test_both_formats_are_read_by_prometheus_own_parsers(openmetrics: bool) -> None:
    text = render(families(SEEN), openmetrics=openmetrics)
    parse = openmetrics_families if openmetrics else text_families
    found = list(parse(text))
    values = _values(found)
    assert values["nuages_build_info", (("version", "1.2.3"),)] == 1
    books = (("method", "GET"), ("route", "books/<int:pk>/"), ("status", "2xx"))
    assert values["nuages_requests_total", books] == 10
    assert values["nuages_requests_total", (
        ("method", "POST"), ("route", 're/(?P<a>"\\d+")\n'), ("status", "5xx"),
    )] == 2  # fmt: skip
    buckets = "nuages_request_duration_seconds_bucket"
    assert values[buckets, (("le", "0.001"), ("route", "books/<int:pk>/"))] == 5
    assert values[buckets, (("le", "0.0025"), ("route", "books/<int:pk>/"))] == 8
    assert values[buckets, (("le", "+Inf"), ("route", "books/<int:pk>/"))] == 10
    assert values["nuages_request_duration_seconds_sum", (("route", "books/<int:pk>/"),)] == 0.25
    assert values["nuages_request_queue_seconds_count", ()] == 12
    assert values["nuages_ready", ()] == 1
    assert values["nuages_workers", (("phase", "ready"),)] == 1
    assert values["nuages_workers", (("phase", "killed"),)] == 0
    assert values["nuages_worker_replacements_total", (("reason", "crash"),)] == 3
    assert values["nuages_requests_in_flight", ()] == 1
    assert values["nuages_oldest_request_seconds", ()] == 2.0
    assert values["nuages_static_requests_total", (("status", "5xx"),)] == 0
    assert values["nuages_response_body_bytes_total", ()] == 123456789012
    assert values["nuages_threads", (("state", "idle"),)] == 2
    assert values["nuages_database_connections", ()] == 5
    assert values["nuages_database_up", ()] == 1
    assert values["nuages_worker_memory_bytes", (("slot", "0"),)] == 50 << 20
    assert values["nuages_worker_heartbeat_age_seconds", (("slot", "0"),)] == 0.5
    declared = {metric.shown for metric in METRICS}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name, _ in values} <= declared
    assert {metric.name for metric in METRICS} <= {
        family.name.removesuffix("_info") for family in found
    } | declared


def test_the_time_of_the_start_stays_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Scoreboard(1)
    crew = SimpleNamespace(children={}, restarts=0, ledger=Ledger(board), board=board)
    settings = SimpleNamespace(ready_database=False, ready_migrations=False)
    supervisor: Any = SimpleNamespace(
        crew=crew, settings=settings, pool=SEEN.pool, project="/srv/shop", urls=(), started=40.0, started_at=1.7e9,
    )  # fmt: skip
    observer = Observer(supervisor)
    before = observer.look().started_at
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert observer.look().started_at == before == 1.7e9


def test_more_requests_in_flight_than_a_worker_notes_are_told() -> None:
    one, other = SEEN.workers
    many = replace(one, in_flight=(REQUEST,) * ENTRIES, figures=replace(one.figures, in_flight=400))
    found = {family.name: family for family in families(replace(SEEN, workers=(many, other)))}
    assert found["nuages_requests_in_flight"].samples[0].value == 400
    assert status(replace(SEEN, workers=(many, other)))["workers"][0]["requests_in_flight"] == 400


def test_every_declared_metric_is_emitted_and_no_other() -> None:
    assert [family.name for family in families(SEEN)] == [metric.name for metric in METRICS]
    assert all(family.samples for family in families(SEEN))


def test_names_follow_the_rules_that_promtool_checks() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"nuages_[a-z_]+[a-z]", metric.name)
        assert metric.help[0].isupper() or metric.help[0].isdigit()
        assert metric.help.endswith(".")
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        for unit in ("seconds", "bytes"):
            assert metric.name.endswith(f"_{unit}") == (metric.unit == unit)
        assert not set(metric.labels) & {"le", "quantile", "job", "instance"}
        for kind in ("gauge", "counter", "histogram", "summary"):
            assert kind not in metric.name


def test_a_whole_text_in_each_format() -> None:
    family = Family(
        "a_bytes", "counter", 'What "it"\nis', (Sample("_total", (("b", 'c"\\\n'),), 3),), "bytes"
    )
    assert render([family], openmetrics=False) == (
        '# HELP a_bytes_total What "it"\\nis\n# TYPE a_bytes_total counter\na_bytes_total{b="c\\"\\\\\\n"} 3\n'
    )
    assert render([family], openmetrics=True) == (
        '# HELP a_bytes What \\"it\\"\\nis\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\n'
        'a_bytes_total{b="c\\"\\\\\\n"} 3\n# EOF\n'
    )


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.floats())
def test_any_label_and_value_survive(label: str, value: float) -> None:
    family = Family("a", "gauge", "What it is.", (Sample("", (("b", label),), value),))
    for text, parse in (
        (render([family], openmetrics=False), text_families),
        (render([family], openmetrics=True), openmetrics_families),
    ):
        if label.splitlines() != [label] and "\n" not in label:
            continue  # these parsers split at other line ends, which the formats have not
        ((found,),) = (one.samples for one in parse(text))
        assert found.labels == {"b": label}
        assert found.value == value or value != value


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.5,*/*;q=0.1",
            True,
        ),
        ("text/plain;q=0.9, Application/OpenMetrics-Text; Q=0.2", False),
        ("application/openmetrics-text;q=x", False),
    ],
)
def test_openmetrics_is_for_who_prefers_it(accept: str, wanted: bool) -> None:
    assert wants_openmetrics(accept) is wanted


def test_the_reasons_of_the_log_are_counted_under_few_labels() -> None:
    reasons = {
        "it has had 10123 requests": "requests", "it is 3600 s old": "age", "new code": "reload",
        "it takes 300 MB of memory, and 240 are --recycle-memory": "memory", "SIGTERM came to this worker": "signal",
        "its event loop has stood still for 31 s": "stall", "fewer workers were asked for": "resize", "?": "other",
        "new code needs what it has taken for itself, and a fresh one has less": "reload",
        "GET /requests/memory/ has kept its thread for 60 s": "stuck", "crash: it was killed by SIGKILL": "signal",
    }  # fmt: skip
    assert {reason: kind_of(reason) for reason in reasons} == reasons


def test_what_ended_workers_have_counted_is_kept_and_routes_stay_what_they_were() -> None:
    board = Scoreboard(2)
    ledger = Ledger(board)
    one = Board(board.descriptor, 0)
    for number in range(400):
        one.counting.count("GET", f"first/{number}/", 200, 0.1, 0.0, 1)
    before = ledger.counts((0,))
    assert before.total == 400
    one.note_check("no route to host")
    ledger.ended(0)
    board.clear(0)
    two = Board(board.descriptor, 0)
    for number in range(400):
        two.counting.count("GET", f"second/{number}/", 200, 0.1, 0.0, 1)
    after = ledger.counts((0,))
    assert after.total == 800
    assert len(after.durations) == 500
    assert all(after.requests[key] == 1 for key in before.requests)
    check = ledger.check((0, 1))
    assert check is not None
    assert check.why == "no route to host"


@pytest.mark.parametrize(("at", "why", "up"), [(97.0, "", 1), (84.0, "", 0), (97.0, "refused", 0)])
def test_a_database_that_answers_no_more_is_not_told_to_be_up(at: float, why: str, up: int) -> None:
    seen = replace(SEEN, database=DatabaseCheck(at=at, why=why))
    (family,) = (one for one in families(seen) if one.name == "nuages_database_up")
    assert [sample.value for sample in family.samples] == [up]
    told = status(seen)["database"]
    assert told["up"] == bool(up)
    assert told["why"] == (why or ("" if up else "no answer for 16 s"))
    assert status(replace(seen, checks_database=False))["database"]["up"] == (not why)  # asked at the start


def test_a_database_keeps_the_server_from_being_ready_only_with_fresh_news() -> None:
    check = DatabaseCheck(at=100.0)
    assert why_database(None, 100.0) == "no worker has asked the database yet"
    assert why_database(check, 110.0) == ""
    assert why_database(check, 116.0) == "the database has not answered for 16 s"
    assert why_database(replace(check, why="refused"), 101.0) == "the database does not answer: refused"
