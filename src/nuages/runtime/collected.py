"""The static files of a project at start: from collect's manifest, from a scan, or through the finders with DEBUG."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nuages.errors import ProjectError
from nuages.runtime.manifest import NAME, Item, read_django_manifest, read_manifest
from nuages.runtime.static import WEEK, Ages, Entry, hashed_names, index, scan, url_prefixes
from nuages.runtime.whitenoise import Tuning, tuning

if TYPE_CHECKING:
    from nuages.runtime.static import Files

Report = Callable[[str, str], None]
SLOW_SCAN = 0.25  # seconds from which on a scan is worth a word


def files_of_project(kind: type[Files], settings: Any, *, max_age: float | None, report: Report) -> Files:
    """Return the static files that loaded settings describe; see `Files.of_project`."""
    prefixes = url_prefixes(settings.STATIC_URL, settings.FORCE_SCRIPT_NAME)
    tuned = tuning(settings, report)
    if tuned is not None and tuned.prefix:
        prefixes = url_prefixes(tuned.prefix, None)
    common = common_fields(settings)
    uses_static = any("django.contrib.staticfiles" in str(app) for app in settings.INSTALLED_APPS)
    if settings.DEBUG and uses_static:
        from django.contrib.staticfiles import finders

        return kind(
            prefixes=tuple(prefix.encode() for prefix in prefixes), finder=finders.find, common=common
        )
    if not settings.STATIC_ROOT or not prefixes:
        return kind()
    root = Path(settings.STATIC_ROOT)
    django_manifest = read_django_manifest(root)
    check_collected(root, django_manifest, report, uses_static=uses_static)
    if not root.is_dir():
        return kind()
    items = _items(root, report)
    plain = plain_age(settings, max_age, has_hashes=bool(django_manifest))
    hashed = hashed_names(django_manifest, (item.path for item in items))
    ages = Ages(hashed=hashed, plain=plain)
    entries = index(items, str(root), prefixes, ages, common)
    if tuned is not None:
        for url, entry in entries.items():
            entry.tune = _tuner(tuned, url.decode("utf-8", "surrogateescape"), ages, report)
    return kind(entries)


def _tuner(tuned: Tuning, url: str, ages: Ages, report: Report) -> Callable[[Entry], None]:
    def tune(entry: Entry) -> None:
        try:
            change(entry)
        except Exception as error:  # noqa: BLE001 - the project's own function; the file is served without it
            report("warning", f"WhiteNoise's settings fail for {url}: {type(error).__name__}: {error}")

    def change(entry: Entry) -> None:
        path = entry.forms[0][1]
        if tuned.is_immutable is not None:
            entry.cache_control = ages.cache_control("", immutable=tuned.is_immutable(path, url))
        entry.media = tuned.media_type(path, entry.media)
        given = [("Content-Type", entry.media), ("Cache-Control", entry.cache_control)]
        given += [(name, value) for name, _, value in (line.partition(": ") for line in _lines(entry.extra))]
        rest = []
        for name, value in tuned.headers(path, url, given):
            if name.lower() == "content-type":
                entry.media = value
            elif name.lower() == "cache-control":
                entry.cache_control = value
            else:
                rest.append(f"{name}: {value}\r\n")
        entry.extra = "".join(rest).encode("latin-1")

    return tune


def _lines(fields: bytes) -> list[str]:
    return [line for line in fields.decode("latin-1").split("\r\n") if line]


def _items(root: Path, report: Report) -> tuple[Item, ...]:
    try:
        items = read_manifest(root)
    except ValueError as error:
        raise ProjectError(
            "the manifest of the collected static files cannot be read", where=str(root / NAME), why=str(error),
            hint="collect them again: nuages collect",
        ) from None  # fmt: skip
    if items is not None:
        check_items(root, items)
        return items
    started = time.monotonic()
    items = scan(str(root))
    took = time.monotonic() - started
    if took > SLOW_SCAN:
        text = (
            f"looking through {len(items)} static files took {took:.1f} s; nuages collect writes a manifest"
        )
        report("static", text)
    return items


def check_items(root: Path, items: tuple[Item, ...], sample: int = 20) -> None:
    """Raise ProjectError when the manifest and its folder do not agree; a few files tell, not all are looked at."""
    for item in items[:: max(1, len(items) // sample)]:
        path = root / item.path
        try:
            size = path.stat().st_size
        except OSError:
            size = -1
        if size != item.size:
            found = "it is not there" if size < 0 else f"it has {size} bytes and not {item.size}"
            raise ProjectError(
                "the collected static files are not those of their manifest", where=str(path), why=found,
                hint="collect them again: nuages collect",
            )  # fmt: skip


def check_collected(
    root: Path, django_manifest: dict[str, str], report: Report, *, uses_static: bool
) -> None:
    """Raise ProjectError where pages would fail for want of collected files; warn where they only look bare."""
    if not uses_static or django_manifest:
        return
    if _needs_manifest():
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


def _needs_manifest() -> bool:
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


def plain_age(settings: Any, max_age: float | None, *, has_hashes: bool) -> int:
    """Return the seconds that a file without a hash in its name may be kept (DESIGN 6, «Static names»)."""
    if max_age is not None:
        return int(max_age)
    whitenoise = getattr(settings, "WHITENOISE_MAX_AGE", None)
    if isinstance(whitenoise, (int, float)):
        return int(whitenoise)
    return WEEK if has_hashes else 60


def common_fields(settings: Any) -> bytes:
    """Return the header fields that WhiteNoise and SecurityMiddleware give every static file."""
    fields = b""
    if getattr(settings, "WHITENOISE_ALLOW_ALL_ORIGINS", True):
        fields += b"access-control-allow-origin: *\r\n"
    if settings.SECURE_CONTENT_TYPE_NOSNIFF:
        fields += b"x-content-type-options: nosniff\r\n"
    return fields
