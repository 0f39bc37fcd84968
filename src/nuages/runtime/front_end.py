"""A front-end build that was not made: a folder of static files is missing, and templates name what it would hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages.errors import ProjectError
from nuages.node import LOCKS, build_command, build_scripts, manager_of, running
from nuages.runtime.collectfaults import find_static

_STATIC = re.compile(r"""\{%\s*static\s+(?P<quote>['"])(?P<name>[^'"{}]+)(?P=quote)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A `folder` that the build whose package.json is `package` would make, by `scripts` of the package `manager`."""

    folder: Path
    package: Path
    scripts: list[str]
    manager: str

    @property
    def command(self) -> str:
        """What makes it, wherever it is typed."""
        commands = (running(self.manager, script) for script in self.scripts)
        return build_command(str(self.package.parent), self.manager, commands)


def missing_builds(folders: Iterable[Any], root: Path) -> Iterator[Missing]:
    """Yield those of STATICFILES_DIRS that are missing or empty and have a package.json with a build script above them.

    It is looked for up to the project's folder, `root`.
    """
    for entry in folders:
        folder = Path(os.path.abspath(entry[1] if isinstance(entry, (tuple, list)) else entry))  # noqa: PTH100 - «..» goes
        if folder.is_dir() and next(folder.iterdir(), None) is not None:
            continue
        for place in folder.parents:
            if place != root and root not in place.parents:
                break
            path = place / "package.json"
            package = _read(path)
            scripts = build_scripts(package)
            if scripts:
                manager, _ = manager_of(package, {name for name in LOCKS if (place / name).exists()})
                yield Missing(folder=folder, package=path, scripts=scripts, manager=manager)
                break


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def first_missing(templates: Iterable[str]) -> tuple[str, str] | None:
    """Return the first static file that a template names and nobody has, and where: `file:line: its line`."""
    for top in templates:
        for path in sorted(Path(top).rglob("*.html")):
            try:
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            for number, line in enumerate(lines, 1):
                for match in _STATIC.finditer(line):
                    if find_static(match["name"]) is None:
                        return match["name"], f"{path}:{number}: {line.strip()[:120]}"
    return None


def front_end_error(root: Path) -> ProjectError | None:
    """Return the error for the first front-end build that is missing and whose files templates of the project name."""
    from django.conf import settings
    from django.template.utils import get_app_template_dirs

    for missing in missing_builds(getattr(settings, "STATICFILES_DIRS", ()), root):
        own = [str(folder) for engine in settings.TEMPLATES for folder in engine.get("DIRS", ())]
        apps = [str(folder) for folder in get_app_template_dirs("templates") if root in Path(folder).parents]
        found = first_missing([*own, *apps])
        if found is not None:
            name, where = found
            return ProjectError(
                f"the front end is not built: nobody has the static file {name}", where=where,
                why=f"STATICFILES_DIRS names {missing.folder}, which is missing or empty; {missing.package} has the "
                f"script{'s' if len(missing.scripts) > 1 else ''} {' and '.join(missing.scripts)}, which may make it",
                hint=missing.command,
            )  # fmt: skip
    return None
