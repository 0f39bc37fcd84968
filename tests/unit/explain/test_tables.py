"""The tables of other servers' options: they know all of them, and lead to options that there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from uvicorn.main import main

from nuages.errors import Origin
from nuages.explain.asgi_options import HYPERCORN_FILE
from nuages.explain.facts import Fact, Fate, Setting
from nuages.explain.servers import TABLES, known, of_variable, similar, takes_value
from nuages.explain.translation import OPTIONS, PROJECT, rows
from nuages.explain.uwsgi_names import NAMES, OPTIONAL, SWITCHES
from nuages.options import KNOWN_ELSEWHERE

HERE = Path(__file__).parent
FACTS = [(server, fact) for server, table in TABLES.items() for fact in table]
VALUES = (
    "true", "false", "", "0", "1", "4", "30", "300", "100000", "0.5", ":8000", "0.0.0.0:8000", "unix:/run/a.sock", "/a",
    "/static=/srv/static", "/x=/srv/x", "A=b", "DJANGO_SETTINGS_MODULE=shop.settings", "shop.wsgi", "shop.wsgi:app",
    "shop/wsgi.py", "*", "10.0.0.0/8,::1", "127.0.0.1", "-", "None", "gevent", "gthread", "fd://3", "[::1]:80", "30s",
    "443,/cert.pem,/key.pem", "@a", ".* 60", "é", "9" * 30, "${PORT}", "${X:-5}", "${X}", "unix:", ":", "a b", "-1",
)  # fmt: skip


def stored(server: str) -> list[str]:
    """Return the options that the server's own `--help` and sources list, of the version that its table names."""
    return (HERE / "options" / f"{server}.txt").read_text().split()


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn", "daphne", "hypercorn", "granian"])
def test_every_option_of_a_server_is_known(server: str) -> None:
    assert len(stored(server)) > 25
    assert [name for name in stored(server) if known(server, name) is None] == []


def test_every_name_that_hypercorn_reads_from_a_file_is_known() -> None:
    assert len(HYPERCORN_FILE) == 56
    assert [name for name in sorted(HYPERCORN_FILE) if known("hypercorn", name) is None] == []


def test_a_variable_of_granian_is_the_option_that_its_program_reads_from_it() -> None:
    """click names a variable after its parameter, which for these is not the flag (granian 2.8, granian/cli.py)."""
    flags = {"WEBSOCKETS": "ws", "LOG_ENABLED": "log", "LOG_ACCESS_ENABLED": "access-log", "METRICS_ENABLED": "metrics",
             "LOG_ACCESS_FMT": "access-log-fmt", "STATIC_PATH_MOUNT": "static-path-mount"}  # fmt: skip
    assert {name: of_variable(f"GRANIAN_{name}") for name in flags} == {
        name: ("granian", flag) for name, flag in flags.items()
    }
    assert all(known("granian", flag) for flag in flags.values())


def test_every_option_of_uwsgi_is_known() -> None:
    assert len(NAMES) == 1000
    assert [name for name in sorted(NAMES) if known("uwsgi", name) is None] == []


def test_the_uvicorn_that_is_installed_has_no_option_that_is_not_known() -> None:
    flags = [flag for option in main.params for flag in (*option.opts, *option.secondary_opts)]
    assert len(flags) > 40
    assert [flag for flag in flags if known("uvicorn", flag) is None] == []


@pytest.mark.parametrize(
    ("server", "fact"), FACTS, ids=lambda one: one if isinstance(one, str) else one.names[0]
)
def test_a_fact_names_an_option_that_there_is_and_says_why_in_one_sentence(server: str, fact: Fact) -> None:
    if fact.fate is Fate.KEPT:
        assert fact.option in OPTIONS or fact.option == PROJECT
        assert fact.convert is not None
    else:
        assert fact.why
        assert not fact.why.endswith(".")
        assert "\n" not in fact.why


@pytest.mark.parametrize("server", TABLES)
def test_no_option_stands_twice_in_a_table(server: str) -> None:
    names = [name for fact in TABLES[server] for name in fact.names]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize(
    ("server", "fact"), FACTS, ids=lambda one: one if isinstance(one, str) else one.names[0]
)
def test_whatever_a_value_becomes_nuages_reads(server: str, fact: Fact) -> None:
    for name in fact.names if fact.convert else ():
        for value in VALUES:
            setting = Setting(
                server=server,
                name=name,
                key=fact.names[0],
                text=value,
                values=(value,),
                origin=Origin("f", 1),
            )
            (row,) = rows([setting])
            assert row.outcome.pairs or row.outcome.why
            for option, text in row.outcome.pairs:
                if option != PROJECT and "${" not in text:
                    OPTIONS[option].kind.parse(text)


def test_words_that_flags_are_explained_by_mean_the_same_in_the_tables() -> None:
    """`nuages serve --harakiri` and `nuages explain` may not lead to two options."""
    kept = {
        (name, fact.option)
        for _, fact in FACTS
        for name in fact.names
        if fact.fate is Fate.KEPT and fact.option != PROJECT
    }
    for name, option in kept:
        if name in KNOWN_ELSEWHERE and name != "env":
            assert option == KNOWN_ELSEWHERE[name], name


def test_every_word_that_flags_are_explained_by_is_an_option_of_a_server() -> None:
    others = {
        "disable-lifespan",
        "ds",
        "post-buffering",
        "proxy-request-buffering",
    }  # mod_wsgi, django-admin, nginx
    assert [
        word
        for word in KNOWN_ELSEWHERE
        if word not in others and not any(known(server, word) for server in TABLES)
    ] == []


@pytest.mark.parametrize(
    ("server", "name", "meant"),
    [
        ("uwsgi", "harakri", "harakiri"),
        ("uwsgi", "max-request", "max-requests"),
        ("gunicorn", "--timout", "timeout"),
        ("gunicorn", "worker_clas", "worker-class"),
        ("granian", "--worker", "workers"),
        ("uvicorn", "--zzzzzz", ""),
    ],
)
def test_a_misspelt_option_is_recognised(server: str, name: str, meant: str) -> None:
    assert known(server, name) is None
    assert similar(server, name) == meant


def _switches() -> Iterator[tuple[str, str, bool]]:
    yield from (("uwsgi", name, False) for name in sorted(SWITCHES | OPTIONAL))
    yield "uwsgi", "-M", False
    yield "uwsgi", "-p", True
    yield "gunicorn", "--preload", False
    yield "gunicorn", "-w", True
    yield "uvicorn", "--reload", False
    yield "granian", "--no-ws", False
    yield "hypercorn", "--access-logfile", True


def test_options_without_a_value_leave_the_next_word_alone() -> None:
    assert [
        (server, name) for server, name, wants in _switches() if takes_value(server, name) is not wants
    ] == []
