"""A front-end build that was not made: a folder of static files is missing, and templates name what it would hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages.errors import ProjectError
from nuages.node import LOCKS, build_command, build_scripts, manager_of, running
from nuages.runtime.collectfaults import find_static

_STATIC = re.compile(r"""\{%\s*static\s+(?P<quote>['"])(?P<name>[^'"{}]+)(?P=quote)""")
# `{# #}` ends on its line (Django's «Comments»): Handlebars' `{{#each}}` begins none.
_OPENS = re.compile(r"\{#|\{%\s*(comment|verbatim)\b")
_CLOSES = {
    None: re.compile(r"#\}"),
    "comment": re.compile(r"\{%\s*endcomment\s*%\}"),
    "verbatim": re.compile(r"\{%\s*endverbatim\b"),
}


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
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A static file that a template names, and where."""

    name: str
    path: Path
    number: int
    line: str


def named(templates: Iterable[str]) -> Iterator[Named]:
    """Yield the static files that templates name by their literal names, without what is commented out."""
    for top in templates:
        for path in sorted(Path(top).rglob("*.html")):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            for number, line in enumerate(read_by_django(text).splitlines(), 1):
                for match in _STATIC.finditer(line):
                    yield Named(name=match["name"], path=path, number=number, line=line.strip()[:120])


def read_by_django(text: str) -> str:
    """Return a template without its comments and what it shows verbatim; its lines keep their numbers. Pure.

    What is begun and never ended is left, and looked for once, however often it is begun.
    """
    kept: list[str] = []
    begin = at = line_end = 0
    never_until: dict[str | None, int] = dict.fromkeys(
        _CLOSES, 0
    )  # where it is known that none of a kind ends
    while opens := _OPENS.search(text, at):
        at = opens.end()
        if at > line_end:
            line_end = text.find("\n", at)
            line_end = len(text) if line_end < 0 else line_end
        until = len(text) if opens[1] else line_end
        closes = _CLOSES[opens[1]].search(text, at, until) if at > never_until[opens[1]] else None
        if closes is None:
            never_until[opens[1]] = until
            continue
        at = closes.end()
        kept += text[begin : opens.start()], "\n" * text.count("\n", opens.start(), at)
        begin = at
    return "".join((*kept, text[begin:]))


def missing_names(*roots: Path) -> Iterator[Named]:
    """Yield the static files that templates below the project's folders name and nobody has, a name once."""
    from django.conf import settings
    from django.template.utils import get_app_template_dirs

    own = [str(folder) for engine in settings.TEMPLATES for folder in engine.get("DIRS", ())]
    apps = [
        str(folder)
        for folder in get_app_template_dirs("templates")
        if any(root in Path(folder).parents for root in roots)
    ]
    seen: set[str] = set()
    for one in named(dict.fromkeys([*own, *apps])):
        # Storages leave a folder's name as it is, and look for a file without its query and fragment.
        plain = re.split(r"[?#]", one.name)[0]
        if plain in seen or not plain or plain.endswith("/"):
            continue
        seen.add(plain)
        if find_static(plain) is None:
            yield one


def missing_names_warning(roots: Iterable[Path], collected: Mapping[str, str]) -> str | None:
    """Return what to say of files that templates name and that are not among the `collected`, None where all are."""
    left = [one for one in missing_names(*roots) if one.name not in collected]
    if not left:
        return None
    shown = ", ".join(f"{one.name} ({one.path}:{one.number})" for one in left[:3])
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return (
        f"pages will fail: templates name static files that nobody has, {shown}{more}; the project's storage "
        "answers a page that names one with an error, and not with a bare page"
    )


def front_end_error(root: Path) -> ProjectError | None:
    """Return the error for the first front-end build that is missing and whose files templates of the project name."""
    from django.conf import settings

    for missing in missing_builds(getattr(settings, "STATICFILES_DIRS", ()), root):
        found = next(missing_names(root), None)
        if found is not None:
            name, where = found.name, f"{found.path}:{found.number}: {found.line}"
            return ProjectError(
                f"the front end is not built: nobody has the static file {name}", where=where,
                why=f"STATICFILES_DIRS names {missing.folder}, which is missing or empty; {missing.package} has the "
                f"script{'s' if len(missing.scripts) > 1 else ''} {' and '.join(missing.scripts)}, which may make it",
                hint=missing.command,
            )  # fmt: skip
    return None
