"""Steps of the project's own Dockerfile that no image of ours has: what it fetches, moves or makes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, notice, some
from nuages.errors import Origin
from nuages.project import container_file, layout
from nuages.project.model import normalized
from nuages.project.roles import role_of

STEPS = notice(49, "the project's own Dockerfile makes what an image of nuages is without")
RULES = (STEPS,)

_SPLIT = re.compile(r"&&|\|\||[;|]")
_AHEAD = re.compile(r"(?:[({\s]|\w+=\S*\s|(?:exec|time|then|do|else|(?:uv|poetry|pipenv|pdm)\s+run)\s)+")
_PYTHON = re.compile(r"python[\d.]*")
_SHELLS = frozenset({"sh", "bash", "."})
_MOVES = frozenset({"cp", "mv", "tar", "unzip"})
_FETCHES = re.compile(r"(?:^|&&|[;|])\s*(?:curl|wget)\s|\bnpm\s+pack\b")
_OF_THE_SYSTEM = re.compile(r"\s/(?:usr|bin|lib|root|opt|var)/")
_SERVERS = frozenset({"uwsgi", "gunicorn", "uvicorn", "daphne", "granian", "hypercorn", "celery", "nuages"})
_INSTALLERS = re.compile(
    r"^(?:pip[\w.-]*|uv|poetry|pipenv|pdm|pipx|virtualenv|hatch|setuptools|wheel|nodeenv)$"
)
_MODULES = re.compile(r"^(?:venv|virtualenv|compileall|ensurepip|pip|uv|poetry|pipenv|django|site|nodeenv)$")
_DONE = frozenset(
    {"collectstatic", "compilemessages", "compress", "migrate", "check", "createcachetable", "test"}
)
"""Management commands that an image of ours runs itself, or a step before the release."""
_INSTALLS = re.compile(r"\b(?:pip|uv|poetry|pipenv|pdm|apt-get|apk|npm|yarn|pnpm|collectstatic|migrate)\b")
_MOST = 60  # characters of a step that are shown


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the finding."""
    found = list(_steps(facts))
    if found:
        yield STEPS.found(
            f"the Dockerfile runs {some(list(dict.fromkeys(text for _, text in found)))}, which nuages leaves out",
            *list(dict.fromkeys(origin for origin, _ in found))[:4],
            why="what it makes, fetches or moves is missing in an image that nuages builds",
            fix="nuages dockerfile --write, and add what the site needs of it",
        )  # fmt: skip


def _steps(facts: Facts) -> Iterator[tuple[Origin, str]]:
    names = {normalized(each.name) for each in facts.project.dependencies.distributions}
    for path, stages, _ in container_file.nearest(facts.tree, layout.upwards(facts.project.directory)):
        for base, alias, instructions in stages:
            if role_of(alias).is_development or re.search(r"(^|/)(node|nginx|caddy)\b", base):
                continue
            for each in instructions:
                said = re.fullmatch(r"RUN\s+(?:--\S+\s+)*(.*)", each.text, re.IGNORECASE)
                whole = said[1] if said else ""
                for part in () if "<<" in whole else _SPLIT.split(whole):
                    command = part.strip()[_length_ahead(part.strip()) :].rstrip(") }")
                    if command and _is_left_out(command, whole, facts, names):
                        short = command if len(command) <= _MOST else f"{command[: _MOST - 1]}…"
                        yield Origin(path, each.line), short
        return


def _length_ahead(command: str) -> int:
    match = _AHEAD.match(command)
    return match.end() if match else 0


def _is_left_out(command: str, whole: str, facts: Facts, names: Collection[str]) -> bool:
    """Return whether nothing that we make does the like of a command; `names` are the project's distributions."""
    words = command.split()
    program = words[0].rpartition("/")[2]
    if program in _MOVES:
        return not _FETCHES.search(whole) and not _OF_THE_SYSTEM.search(command)
    if _PYTHON.fullmatch(program) or (program == "manage.py" and len(words) > 1):
        return _is_own_python(words[1:] if program != "manage.py" else words, facts)
    if program in _SHELLS and len(words) > 1 and not words[1].startswith("-"):
        words = words[1:]
    if "/" in words[0] and (path := _in_tree(words[0], facts)):
        return not _INSTALLS.search(facts.tree.text(path) or "")
    known = program in _SERVERS or _INSTALLERS.match(program)
    return len(words) > 1 and not known and normalized(program) in names


def _is_own_python(words: list[str], facts: Facts) -> bool:
    """Return whether Python is given a program or a module that makes something."""
    while words and words[0].startswith("-") and words[0] not in {"-m", "-c"}:
        words = words[2:] if words[0] in {"-W", "-X"} else words[1:]
    if not words:
        return False
    if words[0] == "-m":
        return len(words) > 1 and not _MODULES.match(words[1].partition(".")[0])
    if words[0] == "-c":
        return "download" in " ".join(words)
    if words[0].endswith("manage.py"):
        command = next((word for word in words[1:] if not word.startswith("-")), "")
        return bool(command) and command not in _DONE
    return words[0].endswith(".py") and _in_tree(words[0], facts) not in {"", "setup.py"}


def _in_tree(name: str, facts: Facts) -> str:
    """Return the project's file that a path of an image ends with; "" for none."""
    parts = [part for part in name.split("/") if part not in {"", ".", ".."}]
    ends = ("/".join(parts[at:]) for at in range(len(parts)))
    return next((end for end in ends if end in facts.tree), "")
