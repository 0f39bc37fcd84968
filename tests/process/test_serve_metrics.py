"""/-/metrics of a running server: right with many workers, and never going back when workers are replaced."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families
from tests.process.harness import DEADLINE, Server, held, named_pipe, serving, wait_until, write_project

from nuages.runtime.address import Address, parse_address
from nuages.runtime.management import ask
from nuages.runtime.scoreboard import ENTRIES

SHOP = """
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

ORDERS = Counter("shop_orders", "Orders.", ["kind"])
SECONDS = Histogram("shop_seconds", "How long.", buckets=(1, 2))
OPEN = Gauge("shop_open", "Open carts.", multiprocess_mode="livesum")


def order(request):
    ORDERS.labels(request.GET["kind"]).inc()
    SECONDS.observe(1.5)
    OPEN.set(1)
    return HttpResponse(str(os.getpid()))


def own(request):
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type="text/plain")


urlpatterns += [path("order/", order), path("own/", own)]
"""


def address(server: Server) -> Address:
    return parse_address(server.wait_for("management")["address"])


def values(server: Server, *, accept: str = "") -> dict[str, float]:
    """Return what the server tells, by `name{label="value",…}` as queries have it."""
    status, body = ask(address(server), "/-/metrics", accept=accept)
    assert status == 200
    parse = openmetrics_families if accept else text_families
    return {
        sample.name + "".join(f"[{value}]" for _, value in sorted(sample.labels.items())): sample.value
        for family in parse(body.decode())
        for sample in family.samples
    }


def when(server: Server, name: str, value: float, *, accept: str = "") -> dict[str, float]:
    """Wait until a metric has a value, for an answer is sent a moment before it is counted; return all values."""

    def seen() -> dict[str, float] | None:
        found = values(server, accept=accept)
        return found if found.get(name) == value else None

    return wait_until(seen, f"{name} is {value}")


def test_requests_of_all_workers_are_counted_and_replacing_them_forgets_none(project: Path) -> None:
    with serving(project, "--workers", "2", "--management", "127.0.0.1:0") as server:
        server.wait_for("worker-ready", count=2)
        for _ in range(30):
            server.get("/")
        server.begin("/nowhere/", headers="Connection: close\r\n").answer()
        pids = {server.get("/pid/") for _ in range(40)}
        seen = when(server, "nuages_request_queue_seconds_count", 71)
        assert seen["nuages_requests_total[GET][(none)][4xx]"] == 1
        assert seen["nuages_requests_total[GET][/][2xx]"] == 30
        assert seen["nuages_requests_total[GET][pid/][2xx]"] == 40
        assert seen["nuages_request_duration_seconds_count[pid/]"] == 40
        assert seen["nuages_workers[ready]"] == 2
        assert seen["nuages_worker_memory_bytes[0]"] > 1 << 20
        bytes_before = seen["nuages_response_body_bytes_total"]
        assert bytes_before > 30 * len("hello")

        server.signal(signal.SIGHUP)
        server.wait_for("worker-ended", count=2)
        assert server.get("/pid/") not in pids
        openmetrics = "application/openmetrics-text"
        seen = when(server, "nuages_requests_total[GET][pid/][2xx]", 41, accept=openmetrics)
        assert seen["nuages_response_body_bytes_total"] > bytes_before
        assert seen["nuages_worker_replacements_total[reload]"] == 2
        assert seen["nuages_worker_replacements_total[crash]"] == 0
        assert seen["nuages_generation"] == 1


def test_what_a_worker_had_counted_when_it_was_killed_is_kept(project: Path) -> None:
    with serving(project, "--workers", "1", "--management", "127.0.0.1:0") as server:
        server.wait_for("ready")
        for _ in range(5):
            server.get("/")
        server.begin("/leave/")
        server.wait_for("worker-died")
        server.wait_for("worker-ready", count=2)
        assert server.get("/") == "hello"
        seen = when(server, "nuages_requests_total[GET][/][2xx]", 6)
        assert seen["nuages_worker_replacements_total[crash]"] == 1
        _, body = ask(address(server), "/-/status")
        status = json.loads(body)
        assert (status["requests"], status["restarts"], status["replacements"]["crash"]) == (6, 1, 1)
        assert status["last_replacement"]["reason"] == "crash: it exited with status 7"
        assert [worker["reason"] for worker in status["workers"]] == ["crash: it exited with status 7"]


def test_what_is_in_flight_and_how_threads_are_used_is_told(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--management", "127.0.0.1:0") as server:
        server.wait_for("ready")
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            seen = when(server, "nuages_threads[busy]", 1)
            assert seen["nuages_requests_in_flight"] == 1
            assert seen["nuages_oldest_request_seconds"] > 0
            assert seen["nuages_connections"] == 1
            assert seen["nuages_worker_heartbeat_age_seconds[0]"] < 20
        assert when(server, "nuages_requests_in_flight", 0)["nuages_oldest_request_seconds"] == 0


LATE = """
import asyncio


async def late(request, number):
    await asyncio.Event().wait()


