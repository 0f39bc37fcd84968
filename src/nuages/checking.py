"""The command `check`: what was found in a project, and what is wrong with it for production."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from nuages.check import databases, deployment, groups, variables
from nuages.check.facts import Facts
from nuages.check.finding import Finding, Severity, order
from nuages.check.options import CheckOptions
from nuages.environment.options import UpOptions
from nuages.environment.preparation import prepare
from nuages.environment.prepared import Prepared, command, manage_command
from nuages.environment.variables import read_env_file
from nuages.errors import StartError, UsageError
from nuages.image.options import ImageOptions
from nuages.image.planner import port
from nuages.invocation import Invocation, explain
from nuages.monitoring import StatusOptions
from nuages.project.document import to_json
from nuages.project.model import Database, Project
from nuages.project.scan import examine
from nuages.project.tree import Tree
from nuages.runtime import capacity
from nuages.runtime.settings import Settings

_FOR_RUN = ("python", "home")


def check(invocation: Invocation) -> int:
    """Print what was found in the project, changing nothing; return 1 where there are errors."""
    from nuages.commands import Talk

    options = invocation.resolve(CheckOptions).value
    as_json = invocation.resolve(Talk).value.json
    if options.image:
        from nuages.examining import examine as examine_image

        return examine_image(invocation, options.image, is_json=as_json)
    if options.config:
        rows = explain(_configurable(), invocation)
        named = [dict(zip(("option", "value", "origin"), row, strict=True)) for row in rows]
        _print(_json(named) if as_json else _columns(rows))
        return 0
    _check_flags(invocation, options)
    environ = {**read_env_file(invocation.resolve(UpOptions).value.env_file), **invocation.environ}
    settings = invocation.resolve(Settings).value
    project = examine(
        invocation.project, settings=settings.settings, apps=settings.app, environ=environ,
        within=invocation.within,
    )  # fmt: skip
    if options.env_template:
        _print(variables.template(project))
        return 0
    if options.env:
        _print(_json(to_json(project.variables)) if as_json else _columns(variables.table(project.variables)))
        return 0
    _check_ids(options.ignore)
    today = datetime.now(timezone.utc).date()
    facts = Facts(project=project, tree=Tree(project.root), today=today, media=settings.media or "")
    found = groups.examine(facts)
    if options.run:
        found = tuple(sorted((*found, *_run(invocation, facts, found, settings)), key=order))
    shown = tuple(each for each in found if each.id not in options.ignore)
    if as_json:
        _print(_json({"project": to_json(project), "findings": [each.to_json() for each in shown]}))
    else:
        notes = "".join(f"note: {note}\n" for note in project.notes)
        blocks = [
            _columns(_rows(project)) + notes,
            *(f"{each.render()}\n" for each in shown),
            _summary(shown),
        ]
        _print("\n".join(blocks))
    return 1 if any(each.severity is Severity.ERROR for each in shown) else 0


def _check_flags(invocation: Invocation, options: CheckOptions) -> None:
    """Raise UsageError for a flag that would do nothing."""
    for name in () if options.run else _FOR_RUN:
        if name in invocation.flags:
            raise UsageError(
                f"--{name} does nothing without --run", where="given on the command line",
                why="check only reads; with --run Django's checks run in a private environment",
                hint=f"nuages check --run --{name} {' '.join(invocation.flags[name])}, or leave it out",
            )  # fmt: skip


def _configurable() -> tuple[type[Any], ...]:
    """Return the option classes of all commands, but those that only say how one answers."""
    from nuages.commands import COMMANDS, Talk

    found = (declaration for command in COMMANDS for declaration in command.classes())
    return tuple(dict.fromkeys(each for each in found if each not in (Talk, CheckOptions, StatusOptions)))


def _print(text: str) -> None:
    sys.stdout.write(text)


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows in aligned columns, the last one ragged."""
    columns = max(map(len, rows), default=0)
    widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(columns)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
    return "".join(f"{line}\n" for line in lines)


def _check_ids(ids: Sequence[str]) -> None:
    known = {rule.id for rule in groups.RULES}
    for each in ids:
        # Django's own ids have a full stop in them.
        if each not in known and "." not in each:
            raise UsageError(
                f"there is no finding {each}", where="given by --ignore",
                why=f"they go from {min(known)} to {max(known)}", hint="docs/findings.md lists them",
            )  # fmt: skip


