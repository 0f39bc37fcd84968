"""Five small applications in one memory limit, with the workers that `nuages manifests` gives them."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest
from tests.process.clients import asking
from tests.process.harness import serving, write_project
from tests.process.test_serve_limits import MB, limited
from tests.unit.deploy import plans

NAMES = ("blog", "wiki", "desk", "shop", "stats")
LIMIT = 512
ADMIN = """
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles",
]
"""


@pytest.mark.long
def test_five_applications_answer_under_load_in_512_mb_and_none_is_killed(tmp_path: Path) -> None:
    memory = {"memory": f"{LIMIT}M", "share": 5, "worker_memory": "48M"}
    with limited(LIMIT * MB) as wrapper, contextlib.ExitStack() as stack:
        servers = []
        for name in NAMES:
            plan = dataclasses.replace(plans.plan(**plans.KEPT), name=name)
            settings = plans.workload(plan, **memory).settings  # type: ignore[arg-type]
            assert settings["NUAGES_WORKERS"] == "1"
            folder = write_project(tmp_path / name, settings=ADMIN)
            servers.append(stack.enter_context(serving(folder, wrapper=wrapper, environ=settings)))
        for server in servers:
            server.wait_for("worker-ready", within=120)
        loads = [stack.enter_context(asking(server.address, "--rate", "20")) for server in servers]
        for load in loads:
            load.more(30)
        for server, load in zip(servers, loads, strict=True):
            assert load.tally.failures == {}, load.tally
            for event in ("out-of-memory", "worker-died", "memory-short"):
                assert server.found(event) == []
        for server in servers:
            server.signal(15)
        assert [server.wait() for server in servers] == [0] * 5
