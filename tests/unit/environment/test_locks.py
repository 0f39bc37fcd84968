"""Each lock format becomes the requirement lines that one Python installs."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from nuages.environment.locks import pdm, pipenv, poetry, pylock, uv
from nuages.environment.locks.graph import LockError, Requirements, lacking_wheels, select, tags_for

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

A, B, C = "sha256:" + "a" * 64, "sha256:" + "b" * 64, "sha256:" + "c" * 64


def markers(python: str = "3.12.1", platform: str = "linux") -> dict[str, str]:
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_release": "6.1",
        "platform_system": "Linux" if platform == "linux" else "Windows",
        "platform_version": "1",
        "platform_python_implementation": "CPython",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": platform,
    }


UV = f"""
version = 1
requires-python = ">=3.10"

[[package]]
name = "asgiref"
version = "3.8.1"
source = {{ registry = "https://packages.example/simple" }}
dependencies = [{{ name = "typing-extensions", marker = "python_full_version < '3.11'" }}]
sdist = {{ url = "https://packages.example/asgiref-3.8.1.tar.gz", hash = "{A}" }}
wheels = [{{ url = "https://packages.example/asgiref-3.8.1-py3-none-any.whl", hash = "{B}" }}]

[[package]]
name = "colorama"
version = "0.4.6"
source = {{ registry = "https://packages.example/simple" }}
wheels = [{{ url = "https://packages.example/colorama-0.4.6-py3-none-any.whl", hash = "{C}" }}]

[[package]]
name = "django"
version = "5.2.1"
source = {{ registry = "https://packages.example/simple" }}
dependencies = [
    {{ name = "asgiref" }},
    {{ name = "colorama", marker = "sys_platform == 'win32'" }},
]
wheels = [{{ url = "https://packages.example/django-5.2.1-py3-none-any.whl", hash = "{C}" }}]

[package.optional-dependencies]
argon2 = [{{ name = "argon2-cffi" }}]

[[package]]
name = "argon2-cffi"
version = "23.1"
source = {{ registry = "https://private.example/simple" }}
wheels = [{{ url = "https://private.example/argon2_cffi-23.1-py3-none-any.whl", hash = "{A}" }}]

[[package]]
name = "pytest"
version = "8"
source = {{ registry = "https://packages.example/simple" }}

[[package]]
name = "shop"
source = {{ virtual = "." }}
dependencies = [{{ name = "django", extra = ["argon2"] }}]

[package.optional-dependencies]
postgres = [{{ name = "asgiref" }}]

[package.dev-dependencies]
dev = [{{ name = "pytest" }}]

