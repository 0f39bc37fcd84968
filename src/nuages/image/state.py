"""What a project writes beside its code: SQLite files, uploads and logs, which lie in a volume of the image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from nuages.errors import Origin
from nuages.image.plan import Stated
from nuages.project.model import Assignment, Project

APP = "/app"
DATA = "/data"
"""The volume of what the project writes."""

_SOURCES = ("STATICFILES_DIRS", "TEMPLATES", "LOCALE_PATHS", "FIXTURE_DIRS")
_SQLITE_FILE = re.compile(r"[\"'](?![\w.]*\bbackends\.)([\w-][\w.-]*\.(?:sqlite3?|db3?))[\"']")
_SQLITE_URL = re.compile(r"sqlite:///.*?([\w-]+\.(?:db|sqlite3?))\b", re.DOTALL)

_UPLOADS = re.compile(
    r"(PRIVATE|PROTECTED|SECURE)_?(MEDIA|STORAGE|FILES?|UPLOADS?)_ROOT|SENDFILE_ROOT|FILE_UPLOAD_TEMP_DIR|DJANGO_DRF_FILEPOND_\w+"
)
"""Settings that name a folder which files are uploaded to, beside MEDIA_ROOT: those of Django, django-private-storage,
django-privates, django-sendfile2, django-drf-filepond."""


def place(project: Project, path: str, *, is_literal: bool) -> str:
    """Return a path of the settings as a path in the image.

    Reading gives places in the project relative to its root; a text as it stands is relative to where Django runs.
    """
    base = posixpath.join(APP, project.directory) if is_literal else APP
    return posixpath.normpath(posixpath.join(base, path))


def folders(project: Project) -> tuple[str, ...]:
    """Return the folders of the project's SQLite files, and those that its settings make, that hold no settings.

    They are relative to its root.
    """
    databases = next((each for each in reversed(project.assignments) if each.name == "DATABASES"), None)
    paths = [posixpath.dirname(path) for path in _databases(project, databases)] if databases else []
    paths += [path for path, _ in _made(project)]
    found = {path.removeprefix(f"{APP}/") for path in paths if path.startswith(f"{APP}/")}
    return tuple(sorted(path for path in found if not _holds_code(project, path)))


def state(project: Project, absent: Collection[str] = ()) -> dict[str, Stated]:
    """Return the files and folders of the project that it writes, by place in the volume; a folder ends with `/`.

    `absent` are folders that hold no file of the project: what else is written beside an SQLite file lies there too
    (a queue's file, its journals, what is downloaded).
    """
    found: dict[str, Stated] = {}
    last = {each.name: each for each in project.assignments}
    if databases := last.get("DATABASES"):
        for path in _databases(project, databases):
            folder = posixpath.dirname(path)
            _add(found, f"{folder}/" if folder.removeprefix(f"{APP}/") in absent else path, databases.origin)
    _add_uploads(found, project, last)
    if logging := last.get("LOGGING"):
        _add_logs(found, project, logging)
    _add_made(found, project, absent)
    return found


def _add_uploads(found: dict[str, Stated], project: Project, last: Mapping[str, Assignment]) -> None:
    media = last.get("MEDIA_ROOT")
    if media and media.is_known and media.value:
        path = place(project, str(media.value), is_literal=media.is_literal)
        if path.startswith(f"{APP}/"):
            found[f"{path}/"] = Stated(value=f"{DATA}/media", origin=str(media.origin))
    for each, folder in _uploads(last):
        path = place(project, folder, is_literal=each.is_literal)
        is_known = any(f"{path}/".startswith(one) for one in found)
        is_inside = bool(folder) and "://" not in folder and path.startswith(f"{APP}/")
        if is_inside and not is_known and not _holds_code(project, path.removeprefix(f"{APP}/")):
            _add(found, f"{path}/", each.origin)


def _add_logs(found: dict[str, Stated], project: Project, logging: Assignment) -> None:
    for path in _logs(project, logging):
        folder = posixpath.dirname(path)
        if folder == APP or _holds_code(project, folder.removeprefix(f"{APP}/")):
            _add(found, path, logging.origin)
        else:
            target = posixpath.join(DATA, posixpath.basename(folder))
            found.setdefault(f"{folder}/", Stated(value=target, origin=str(logging.origin)))


def _add_made(found: dict[str, Stated], project: Project, absent: Collection[str]) -> None:
    for path, origin in _made(project):
        if path.startswith(f"{APP}/") and (
            path.removeprefix(f"{APP}/") not in absent or _is_read(project, path)
        ):
            continue  # it is in the image
        others = [f"{each.rstrip('/')}/" for each in found]
        if any(path.startswith(each) or each.startswith(f"{path}/") for each in others):
            continue
        if path.startswith(f"{DATA}/"):
            found[f"{path}/"] = Stated(value=path, origin=str(origin))
        else:
            _add(found, f"{path}/", origin)


def made(project: Project, absent: Collection[str] = ()) -> tuple[Stated, ...]:
    """Return the folders that the settings make and that only Django reads from, each in the image and empty."""
    return tuple(
        Stated(value=path, origin=str(origin))
        for path, origin in _made(project)
        if path.removeprefix(f"{APP}/") in absent and _is_read(project, path)
    )


def _uploads(last: Mapping[str, Assignment]) -> Iterator[tuple[Assignment, str]]:
    """Yield the folders of uploads beside MEDIA_ROOT: by settings for one, of STORAGES, of django-dbbackup."""
    for name, each in last.items():
        if _UPLOADS.fullmatch(name):
            yield each, each.value if isinstance(each.value, str) else ""
        elif name in {"STORAGES", "DBBACKUP_STORAGE_OPTIONS"} and isinstance(each.value, dict):
            entries = (
                [entry for alias, entry in each.value.items() if alias != "staticfiles"]
                if name == "STORAGES"
                else [{"OPTIONS": each.value}]
            )
            for entry in entries:
                options = entry.get("OPTIONS") if isinstance(entry, dict) else None
                location = options.get("location") if isinstance(options, dict) else None
                yield each, location if isinstance(location, str) else ""


def written(project: Project, absent: Collection[str] = ()) -> tuple[str, ...]:
    """Return them as patterns: what one machine wrote is no part of the image."""
    paths = [
        path.removeprefix(f"{APP}/").rstrip("/")
        for path in state(project, absent)
        if path.startswith(f"{APP}/")
    ]
    return tuple(sorted(path for path in paths if not _holds_code(project, path)))


def _holds_code(project: Project, folder: str) -> bool:
    files = [project.manage.value if project.manage else "", *project.settings_files]
    return any(file.startswith(f"{folder}/") for file in files)


def _made(project: Project) -> Iterator[tuple[str, Origin]]:
    """Yield the folders that the settings make when they load, as paths in the image, the outer ones first.

    Not those below /tmp, and not where static files are collected: that is in the image.
    """
    root = next((each for each in reversed(project.assignments) if each.name == "STATIC_ROOT"), None)
    static = place(project, str(root.value), is_literal=root.is_literal) if root and root.value else "/tmp"
    for made in sorted(project.made, key=lambda one: (one.value.count("/"), one.value)):
        path = posixpath.normpath(posixpath.join(APP, made.value))
        aside = ("/tmp/", "/dev/", "/proc/", f"{static}/")
        if path.count("/") > 1 and not f"{path}/".startswith(aside):
            yield path, made.origin


def _is_read(project: Project, path: str) -> bool:
    """Return whether Django looks for static files, templates, translations or fixtures in a folder: it writes none."""
    found = {each.name: each for each in project.assignments if each.name in _SOURCES}
    values: list[tuple[Any, bool]] = []
    for each in found.values():
        rows = each.value if isinstance(each.value, list) else []
        if each.name == "TEMPLATES":
            rows = [row for engine in rows if isinstance(engine, dict) for row in engine.get("DIRS") or ()]
        # Of STATICFILES_DIRS an entry may be a prefix and a folder.
        values += [(row[-1] if isinstance(row, list) and row else row, each.is_literal) for row in rows]
    folders = [
        place(project, value, is_literal=literal) for value, literal in values if isinstance(value, str)
    ]
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def _add(found: dict[str, Stated], path: str, origin: Origin) -> None:
    target = posixpath.join(DATA, posixpath.basename(path.rstrip("/")))
    if target in {stated.value for stated in found.values()}:
        target = posixpath.join(DATA, path.removeprefix(f"{APP}/").rstrip("/").replace("/", "-"))
    found.setdefault(path, Stated(value=target, origin=str(origin)))


def _databases(project: Project, databases: Assignment) -> Iterator[str]:
    values = databases.value if isinstance(databases.value, dict) else {}
    is_any = False
    for one in values.values():
        if isinstance(one, str) and (url := re.match(r"(?:sqlite3?|spatialite):///([^?#]+)", one)):
            # `env.db()`: the variable's default, relative to where Django runs.
            inside = url[1].removeprefix(f"{project.root}/")
            path = place(project, inside, is_literal=inside == url[1])
            if path.startswith(f"{APP}/"):
                is_any = True
                yield path
        if not isinstance(one, dict) or not re.search("sqlite|spatialite", str(one.get("ENGINE"))):
            continue
        name = one.get("NAME")
        if isinstance(name, str) and name not in {"", ":memory:"} and not name.startswith("file:"):
            path = place(project, name, is_literal=databases.is_literal)
            if path.startswith(f"{APP}/"):
                is_any = True
                yield path
    stands = _SQLITE_URL.search(databases.text)
    if not stands and not values and any(one.is_sqlite for one in project.databases):
        # A branch behind it may name another: `os.path.join(BASE_DIR, "db.sqlite3")` is what stands there.
        stands = _SQLITE_FILE.search(databases.text)
    if not is_any and (file := stands):
        # A URL that only running the settings would give: the file lies where Django runs, as manage.py does.
        yield posixpath.normpath(posixpath.join(APP, project.directory, file[1]))


def _logs(project: Project, logging: Assignment) -> Iterator[str]:
    """Yield the files of `logging.FileHandler` and its like (logging.config, «Dictionary Schema Details»)."""
    handlers = logging.value.get("handlers") if isinstance(logging.value, dict) else None
    for handler in handlers.values() if isinstance(handlers, dict) else ():
        name = handler.get("filename") if isinstance(handler, dict) else None
        if isinstance(name, str) and name:
            path = place(project, name, is_literal=logging.is_literal)
            if path.startswith(f"{APP}/"):
                yield path
