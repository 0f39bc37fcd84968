"""The files of prometheus_client: read, merged and written so that its own collector says the same."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, values
from prometheus_client import metrics as client
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from nuages.runtime.container import container
from nuages.runtime.exposition import render
from nuages.runtime.multiprocess import VARIABLE, ProjectMetrics, prepare

MODES = (
    "all",
    "liveall",
    "min",
    "livemin",
    "max",
    "livemax",
    "sum",
    "livesum",
    "mostrecent",
    "livemostrecent",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    yield tmp_path
    values.close_all_multiprocess_files()


def _work(monkeypatch: pytest.MonkeyPatch, pid: int, scale: float) -> None:
    """Do what a process of that number would do."""
    made = values.MultiProcessValue(lambda: pid)
    monkeypatch.setattr(values, "ValueClass", made)
    monkeypatch.setattr(client.values, "ValueClass", made)
    registry = CollectorRegistry()
    orders = client.Counter("shop_orders", 'Orders "paid"\n.', ["method"], registry=registry)
    orders.labels("card").inc(scale)
    orders.labels('c"a\\sh\n').inc()
    seconds = client.Histogram("shop_seconds", "How long.", ["step"], buckets=(0.1, 1, 5), registry=registry)
    for value in (0.05, 0.5, 3 * scale):
        seconds.labels("pay").observe(value)
    client.Summary("shop_size", "How large.", registry=registry).observe(7 * scale)
    for mode in MODES:
        gauge = client.Gauge(f"shop_{mode}", "Now.", registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]
        gauge.set(scale)


def _theirs(place: Path) -> dict[Any, float]:
    """What prometheus_client's collector finds, but for gauges of processes that have ended."""
    found = MultiProcessCollector(None, str(place)).collect()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in found
        for sample in metric.samples
    }


def _ours(place: Path, *, openmetrics: bool = False) -> dict[Any, float]:
    text = render(ProjectMetrics(place, pid=7).families(), openmetrics=openmetrics)
    parse = openmetrics_families if openmetrics else text_families
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("openmetrics", [False, True])
def test_all_types_are_added_up_as_prometheus_client_does(
    place: Path, monkeypatch: pytest.MonkeyPatch, openmetrics: bool
) -> None:
    for pid, scale in ((101, 1.0), (102, 2.5), (103, 0.5)):
        _work(monkeypatch, pid, scale)
    found = _ours(place, openmetrics=openmetrics)
    assert found == _theirs(place)
    assert found["shop_orders_total", (("method", "card"),)] == 4.0
    assert found["shop_seconds_count", (("step", "pay"),)] == 9.0
    assert found["shop_livesum", ()] == 4.0
    assert found["shop_all", (("pid", "102"),)] == 2.5


