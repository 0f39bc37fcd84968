"""A database in the words of `nuages migrate` and of what `up` asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nuages.runtime.migrate import describe


def _connection(vendor: str, **settings: Any) -> Any:
    return SimpleNamespace(vendor=vendor, settings_dict={"NAME": "taiga", "HOST": "127.0.0.1", **settings})


@pytest.mark.parametrize(
    ("vendor", "port", "shown"),
    [
        ("postgresql", "", ":5544"),
        ("postgresql", 5432, ":5432"),
        ("mysql", "", ""),
    ],
)
def test_the_port_is_named_where_it_is_known_that_of_a_variable_of_libpq_too(
    monkeypatch: pytest.MonkeyPatch, vendor: str, port: str | int, shown: str
) -> None:
    monkeypatch.setenv("PGPORT", "5544")
    assert describe(_connection(vendor, PORT=port)) == f"{vendor} 'taiga' at 127.0.0.1{shown}"


@pytest.mark.parametrize(
    ("vendor", "host", "shown"),
    [
        ("postgresql", "", "db.example"),
        ("postgresql", "10.0.0.1", "10.0.0.1"),
        ("mysql", "", "the local socket"),
    ],
)
def test_a_server_that_a_variable_of_libpq_names_is_no_local_one(
    monkeypatch: pytest.MonkeyPatch, vendor: str, host: str, shown: str
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.delenv("PGPORT", raising=False)
    assert describe(_connection(vendor, HOST=host)) == f"{vendor} 'taiga' at {shown}"