[[package]]
name = "typing-extensions"
version = "4.12"
source = {{ git = "https://code.example/te?rev=main#abc123" }}
"""

UV_PYPROJECT: dict[str, Any] = {
    "project": {"name": "shop"},
    "tool": {"uv": {"index": [{"name": "private", "url": "https://private.example/simple/"}]}},
}


def uv_lines(python: str = "3.12.1", platform: str = "linux", **options: Any) -> Requirements:
    lock = uv.parse(tomllib.loads(UV), UV_PYPROJECT, **options)
    return select(lock, markers(python, platform))


def test_uv_lock_gives_what_the_project_reaches_and_neither_itself_nor_its_development_group() -> None:
    found = uv_lines()

    assert found.lines == (
        f"argon2-cffi==23.1 --hash={A}",
        f"asgiref==3.8.1 --hash={A} --hash={B}",
        f"django==5.2.1 --hash={C}",
    )
    assert found.hashed
    assert found.closed
    assert found.files == (
        "argon2_cffi-23.1-py3-none-any.whl",
        "asgiref-3.8.1-py3-none-any.whl",
        "asgiref-3.8.1.tar.gz",
        "django-5.2.1-py3-none-any.whl",
    )


def test_uv_lock_follows_markers_of_the_python_that_installs() -> None:
    old, windows = uv_lines("3.10.13"), uv_lines(platform="win32")

    assert "typing-extensions @ git+https://code.example/te@abc123" in old.lines
    assert not old.hashed
    assert f"colorama==0.4.6 --hash={C}" in windows.lines


def test_uv_lock_keeps_a_named_index_and_tells_the_default_one() -> None:
    found = uv_lines()

    assert found.index == "https://packages.example/simple"
    assert found.indexes == ("https://private.example/simple",)


def test_uv_lock_takes_groups_and_extras_that_are_asked_for() -> None:
    assert "pytest==8" in uv_lines(groups=("dev",)).lines
    assert uv_lines(extras=("postgres",)).lines == uv_lines().lines


def test_uv_lock_installs_a_workspace_member_from_its_folder() -> None:
    text = UV.replace('{ name = "django", extra', '{ name = "core" }, { name = "django", extra')
    text += '\n[[package]]\nname = "core"\nversion = "1"\nsource = { editable = "packages/core" }\n'
    found = select(uv.parse(tomllib.loads(text), UV_PYPROJECT), markers())

    assert found.local == ("packages/core",)
    assert not any(line.startswith("core") for line in found.lines)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("version = 7", "version 7 of the format is not known"),
        ("version = 1", "does not hold the project"),
        (UV.replace('name = "asgiref" }', 'name = "gone" }'), "gone is needed but not locked"),
    ],
)
def test_a_uv_lock_that_cannot_be_used_says_why(text: str, why: str) -> None:
    with pytest.raises(LockError, match=why):
        select(uv.parse(tomllib.loads(text), UV_PYPROJECT), markers())


PIPFILE_LOCK = {
    "_meta": {
        "pipfile-spec": 6,
        "sources": [
            {"name": "pypi", "url": "https://packages.example/simple"},
            {"name": "private", "url": "https://private.example/simple"},
        ],
    },
    "default": {
        "Django": {"hashes": [B, A], "index": "pypi", "version": "==3.2.25"},
        "colorama": {"hashes": [C], "markers": "sys_platform == 'win32'", "version": "==0.4"},
        "inner": {"hashes": [C], "index": "private", "version": "==1"},
        "old": {"hashes": [C], "markers": "python_version not in '3.0, 3.1, 3.2'", "version": "==1"},
    },
    "develop": {"pytest": {"version": "==8"}},
}


def test_pipfile_lock_gives_the_default_section_with_hashes_and_markers() -> None:
    found = select(pipenv.parse(PIPFILE_LOCK), markers())

    assert found.lines == (
        f"django==3.2.25 --hash={A} --hash={B}",
        f"inner==1 --hash={C}",
        f"old==1 --hash={C}",
    )
    assert found.index == "https://packages.example/simple"
    assert found.indexes == ("https://private.example/simple",)


def test_pipfile_lock_names_repositories_and_folders() -> None:
    document = json.loads(json.dumps(PIPFILE_LOCK))
    document["default"] = {
        "a": {"git": "https://code.example/a.git", "ref": "abc", "subdirectory": "python"},
        "b": {"path": "./libs/b", "editable": True},
        "c": {"file": "https://files.example/c-1.tar.gz", "hashes": [A]},
    }
    found = select(pipenv.parse(document), markers())

    assert found.lines == (
        "a @ git+https://code.example/a.git@abc#subdirectory=python",
        f"c @ https://files.example/c-1.tar.gz --hash={A}",
    )
    assert found.local == ("./libs/b",)


POETRY_PYPROJECT: dict[str, Any] = {
    "tool": {
        "poetry": {
            "dependencies": {
                "python": "^3.10",
                "django": {"version": "^4.2", "extras": ["bcrypt"]},
                "psycopg": {"version": "*", "optional": True},
                "numpy": [
                    {"version": "<2", "python": "<3.12"},
                    {"version": ">=2", "python": ">=3.12"},
                ],
            },
            "extras": {"postgres": ["psycopg"]},
            "group": {"dev": {"dependencies": {"pytest": "*"}}},
            "source": [{"name": "private", "url": "https://private.example/simple/", "priority": "explicit"}],
        }
    }
}

POETRY = f"""
[[package]]
name = "django"
version = "4.2.1"
optional = false
python-versions = ">=3.8"
files = [{{file = "Django-4.2.1-py3-none-any.whl", hash = "{A}"}}]

[package.dependencies]
asgiref = ">=3.6.0,<4"
bcrypt = {{version = "*", optional = true, markers = "extra == \\"bcrypt\\""}}
tzdata = {{version = "*", markers = "sys_platform == \\"win32\\""}}

[package.extras]
bcrypt = ["bcrypt"]

[[package]]
name = "asgiref"
version = "3.8"
optional = false
python-versions = ">=3.8"
files = [{{file = "asgiref-3.8-py3-none-any.whl", hash = "{B}"}}]

[[package]]
name = "bcrypt"
version = "4.0"
optional = false
python-versions = ">=3.6"
files = [{{file = "bcrypt-4.0-cp36-abi3-manylinux_2_17_x86_64.whl", hash = "{C}"}}]

[package.source]
type = "legacy"
url = "https://private.example/simple"
reference = "private"

[[package]]
name = "numpy"
version = "1.26"
optional = false
python-versions = ">=3.9"
files = []

[[package]]
name = "numpy"
version = "2.1"
optional = false
python-versions = ">=3.10"
files = []

[[package]]
name = "psycopg"
version = "3.2"
optional = true
python-versions = ">=3.8"
files = []

[[package]]
name = "pytest"
version = "8.0"
optional = false
python-versions = ">=3.8"
files = []

