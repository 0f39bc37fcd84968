"""`nuages collect`: the project's static files collected, hashed, compressed and listed in a manifest."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nuages.errors import NuagesError, OutsideError, ProjectError
from nuages.runtime import culprits
from nuages.runtime.application import Application
from nuages.runtime.bucket import bucket_of, parse_bucket
from nuages.runtime.collected import WEEK, kept_elsewhere, needs_manifest
from nuages.runtime.collectfaults import collect_error, find_static
from nuages.runtime.compression import BEST, FAST, compress_files
from nuages.runtime.django import Bringer, Report, import_django
from nuages.runtime.filling import Wish
from nuages.runtime.folder import open_file
from nuages.runtime.front_end import front_end_error, missing_names_warning
from nuages.runtime.manifest import (
    CODINGS,
    NAME,
    UNFINISHED,
    Item,
    Manifest,
    read_django_manifest,
    read_manifest,
    write_manifest,
)
from nuages.runtime.progress import Progress
from nuages.runtime.publication import publish
from nuages.runtime.replacement import unfinished, whole_files
from nuages.runtime.settings import Settings
from nuages.runtime.shelves import NEWER_SECONDS, Manner, hashed_test, scan
from nuages.runtime.site import bring_up_alone, prepare_path
from nuages.runtime.static import content_tag
from nuages.runtime.whitenoise import skipped_endings

_DOTTED = ".*"
_DOTTED_BUT_VITE = (
    ".", ".[!v]*", ".v", ".v[!i]*", ".vi", ".vi[!t]*", ".vit", ".vit[!e]*", ".vite[!/]*", "*.vite/[!m]*",
)  # fmt: skip
"""Django's `.*` without what `vite build` writes: `.vite/manifest.json`, which templates read in STATIC_ROOT."""


def collect(
    application: Application, settings: Settings, output: str | None, report: Report, effort: str = BEST
) -> Path | None:
    """Collect into STATIC_ROOT, or into `output` where that is given; without either into `settings.static_root`.

    Returns the folder, None for a project without django.contrib.staticfiles. `effort` is how well the files are
    compressed. Raises StartError for settings that do not load, ProjectError for files that cannot be collected,
    OutsideError for a full disk.
    """
    place = settings.static_root or os.path.join(application.directory, "staticfiles")  # noqa: PTH118
    place = os.path.abspath(place)  # noqa: PTH100 - before the directory changes
    if output or settings.static_root_always:
        output = os.path.abspath(output or place)  # noqa: PTH100
    directories = prepare_path(application)
    version = import_django(directories)
    wish = Wish(
        who="collect", static_root=output or place, moves_static=bool(output), debug=settings.debug,
        bucket=bucket_of(settings.media),
    )  # fmt: skip
    bringer = Bringer(version=version, wish=wish, fills=settings.fill_settings, report=report)
    with bringer.watching():
        bring_up_alone(bringer, application, directories)
    with culprits.blamed():
        return _brought_up(bringer, application, output, report, effort)


def _brought_up(
    bringer: Bringer, application: Application, output: str | None, report: Report, effort: str
) -> Path | None:
    from django.conf import settings as django_settings

    if not any("django.contrib.staticfiles" in str(app) for app in django_settings.INSTALLED_APPS):
        report("collect", "the project does not use django.contrib.staticfiles: there is nothing to collect")
        return None
    if not django_settings.STATIC_ROOT:
        raise ProjectError(
            "STATIC_ROOT is not set", where="the project's settings",
            why="nothing says where the files are to go, and --fill-settings is off",
            hint="nuages collect --output DIR",
        )  # fmt: skip
    if storage := kept_elsewhere():
        return _leave(Path(output or django_settings.STATIC_ROOT).absolute(), storage, report, effort)
    own = Path(bringer.static_root or django_settings.STATIC_ROOT).absolute()
    lost = _lost_by_collecting(own)
    if lost:
        return _keep(own, Path(output) if output else own, lost, report, effort)
    check_front_end(Path(application.directory).absolute(), report)
    if output:
        django_settings.STATIC_ROOT = output  # also where the settings are not to be filled
    root = Path(django_settings.STATIC_ROOT).absolute()
    progress = Progress(report)
    with progress.watching():
        _collect(root, progress.report, effort)
    if needs_manifest():
        folders = (Path(folder).absolute() for folder in (application.directory, *application.paths))
        warning = missing_names_warning(folders, read_django_manifest(root))
        if warning:
            report("warning", warning)
    return root


