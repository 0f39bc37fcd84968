"""The static files of a project at start: from collect's manifest, from a scan, or through the finders with DEBUG."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nuages.errors import ProjectError
from nuages.runtime.keeping import Kept, keep
from nuages.runtime.manifest import NAME, UNFINISHED, Manifest, read_django_manifest, read_manifest
from nuages.runtime.settings import Settings
from nuages.runtime.shelves import Found, Listed, Live, Manner, Shelf, hashed_test, scan
from nuages.runtime.static import Files
from nuages.runtime.whitenoise import Tuning, tuning

Report = Callable[[str, str], None]
SLOW_SCAN = 0.25  # seconds from which on a scan is worth a word
WEEK = 604_800


def files_of_project(settings: Any, options: Settings, report: Report) -> Files:
    """Return the static files that loaded settings and the options describe.

    Raises ProjectError where pages would fail for want of collected files, and for a manifest that is not its folder's.
    """
    tuned = tuning(settings, report)
    prefixes = url_prefixes(settings.STATIC_URL, settings.FORCE_SCRIPT_NAME)
    if tuned.prefix:
        prefixes = url_prefixes(tuned.prefix, None)
    extra = common_fields(settings, tuned)
    shelves: list[Shelf] = list(_mapped(options, extra, report))
    shelves += _of_site(settings, options, tuned, prefixes, extra, report)
    # What is said of a part of a prefix counts before what is said of the whole.
    shelves.sort(key=lambda shelf: -len(shelf.prefix))
    return Files(shelves, index=tuned.index_file)


def _of_site(
    settings: Any, options: Settings, tuned: Tuning, prefixes: tuple[str, ...], extra: bytes, report: Report
) -> Iterable[Shelf]:
    """Return the shelves under STATIC_URL, and WHITENOISE_ROOT at the site's root."""
    uses_static = any("django.contrib.staticfiles" in str(app) for app in settings.INSTALLED_APPS)
    plain_age = options.static_max_age if options.static_max_age is not None else tuned.max_age
    if settings.DEBUG and uses_static:
        manner = Manner(plain_age=None, extra=extra)
        yield from (Found(prefix.encode(), _finder(), manner) for prefix in prefixes)
    elif settings.STATIC_ROOT and prefixes:
        root = Path(settings.STATIC_ROOT)
        django_manifest = read_django_manifest(root)
        check_collected(root, django_manifest, report, uses_static=uses_static)
        if plain_age is None:
            plain_age = WEEK if django_manifest else 60
        manner = Manner(plain_age=int(plain_age), extra=extra, tune=tuned.tuner(report))
        if root.is_dir():
            shelves = list(_shelves(root, prefixes, manner, tuned, django_manifest, report))
            yield from shelves
            if options.static_keep:
                yield from _kept(options.static_keep, shelves, report)
        if tuned.uses_finders and uses_static:
            yield from (Found(prefix.encode(), _finder(), manner) for prefix in prefixes)
    if tuned.root:
        manner = Manner(
            plain_age=int(60 if plain_age is None else plain_age), extra=extra, tune=tuned.tuner(report)
        )
        yield from _shelves(Path(tuned.root), ("/",), manner, tuned, {}, report)


def _shelves(
    root: Path,
    prefixes: tuple[str, ...],
    manner: Manner,
    tuned: Tuning,
    django_manifest: dict[str, str],
    report: Report,
) -> Iterable[Shelf]:
    if tuned.refreshes:
        return (Live(prefix.encode(), str(root), manner) for prefix in prefixes)
    items = _items(root, django_manifest, report)
    return (Listed(prefix.encode(), str(root), items, manner) for prefix in prefixes)


def _kept(folder: str, shelves: Sequence[Shelf], report: Report) -> Iterable[Shelf]:
    """Return the shelves of other releases' files, having put this one's there."""
    folder = os.path.abspath(folder)  # noqa: PTH100 - links stay as they are
    own = [shelf for shelf in shelves if isinstance(shelf, Listed)]
    if own:
        keep(folder, own[0].root, own[0].manifest, report)
    return (Kept(shelf.prefix, folder, shelf.manner) for shelf in own)


def _finder() -> Callable[[str], str | None]:
    from django.contrib.staticfiles import finders

    found: Callable[[str], str | None] = finders.find
    return found


def _mapped(options: Settings, extra: bytes, report: Report) -> Iterable[Shelf]:
    """Return the shelves of --static-map."""
    for place in options.static_map:
        root = Path(place.folder)
        if not root.is_dir():
            raise ProjectError(
                "a folder of static files does not exist", where=f"--static-map {place}", why=f"there is no {root}",
                hint="name a folder that exists, or take the option away",
            )  # fmt: skip
        age = place.max_age if place.max_age is not None else options.static_max_age
        manner = Manner(plain_age=int(60 if age is None else age), extra=extra)
        yield Listed(place.url.encode(), str(root), _items(root, {}, report), manner)


