"""Management commands that the project's own compose file keeps running beside the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from nuages.errors import Origin
from nuages.project.model import Fact, Process
from nuages.project.procfile import label
from nuages.project.tree import Tree, join

_FILE = re.compile(r"(docker-)?compose([.-][\w.-]+)?\.ya?ml|[\w.-]+\.(docker-)?compose\.ya?ml")
_COMMAND = re.compile(r"(\s*)command:\s*(.*)")
_MANAGE = re.compile(r"manage\.py(?:[\"',\s]|- )+([a-z]\w*)")
# What is done once, before something starts, ends by itself.
_ONCE = re.compile(
    r"(add|bootstrap|build|check|clear|collect|compile|create|delete|dump|ensure|export|flush|generate|import|init"
    r"|insert|install|load|make|migrate|populate|prepare|reset|restore|seed|set|setup|sync|test|update|upgrade|wait)(_|$)"
)


def notes(tree: Tree, folders: tuple[str, ...], processes: Sequence[Process]) -> tuple[str, ...]:
    """Return a note on each command of the project's own that runs there and that none of its processes runs."""
    known = {word for process in processes for part in process.command for word in part.split()}
    first: dict[str, Origin] = {}
    for fact in _running(tree, folders):
        if fact.value not in known and _is_own(tree, fact.value):
            first.setdefault(fact.value, fact.origin)
    return tuple(
        f"{origin} runs manage.py {name}, and no process here does: "
        f'[tool.nuages.processes] {label(name)} = "python manage.py {name}" adds it'
        for name, origin in first.items()
    )


def _running(tree: Tree, folders: tuple[str, ...]) -> Iterator[Fact[str]]:
    places = [inner for folder in folders for inner in (folder, join(folder, "docker"))]
    for place in places:
        for path in tree.below(place) if place in tree.folders else ():
            if _FILE.fullmatch(posixpath.basename(path)):
                yield from _commands(tree.text(path) or "", path)


def _commands(text: str, path: str) -> Iterator[Fact[str]]:
    """Yield the last management command of each `command:`, which is a text, a block or a list: what stays."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _COMMAND.fullmatch(line)
        if match is None:
            continue
        parts = [match[2]]
        for following in lines[number + 1 :]:
            if following.strip() and len(following) - len(following.lstrip()) <= len(match[1]):
                break
            parts.append(following)
        found = _MANAGE.findall(" ".join(part for part in parts if not part.lstrip().startswith("#")))
        if found and not _ONCE.match(found[-1]):
            yield Fact(found[-1], Origin(path, number + 1))


def _is_own(tree: Tree, name: str) -> bool:
    return any(path.endswith(f"management/commands/{name}.py") for path in tree.files)
