"""What must be true before a project serves: migrations applied, static files collected; no more than is needed."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages import errors
from nuages.environment.errand import failed, heard, run, with_last_words
from nuages.environment.hints import tell_group, tell_python, tell_unset
from nuages.environment.home import Report, digest_of, disk, locked, read_json, write
from nuages.environment.lateness import PATIENCE, watched
from nuages.environment.migrations import migrate
from nuages.environment.prepared import Prepared, collect_command, command
from nuages.environment.variables import read_by_settings
from nuages.errors import NuagesError, StartError

_RECORD = "upkeep.json"
_MANIFEST, _UNFINISHED = "nuages-static.json", "nuages-static.unfinished"
"""What `collect` leaves in its folder (runtime/manifest.py): read here without loading anything of the server."""

_SKIPPED = {
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    "__pycache__",
    ".venv",
    "venv",
    ".tox",
    ".mypy_cache",
    ".ruff_cache",
}
_CHANGING = (
    ".pyc",
    ".log",
    ".sqlite3",
    ".sqlite3-journal",
    ".sqlite3-wal",
    ".sqlite3-shm",
    ".db",
    ".pid",
    ".sock",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the project is loaded, as `Application.to_json` says it, and what `up` was asked to do."""

    application: Mapping[str, Any]
    migrate: str = "auto"
    fills: bool = True
    debug: bool | None = False
    collect: bool = True
    moves_static: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """What our own commands inside the environment are told, so that they need not search again."""
        found = ["--settings", self.application["settings"]] if self.application.get("settings") else []
        found += [word for app in self.application.get("apps", ()) for word in ("--app", app)]
        found += [] if self.debug is None else ["--debug", "on" if self.debug else "off"]
        return (*found, "--fill-settings", "on" if self.fills else "off")


def bring(prepared: Prepared, wanted: Wanted, report: Report) -> bool:
    """Apply migrations and collect static files where needed; return whether they lie elsewhere than in STATIC_ROOT.

    Raises StartError where the settings do not load, ProjectError where a command of the project fails,
    OutsideError where the database does not answer.
    """
    with locked(prepared.private / "upkeep.lock", report, "the same project"):
        record = read_json(prepared.private / _RECORD)
        if _unchanged(prepared, wanted, record):
            return bool(record["collected"].get("moved"))
        facts = _probe(prepared, wanted, report)
        collected = _collect(prepared, wanted, facts, record, report)
        if facts["word"] != "serve":  # what is collected now may be what it wanted
            facts = _probe(prepared, wanted, report)
        migrated = migrate(
            prepared,
            facts.get("database", {}),
            report,
            wanted.migrate,
            lambda: _fault(prepared, wanted, report),
        )
        places = (
            facts.get("media"),
            facts.get("static", {}).get("root"),
            _sqlite_file(facts.get("database", {})),
        )
        ignored = [path for path in places if path]
        new: dict[str, Any] = {
            "static": facts.get("static", {}).get("digest", "") if collected else "",
            "collected": _collected(prepared, wanted, facts.get("static", {})),
            "ignored": ignored,
        }
        if migrated and collected:
            new["state"] = _state(prepared, wanted, ignored)
            new["database"] = _sqlite_file(facts.get("database", {}))
            new["migrations"] = _applied(new["database"])
        write(prepared.private / _RECORD, json.dumps(new))
        return bool(new["collected"].get("moved"))


def _unchanged(prepared: Prepared, wanted: Wanted, record: Mapping[str, Any]) -> bool:
    """Return whether everything that decides is as it was when all was done, without loading Django.

    The project's files are compared by size and time; an SQLite database by its own list of applied migrations.
    Another kind of database can only be asked through Django.
    """
    if not record.get("state") or record.get("database") is None or wanted.migrate == "on":
        return False
    if record["database"] and _applied(record["database"]) != record["migrations"]:
        return False
    collected = record.get("collected") or {}
    if collected.get("manifest") != _manifest(collected.get("root", "")):
        return False
    state: str = record["state"]
    return state == _state(prepared, wanted, record.get("ignored", []))


