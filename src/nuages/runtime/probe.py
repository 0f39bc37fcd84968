"""Runs in the project's environment: loads the settings once and tells what `up` has to do, as JSON.

Started as `PYTHON -m nuages.runtime.probe REQUEST ANSWER STACK`, all of them files, because settings may print. The
last one gets the stacks where loading takes long.
"""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nuages.runtime import process


class Words(list[str]):
    """A command line that notes whether somebody asked for its words."""

    asked = False

    def __contains__(self, word: object) -> bool:
        self.asked = True
        return super().__contains__(word)

    def __getitem__(self, place: Any) -> Any:
        self.asked = True
        return super().__getitem__(place)

    def __iter__(self) -> Iterator[str]:
        self.asked = True
        return super().__iter__()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what is true of the loaded project: its databases, the migrations to apply, its static files.

    A request for `checks` is answered with what Django's checks fail on, if they do.
    """
    from nuages.errors import NuagesError
    from nuages.runtime import acceptance, culprits
    from nuages.runtime.application import Application
    from nuages.runtime.django import import_django
    from nuages.runtime.filling import Wish
    from nuages.runtime.site import bring_up_alone, prepare_path

    application = Application.from_json(json.dumps(request["application"]))
    said: list[str] = []
    made: list[str] = []
    try:
        directories = prepare_path(application)
        version = import_django(directories)
        wish = Wish(who="collect", static_root=request["static_root"], debug=request["debug"])
        bringer = _bringer(
            version=version,
            wish=wish,
            fills=request["fills"],
            report=lambda _, text="", **__: said.append(text),
            made=made,
        )
        with bringer.watching():
            bring_up_alone(bringer, application, directories)
        if request.get("checks"):
            acceptance.check_as_commands_do(directories)
            return {}
        with culprits.blamed():
            return {
                "database": _database(made), "static": _static(), "media": _media(), "engines": _engines(),
            }  # fmt: skip
    except NuagesError as error:
        fields = {"what": error.what, "where": error.where, "why": error.why, "hint": error.hint}
        return {"error": {"kind": type(error).__name__, **fields}}


def _bringer(*, made: list[str], **facts: Any) -> Any:
    """Return a Bringer that makes the folders of SQLite files, which SQLite does not, before applications load.

    Not later: an application may open a file of its own beside the database while it is loaded, as huey does.
    """
    from nuages.runtime.django import Bringer

    class FolderMaker(Bringer):
        def fill_settings(self) -> None:
            super().fill_settings()
            from django.conf import settings

            for row in settings.DATABASES.values():
                if "sqlite" in str(row.get("ENGINE", "")) or "spatialite" in str(row.get("ENGINE", "")):
                    made.extend(filter(None, [_make_folder(str(row.get("NAME", "")))]))

    return FolderMaker(**facts)


def _engines() -> dict[str, str]:
    from django.conf import settings

    return {alias: str(row.get("ENGINE", "")) for alias, row in settings.DATABASES.items()}


def _database(made: list[str]) -> dict[str, Any]:
    """Return the default database and the migrations that it lacks; nothing where the project has none."""
    from django.db import DEFAULT_DB_ALIAS, connections

    from nuages.runtime import cachetables, culprits
    from nuages.runtime.migrate import host_of, port_of

    row = connections.settings.get(DEFAULT_DB_ALIAS) or {}
    engine = str(row.get("ENGINE", ""))
    if not engine or engine.endswith("dummy"):
        return {}
    connection = connections[DEFAULT_DB_ALIAS]
    facts: dict[str, Any] = {
        "engine": engine,
        "vendor": connection.vendor,
        "name": str(row.get("NAME") or ""),
        "host": host_of(connection),
        "port": port_of(connection),
        "made": ", ".join(made),
    }
    try:
        facts["plan"] = _plan(connection)
        facts["cache_tables"] = cachetables.missing(connection)
    except Exception as error:  # noqa: BLE001 - each driver and each migration raises its own kind
        wrong = culprits.error_of(error, os.environ.get("DJANGO_SETTINGS_MODULE"))
        if wrong is not None:
            raise wrong from None
        facts["failed"] = {
            "kind": type(error).__name__,
            "text": str(error),
            "unreachable": _is_unreachable(error),
        }
    finally:
        connection.close()
    return facts


def _make_folder(name: str) -> str:
    """Make the folder of an SQLite file, which SQLite does not; return it if it was not there."""
    folder = Path(name).parent
    if not name or name == ":memory:" or name.startswith("file:") or folder.is_dir():
        return ""
    folder.mkdir(parents=True)
    return str(folder)


def _plan(connection: Any) -> list[str]:
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _is_unreachable(error: BaseException) -> bool:
    from django.core.exceptions import ImproperlyConfigured
    from django.db.utils import InterfaceError, OperationalError

    return isinstance(error, (OperationalError, InterfaceError)) and not isinstance(
        error, ImproperlyConfigured
    )


def _static() -> dict[str, Any]:
    """Return whether the project has static files, and a digest over what its finders find (name, size, time)."""
    import hashlib

    from django.apps import apps
    from django.conf import settings

    if not apps.is_installed("django.contrib.staticfiles"):
        return {}
    from django.contrib.staticfiles.finders import get_finders

    from nuages.runtime import culprits
    from nuages.runtime.collected import kept_elsewhere
    from nuages.runtime.collectfaults import collect_error, find_static

    found = hashlib.sha256(str(settings.STATIC_ROOT).encode())
    folders: set[str] = set()
    count = 0
    try:
        for finder in get_finders():
            for name, storage in finder.list([]):
                path = Path(storage.path(name))
                facts = path.stat()
                found.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
                folders.add(str(storage.path("")))
                count += 1
    except (OSError, NotImplementedError) as error:
        root = settings.STATIC_ROOT
        return {"root": str(root), "closed": _is_closed(root), "digest": "", "why": str(error)}
    except Exception as error:  # noqa: BLE001 - finders and storages are the project's
        module = os.environ.get("DJANGO_SETTINGS_MODULE")
        raise (culprits.error_of(error, module) or collect_error(error, "", find_static)) from None
    return {
        "root": str(settings.STATIC_ROOT),
        "closed": _is_closed(settings.STATIC_ROOT),
        "digest": found.hexdigest(),
        "files": count,
        "elsewhere": kept_elsewhere(),
        "folders": sorted(folders),
    }


def _is_closed(root: Any) -> bool:
    """Return whether a folder is named where nothing can be written: not there, and not where it would be made."""
    if not root:
        return False
    place = Path(root).absolute()
    while not os.path.lexists(place):  # a link to nowhere is there
        place = place.parent
    return not (place.is_dir() and os.access(place, os.W_OK | os.X_OK))


def _media() -> str:
    from django.conf import settings

    return str(settings.MEDIA_ROOT or "")


def main() -> None:
    """Answer the request in the first file into the second, and whether what sys.argv has may have a say in it."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    target, stack = (Path(name) for name in sys.argv[2:4])
    process.end_with(request["parent"])  # else it would hold its lock for as long as it waits
    # Settings that look at sys.argv[1] find a word there, as under every other server.
    sys.argv = words = Words([sys.argv[0], request["word"]])
    # No Thread, which the project would see, and not faulthandler's own: it reads frames while they come and go, which
    # can end a process that merely is slow.
    _thread.start_new_thread(_show, (request["patience"], stack))
    target.write_text(json.dumps({**answer(request), "asked": words.asked}), encoding="utf-8")


def _show(seconds: float, stack: Path) -> None:
    """Write the stacks of all threads, the main thread's last, if this process is still there then."""
    time.sleep(seconds)
    with contextlib.suppress(OSError), stack.open("w", encoding="utf-8") as stacks:
        faulthandler.dump_traceback(stacks)


if __name__ == "__main__":
    main()