def leaving(request, number):
    raise SystemExit


urlpatterns += [path("late/<int:number>/", late), path("leaving/<int:number>/", leaving)]
"""


def test_what_is_cut_short_is_counted_with_its_route(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=LATE)
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--management", "127.0.0.1:0", "--timeout", "1s") as server:
        server.wait_for("ready")
        gone = server.begin("/late/1/")
        when(server, "nuages_requests_in_flight", 1)
        gone.socket.close()
        when(server, "nuages_requests_total[GET][late/<int:number>/][4xx]", 1)
        assert server.begin("/leaving/1/").answer().status == 500
        when(server, "nuages_requests_total[GET][leaving/<int:number>/][5xx]", 1)
        late = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            assert late.answer().status == 504
            when(server, "nuages_requests_total[GET][hold/][5xx]", 1)
        assert server.wait_for_request(status=504)["route"] == "hold/"


def test_more_requests_in_flight_than_a_worker_notes_are_counted_and_said_when_they_are_lost(
    project: Path,
) -> None:
    pipe, number = named_pipe(project), ENTRIES + 9
    with serving(project, "--workers", "1", "--management", "127.0.0.1:0") as server:
        server.wait_for("ready")
        for _ in range(number):
            server.begin(f"/hold/?pipe={pipe}")
        when(server, "nuages_requests_in_flight", number)
        # All that is said at once has to fit: a supervisor does not wait for who reads it, here a busy thread.
        fcntl.fcntl(server.process.stderr, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.kill(server.workers()[0], signal.SIGKILL)
        lost = server.wait_for("requests-lost")
        assert (lost["text"], lost["more"]) == ("and 9 more requests lost with its worker", 9)
        assert len(server.found("request-lost")) == ENTRIES


@pytest.mark.parametrize("preload", ["on", "off"])
def test_a_projects_own_metrics_are_told_and_survive_its_workers(tmp_path: Path, preload: str) -> None:
    project = write_project(tmp_path / "project", urls=SHOP)
    options = ["--workers", "2", "--management", "127.0.0.1:0", "--preload", preload]
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with serving(project, *options, environ=environ) as server:
        server.wait_for("worker-ready", count=2)

        def both_have_had_one() -> bool:
            seen.add(server.get("/order/?kind=a"))
            return len(seen) == 2

        seen: set[str] = set()
        wait_until(both_have_had_one, "both workers have had an order")
        orders = values(server)["shop_orders_total[a]"]
        assert values(server)["shop_open"] == 2
        server.signal(signal.SIGHUP)
        server.wait_for("worker-ended", count=2)
        found = when(server, "shop_open", 0)
        assert found["shop_orders_total[a]"] == orders
        assert found["shop_seconds_bucket[2.0]"] == found["shop_seconds_count"] == orders
        assert found["shop_seconds_bucket[1.0]"] == 0
        assert server.get("/order/?kind=a") not in seen
        again = values(server, accept="application/openmetrics-text")
        assert again["shop_orders_total[a]"] == orders + 1
        assert f'shop_orders_total{{kind="a"}} {orders + 1}' in server.get("/own/")
        (folder,) = (tmp_path / "nuages").glob("*.metrics")
        assert (
            len(list(folder.glob("counter_*.db"))) <= 4
        )  # the living, the loaded project, those that have ended
        server.stop()
        assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_said_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    project = write_project(tmp_path / "project")
    environ = {"PROMETHEUS_MULTIPROC_DIR": f"{tmp_path}/file/below"}
    with serving(project, "--workers", "1", environ=environ) as server:
        server.wait_for("metrics-off")
        assert server.get("/") == "hello"


def test_a_folder_that_cannot_be_changed_any_more_is_said_and_the_server_goes_on(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=SHOP)
    folder = tmp_path / "metrics"
    options = ["--workers", "1", "--management", "127.0.0.1:0"]
    with serving(project, *options, environ={"PROMETHEUS_MULTIPROC_DIR": str(folder)}) as server:
        server.wait_for("worker-ready")
        pid = int(server.get("/pid/"))
        (folder / f"gauge_all_{pid}.db").mkdir()  # nobody, not even root, can remove it as a file
        os.kill(pid, signal.SIGKILL)
        assert "incomplete" in server.wait_for("metrics-incomplete")["text"]
        server.wait_for("worker-ready", count=2)
        assert server.get("/") == "hello"
        assert values(server)["nuages_worker_replacements_total[crash]"] == 1


@pytest.mark.skipif(
    not shutil.which("promtool"), reason="no promtool here: Debian's package prometheus has it"
)
def test_promtool_has_nothing_to_say_against_them(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=SHOP)
    with serving(project, "--workers", "2", "--management", "127.0.0.1:0") as server:
        server.wait_for("worker-ready", count=2)
        server.get("/order/?kind=a")
        when(server, "nuages_request_queue_seconds_count", 1)
        _, text = ask(address(server), "/-/metrics")
    found = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=DEADLINE, check=False
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, b"")
