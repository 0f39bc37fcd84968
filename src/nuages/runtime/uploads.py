"""Where a project keeps its uploads, and whether they are served: by us, by its own views, or by nobody."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages.errors import ProjectError
from nuages.runtime import views
from nuages.runtime.bucket import SCHEME
from nuages.runtime.collected import url_prefixes
from nuages.runtime.media import Media

Report = Callable[[str, str], None]
_TEST_BYTES = 4096
_HINT = (
    "give the user that the server runs as a folder it may write to, or a volume; --media off serves without"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """A folder of uploads and the URL paths that the project gives them, none where it names only another host's."""

    root: str
    prefixes: tuple[str, ...]
    url: str


def uploads_of(settings: Any) -> Uploads | None:
    """Return where the default storage keeps uploads, None where that is no folder of this machine."""
    from django.core.files.storage import FileSystemStorage, default_storage

    try:
        is_local = isinstance(default_storage, FileSystemStorage)
        root, url = str(default_storage.location), str(default_storage.base_url or "")
    except Exception:  # noqa: BLE001 - a storage that cannot be made says so where it is used
        return None
    # Without MEDIA_ROOT Django takes the current folder, whatever that is.
    if not is_local or (root == os.path.abspath("") and not settings.MEDIA_ROOT):  # noqa: PTH100
        return None
    return Uploads(root=root, prefixes=url_prefixes(url, settings.FORCE_SCRIPT_NAME), url=url)


def media_of_project(
    settings: Any, media: str | None, max_age: float, report: Report, *, directory: str, tests: bool = True
) -> Media | None:
    """Return the uploads to be served, None where we serve none; `media` is what the option --media says.

    `directory` is the project's folder. `tests`: try whether MEDIA_ROOT can be written to. Raises ProjectError where
    they were asked for and cannot be served.
    """
    if media == "off" or (media is not None and media.startswith(SCHEME)):
        return None
    place = uploads_of(settings)
    if place is None:
        if media == "on":
            raise _nowhere(settings)
        return None
    views = list(views_below(place.prefixes))
    why_not = _why_not(place, settings, directory)
    if media is None:
        _say_unserved(place, views, why_not, report)
        return None
    if why_not and media == "on":
        raise ProjectError(
            "the uploads cannot be served", where="--media on", why=why_not[0], hint=why_not[1]
        )
    private = [name for name, is_djangos in views if not is_djangos]
    if media == "auto" and (why_not or private):
        why = why_not[0] if why_not else f"the project's own view answers {place.url}: {private[0]}"
        report("media", f"uploads are not served from {place.root}: {why}")
        return None
    if private:
        report(
            "warning",
            f"{place.url} is served from {place.root} before the project's own view there: {private[0]}",
        )
    if tests:
        _test(place, report, must=media == "on")
    cache_control = f"max-age={int(max_age)}, public" if max_age else "no-cache"
    report("media", f"uploads in {place.root} are served at {place.url}{_lacking(place.root)}")
    return Media(
        root=place.root,
        prefixes=tuple(prefix.encode() for prefix in place.prefixes),
        cache_control=cache_control,
    )


def _say_unserved(
    place: Uploads, views: list[tuple[str, bool]], why_not: tuple[str, str] | None, report: Report
) -> None:
    """Warn where the project takes uploads and nothing that we know of gives them out again."""
    field = next(_file_fields(), None)
    if field is None or views or "://" in place.url:
        return
    what = f"uploads ({field}) go to {place.root}, and nothing here serves them at {place.url}"
    if why_not:
        report("warning", f"{what}: {why_not[0]}")
    else:
        report("warning", f"{what}: --media on does; --media off where something in front does")


def _file_fields() -> Iterator[str]:
    from django.apps import apps
    from django.db.models import FileField

    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, FileField):
                yield f"{model._meta.label}.{field.name}"


