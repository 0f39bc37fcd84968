"""The project's own distribution metadata, where its manager would install the project itself.

Its code is read from where it lies; what an editable installation adds beside it is its name, version and entry points
(core metadata and entry points specifications, PyPA).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuages.environment.home import disk, write
from nuages.project.model import Manager


def metadata(pyproject: Mapping[str, Any], manager: Manager) -> dict[str, str]:
    """Return the files of the project's `.dist-info` by path, or nothing where its manager does not install it.

    uv installs a project that has a build system, and so does pip; Poetry one that is in package mode, PDM one that
    is a distribution.
    """
    project, tool = pyproject.get("project", {}), pyproject.get("tool", {})
    poetry = tool.get("poetry", {})
    installs = {
        Manager.UV: tool.get("uv", {}).get("package", "build-system" in pyproject),
        Manager.POETRY: poetry.get("package-mode", True),
        # Without a lock it is `pip install .`, or `-e .`, that brings the dependencies.
        Manager.PYPROJECT: "build-system" in pyproject,
        Manager.PDM: tool.get("pdm", {}).get("distribution", "build-system" in pyproject),
    }.get(manager, False)
    name = project.get("name") or poetry.get("name")
    if not installs or not isinstance(name, str):
        return {}
    version = str(project.get("version") or poetry.get("version") or "0")
    folder = f"{re.sub(r'[-_.]+', '_', name)}-{version}.dist-info"
    files = {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{folder}/INSTALLER": "nuages\n",
    }
    groups = dict(project.get("entry-points", {}))
    groups.update({"console_scripts": project["scripts"]} if project.get("scripts") else {})
    groups.update(poetry.get("plugins", {}))
    if groups:
        files[f"{folder}/entry_points.txt"] = "".join(
            _section(group, groups[group]) for group in sorted(groups)
        )
    return files


def _section(group: str, entries: Mapping[str, Any]) -> str:
    rows = "".join(f"{name} = {target}\n" for name, target in entries.items() if isinstance(target, str))
    return f"[{group}]\n{rows}\n"


def write_metadata(site_packages: Path, files: Mapping[str, str]) -> None:
    """Write the files into an environment."""
    for name, text in files.items():
        with disk(site_packages):
            (site_packages / name).parent.mkdir(exist_ok=True)
        write(site_packages / name, text)
