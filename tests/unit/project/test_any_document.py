"""Documents of which something is of another type than its tool writes: read and planned without an exception."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nuages import cli
from nuages.environment import sources
from nuages.errors import NuagesError
from nuages.project.scan import scan

HASH = "sha256:" + "a" * 64
DJANGO = {"name": "django", "version": "5.2.9"}
DECLARED = "[project]\nname = 'shop'\nversion = '1'\ndependencies = ['Django>=5.2']\n"
DOCUMENTS: Mapping[str, Any] = {
    "pyproject.toml": {
        "project": {
            "name": "shop", "version": "1", "requires-python": ">=3.11",
            "dependencies": ["Django>=5.2", "psycopg[binary]"],
            "optional-dependencies": {"prod": ["gunicorn"]}, "scripts": {"shop": "shop.cli:main"},
        },
        "dependency-groups": {"dev": ["pytest", {"include-group": "lint"}], "lint": ["ruff"]},
        "build-system": {"requires": ["setuptools"], "build-backend": "setuptools.build_meta"},
        "tool": {
            "uv": {
                "index": [{"name": "own", "url": "https://packages.example/simple", "default": True}],
                "sources": {"a": {"git": "https://packages.example/a", "rev": "1"}, "b": [{"path": "lib/b"}]},
                "dev-dependencies": ["pytest"], "workspace": {"members": ["a"]}, "package": False,
            },
            "setuptools": {"packages": {"find": {"where": ["src"]}}, "package-dir": {"": "src"}},
            "nuages": {
                "workers": 2, "bind": ["127.0.0.1:8000"], "apt": ["poppler-utils"],
                "processes": {"mail": {"command": "python manage.py mail", "schedule": "* * * * *"}, "beat": False},
            },
        },
    },
    "poetry/pyproject.toml": {
        "tool": {
            "poetry": {
                "name": "shop", "version": "1", "packages": [{"include": "shop", "from": "src"}],
                "dependencies": {
                    "python": "^3.11", "django": "^5.2", "a": {"version": "^1", "extras": ["x"], "optional": True},
                    "b": {"git": "https://packages.example/b", "branch": "main"},
                    "c": [{"version": "1", "python": ">3"}],
                },
                "extras": {"x": ["a"]}, "group": {"dev": {"optional": True, "dependencies": {"pytest": "*"}}},
                "source": [{"name": "own", "url": "https://packages.example/simple", "priority": "primary"}],
            }
        },
        "build-system": {"build-backend": "poetry.core.masonry.api"},
    },
    "Pipfile": {
        "source": [{"url": "https://packages.example/simple", "name": "own", "verify_ssl": True}],
        "packages": {
            "django": "*", "a": {"version": "==1", "extras": ["x"], "markers": "os_name == 'posix'"},
            "b": {"git": "https://packages.example/b", "ref": "main"},
        },
        "requires": {"python_version": "3.11"},
    },
    "Pipfile.lock": {
        "_meta": {
            "hash": {"sha256": "a"}, "requires": {"python_version": "3.11"},
            "sources": [{"name": "own", "url": "https://packages.example/simple", "verify_ssl": True}],
        },
        "default": {
            "django": {"hashes": [HASH], "index": "own", "version": "==5.2.9", "markers": "python_version >= '3.8'"},
            "b": {"git": "https://packages.example/b", "ref": "a" * 40},
        },
        "develop": {"pytest": {"version": "==1"}},
    },
    "uv.lock": {
        "version": 1, "requires-python": ">=3.11", "resolution-markers": ["python_version > '3'"],
        "package": [
            {
                "name": "shop", "version": "1", "source": {"virtual": "."},
                "dependencies": [{"name": "django"}, {"name": "b", "extra": ["x"], "marker": "os_name == 'posix'"}],
                "metadata": {"requires-dist": [{"name": "django", "specifier": ">=5.2"}]},
            },
            {
                **DJANGO, "source": {"registry": "https://packages.example/simple"}, "dependencies": [{"name": "b"}],
                "wheels": [{"url": "https://packages.example/django-5.2.9-py3-none-any.whl", "hash": HASH}],
            },
            {"name": "b", "version": "1", "source": {"git": "https://packages.example/b?rev=main#" + "a" * 40}},
        ],
    },
    "poetry.lock": {
        "package": [
            {
                **DJANGO, "optional": False, "python-versions": ">=3.10", "groups": ["main"],
                "files": [{"file": "a.whl", "hash": HASH}],
                "dependencies": {"b": ">=1", "c": {"version": "*", "optional": True}},
                "extras": {"x": ["b (>=1)"]},
            },
            {"name": "b", "version": "1", "source": {"type": "git", "url": "https://packages.example/b"}},
        ],
        "extras": {"x": ["b"]},
        "metadata": {"lock-version": "2.1", "python-versions": ">=3.11", "content-hash": "a"},
    },
    "pdm.lock": {
        "metadata": {"groups": ["default"], "strategy": ["inherit_metadata"], "lock_version": "4.5.0"},
        "package": [
            {
                **DJANGO, "requires_python": ">=3.10", "groups": ["default"], "dependencies": ["b>=1"],
                "marker": "python_version > '3'", "files": [{"file": "a.whl", "hash": HASH}],
            },
            {"name": "b", "version": "1", "git": "https://packages.example/b", "revision": "a" * 40},
        ],
    },
    "pylock.toml": {
        "lock-version": "1.0", "requires-python": ">=3.11", "dependency-groups": ["dev"], "default-groups": ["default"],
        "packages": [
            {
                **DJANGO, "marker": "python_version > '3'", "index": "https://packages.example/simple",
                "wheels": [{"name": "a.whl", "url": "https://packages.example/a.whl", "hashes": {"sha256": "a" * 64}}],
            },
            {"name": "b", "vcs": {"type": "git", "url": "https://packages.example/b", "commit-id": "a" * 40}},
            {"name": "c", "directory": {"path": "lib", "editable": True}},
        ],
    },
    "package.json": {
        "name": "shop", "scripts": {"build": "vite build", "postinstall": "x"}, "dependencies": {"vue": "1"},
        "devDependencies": {"vite": "1"}, "engines": {"node": ">=20"}, "packageManager": "pnpm@9.1.0",
        "workspaces": ["a"], "volta": {"node": "20.1.0"},
    },
    "package-lock.json": {
        "lockfileVersion": 3,
        "packages": {"": {"dependencies": {"vue": "1"}}, "node_modules/vue": {"version": "1", "resolved": "x"}},
    },
    "compose.yaml": {
        "services": {
            "web": {
                "build": {"context": ".", "dockerfile": "Dockerfile"}, "command": ["gunicorn", "shop.wsgi"],
                "environment": {"DEBUG": "1"}, "env_file": [".env"], "volumes": [".:/app"],
            },
            "db": {"image": "postgres:16", "environment": ["POSTGRES_DB=shop"]},
        }
    },
}  # fmt: skip
BESIDE = {
    "Pipfile.lock": {"Pipfile": "[packages]\ndjango = '*'\n"},
    "uv.lock": {"pyproject.toml": DECLARED},
    "pdm.lock": {"pyproject.toml": DECLARED},
    "pylock.toml": {"pyproject.toml": DECLARED},
    "poetry.lock": {
        "pyproject.toml": "[tool.poetry]\nname = 'shop'\n[tool.poetry.dependencies]\ndjango = '^5.2'\n"
    },
    "package.json": {"package-lock.json": "{}", "requirements.txt": "Django==5.2.9\n"},
    "package-lock.json": {
        "package.json": '{"scripts": {"build": "vite build"}}',
        "requirements.txt": "Django==5.2.9\n",
    },
    "compose.yaml": {"requirements.txt": "Django==5.2.9\n"},
}
WRONG = (3, "x", [3], {"a": 3}, True, [], {}, 1.5, [[]], [{}], {"": ""}, "", -1)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def _written(name: str, document: Any) -> str:
    """Return a document as the file of this name has it; Compose's YAML takes JSON."""
    if name.endswith((".json", "Pipfile.lock", ".yaml")):
        return json.dumps(document)
    return "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in document.items())


