"""This nuages as a wheel, the runtime's requirements, and what overtakes the project's own packages."""

from __future__ import annotations

import re
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nuages.environment import bundle
from nuages.environment.compatibility import SERVER
from nuages.environment.own import metadata
from nuages.project.model import Manager, normalized

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]


def declared() -> dict[str, str]:
    document: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rows = (re.match(r"([A-Za-z0-9_-]+)\s*([^;]*)", line) for line in document["project"]["dependencies"])
    return {normalized(row[1]): row[2].strip() for row in rows if row}


def test_the_wheel_of_an_installed_nuages_is_the_wheel_of_its_work_tree(tmp_path: Path) -> None:
    files = dict(bundle.package_files(bundle.installed_package()))
    data = bundle.wheel(files)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        archive.extractall(tmp_path)

    assert dict(bundle.package_files(tmp_path / "nuages")) == files
    assert bundle.wheel(dict(reversed(files.items()))) == data


def test_the_wheel_holds_the_package_and_its_data_but_no_bytecode() -> None:
    files = dict(bundle.package_files(bundle.installed_package()))

    assert "nuages/environment/runtime-requirements.txt" in files
    assert "nuages/environment/compressor-requirements.txt" in files
    assert "nuages/py.typed" in files
    assert not [name for name in files if name.endswith(".pyc")]


def test_the_projects_own_metadata_is_what_its_manager_would_install() -> None:
    pyproject = {
        "build-system": {"requires": []},
        "project": {"name": "My-Shop", "version": "1.2", "scripts": {"shop": "shop:main"}},
    }

    assert metadata(pyproject, Manager.UV) == {
        "My_Shop-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: My-Shop\nVersion: 1.2\n",
        "My_Shop-1.2.dist-info/INSTALLER": "nuages\n",
        "My_Shop-1.2.dist-info/entry_points.txt": "[console_scripts]\nshop = shop:main\n\n",
    }
    assert metadata(pyproject, Manager.PYPROJECT) == metadata(pyproject, Manager.UV)
    assert metadata({"project": {"name": "shop"}}, Manager.UV) == {}
    assert metadata({"project": {"name": "shop"}}, Manager.PYPROJECT) == {}
    assert metadata(pyproject, Manager.REQUIREMENTS) == {}
    assert metadata({"tool": {"poetry": {"name": "shop", "package-mode": False}}}, Manager.POETRY) == {}


@given(st.dictionaries(st.from_regex(r"nuages/[a-z]{1,8}\.py", fullmatch=True), st.binary(max_size=50)))
def test_the_record_names_every_file_with_its_size(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(BytesIO(bundle.wheel(files, "1.0"))) as archive:
        record = archive.read("nuages-1.0.dist-info/RECORD").decode().splitlines()
        names = archive.namelist()

    assert sorted(row.split(",")[0] for row in record) == names == sorted(names)
    assert all(f"{name},sha256=" in "\n".join(record) for name in files)


def test_the_locked_runtime_is_what_pyproject_declares() -> None:
    lines = re.findall(r"^([A-Za-z0-9_.-]+)==", bundle.REQUIREMENTS.read_text(), re.MULTILINE)

    assert set(declared()) <= {normalized(name) for name in lines}


def test_every_line_of_the_locked_runtime_has_a_hash_and_none_names_a_place() -> None:
    text = bundle.REQUIREMENTS.read_text()
    lines = [
        line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")
    ]

    assert all("--hash=sha256:" in line for line in lines)
    assert "://" not in text


def test_the_server_takes_from_a_project_what_it_would_install_itself() -> None:
    for name, specifier in declared().items():
        if name in SERVER:
            assert SERVER[name].partition(",")[0] == specifier.partition(",")[0], name


def test_only_distributions_out_of_range_that_the_runtime_has_are_overtaken(tmp_path: Path) -> None:
    for name in ("uvicorn", "h11", "websockets"):
        (tmp_path / name).mkdir()
    installed = {"uvicorn": "0.11.0", "h11": "0.14.0", "websockets": "8.1", "click": "6.0", "django": "5.2"}

    assert bundle.ahead(installed, tmp_path) == {"uvicorn": "0.11.0", "websockets": "8.1"}


def test_our_uvicorn_comes_along_with_anything_else_of_ours(tmp_path: Path) -> None:
    for name in ("uvicorn", "websockets"):
        (tmp_path / name).mkdir()

    assert bundle.ahead({"uvicorn": "0.30.0", "websockets": "8.1"}, tmp_path) == {
        "uvicorn": "0.30.0",
        "websockets": "8.1",
    }
    assert bundle.ahead({"uvicorn": "0.30.0", "websockets": "13.0"}, tmp_path) == {}
