"""One call of nuages: what was typed and where, and the values that options get from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from nuages.configuration import read_file
from nuages.console import Console
from nuages.options import Given, Resolved, options_of, resolve

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One call of nuages: what was typed and where, not yet the values of options.

    `target` is what the command makes, for those that make several things. `more` are further projects. `within` is
    the folder below `project` that was named, where the project's dependencies are declared above it; `above` has the
    `project` of each such folder.
    """

    command: str
    project: Path
    target: str = ""
    more: tuple[Path, ...] = ()
    within: str = "."
    above: Mapping[Path, Path] = field(default_factory=dict)
    rest: tuple[str, ...]
    flags: Mapping[str, Sequence[str]]
    environ: Mapping[str, str]
    process: str = ""
    """The process of the project that `run` names instead of a command."""
    source: Path | None = None
    """The file that `explain` reads."""
    file: Mapping[str, Given] = field(default_factory=dict)
    console: Console

    def resolve(self, declaration: type[T]) -> Resolved[T]:
        """Return the values of one option class by the order flag > environment > file > default."""
        return resolve(declaration, flags=self.flags, environ=self.environ, file=self.file)

    @property
    def named(self) -> Path:
        """The folder that was named."""
        return self.project / self.within

    def at(self, named: Path) -> Invocation:
        """Return the same call for one of several projects, which has a configuration file of its own."""
        project = self.above.get(named, named)
        file = self.file if project == self.project else read_file(project)
        within = named.relative_to(project).as_posix()
        return replace(self, project=project, within=within, more=(), file=file)


def explain(declarations: Sequence[type[Any]], invocation: Invocation) -> list[tuple[str, str, str]]:
    """Return a row for each option: its name, its value as text and where the value came from."""
    rows = []
    for declaration in declarations:
        resolved = invocation.resolve(declaration)
        for option in options_of(declaration):
            origin = resolved.origins[option.field]
            value = getattr(resolved.value, option.field)
            text = option.default_text if str(origin) == "default" else _value_text(value)
            rows.append((option.name, text, str(origin)))
    return rows


def _value_text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