def _leave(root: Path, storage: str, report: Report, effort: str) -> Path:
    """Collect nothing: the project's storage would upload, from a build without network, or what is not released."""
    report(
        "collect",
        f"no static files are collected here, for {storage} keeps them elsewhere: `collectstatic` uploads them, in a "
        "step before each release (nuages run -- collectstatic)",
    )
    with _disk(root), unfinished(root):
        _finish(root, report, effort, _earlier(root))
    return root


def check_front_end(root: Path, report: Report) -> None:
    """Raise ProjectError where pages would fail for want of a front-end build; warn where they only lack its files."""
    error = front_end_error(root)
    if error is None:
        return
    if needs_manifest():
        raise error
    report("warning", "\n  ".join((error.what, error.where, error.why, error.hint)))


def publish_collected(root: Path, settings: Settings, to: str, report: Report) -> None:
    """Upload what was collected in a folder to the bucket that a URL names; raises as `publish` does."""
    from django.conf import settings as django_settings

    items = read_manifest(root) or scan(str(root))
    plain_age = settings.static_max_age
    if plain_age is None:
        plain_age = getattr(django_settings, "WHITENOISE_MAX_AGE", None)
    if not isinstance(plain_age, (int, float)):
        plain_age = WEEK if read_django_manifest(root) else 60
    publish(root, items, parse_bucket(to), Manner(plain_age=int(plain_age)), report)


def _lost_by_collecting(root: Path) -> list[str]:
    """Return the files of a manifest that is there already and that the finders would not find again.

    A project that commits its collected files with their manifest, but not their sources, would lose them.
    """
    known = read_django_manifest(root)
    if not known or (root / NAME).exists():
        return []
    from django.contrib.staticfiles.finders import get_finders

    found = {name.replace("\\", "/") for finder in get_finders() for name, _ in finder.list([])}
    return sorted(name for name, hashed in known.items() if name not in found and (root / hashed).is_file())


def _keep(root: Path, output: Path, lost: list[str], report: Report, effort: str) -> Path:
    count = f"{len(lost)} file{'s' if len(lost) > 1 else ''}"
    report(
        "collect",
        f"{root} is used as it is: collecting would lose {count} of its manifest, such as {lost[0]}",
    )
    if output != root:
        with _disk(output), unfinished(output):
            (output / NAME).unlink(missing_ok=True)  # files are written over: it would not be theirs
            shutil.copytree(root, output, dirs_exist_ok=True)
            _finish(output, report, effort)
    return output


def _collect(root: Path, report: Report, effort: str) -> None:
    from django.core.management import call_command

    said = io.StringIO()
    with _disk(root), unfinished(root):
        earlier = _earlier(root)
        with whole_files():
            for command, words in _commands(report):
                try:
                    call_command(command, **words, verbosity=0, stdout=io.StringIO(), stderr=said)
                except NuagesError:
                    raise
                except (Exception, SystemExit) as error:  # finders and storages are the project's
                    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    module = os.environ.get("DJANGO_SETTINGS_MODULE")
                    wrong = culprits.error_of(error, module, what="the static files cannot be collected")
                    raise (wrong or collect_error(error, said.getvalue(), find_static, command)) from None
        _report_left(report)
        _finish(root, report, effort, earlier)


def _earlier(root: Path) -> Manifest:
    try:
        return read_manifest(root) or Manifest({})
    except ValueError:
        return Manifest({})


