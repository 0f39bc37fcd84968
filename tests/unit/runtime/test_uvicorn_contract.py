"""What of uvicorn is undocumented and yet relied on: exactly the list in CONTRIBUTING, on the installed uvicorn.

`make test-all` runs this file on the oldest and the newest supported uvicorn.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import Server, ServerState

# An older uvicorn uses what a newer websockets has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[3]
HEADING = "Private names of uvicorn we rely on"
DOCUMENTED = {"uvicorn.Config", "uvicorn.Server"}


async def _app(scope: Any, receive: Any, send: Any) -> None: ...


def _config() -> uvicorn.Config:
    return uvicorn.Config(_app, log_config=None)


def _loaded() -> uvicorn.Config:
    config = _config()
    config.load()
    return config


# Attributes of instances exist only on instances.
INSTANCES: dict[str, Callable[[], Any]] = {
    "uvicorn.config.Config": _loaded,
    "uvicorn.server.Server": lambda: Server(_config()),
    "uvicorn.server.ServerState": ServerState,
}


def _listed() -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition(f"## {HEADING}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\* `(uvicorn[\w.]+)(?:\([^`]*\))?`", section, re.MULTILINE)


def _signatures() -> dict[str, tuple[str, ...]]:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition(f"## {HEADING}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\* `(uvicorn[\w.]+)\(([^`]*)\)`", section, re.MULTILINE)
    return {
        name: tuple(part.strip() for part in parameters.split(",") if part.strip())
        for name, parameters in found
    }


def _resolve(name: str) -> Any:
    for prefix, make in INSTANCES.items():
        if name.startswith(prefix + ".") and not hasattr(_imported(prefix), name.removeprefix(prefix + ".")):
            return getattr(make(), name.removeprefix(prefix + "."))
    return _imported(name)


def _imported(name: str) -> Any:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AttributeError(name)


def _set_in_init(cls: type) -> set[str]:
    """The attributes that a class sets in its methods, by reading them."""
    tree = ast.parse(inspect.getsource(cls).lstrip())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }


def test_the_list_is_there() -> None:
    assert len(_listed()) > 20


@pytest.mark.parametrize("name", _listed())
def test_uvicorn_has_every_name_of_the_list(name: str) -> None:
    owner, _, attribute = name.rpartition(".")
    try:
        _resolve(name)
    except AttributeError:
        # Set while a server or a request runs.
        assert attribute in _set_in_init(_imported(owner)), f"uvicorn {uvicorn.__version__} has no {name}"


@pytest.mark.parametrize(("name", "parameters"), _signatures().items())
def test_uvicorn_takes_the_parameters_of_the_list(name: str, parameters: tuple[str, ...]) -> None:
    found = inspect.signature(_imported(name)).parameters
    required = {key for key, value in found.items() if value.default is value.empty and key != "self"}
    assert set(parameters) <= set(found), f"uvicorn {uvicorn.__version__}: {sorted(found)}"
    assert required <= set(parameters), f"uvicorn {uvicorn.__version__} wants more: {sorted(required)}"


def test_nothing_else_of_uvicorn_is_imported() -> None:
    listed = set(_listed()) | DOCUMENTED
    used = {name for path in (ROOT / "src/nuages").rglob("*.py") for name in _uvicorn_imports(path)}
    assert used - listed == set()


def _uvicorn_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "uvicorn":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "uvicorn"
        ):
            yield f"uvicorn.{node.attr}"