def _state(prepared: Prepared, wanted: Wanted, ignored: list[str]) -> str:
    project = prepared.project
    read = read_by_settings(project.variables, prepared.variables)
    settings = prepared.variables.get("DJANGO_SETTINGS_MODULE", "")
    asked = [
        wanted.application,
        wanted.migrate,
        wanted.fills,
        wanted.debug,
        wanted.collect,
        wanted.moves_static,
        str(prepared.static),
    ]
    parts = [str(prepared.environment.folder), json.dumps(read, sort_keys=True), settings, json.dumps(asked)]
    return digest_of(*parts, *_files(project.root, {os.path.realpath(path) for path in ignored}))


def _files(root: Path, ignored: set[str]) -> Iterator[str]:
    """Yield a line for each file of the project: path, size and time; not for what a running site writes."""
    todo = [str(root)]
    while todo:
        folder = todo.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and os.path.realpath(entry.path) not in ignored:
                    todo.append(entry.path)
            elif not entry.name.endswith(_CHANGING) and entry.path not in ignored:
                facts = entry.stat(follow_symlinks=False)
                yield f"{entry.path}\0{facts.st_size}\0{facts.st_mtime_ns}"


def _sqlite_file(database: Mapping[str, Any]) -> str | None:
    """Return the file of an SQLite database, "" where there is no database at all, None for any other."""
    if not database:
        return ""
    name = str(database.get("name", ""))
    return name if database.get("vendor") == "sqlite" and os.path.isfile(name) else None  # noqa: PTH113


def _applied(name: str | None) -> str:
    """Return a digest of the migrations that an SQLite file says were applied; its own table is read directly."""
    if not name or not os.path.isfile(name):  # noqa: PTH113
        return ""
    try:
        with sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=1) as connection:
            rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name").fetchall()
        connection.close()
    except sqlite3.Error as error:
        return f"unknown: {error}"
    return digest_of(*(f"{app}.{name}" for app, name in rows))


def _probe(prepared: Prepared, wanted: Wanted, report: Report) -> dict[str, Any]:
    """Return what is true of the loaded project, and as which command it let itself be loaded (`word`).

    Before its first files are collected and its first tables made one may load for the commands that do so alone:
    `if "collectstatic" in sys.argv`.
    """
    facts, code, said = _asked(prepared, wanted, report)
    for word in ("migrate", "collectstatic") if "error" in facts and facts["asked"] else ():
        others, _, _ = _asked(prepared, wanted, report, word)
        if others and "error" not in others:
            return {**others, "word": word}
    if not facts:
        raise StartError(
            "the project's settings cannot be loaded",
            where=prepared.variables.get("DJANGO_SETTINGS_MODULE", ""),
            why="\n".join([f"the process that loads them ended with status {code}", *said[-20:]]),
            hint="load them by hand: nuages run -- check",
        )
    if "error" in facts:
        raise _error(facts["error"], prepared, said)
    return {**facts, "word": "serve"}


def _fault(prepared: Prepared, wanted: Wanted, report: Report) -> NuagesError | None:
    """Return what Django's commands fail on before they begin: their checks load URLs and templates."""
    facts, _, said = _asked(prepared, wanted, report, "migrate", checks=True)
    return _error(facts["error"], prepared, said) if "error" in facts else None


def _asked(
    prepared: Prepared, wanted: Wanted, report: Report, word: str = "serve", *, checks: bool = False
) -> tuple[dict[str, Any], int, list[str]]:
    """Load the project in a process of its own; return what it answers, its status, and what it said."""
    request = {
        "application": dict(wanted.application),
        "static_root": str(prepared.static),
        "fills": wanted.fills,
        "debug": wanted.debug,
        "checks": checks,
        "word": word,
        "parent": os.getpid(),
        "patience": PATIENCE,
    }
    with (
        disk(prepared.private),
        tempfile.TemporaryDirectory(dir=prepared.private, prefix=".probe-") as folder,
    ):
        asked, answered, stack = (Path(folder, name) for name in ("request.json", "answer.json", "stack.txt"))
        asked.write_text(json.dumps(request), encoding="utf-8")
        probe = command(prepared, "-m", "nuages.runtime.probe", *map(str, (asked, answered, stack)))
        with watched(stack, prepared.project.root, report):
            code, said = run(probe)
        facts = read_json(answered)
    return facts, code, said