def _places(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    found = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in found:
        yield (*at, key)
        yield from _places(value, (*at, key))


PLACES = [(name, place) for name, document in DOCUMENTS.items() for place in _places(document)]


def _changed(name: str, place: tuple[Any, ...], value: object) -> str:
    document = copy.deepcopy(DOCUMENTS[name])
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return _written(name, document)


def _read(folder: Path, name: str, text: str) -> None:
    """Check and plan a project with this document, and read what it installs; raises what is no error of ours."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "shop").mkdir(parents=True)
    (folder / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
        "from django.core.management import execute_from_command_line\n"
    )
    (folder / "shop/settings.py").write_text("INSTALLED_APPS = ['django.contrib.staticfiles']\n")
    for path, content in {**BESIDE.get(name, {}), name.rpartition("/")[2]: text}.items():
        (folder / path).write_text(content)
    for command in ("check", "plan"):
        assert cli.main([command, str(folder)]) in (0, 1, 2)
    told: NuagesError | None = None
    try:
        source = sources.read(scan(folder, environ={}), {})
        source.select({"python_version": "3.12", "python_full_version": "3.12.1", "sys_platform": "linux"})
    except NuagesError as error:
        told = error
    assert told is None or (told.where and told.why and told.hint)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_as_its_tool_writes_it_is_read(tmp_path: Path, name: str) -> None:
    _read(tmp_path / "project", name, _written(name, DOCUMENTS[name]))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(PLACES), st.sampled_from(WRONG))
def test_a_document_with_something_of_a_wrong_type_is_read_without_an_exception(
    tmp_path: Path, place: tuple[str, tuple[Any, ...]], value: object
) -> None:
    name, at = place
    _read(tmp_path / "project", name, _changed(name, at, value))


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("Pipfile", ("packages", "a", "version"), []),
        ("Pipfile", ("packages", "a", "version"), {"a": 3}),
        ("pyproject.toml", ("tool", "nuages", "workers"), []),
    ],
)
def test_what_was_a_traceback_is_read(tmp_path: Path, name: str, at: tuple[Any, ...], value: object) -> None:
    _read(tmp_path / "project", name, _changed(name, at, value))


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, '{"a": ' * 50_000, "\0", ""])
@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock", "Pipfile.lock", "package.json", "nuages.lock"])
def test_a_document_that_no_parser_takes_is_read_without_an_exception(
    tmp_path: Path, name: str, text: str
) -> None:
    _read(tmp_path / "project", name, text)
    if name.endswith((".toml", "uv.lock", "nuages.lock")):
        _read(tmp_path / "project", name, f"# of nuages\nx = {text}\n")


def test_a_lock_of_images_that_is_no_text_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manage.py").write_text("import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 's')\n")
    (tmp_path / "s.py").write_text("INSTALLED_APPS = []\n")
    (tmp_path / "requirements.txt").write_text("Django==5.2.9\n")
    (tmp_path / "nuages.lock").write_bytes(b"\xbd\xff\x00junk")
    assert cli.main(["plan", str(tmp_path)]) == 1
    assert "nuages.lock" in capsys.readouterr().err


def test_a_configuration_of_gunicorn_that_the_parser_gives_up_is_told(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("x = " + "-" * 50_000 + "1\n")
    assert cli.main(["explain", str(tmp_path / "gunicorn.conf.py")]) in (0, 1, 2)
