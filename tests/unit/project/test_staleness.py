"""The figures in these tests were written by the tools themselves: pipenv 2026.10, Poetry 2.5, PDM 2.29, uv 0.13."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from nuages.project import staleness
from nuages.project.model import Manager
from nuages.project.tree import Tree

MakeTree = Callable[[dict[str, str]], Tree]

POETRY = """
[project]
name = "x"
version = "1"
requires-python = ">=3.11"
dependencies = []
[dependency-groups]
dev = []
[tool.poetry]
package-mode = false
"""
POETRY_LOCK = """
[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "990cace2ed0cccf29ce553fc042e1705dd8f2916d20adf2f3445f6e30f986606"
"""
PDM = POETRY.replace("[tool.poetry]\npackage-mode = false", "[tool.pdm]\ndistribution = false")
PDM_LOCK = """
[metadata]
groups = ["default", "dev"]
lock_version = "4.5.1"
content_hash = "sha256:72fbc01cf900065436b4a577b7a855939f18620570f8146317ed703f3ca2e391"
"""
UV = """
[project]
name = "x"
version = "1"
requires-python = "~=3.11.2"
dependencies = ["Django >=4.2, <5", "idna[all] (==3.*)", "sqlparse; python_version > '3.8'", "asgiref!=3.1.0,>=3"]
[project.optional-dependencies]
a = ["certifi>=2020"]
[dependency-groups]
Dev_x = ["six", {include-group = "t"}]
t = ["attrs"]
"""
UV_LOCK = """
version = 1
requires-python = ">=3.11.2, <3.12"

[[package]]
name = "asgiref"
version = "3.9"

[[package]]
name = "x"
version = "1"
source = { virtual = "." }

[package.metadata]
requires-dist = [
    { name = "asgiref", specifier = ">=3,!=3.1.0" },
    { name = "certifi", marker = "extra == 'a'", specifier = ">=2020" },
    { name = "django", specifier = ">=4.2,<5" },
    { name = "idna", extras = ["all"], specifier = "==3.*" },
    { name = "sqlparse", marker = "python_full_version >= '3.9'" },
]
provides-extras = ["a"]

[package.metadata.requires-dev]
dev-x = [
    { name = "attrs" },
    { name = "six" },
]
t = [{ name = "attrs" }]
"""
PIPFILE = "[[source]]\nurl = 'https://packages.example/simple'\n[packages]\nDjango = '*'\n"


def stale(tree: MakeTree, manager: Manager, lock: str, declaration: str) -> str | None:
    name = {Manager.UV: "uv.lock", Manager.POETRY: "poetry.lock", Manager.PDM: "pdm.lock"}[manager]
    found = staleness.of(tree({name: lock, "pyproject.toml": declaration}), manager, name, "pyproject.toml")
    return found.value if found else None


@pytest.mark.parametrize(
    ("manager", "lock", "declaration"),
    [(Manager.POETRY, POETRY_LOCK, POETRY), (Manager.PDM, PDM_LOCK, PDM), (Manager.UV, UV_LOCK, UV)],
)
def test_a_lock_that_belongs_to_its_declaration_is_not_stale(
    manager: Manager, lock: str, declaration: str, tree: MakeTree
) -> None:
    assert stale(tree, manager, lock, declaration) is None


@pytest.mark.parametrize(
    ("manager", "lock", "declaration", "why"),
    [
        (Manager.POETRY, POETRY_LOCK, POETRY.replace("dependencies = []", "dependencies = ['six']"),
         "its content hash 990cace2ed0c… is not that of pyproject.toml"),
        (Manager.PDM, PDM_LOCK, PDM.replace(">=3.11", ">=3.12"),
         "its content hash 72fbc01cf900… is not that of pyproject.toml"),
        (Manager.UV, UV_LOCK, UV.replace("<5", "<6"),
         "pyproject.toml asks for Django >=4.2, <6, which is locked for another version"),
        (Manager.UV, UV_LOCK, UV.replace("~=3.11.2", ">=3.11.2"),
         "it is for Python >=3.11.2, <3.12, pyproject.toml asks for >=3.11.2"),
        (Manager.UV, UV_LOCK, UV.replace('"attrs"', '"attrs", "pluggy"'),
         "pyproject.toml asks for pluggy, which is not locked in the group dev-x"),
        (Manager.UV, UV_LOCK, UV.replace('"certifi>=2020"', ""), "pyproject.toml asks for no certifi, which is locked"),
    ],
)  # fmt: skip
def test_a_lock_whose_declaration_changed_is_stale_and_says_why(
    manager: Manager, lock: str, declaration: str, why: str, tree: MakeTree
) -> None:
    assert stale(tree, manager, lock, declaration) == why


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sqlparse; python_version > '3.8'", "sqlparse"),
        ('"Django', '"django'),
        ('version = "1"', 'version = "2"'),
    ],
)
def test_what_changes_nothing_that_is_installed_does_not_make_a_lock_of_uv_stale(
    before: str, after: str, tree: MakeTree
) -> None:
    assert stale(tree, Manager.UV, UV_LOCK, UV.replace(before, after)) is None


def test_a_pipfile_lock_is_stale_when_its_hash_is_another(tree: MakeTree) -> None:
    source = {"source": [{"url": "https://packages.example/simple"}]}
    old, new = staleness.pipfile_hashes(source | {"packages": {"Django": "*"}}, [])
    for digest, reason in (
        (old, None),
        (new, None),
        ("0" * 64, "its hash 000000000000… is not that of Pipfile"),
    ):
        lock = json.dumps({"_meta": {"hash": {"sha256": digest}}, "default": {}})
        found = staleness.of(
            tree({"Pipfile": PIPFILE, "Pipfile.lock": lock}), Manager.PIPENV, "Pipfile.lock", "Pipfile"
        )
        assert (found.value if found else None) == reason


@pytest.mark.parametrize(
    "declaration", ["[project]\ndependencies = 5", "[tool]\npoetry = 1", "[project]\ndependencies = [1]", ""]
)
@pytest.mark.parametrize(
    ("manager", "lock"), [(Manager.POETRY, "x"), (Manager.PDM, PDM_LOCK), (Manager.UV, UV_LOCK)]
)
def test_a_declaration_of_no_shape_raises_nothing(
    manager: Manager, lock: str, declaration: str, tree: MakeTree
) -> None:
    stale(tree, manager, lock, declaration)
