"""The Compose file: the project with what it needs, in the order in which it needs it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml as reader
from tests.unit.deploy import plans

from nuages.deploy.compose import compose
from nuages.errors import UsageError
from nuages.image.plan import Install, Stated
from nuages.project.model import VariableKind


def made(*found: Any, **flags: str) -> Any:
    workloads = found or (plans.workload(**flags),)
    return reader.safe_load(compose(workloads, plans.options(**flags)))


def test_the_project_comes_with_its_database_and_redis() -> None:
    services = made()["services"]

    assert services["db"]["image"] == "postgres:17"
    assert services["db"]["healthcheck"]["test"] == ["CMD", "pg_isready", "-q", "-U", "app", "-d", "app"]
    assert services["web"]["environment"]["DATABASE_URL"].endswith("@db:5432/app")
    assert services["web"]["environment"]["REDIS_URL"] == "redis://redis:6379/0"
    assert services["web"]["environment"]["SECRET_KEY"] == "${SECRET_KEY:?write it into .env}"


def test_everything_waits_for_the_migrations() -> None:
    services = made()["services"]

    assert services["migrate"]["command"] == ["migrate"]
    assert services["migrate"]["depends_on"] == {
        "db": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_a_project_of_mysqlclient_gets_mariadb_and_its_own_variables() -> None:
    variables = tuple(
        plans.variable(name, VariableKind.TEXT, default="''")
        for name in (
            "MYSQL_HOST",
            "MYSQL_PORT",
            "MYSQL_USER",
            "MYSQL_PASSWORD",
            "MYSQL_DATABASE",
            "SITE_NAME",
        )
    )
    plan = plans.plan(
        variables=variables, processes=(), required=(),
        install=Install(origin="x", requirements="mysqlclient==2.2\n", closed=True, hashed=True),
    )  # fmt: skip
    services = made(plans.workload(plan))["services"]

    assert services["db"]["image"] == "mariadb:11"
    environment = services["web"]["environment"]
    assert [environment[f"MYSQL_{name}"] for name in ("HOST", "PORT", "USER", "DATABASE")] == [
        "db",
        "3306",
        "app",
        "app",
    ]
    assert environment["MYSQL_PASSWORD"] == "${DB_PASSWORD:?write it into .env}"
    assert "SITE_NAME" not in environment
    assert "redis" not in services


@pytest.mark.parametrize(
    ("engine", "image"),
    [("django.db.backends.mysql", "mariadb:11"), ("django.contrib.gis.db.backends.postgis", "postgres:17"),
     ("", "postgres:17"), ("django.db.backends.sqlite3", "postgres:17")],
)  # fmt: skip
def test_of_two_drivers_that_of_the_default_database_tells_the_server(engine: str, image: str) -> None:
    plan = plans.plan(
        variables=(plans.variable("DB_HOST", VariableKind.TEXT, default="db"),), engine=engine,
        install=Install(origin="x", requirements="mysqlclient==2.2\npsycopg2==2.9\n", closed=True, hashed=True),
    )  # fmt: skip
    assert made(plans.workload(plan))["services"]["db"]["image"].startswith(image.partition(":")[0])


def test_all_that_finds_a_database_has_to_be_given() -> None:
    names = ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME", "DB_SSLMODE", "DB")
    variables = tuple(plans.variable(name, VariableKind.TEXT, default="''") for name in names)
    found = plans.workload(plans.plan(variables=variables, required=()))

    assert [stated.value for stated in found.required] == ["DB_HOST", "DB_USER", "DB_PASSWORD", "DB_NAME"]
    assert {"DB_HOST": "db", "DB_PORT": "5432"}.items() <= made(found)["services"]["web"][
        "environment"
    ].items()


@pytest.mark.parametrize("nobody", ["[]", "''", None])
def test_without_the_sites_names_every_request_would_be_answered_400(nobody: str | None) -> None:
    """As with `ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])`, which no start fails for."""
    hosts = plans.variable("ALLOWED_HOSTS", VariableKind.HOSTS, default=nobody)
    found = plans.workload(plans.plan(variables=(hosts,), required=()))
    assert [stated.value for stated in found.required] == ["ALLOWED_HOSTS"]
    assert made(found)["services"]["web"]["environment"]["ALLOWED_HOSTS"] == "localhost,127.0.0.1"

    some = plans.variable("ALLOWED_HOSTS", VariableKind.HOSTS, default="'.shop.example'")
    assert plans.workload(plans.plan(variables=(some,), required=())).required == ()


def test_what_the_settings_compare_chooses_the_server() -> None:
    """As where SQLite is the default, and `if os.getenv("DB") == "postgres":` stands around the rest."""
    compared = "os.getenv('DB') == '{}'"
    variables = (
        plans.variable("DB", VariableKind.TEXT, default="'sqlite'"),
        plans.variable("DB_HOST", VariableKind.TEXT, default="''", condition=compared.format("postgres")),
        plans.variable("DB_HOST", VariableKind.TEXT, default="''", condition=compared.format("mysql")),
        plans.variable("SECRET_KEY", VariableKind.SECRET, default="'---'"),
    )
    found = plans.workload(plans.plan(variables=variables, required=()))

    assert found.variables == {"DB": "postgres"}
    assert [stated.value for stated in found.required] == ["SECRET_KEY", "DB_HOST"]
    assert made(found)["services"]["migrate"]["environment"]["DB"] == "postgres"


def test_kept_static_files_need_a_place_that_the_image_may_write() -> None:
    with pytest.raises(UsageError) as caught:
        made(plans.workload(server={"static_keep": "/kept"}))
    assert caught.value.render().startswith("error: the kept static files have no place\n  --static-keep\n")
    kept = plans.workload(plans.plan(**plans.KEPT), {"static_keep": "/data/static"})
    assert made(kept)["services"]["web"]["volumes"] == ["/tmp", "data:/data"]


def test_files_lie_on_a_volume_and_uploads_wait_on_the_disk() -> None:
    document = made(plans.workload(plans.plan(**plans.KEPT)))

    assert document["services"]["web"]["volumes"] == ["/tmp", "data:/data"]
    assert document["volumes"] == {"data": None}
    assert "db" not in document["services"]


def test_containers_have_no_rights_and_time_to_finish() -> None:
    services = made()["services"]
    web = services["web"]

    assert (web["read_only"], web["cap_drop"], web["stop_grace_period"]) == (True, ["ALL"], "40s")
    assert services["worker"]["stop_grace_period"] == "65s"
    assert services["worker"]["stop_signal"] == "SIGQUIT"


def test_a_host_name_puts_caddy_in_front() -> None:
    document = made(host="shop.example.com")
    services = document["services"]

    assert "ports" not in services["web"]
    assert (
        services["caddy"]["environment"]["CADDYFILE"] == "shop.example.com {\n  reverse_proxy web:8000\n}\n"
    )
    subnet = document["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert services["web"]["environment"]["NUAGES_TRUSTED_PROXIES"] == subnet
    assert services["web"]["environment"]["ALLOWED_HOSTS"] == "shop.example.com"


def test_several_projects_share_the_memory() -> None:
    import dataclasses

    found = [
        plans.workload(
            dataclasses.replace(plans.plan(**plans.KEPT), name=name),
            memory="512M",
            share=5,
            worker_memory="48M",
        )
        for name in ("one", "two", "three", "four", "five")
    ]
    services = made(*found)["services"]

    assert {name for name in services if name.endswith("-web")} == {
        f"{name}-web" for name in ("one", "two", "three", "four", "five")
    }
    assert {services[name]["mem_limit"] for name in services} == {"102m"}
    assert {services[name]["environment"]["NUAGES_WORKERS"] for name in services} == {"1"}
    assert {services[name]["environment"]["NUAGES_THREADS"] for name in services} == {"12"}
    assert services["one-web"]["volumes"] == ["/tmp", "one-data:/data"]


def test_two_runs_give_the_same_bytes() -> None:
    assert compose([plans.workload()], plans.options()) == compose([plans.workload()], plans.options())


def test_a_server_that_no_variable_names_is_said_aloud() -> None:
    bare = plans.workload(plans.plan(variables=(), required=()))
    assert bare.notes == (
        "no variable of the settings names a PostgreSQL server, whose driver is installed: none is made, and what "
        "stands in the settings has to be reached from where this runs",
    )
    assert "db" not in made(bare)["services"]
    assert plans.workload().notes == ()


def test_a_variable_of_one_host_name_gets_one_and_a_list_gets_two() -> None:
    names = ("DOMAIN", "ALLOWED_HOSTS")
    plan = plans.plan(
        variables=tuple(plans.variable(name, VariableKind.HOSTS) for name in names),
        required=tuple(Stated(value=name, origin="shop/settings.py:1") for name in names),
    )
    environment = made(plans.workload(plan))["services"]["web"]["environment"]
    assert environment["DOMAIN"] == "localhost"
    assert environment["ALLOWED_HOSTS"] == "localhost,127.0.0.1"


def test_the_servers_of_this_file_win_over_where_its_own_image_looks_for_them() -> None:
    plan = plans.plan(
        environ={
            "REDIS_URL": Stated(value="redis://cache", origin="Dockerfile:3"),
            "ALLOWED_HOSTS": Stated(value="*", origin="Dockerfile:4"),
        },
        own=("REDIS_URL", "ALLOWED_HOSTS"),
    )  # fmt: skip
    environment = made(plans.workload(plan))["services"]["web"]["environment"]

    assert environment["REDIS_URL"] == "redis://redis:6379/0"
    assert "ALLOWED_HOSTS" not in environment