def _commands(report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the management commands that collect: Django's, and django-compressor's where the settings ask for it."""
    from django.apps import apps
    from django.conf import settings

    config: Any = apps.get_app_config("staticfiles")
    config.ignore_patterns = [
        pattern
        for each in config.ignore_patterns
        for pattern in (_DOTTED_BUT_VITE if each == _DOTTED else (each,))
    ]
    yield "collectstatic", {"interactive": False}
    if apps.is_installed("compressor") and getattr(settings, "COMPRESS_OFFLINE", False):
        report("collect", "compressing templates' blocks (COMPRESS_OFFLINE)")
        yield "compress", {}


def _report_left(report: Report) -> None:
    from django.contrib.staticfiles.storage import staticfiles_storage

    left = sorted(set(getattr(staticfiles_storage, "left", ())))
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        report("warning", f"style sheets name files that do not exist: {', '.join(left[:3])}{more}")


def _finish(root: Path, report: Report, effort: str, earlier: Manifest | None = None) -> None:
    """Compress and list what lies in the root; `earlier` is what an older manifest said of it."""
    from django.conf import settings

    root.mkdir(parents=True, exist_ok=True)
    found = scan(str(root), hashed_test(read_django_manifest(root)))
    items = [item for item in found.values() if not _is_ours(item.path)]
    tags = {item.path: _tag(root / item.path) for item in items}
    for item in items:
        _set_time(root / item.path, _former_time(item, tags[item.path], earlier))
    forms = compress_files(
        root, tags, skipped=skipped_endings(settings), effort=effort, report=report,
        takes_former=effort == FAST or earlier is None or not earlier.is_fast,
    )  # fmt: skip
    done = [
        dataclasses.replace(
            item, modified=int((root / item.path).stat().st_mtime), etag=tags[item.path],
            codings=_existing(root, item.path, forms.get(item.path, {})),
        )
        for item in items
    ]  # fmt: skip
    write_manifest(root, done, is_fast=effort == FAST)
    size = sum(item.size for item in done)
    compressed = sum(min((*item.codings.values(), item.size)) for item in done)
    heaviest = sorted(done, key=lambda item: -item.size)[:3]
    report(
        "collect",
        f"{len(done)} static files in {root}, {_mega(size)}, {_mega(compressed)} compressed; the heaviest: "
        + (", ".join(f"{item.path} {_mega(item.size)}" for item in heaviest) or "none"),
    )


def _former_time(item: Item, tag: str, earlier: Manifest | None) -> int:
    if earlier is None or item.path not in earlier:
        return item.modified
    try:
        former = earlier[item.path]
    except ValueError:
        return item.modified
    return former.modified if former.etag == tag else item.modified


def _tag(path: Path) -> str:
    descriptor = open_file(os.path.realpath(path))
    try:
        return content_tag(descriptor)
    finally:
        os.close(descriptor)


def _set_time(path: Path, seconds: int) -> None:
    """Give a file whole seconds, and an unchanged one its former time, so that the same files look the same.

    SOURCE_DATE_EPOCH is the latest time that a reproducible build may show (reproducible-builds.org).
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isascii() and epoch.isdigit():
        seconds = min(seconds, int(epoch))
    if path.stat().st_mtime_ns != seconds * 10**9:
        os.utime(path, (seconds, seconds))


def _is_ours(path: str) -> bool:
    return path in (NAME, UNFINISHED) or path.startswith(f".{NAME}")


def _existing(root: Path, path: str, forms: dict[str, int]) -> dict[str, int]:
    """Return the forms we made, and those of the project's own pipeline in codings that we did not make."""
    status = (root / path).stat()
    for coding, ending in CODINGS.items():
        target = root / (path + ending)
        if (
            coding not in forms
            and target.is_file()
            and target.stat().st_mtime >= status.st_mtime - NEWER_SECONDS
        ):
            forms[coding] = target.stat().st_size
    return {coding: forms[coding] for coding in CODINGS if coding in forms}


def _mega(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


class _disk:  # noqa: N801 - reads as the statement it is
    """Turn a disk that is full or closed to us into an error of ours."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise OutsideError(
                "the static files cannot be written", where=str(error.filename or self.root),
                why=error.strerror or str(error),
                hint="free some space and run it again"
                if full
                else "make it writable, or collect elsewhere: nuages collect --output DIR",
            ) from None  # fmt: skip