def url_prefixes(static_url: str | None, script_name: str | None) -> tuple[str, ...]:
    """Return the URL paths under which static files are asked for, each ending in a slash.

    A full URL (a CDN that fetches from here) counts by its path. Behind a proxy that strips FORCE_SCRIPT_NAME the
    path comes without it. None at all where the files would lie at the root of the site.
    """
    if not static_url:
        return ()
    path = urlsplit(static_url).path
    if not path.startswith("/"):
        path = f"/{path}"
    if not path.endswith("/"):
        path += "/"
    found = [path]
    script = (script_name or "").rstrip("/")
    if script and path.startswith(script + "/"):
        found.append(path[len(script) :])
    return tuple(one for one in found if one != "/")


def _items(root: Path, django_manifest: dict[str, str], report: Report) -> Manifest:
    is_unfinished = (root / UNFINISHED).exists()
    try:
        items = read_manifest(root)
    except ValueError as error:
        raise ProjectError(
            "the manifest of the collected static files cannot be read", where=str(root / NAME), why=str(error),
            hint="collect them again: nuages collect",
        ) from None  # fmt: skip
    if is_unfinished:
        # Collecting replaces files whole, and the manifest at its end: the one that is there is of what was before.
        if items is None or not _lists(items, django_manifest.values()):
            raise ProjectError(
                "the static files are not collected to the end", where=str(root / UNFINISHED),
                why="collecting them was broken off, or goes on just now: what lies there may be half of them",
                hint="collect them again: nuages collect",
            )  # fmt: skip
        what = f"collecting static files to {root} was broken off, or goes on just now"
        report("warning", f"{what}: what was collected before is served; nuages collect collects the rest")
    if items is not None:
        check_items(root, items)
        return items
    started = time.monotonic()
    items = scan(str(root), hashed_test(django_manifest))
    took = time.monotonic() - started
    if took > SLOW_SCAN:
        text = (
            f"looking through {len(items)} static files took {took:.1f} s; nuages collect writes a manifest"
        )
        report("static", text)
    return items


def _lists(items: Manifest, names: Iterable[str]) -> bool:
    """Return whether a manifest has all files of these names but for hidden ones, which are never served."""
    return all(name in items or "/." in f"/{name}" for name in names)


def check_items(root: Path, items: Manifest, sample: int = 20) -> None:
    """Raise ProjectError when the manifest cannot be of this folder; no file is looked at, however many there are.

    One reading of the folder tells whether all that the manifest names at its top is there, a few rows whether they
    can be read. Each file is compared when it is first asked for.
    """
    try:
        for path in items.sample(sample):
            items[path]
    except ValueError as error:
        raise ProjectError(
            "the manifest of the collected static files cannot be read", where=str(root / NAME), why=str(error),
            hint="collect them again: nuages collect",
        ) from None  # fmt: skip
    lost = items.tops.difference(os.listdir(root))  # noqa: PTH208 - names are enough
    if lost:
        raise ProjectError(
            "the collected static files are not those of their manifest", where=f"{root}/{min(lost)}",
            why="it is not there", hint="collect them again: nuages collect",
        )  # fmt: skip


def check_collected(
    root: Path, django_manifest: dict[str, str], report: Report, *, uses_static: bool
) -> None:
    """Raise ProjectError where pages would fail for want of collected files; warn where they only look bare."""
    if not uses_static or django_manifest:
        return
    if needs_manifest():
        raise ProjectError(
            "the static files are not collected",
            where=str(root),
            why="the project's storage for static files needs its manifest there: without it every page that "
            "names a static file fails",
            hint="nuages collect",
        )
    if not root.is_dir() or next(root.iterdir(), None) is None:
        report(
            "warning", f"the static files are not collected: {root} is empty or missing; run nuages collect"
        )


def needs_manifest() -> bool:
    """Return whether the project's static files storage is Django's manifest storage in its strict form."""
    from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage

    try:
        storage = staticfiles_storage._wrapped
        if type(storage) is object:
            staticfiles_storage._setup()
            storage = staticfiles_storage._wrapped
    except Exception:  # noqa: BLE001 - a storage that cannot be made says so where it is used
        return False
    return isinstance(storage, ManifestStaticFilesStorage) and storage.manifest_strict


def common_fields(settings: Any, tuned: Tuning) -> bytes:
    """Return the header fields that WhiteNoise and SecurityMiddleware give every static file."""
    fields = b""
    if tuned.allows_all_origins:
        fields += b"access-control-allow-origin: *\r\n"
    if settings.SECURE_CONTENT_TYPE_NOSNIFF:
        fields += b"x-content-type-options: nosniff\r\n"
    return fields


def kept_elsewhere() -> str:
    """Return the class of the project's storage for static files where it is none of files, as a bucket's; else "".

    A name that cannot be imported is for collectstatic to complain of.
    """
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage, Storage
    from django.utils.module_loading import import_string

    stored = getattr(settings, "STORAGES", {}).get("staticfiles") or {}
    name = stored.get("BACKEND") or getattr(settings, "STATICFILES_STORAGE", "")
    try:
        kind = import_string(name)
    except Exception:  # noqa: BLE001 - it is the project's
        return ""
    is_away = isinstance(kind, type) and issubclass(kind, Storage) and not issubclass(kind, FileSystemStorage)
    return str(name) if is_away else ""