[metadata]
lock-version = "2.0"
"""


def poetry_lines(python: str = "3.12.1", **options: Any) -> tuple[str, ...]:
    return select(poetry.parse(tomllib.loads(POETRY), POETRY_PYPROJECT, **options), markers(python)).lines


def test_poetry_lock_is_walked_from_the_main_group() -> None:
    assert poetry_lines() == (
        f"asgiref==3.8 --hash={B}",
        f"bcrypt==4.0 --hash={C}",
        f"django==4.2.1 --hash={A}",
        "numpy==2.1",
    )


def test_poetry_lock_with_two_releases_takes_the_one_for_this_python() -> None:
    assert "numpy==1.26" in poetry_lines("3.11.7")


def test_poetry_lock_takes_extras_and_groups_that_are_asked_for() -> None:
    assert "psycopg==3.2" in poetry_lines(extras=("postgres",))
    assert "pytest==8.0" in poetry_lines(groups=("dev",))


def test_poetry_lock_of_version_1_has_its_hashes_in_a_table_of_their_own() -> None:
    text = POETRY.replace(f'files = [{{file = "asgiref-3.8-py3-none-any.whl", hash = "{B}"}}]\n', "")
    text = text.replace('lock-version = "2.0"', 'lock-version = "1.1"')
    text += f'\n[metadata.files]\nasgiref = [{{file = "asgiref-3.8.tar.gz", hash = "{C}"}}]\n'
    found = select(poetry.parse(tomllib.loads(text), POETRY_PYPROJECT), markers())

    assert f"asgiref==3.8 --hash={C}" in found.lines
    assert found.indexes == ("https://private.example/simple",)


PDM = f"""
[metadata]
groups = ["default", "dev"]
strategy = ["cross_platform", "inherit_metadata"]
lock_version = "4.4.1"

[[package]]
name = "Django"
version = "5.0.4"
requires_python = ">=3.10"
groups = ["default"]
dependencies = ["asgiref<4,>=3.7.0"]
files = [{{file = "Django-5.0.4-py3-none-any.whl", hash = "{A}"}}]

[[package]]
name = "asgiref"
version = "3.8.1"
groups = ["default"]
files = [{{file = "asgiref-3.8.1-py3-none-any.whl", hash = "{B}"}}]

[[package]]
name = "tzdata"
version = "2024.1"
groups = ["default"]
marker = "sys_platform == \\"win32\\""
files = []

[[package]]
name = "black"
version = "24"
groups = ["dev"]
files = []
"""

PDM_PYPROJECT: dict[str, Any] = {"project": {"dependencies": ["django~=5.0"]}}


@pytest.mark.parametrize("strategy", ['["cross_platform", "inherit_metadata"]', '["cross_platform"]'])
def test_pdm_lock_gives_the_default_group_with_or_without_inherited_metadata(strategy: str) -> None:
    text = PDM.replace('["cross_platform", "inherit_metadata"]', strategy)
    found = select(pdm.parse(tomllib.loads(text), PDM_PYPROJECT), markers())

    assert found.lines == (f"asgiref==3.8.1 --hash={B}", f"django==5.0.4 --hash={A}")


PYLOCK = f"""
lock-version = "1.0"
default-groups = ["web"]

[[packages]]
name = "django"
version = "5.2"
requires-python = ">=3.10"
index = "https://packages.example/simple"
wheels = [{{name = "django-5.2-py3-none-any.whl", url = "https://a.example/d", hashes = {{sha256 = "{"a" * 64}"}}}}]

[[packages]]
name = "gunicorn"
version = "23"
marker = "'web' in dependency_groups"
sdist = {{url = "https://files.example/gunicorn-23.tar.gz", hashes = {{sha256 = "{"b" * 64}"}}}}

[[packages]]
name = "docs"
version = "1"
marker = "'docs' in dependency_groups"

[[packages]]
name = "tz"
marker = "sys_platform == 'win32'"
version = "1"

[[packages]]
name = "forked"
vcs = {{type = "git", url = "https://code.example/forked", commit-id = "abc"}}
"""


def test_pylock_gives_packages_whose_markers_hold_and_whose_group_is_wanted() -> None:
    pytest.importorskip("packaging", minversion="25")
    found = select(pylock.parse(tomllib.loads(PYLOCK)), markers())

    assert found.lines == (
        f"django==5.2 --hash={A}",
        "forked @ git+https://code.example/forked@abc",
        f"gunicorn==23 --hash={B}",
    )


@pytest.mark.parametrize(
    ("parse", "document"),
    [
        (lambda d: pipenv.parse(d), {"_meta": {"pipfile-spec": 5}}),
        (lambda d: poetry.parse(d, {}), {"metadata": {"lock-version": "3.0"}}),
        (lambda d: pdm.parse(d, {}), {"metadata": {"lock_version": "9"}}),
        (lambda d: pylock.parse(d), {"lock-version": "2.0"}),
    ],
)
def test_a_format_that_is_not_known_is_refused(parse: Any, document: dict[str, Any]) -> None:
    with pytest.raises(LockError, match="not known to this nuages"):
        parse(document)


def test_wheels_of_other_pythons_only_are_counted_as_lacking() -> None:
    files = [
        "pure-1-py3-none-any.whl",
        "stable-1-cp38-abi3-manylinux_2_17_x86_64.whl",
        "stable-1-cp38-abi3-manylinux_2_17_aarch64.whl",
        "native-1-cp311-cp311-manylinux_2_17_x86_64.whl",
        "native-1-cp311-cp311-manylinux_2_17_aarch64.whl",
        "source-1.tar.gz",
    ]

    assert lacking_wheels(files, tags_for((3, 11))) == 0
    assert lacking_wheels(files, tags_for((3, 13))) == 1
