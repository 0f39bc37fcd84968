"""Units for systemd: the address outlives the service, and schedules say what cron said."""

from __future__ import annotations

import dataclasses
import re

import pytest
from tests.unit.deploy import plans

from nuages.deploy.systemd import calendar, stream, systemd
from nuages.image.plan import Stated
from nuages.project.schedule import parse


def made(plan: object = None, **flags: str) -> dict[str, str]:
    return systemd([plans.workload(plan, **flags)], plans.options(**flags))  # type: ignore[arg-type]


def test_there_is_a_socket_a_service_and_a_unit_for_each_process() -> None:
    assert list(made()) == [
        "shop.socket", "shop.service", "shop-worker.service", "shop-beat.service", "shop-nightly.service",
        "shop-nightly.timer",
    ]  # fmt: skip


def test_the_service_agrees_with_the_server() -> None:
    lines = made()["shop.service"].splitlines()

    assert "Type=notify" in lines
    assert "Requires=shop.socket" in lines
    assert "TimeoutStopSec=35s" in lines
    assert "Environment=NUAGES_WORKERS=2" in lines
    assert "ExecReload=/bin/kill -HUP $MAINPID" in lines
    assert "#   SECRET_KEY=…    shop/settings.py:5" in lines
    assert "DynamicUser=yes" in lines


def test_a_project_that_writes_into_its_folder_has_a_user_of_its_own() -> None:
    lines = made(plans.plan(**plans.KEPT))["shop.service"].splitlines()

    assert "User=shop" in lines
    assert "ReadWritePaths=/srv/shop" in lines
    assert "DynamicUser=yes" not in lines


def test_words_of_commands_are_quoted_as_systemd_reads_them() -> None:
    line = next(line for line in made()["shop-nightly.service"].splitlines() if line.startswith("ExecStart="))

    assert line.endswith('-- python manage.py clearsessions --keep "$$(DAYS) %%d"')


def test_a_worker_ends_as_its_queue_wants_it() -> None:
    lines = made()["shop-worker.service"].splitlines()

    assert "KillSignal=SIGQUIT" in lines
    assert "TimeoutStopSec=65s" in lines


@pytest.mark.parametrize(
    ("cron", "events"),
    [
        ("0 3 * * *", ["*-*-* 03:00:00 UTC"]),
        ("*/20 * * * *", ["*-*-* *:00,20,40:00 UTC"]),
        ("30 4 * * mon-fri", ["Mon,Tue,Wed,Thu,Fri *-*-* 04:30:00 UTC"]),
        ("0 0 1 1,7 *", ["*-01,07-01 00:00:00 UTC"]),
        ("0 3 1,15 * mon", ["*-*-01,15 03:00:00 UTC", "Mon *-*-* 03:00:00 UTC"]),
    ],
)
def test_cron_as_calendar_events(cron: str, events: list[str]) -> None:
    assert calendar(parse(cron)) == events


def test_all_units_in_one_stream_stand_below_their_names() -> None:
    text = stream(made())

    assert text.startswith("# /etc/systemd/system/shop.socket\n")
    assert text.count("# /etc/systemd/system/") == 6


def test_static_files_in_the_projects_folder_want_a_user_that_lasts() -> None:
    kept = plans.plan(static_root=Stated(value="/app/staticfiles", origin="shop/settings.py:57"))
    lines = systemd([plans.workload(kept)], plans.options())["shop.service"].splitlines()
    assert "DynamicUser=yes" not in lines
    assert "ReadWritePaths=/srv/shop" in lines
    (said,) = [line for line in lines if "adduser" in line]
    assert said.endswith("chown -R shop /srv/shop, for it writes static files (shop/settings.py:57) there")
    ours = dataclasses.replace(
        kept, environ={"NUAGES_STATIC_ROOT": Stated(value="/app/staticfiles", origin="STATIC_ROOT is unset")}
    )
    assert "DynamicUser=yes" in systemd([plans.workload(ours)], plans.options())["shop.service"]


def test_all_units_of_a_project_have_one_user_whose_name_systemd_takes() -> None:
    named = dataclasses.replace(plans.plan(), name="a-shop-with-a-name-of-forty-characters-x")
    units = systemd([plans.workload(named)], plans.options())
    users = {
        line for name, text in units.items() if name.endswith(".service") for line in text.splitlines()
        if line.startswith("User=")
    }  # fmt: skip
    assert len(units) > 3
    assert len(users) == 1
    assert re.fullmatch(r"User=a-shop-with-a-name-of-fo-[0-9a-f]{6}", users.pop())
