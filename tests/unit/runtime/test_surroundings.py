"""The variables of a process that loads the project, where an agent begins in a sitecustomize on PYTHONPATH."""

from __future__ import annotations

import pytest

from nuages.runtime.application import Application
from nuages.runtime.surroundings import surrounded

SHOP = Application(directory="/app", paths=("/app/src",), settings="shop.settings")


@pytest.mark.parametrize(
    ("now", "first", "expected"),
    [
        ("/agent:/libraries", "/agent:/libraries", "/agent:/libraries:/app:/app/src"),
        ("/libraries", "/agent:/libraries", "/agent:/libraries:/app:/app/src"),  # it took itself off
        (None, "/agent", "/agent:/app:/app/src"),
        ("/agent:/app/src", "/agent:/app/src", "/agent:/app/src:/app"),
    ],
)
def test_an_agent_finds_the_project_and_itself(now: str | None, first: str, expected: str) -> None:
    environ = {"A": "1"} if now is None else {"A": "1", "PYTHONPATH": now}
    assert surrounded(environ, SHOP, agent="/agent", first=first) == {
        "A": "1", "PYTHONPATH": expected, "DJANGO_SETTINGS_MODULE": "shop.settings",
    }  # fmt: skip


@pytest.mark.parametrize("agent", ["", "/usr/lib/python3"])
def test_without_an_agent_on_it_the_path_stays_as_it_is(agent: str) -> None:
    found = surrounded({"PYTHONPATH": "/libraries"}, SHOP, agent=agent, first="/libraries")
    assert found == {"PYTHONPATH": "/libraries", "DJANGO_SETTINGS_MODULE": "shop.settings"}
    assert surrounded({}, Application(directory="/app"), agent=agent, first="") == {}