def test_what_ended_processes_counted_stays_in_one_file_each_and_their_gauges_go(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid, scale in ((101, 1.0), (102, 2.5), (103, 0.5)):
        _work(monkeypatch, pid, scale)
    before = _ours(place)
    metrics = ProjectMetrics(place, pid=7)
    metrics.forget(101)
    metrics.forget(102)
    metrics.forget(99)
    after = _ours(place)
    assert after == _theirs(place)
    gone = {key for key in before if key not in after}
    assert {(name, labels) for name, labels in gone} == {
        (f"shop_{mode}", (("pid", pid),)) for mode in ("all", "liveall") for pid in ("101", "102")
    }
    changed = {key[0] for key in after if after[key] != before[key]}
    assert changed <= {"shop_livemin", "shop_livemax", "shop_livesum", "shop_livemostrecent"}
    assert after["shop_livesum", ()] == 0.5
    assert not list(place.glob("*_101.db")) + list(place.glob("*_102.db")) + list(place.glob("*.new"))


def test_totals_go_on_where_new_code_has_another_help(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, text in ((101, "Orders."), (102, 'All }, "orders'), (103, "Orders, all of them.")):
        made = values.MultiProcessValue(lambda pid=pid: pid)  # type: ignore[misc]
        monkeypatch.setattr(client.values, "ValueClass", made)
        orders = client.Counter("shop_orders", text, ["kind"], registry=CollectorRegistry())
        orders.labels('a}, "b').inc(10)
        orders.labels("c").inc()
    expected = {
        ("shop_orders_total", (("kind", 'a}, "b'),)): 30.0,
        ("shop_orders_total", (("kind", "c"),)): 3.0,
    }
    assert _ours(place) == _theirs(place) == expected
    metrics = ProjectMetrics(place, pid=7)
    metrics.forget(101)
    metrics.forget(102)
    assert _ours(place) == _theirs(place) == expected


def test_a_label_that_utf8_has_not_hides_no_other_metric(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _work(monkeypatch, 101, 1.0)
    client.Counter("shop_paths", "Paths.", ["path"], registry=CollectorRegistry()).labels("/\udc80/é").inc()
    found = _ours(place)
    assert found["shop_paths_total", (("path", "/\\udc80/é"),)] == 1.0
    assert found["shop_orders_total", (("method", "card"),)] == 1.0


def test_a_folder_is_made_and_what_dead_processes_left_is_removed(tmp_path: Path) -> None:
    gone = dead_pid()
    place = tmp_path / "given" / "here"
    place.mkdir(parents=True)
    parts = f"counter_ended{gone}-4.new", f"counter_ended{os.getpid()}-4.new", "notes.new"
    for name in (f"counter_{gone}.db", f"counter_{os.getpid()}.db", "counter_ended.db", "notes.txt", *parts):
        (place / name).write_bytes(b"\0" * 16)
    environ = {VARIABLE: str(place)}
    found = prepare(environ, tmp_path, 7)
    assert found
    stays = {f"counter_{os.getpid()}.db", "notes.txt", *parts[1:]}
    assert {file.name for file in place.iterdir()} == stays
    found.close()
    assert place.exists()  # it is the user's


def test_an_empty_variable_is_an_unset_one_and_the_working_directory_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, folder = tmp_path / "work", tmp_path / "run"
    work.mkdir()
    monkeypatch.chdir(work)
    left = work / f"counter_{dead_pid()}.db"
    left.touch()
    environ = {VARIABLE: ""}
    found = prepare(environ, folder, 7)
    assert found
    assert environ == {VARIABLE: str(folder / f"7-{container()}.metrics")}
    found.close()
    assert list(work.iterdir()) == [left]
    assert list(folder.iterdir()) == []


def test_without_prometheus_client_an_empty_variable_reaches_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    environ = {VARIABLE: ""}
    assert prepare(environ, tmp_path, 7) is None
    assert environ == {}


def test_what_is_not_prometheus_clients_own_is_neither_removed_nor_read(tmp_path: Path) -> None:
    gone = dead_pid()
    names = {
        f"backup_{gone}.db",
        f"gauge_readings_{gone}.db",
        f"old_counter_{gone}.db",
        f"counter_{gone}.db.gz",
    }
    names |= {f"_{gone}.db", "backup_ended.db", f"Counter_{gone}.db"}
    text = b'["a", "a", {}, "A."]'.ljust(28)
    entry = struct.pack("ii", 56, 0) + struct.pack("i", 20) + text + struct.pack("dd", 1.0, 0.0)
    for name in names:
        (tmp_path / name).write_bytes(entry)
    found = prepare({VARIABLE: str(tmp_path)}, tmp_path, 7)
    assert found
    found.forget(gone)
    assert {file.name for file in tmp_path.iterdir()} == names
    assert found.families() == []
    (tmp_path / "counter_1.db").write_bytes(entry)
    assert [family.name for family in found.families()] == ["a"]


@pytest.mark.parametrize("read", [0, 1])
def test_a_collector_that_has_listed_the_files_before_finds_all_of_them_or_fails_but_counts_none_twice(
    place: Path, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    metrics = ProjectMetrics(place, pid=7)
    for pid in (101, 102):
        _work(monkeypatch, pid, 1.0)
    metrics.forget(101)
    (kept,) = (str(file) for file in place.glob("counter_ended*"))
    listed = [str(place / "counter_102.db"), kept]
    MultiProcessCollector.merge(listed[:read])  # what it has got to
    metrics.forget(102)
    with pytest.raises(FileNotFoundError):
        MultiProcessCollector.merge(listed[read:])
    (kept,) = (str(file) for file in place.glob("counter_ended*"))
    (orders,) = MultiProcessCollector.merge([kept])
    assert {s.labels["method"]: s.value for s in orders.samples}["card"] == 2.0


def test_a_number_that_no_process_can_have_is_none_of_a_process_that_has_ended(tmp_path: Path) -> None:
    left = tmp_path / "counter_20240101123000.db"
    left.touch()
    assert prepare({VARIABLE: str(tmp_path)}, tmp_path, 7)
    assert left.exists()


def test_every_mode_of_a_gauge_is_known_of_those_that_prometheus_client_has(tmp_path: Path) -> None:
    assert set(MODES) == client.Gauge._MULTIPROC_MODES
    for mode in MODES:
        (tmp_path / f"gauge_{mode}_{dead_pid()}.db").touch()
    prepare({VARIABLE: str(tmp_path)}, tmp_path, 7)
    assert list(tmp_path.iterdir()) == []


def test_what_another_living_server_has_kept_in_the_same_folder_stays_and_is_told_once(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = dead_pid()
    for number, (server, scale) in enumerate(((os.getpid(), 1.0), (7, 2.5))):
        found = prepare({VARIABLE: str(place)}, place, server)
        assert found
        _work(monkeypatch, gone + number, scale)
        found.forget(gone + number)
    assert _ours(place) == _theirs(place)
    assert _ours(place)["shop_orders_total", (("method", "card"),)] == 3.5
    kept = f"counter_ended{os.getpid()}-1.db"
    assert {file.name for file in place.glob("counter_*")} == {kept, "counter_ended7-1.db"}
    # One of the same number as before, as in a container that is started again.
    prepare({VARIABLE: str(place)}, place, 7)
    assert {file.name for file in place.glob("counter_*")} == {kept}
    prepare({VARIABLE: str(place)}, place, os.getpid())
    assert list(place.iterdir()) == []


def test_a_folder_of_ours_is_named_in_the_environment_and_removed_at_the_end(tmp_path: Path) -> None:
    left = tmp_path / f"{dead_pid()}-{container()}.metrics"
    left.mkdir()
    (left / "counter_1.db").touch()
    (left / "lock").touch()
    environ: dict[str, str] = {}
    found = prepare(environ, tmp_path, os.getpid())
    assert found
    assert environ == {VARIABLE: str(tmp_path / f"{os.getpid()}-{container()}.metrics")}
    assert found.place.stat().st_mode & 0o777 == 0o700
    assert not left.exists()
    (found.place / "counter_1.db").touch()
    found.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data", [b"", b"\x40", struct.pack("ii", 64, 0), struct.pack("iii", 64, 0, 1 << 30), b"\xff" * 100]
)
def test_a_file_that_is_just_being_made_or_broken_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "counter_1.db").write_bytes(data)
    assert ProjectMetrics(tmp_path, pid=7).families() == []


def test_a_folder_that_is_gone_ends_nothing_and_is_said_once(tmp_path: Path) -> None:
    found = prepare({VARIABLE: str(tmp_path / "here")}, tmp_path, 7)
    assert found
    told: list[OSError] = []
    found.on_trouble = told.append
    found.place.rmdir()
    found.forget(101)
    found.forget(102)
    assert found.families() == []
    assert [type(error) for error in told] == [FileNotFoundError]


def test_what_cannot_be_taken_over_stays_and_the_rest_of_a_process_is(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _work(monkeypatch, 101, 1.0)
    before = _ours(place)
    (place / "counter_ended7-1.new").mkdir()  # nobody can write or remove these two as files
    (place / "gauge_all_101.db").unlink()
    (place / "gauge_all_101.db").mkdir()
    found = ProjectMetrics(place, pid=7)
    told: list[OSError] = []
    found.on_trouble = told.append
    found.forget(101)
    assert len(told) == 1
    assert {file.name for file in place.glob("*_101.db")} == {"counter_101.db", "gauge_all_101.db"}
    after = _ours(place)
    assert after["shop_orders_total", (("method", "card"),)] == 1.0
    assert after["shop_size_sum", ()] == before["shop_size_sum", ()]


def dead_pid() -> int:
    """The number of a process that there is no more: beyond what the kernel gives."""
    return int(Path("/proc/sys/kernel/pid_max").read_text()) + 1


def test_the_folder_of_a_server_in_another_container_that_shares_the_runtime_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are process 1 there, and none of the other's processes is known here."""
    first = prepare({}, tmp_path, 1)
    assert first
    monkeypatch.setattr("nuages.runtime.multiprocess.container", lambda: "0000000b")
    environ: dict[str, str] = {}
    second = prepare(environ, tmp_path, 1)
    assert second
    assert environ == {VARIABLE: str(tmp_path / "1-0000000b.metrics")}
    assert sorted(tmp_path.iterdir()) == sorted([first.place, second.place])
    (first.place / f"counter_{dead_pid()}.db").touch()
    for server in (3, 4):  # a third one begins, and ends
        third = prepare({}, tmp_path, server)
        assert third
        third.close()
    assert len(list(first.place.glob("*.db"))) == 1
    second.close()
    assert list(tmp_path.iterdir()) == [first.place]
    first.close()


def test_what_a_server_left_that_was_killed_while_it_began_or_ended_is_removed(tmp_path: Path) -> None:
    """Of what has no lock yet only the name tells whose it is, and of another container's how long ago it changed."""
    gone, other = dead_pid(), "0000000b"
    for name in (f"{gone}-{container()}", f"{os.getpid()}-{container()}", f"7-{other}", f"8-{other}"):
        (tmp_path / f"{name}.begun").mkdir()
    os.utime(tmp_path / f"8-{other}.begun", (0, 0))
    (tmp_path / f"{gone}-{container()}.begun" / "lock").touch()
    found = prepare({}, tmp_path, 1)
    assert found
    found.close()
    stays = {f"{os.getpid()}-{container()}.begun", f"7-{other}.begun"}
    assert {path.name for path in tmp_path.iterdir()} == stays


def test_who_is_killed_while_it_removes_its_folder_leaves_the_lock_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = prepare({}, tmp_path, 1)
    assert found
    for name in "acz":
        (found.place / f"counter_{name}.db").touch()
    removed: list[str] = []
    unlink = Path.unlink
    monkeypatch.setattr(
        Path, "unlink", lambda path, **options: (removed.append(path.name), unlink(path, **options))
    )
    found.close()
    assert len(removed) == 4
    assert removed[-1] == "lock"


def test_a_folder_that_cannot_be_had_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / f"1-{container()}.metrics" / "somebody's").mkdir(parents=True)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match="not empty"):
        prepare({}, tmp_path, 1)
    assert set(Path("/proc/self/fd").iterdir()) == before