def _error(fields: Mapping[str, str], prepared: Prepared, said: list[str]) -> NuagesError:
    kind = getattr(errors, fields["kind"], StartError)
    told: NuagesError = kind(fields["what"], where=fields["where"], why=fields["why"], hint=fields["hint"])
    found = with_last_words(told, said)
    tell_unset(found, prepared.project, prepared.variables)
    tell_group(found, prepared.project)
    tell_python(found, prepared.project, prepared.environment.series)
    return found


def _collect(
    prepared: Prepared, wanted: Wanted, facts: Mapping[str, Any], record: Mapping[str, Any], report: Report
) -> bool:
    """Collect static files unless those found are the same as at the last time; return whether all is in place."""
    static = facts.get("static", {})
    if not wanted.collect or not static:
        return True
    root = _root(prepared, wanted, static)
    if static["digest"] and static["digest"] == record.get("static") and root.is_dir():
        before, now = record.get("collected") or {}, _collected(prepared, wanted, static)
        if before == now:
            return True
        if before.get("root") == now["root"]:  # else the folder is merely another one
            report("collect", f"what lies in {root} was collected by another nuages, or is not whole")
    count = static.get("files", 0)
    if storage := static.get("elsewhere"):
        uploads = "`nuages run -- collectstatic` uploads them"
        report(
            "collect", f"no static files are collected here, for {storage} keeps them elsewhere: {uploads}"
        )
    else:
        report("collect", f"collecting {count or 'the'} static file{'' if count == 1 else 's'} to {root}")
    with disk(prepared.static):
        prepared.static.mkdir(parents=True, exist_ok=True)
    moved = _moves(wanted, static)
    if moved and not wanted.moves_static:
        why = f"the settings' STATIC_ROOT, {static['root']}, cannot be written"
        report("collect", f"{why}: {root} is used in its place")
    more = ("--output", str(root)) if moved else ()
    # Whoever waits for a page does not wait for the last percent of compression.
    arguments = (*wanted.arguments, *more, "--effort", "fast", "--json")
    code, said = heard(collect_command(prepared, arguments), report)
    if code:
        hint = "run it again; a status below 0 is the signal that ended it"
        raise failed("the static files cannot be collected", "nuages collect", code, said, hint)
    return True


def recollect(prepared: Prepared, wanted: Wanted, *, moved: bool) -> tuple[str, ...]:
    """Return the command line that collects once more where `bring` did; none where nothing is collected."""
    if not wanted.collect:
        return ()
    more = ("--output", str(prepared.static)) if moved else ()
    return tuple(collect_command(prepared, (*wanted.arguments, *more, "--effort", "fast")).argv)


def _moves(wanted: Wanted, static: Mapping[str, Any]) -> bool:
    """Return whether our own folder stands in for a STATIC_ROOT that cannot be written, or is not wanted."""
    return wanted.fills and bool(static) and (wanted.moves_static or static["closed"])


def _root(prepared: Prepared, wanted: Wanted, static: Mapping[str, Any]) -> Path:
    if _moves(wanted, static) or static["root"] in {"", "None"}:
        return prepared.static
    return Path(static["root"])


def _collected(prepared: Prepared, wanted: Wanted, static: Mapping[str, Any]) -> dict[str, Any]:
    """Return where files were collected, by which nuages, and how the manifest there begins."""
    root = str(_root(prepared, wanted, static)) if static else ""
    manifest = _manifest(root)
    by = prepared.environment.runtime.name
    return {"root": root, "moved": _moves(wanted, static), "by": by, "manifest": manifest}


def _manifest(root: str) -> str:
    """Return the first line of the manifest in a folder, which names its format; "" where there is none, or files are
    being collected: the server would refuse both a format that it does not know and a half."""
    try:
        with Path(root, _MANIFEST).open(encoding="utf-8", errors="replace") as file:
            return "" if Path(root, _UNFINISHED).exists() else file.readline(1000)
    except OSError:
        return ""