def _rows(project: Project) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("project", str(project.root), project.directory)]
    facts = {
        "manage.py": project.manage,
        "settings": project.settings,
        "python": project.python or project.python_used,
        "django": project.django,
    }
    rows += [(name, str(fact.value), str(fact.origin)) for name, fact in facts.items() if fact]
    rows += [("serves", entry.path, str(entry.origin)) for entry in project.serving]
    rows.append(("dependencies", project.dependencies.manager.value, str(project.dependencies.origin)))
    rows += [("database", f"{each.alias}: {_engine(each)}", str(each.origin)) for each in project.databases]
    rows += [
        ("process", f"{each.name}: {' '.join(each.command)}", str(each.origin)) for each in project.processes
    ]
    if project.front_end:
        end = project.front_end
        does = " && ".join(end.commands) or f"{end.manager} install"
        rows.append(("front end", does, str(end.origin)))
    if project.hints.port:
        own, ours = project.hints.port, port(project, ImageOptions()).value
        more = "" if own.value == ours else f", {ours} in the image"
        rows.append(("port", f"{own.value} in its own Dockerfile{more}", str(own.origin)))
    rows += [
        ("variable", f"{each.name} is left out", str(each.origin), each.left)
        if each.left
        else ("variable", f"{each.name}={each.value}", str(each.origin))
        for each in project.hints.variables
    ]
    needed = sum(each.is_missing for each in project.variables)
    if project.variables:
        rows.append(("variables", f"{len(project.variables)} read, {needed} required", "nuages check --env"))
    return rows


def _engine(database: Database) -> str:
    return database.engine.rpartition(".")[2] or f"as {database.variable or 'the environment'} says"


def _summary(found: Sequence[Finding]) -> str:
    counts = Counter(each.severity for each in found)
    words = [
        f"{counts[severity]} {severity.value}{'' if counts[severity] == 1 else 's'}"
        for severity in Severity
        if counts[severity]
    ]
    return (", ".join(words) or "nothing to mend") + "\n"


def _run(
    invocation: Invocation, facts: Facts, found: Sequence[Finding], settings: Settings
) -> tuple[Finding, ...]:
    """Run Django's own checks where the project's code can be run, with DEBUG off as in production; ask its databases.

    Raises StartError where Django does not get as far as checking.
    """
    project, options = facts.project, invocation.resolve(UpOptions).value
    environ = {**read_env_file(options.env_file), **invocation.environ}
    prepared = prepare(project, options, environ, invocation.console.event)
    checking = manage_command(prepared, ["check", "--deploy", "--no-color"])
    variables = dict(checking.environ)
    if project.debug and project.debug.off is not None:
        variables.setdefault(project.debug.variable, project.debug.off)
    invocation.console.event("check", "Django's check --deploy")
    answer = subprocess.run(
        checking.argv, cwd=checking.directory, env=variables, capture_output=True, text=True, errors="replace",
        check=False,
    )  # fmt: skip
    output = answer.stdout + answer.stderr
    if "System check identified" not in output:
        raise StartError(
            "Django's check --deploy does not run", where=facts.settings_origin,
            why="\n".join(output.strip().splitlines()[-6:]), hint="nuages run -- check --deploy shows all of it",
        )  # fmt: skip
    told = frozenset(each.id for each in found)
    workers = settings.workers or capacity.decide(capacity.read_facts()).workers
    granted = _granted(prepared, variables, invocation)
    return (
        *deployment.findings(output, facts.settings_origin, told),
        *databases.too_many(facts, granted, workers, settings.threads),
    )


def _granted(prepared: Prepared, variables: Mapping[str, str], invocation: Invocation) -> dict[str, int]:
    """Return how many connections the servers of the project's databases grant, of those that tell."""
    asking = command(prepared, "-m", "nuages.runtime.census")
    answer = subprocess.run(
        asking.argv, cwd=asking.directory, env=variables, capture_output=True, text=True, errors="replace",
        check=False,
    )  # fmt: skip
    last = answer.stdout.strip().rpartition("\n")[2]
    for line in answer.stderr.splitlines()[-1:]:
        invocation.console.event("check", f"a database does not say how many connections it grants: {line}")
    return dict(json.loads(last)["granted"]) if last.startswith('{"granted"') else {}