def _nowhere(settings: Any) -> ProjectError:
    storage = getattr(settings, "STORAGES", {}).get("default", {}).get("BACKEND") or getattr(
        settings, "DEFAULT_FILE_STORAGE", ""
    )
    if not settings.MEDIA_ROOT and "FileSystemStorage" in storage:
        return ProjectError(
            "there is no MEDIA_ROOT to serve", where="--media on", why="the settings leave MEDIA_ROOT unset",
            hint='MEDIA_ROOT = BASE_DIR / "media", and MEDIA_URL = "media/", in the settings',
        )  # fmt: skip
    return ProjectError(
        "there are no local uploads to serve", where="--media on", why=f"the project keeps them with {storage}",
        hint="--media off: their URLs are those of that storage",
    )  # fmt: skip


def _why_not(place: Uploads, settings: Any, directory: str) -> tuple[str, str] | None:
    """Return why a folder must not or cannot be served, and what to do; None where it can."""
    if not place.prefixes:
        return f"MEDIA_URL is {place.url!r}, which is the whole site", 'MEDIA_URL = "media/" in the settings'
    root = os.path.realpath(place.root)
    held = {directory: "the project itself"}
    for database in (settings.DATABASES or {}).values():
        name = str(database.get("NAME", ""))
        if "sqlite" in str(database.get("ENGINE", "")) and name.startswith("/"):
            held[name] = "the SQLite database"
    for path, what in held.items():
        if os.path.commonpath([root, os.path.realpath(path)]) == root:
            return f"MEDIA_ROOT, {place.root}, holds {what}, {path}", "give uploads a folder of their own"
    return None


def _test(place: Uploads, report: Report, *, must: bool) -> None:
    """Write to MEDIA_ROOT as an upload would, and take it away again."""
    try:
        if must:
            os.makedirs(place.root, exist_ok=True)  # noqa: PTH103 - with parents, as Django's storage does
        elif not os.path.lexists(place.root):
            _may_be_made(Path(place.root))
            return
        with tempfile.NamedTemporaryFile(dir=place.root, prefix=".nuages-") as file:
            file.write(bytes(_TEST_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        why = f"{error.strerror or error}; the server runs as user {os.geteuid()}, group {os.getegid()}"
        if must:
            raise ProjectError(
                "uploads cannot be stored", where=f"MEDIA_ROOT: {place.root}", why=why, hint=_HINT
            ) from None
        report("warning", f"uploads cannot be stored in {place.root}: {why}")


def _lacking(root: str) -> str:
    """Return a few words where not even the folder above is there: a volume that was not mounted, most likely."""
    parent = os.path.dirname(root)  # noqa: PTH120
    return "" if os.path.isdir(parent) else f"; {parent} does not exist"  # noqa: PTH112


def _may_be_made(folder: Path) -> None:
    """Raise PermissionError where a folder that is not there could not be made; unasked, we make none."""
    parent = next(one for one in folder.parents if one.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(parent))


def views_below(prefixes: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield the project's own views whose routes lie below a URL path, and whether each is Django's for development."""
    from django.urls import get_resolver
    from django.views.static import serve

    starts = tuple(prefix.lstrip("/") for prefix in prefixes if prefix != "/")
    if not starts:
        return
    todo: list[tuple[str, Any]] = [("", get_resolver())]
    seen: set[tuple[str, int]] = set()
    while todo:
        route, entry = todo.pop()
        included = views.children(entry)
        if included is None:
            if route.startswith(starts):
                view = entry.callback
                name = (
                    f"{getattr(view, '__module__', '')}.{getattr(view, '__qualname__', type(view).__name__)}"
                )
                yield name, view is serve
            continue
        for child in included:
            # A regular expression's beginning is read as the text that it most likely is.
            text = route + str(child.pattern).removeprefix("^").replace("\\", "").lstrip(
                "/" if not route else ""
            )
            if (text, id(child)) not in seen and len(seen) < 100_000:
                seen.add((text, id(child)))
                todo.append((text, child))


def media_location(settings: Any) -> tuple[str, str] | None:
    """Return MEDIA_ROOT and the path of MEDIA_URL, for views that send from it; None without local uploads."""
    place = uploads_of(settings)
    if place is None or not Path(place.root).is_absolute():
        return None
    return place.root, place.prefixes[0] if place.prefixes else ""
