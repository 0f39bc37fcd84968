"""What the groups of findings look at: the scanned project, its files, and the settings as far as reading told."""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from nuages.check import repository
from nuages.errors import Origin
from nuages.project import layout, modules
from nuages.project.model import Assignment, Project
from nuages.project.tree import Tree

# What can set anything without being read: an outside package's names, or the module's own dictionary.
_ANYTHING = re.compile(
    r"\b(locals|globals|vars)\(\)|\bsetattr\(|configurations\b|\b(Django)?Dynaconf|\bexec\("
)
_EMPTY = ast.Module(body=[], type_ignores=[])

_OS = {
    "text": 'os.environ["{0}"]',
    "bool": 'os.environ.get("{0}") == "1"',
    "hosts": 'os.environ.get("{0}", "").split(",")',
}
# A library, what a file that uses it has, and how it reads each kind.
_FORMS = (
    ("django-environ", r"^env\s*=", {
        "text": 'env("{0}")', "bool": 'env.bool("{0}", default=False)', "hosts": 'env.list("{0}", default=[])',
    }),
    ("environs", r"^env\s*=", {
        "text": 'env("{0}")', "bool": 'env.bool("{0}", default=False)', "hosts": 'env.list("{0}", default=[])',
    }),
    ("python-decouple", r"import .*\bconfig\b", {
        "text": 'config("{0}")', "bool": 'config("{0}", default=False, cast=bool)',
        "hosts": 'config("{0}", default="", cast=lambda text: text.split(","))',
    }),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A project, the tree it was read from and the day on which it is looked at; `media` is the option --media."""

    project: Project
    tree: Tree
    today: date
    media: str = ""

    def setting(self, name: str) -> Assignment | None:
        """Return the last assignment of a setting, or None."""
        return self._assigned.get(name)

    @cached_property
    def _assigned(self) -> dict[str, Assignment]:
        return {each.name: each for each in self.project.assignments}

    def value(self, name: str, default: Any = None) -> Any:
        """Return what a setting is worth; `default` where it is not assigned or not known."""
        found = self.setting(name)
        return found.value if found is not None and found.is_known else default

    def is_unset(self, name: str) -> bool:
        """Return whether a setting is certainly Django's default."""
        return self.setting(name) is None and self.is_complete

    def is_extended(self, name: str) -> bool:
        """Return whether something that is no constant is added to a list of the settings, run or not."""
        nodes = (
            node
            for path in self.project.settings_files
            for node in ast.walk(self.tree.module(path) or _EMPTY)
        )
        for node in nodes:
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                added, target = [node.value], node.target.id
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                is_adding = node.func.attr in {"append", "extend", "insert"}
                added, target = node.args[-1:] if is_adding else [], ast.unparse(node.func.value)
            else:
                continue
            if target == name and any(
                isinstance(each, (ast.Name, ast.Call)) for one in added for each in ast.walk(one)
            ):
                return True
        return False

    def is_written(self, name: str) -> bool:
        """Return whether an assignment of a setting stands in one of the files, run or not: in a `try` that raises."""
        nodes = (
            node
            for path in self.project.settings_files
            for node in ast.walk(self.tree.module(path) or _EMPTY)
        )
        return any(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            for node in nodes
        )

    @property
    def settings_origin(self) -> Origin:
        """The settings module's file: where a setting that is missing would stand."""
        files = self.project.settings_files
        return Origin(files[0]) if files else Origin(str(self.project.root))

    @property
    def is_complete(self) -> bool:
        """Whether every assignment was seen."""
        return self.doubt is None

    @cached_property
    def is_complete_here(self) -> bool:
        """Whether all else that can assign settings is a file of the project's own that is not among these files.

        `from .local import *`, of which git knows nothing: an image and a fresh clone are without it.
        """
        files = [path for path in self.project.settings_files if path.endswith(".py")]
        return (
            self.project.settings is not None
            and bool(files)
            and all(
                self.tree.module(path) is not None and self._doubt_in(path, most_dots=0) is None
                for path in files
            )
        )

    @cached_property
    def doubt(self) -> Origin | None:
        """Where something that was not read can set any setting: a file that is not here, an outside package."""
        if self.project.settings is None or not self.project.settings_files:
            return self.settings_origin
        for problem in self.project.problems:
            if problem.id in ("source-unreadable", "source-broken"):
                return Origin(problem.where)
        places = (self._doubt_in(path) for path in self.project.settings_files if path.endswith(".py"))
        return next((place for place in places if place is not None), None)

    def _doubt_in(self, path: str, most_dots: int = sys.maxsize) -> Origin | None:
        """Return what of a file tells nothing; imports with more dots than `most_dots` are no doubt."""
        module = self.tree.module(path)
        if module is None:
            return Origin(path)
        if _ANYTHING.search(self.tree.text(path) or ""):
            return self.tree.line_of(path, _ANYTHING.pattern)
        for node in ast.walk(module):
            if (
                isinstance(node, ast.ImportFrom)
                and node.names[0].name == "*"
                and node.level <= most_dots
                and not self._is_ours(node, path)
            ):
                return Origin(path, node.lineno)
        return None

    @cached_property
    def foreign(self) -> tuple[str, Origin] | None:
        """The first module of an installed package of which the settings import everything, and where."""
        for path in self.project.settings_files:
            for node in ast.walk(self.tree.module(path) or _EMPTY) if path.endswith(".py") else ():
                if not isinstance(node, ast.ImportFrom) or node.level or node.names[0].name != "*":
                    continue
                name = node.module or ""
                is_known = name.partition(".")[0] in {"django", *sys.stdlib_module_names}
                if not is_known and not self._is_ours(node, path):
                    return name, Origin(path, node.lineno)
        return None

    @property
    def unless(self) -> str:
        """A line for the reasons of what another file may still mend, empty where there is none."""
        return (
            f"\nunless what {self.doubt} loads says otherwise: it is not among these files"
            if self.doubt
            else ""
        )

    def _is_ours(self, node: ast.ImportFrom, path: str) -> bool:
        folder = posixpath.dirname(path)
        for _ in range(node.level - 1):
            folder = posixpath.dirname(folder)
        name = (node.module or "").replace(".", "/")
        if node.level:
            targets = (f"{folder}/{name}".strip("/"),)
            return any(f"{one}.py" in self.tree or f"{one}/__init__.py" in self.tree for one in targets)
        return modules.resolve(self.tree, node.module or "", self.bases) is not None

    @cached_property
    def tracked(self) -> tuple[str, ...]:
        """The files that git tracks, as far as they are looked at; none where there is no repository to ask."""
        found = repository.tracked(self.tree.root)
        return () if found is None else tuple(path for path in self.tree.files if path in found)

    def is_aside(self, path: str) -> bool:
        """Return whether a file is somebody's test, example or documentation."""
        return layout.is_aside(path)

    @staticmethod
    def origins(paths: Sequence[str]) -> tuple[Origin, ...]:
        """Return the first few files as places."""
        return tuple(Origin(path) for path in paths[:4])

    @property
    def bases(self) -> tuple[str, ...]:
        """The folders on sys.path."""
        return (self.project.directory, *self.project.paths)

    @property
    def apps(self) -> tuple[str, ...]:
        """INSTALLED_APPS as far as it is known."""
        return self.project.apps

    @cached_property
    def middleware(self) -> tuple[str, ...]:
        """MIDDLEWARE as far as it is known; what is not known is an empty text in its place."""
        found = self.setting("MIDDLEWARE")
        value = found.value if found else None
        return tuple(one if isinstance(one, str) else "" for one in value) if isinstance(value, list) else ()

    @cached_property
    def django(self) -> tuple[int, int] | None:
        """The release series of Django that the dependencies name: of an exact version or `==5.2.*`, `~=5.2.1`."""
        text = self.project.django.value if self.project.django else ""
        found = re.fullmatch(r"(?:={2,3}|~=)?\s*(\d+)\.(\d+)(?:[.\w*]*)", text.strip())
        return (int(found[1]), int(found[2])) if found else None

    def django_is(self, *least: int) -> bool:
        """Return whether Django is certainly of that release or newer."""
        return self.django is not None and self.django >= least

    def line_in(self, origin: Origin, pattern: str) -> Origin:
        """Return the line below an assignment on which a pattern stands, else the assignment's."""
        lines = (self.tree.text(origin.place) or "").splitlines()
        start = (origin.line or 1) - 1
        for number, line in enumerate(lines[start : start + 200], start + 1):
            if re.search(pattern, line):
                return Origin(origin.place, number)
        return origin

    def assignment(self, name: str, variable: str, kind: str = "text", place: Origin | None = None) -> str:
        """Return the lines that set a setting from a variable, in the manner in which these settings read others.

        `kind` is `text` (required), `bool` (off by default) or `hosts`; `place` is the file that it goes into.
        """
        readers = {each.reader for each in self.project.variables}
        text = self.tree.text((place or self.settings_origin).place) or ""
        for library, needed, forms in _FORMS:
            if library in readers and re.search(needed, text, re.MULTILINE):
                return f"{name} = {forms[kind].format(variable)}"
        imported = "" if re.search(r"^[ \t]*import os\b", text, re.MULTILINE) else "import os\n"
        return f"{imported}{name} = {_OS[kind].format(variable)}"
