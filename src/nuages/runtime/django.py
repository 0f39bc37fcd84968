"""Django brought up for serving: version, settings filled in memory, set-up, and its handlers watched.

The one place where a project's settings are changed, in memory and never in its files (DESIGN 4c).
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nuages.errors import ProjectError, StartError
from nuages.runtime import foreign
from nuages.runtime.bucket import PACKAGES, REQUIREMENT, Bucket
from nuages.runtime.filling import Filled, Snapshot, Wish, debug_refusal_needed, fill, uses_local_storage
from nuages.runtime.sources import assignment

OLDEST = (3, 2)
Report = Callable[[str, str], None]


def parse_version(text: str) -> tuple[int, int]:
    """Return `(5, 2)` for `5.2.19`, `6.0a1` or `4.2`; (0, 0) where there is no number."""
    numbers = []
    for part in text.split(".")[:2]:
        digits = ""
        for character in part:
            if not character.isdigit():
                break
            digits += character
        numbers.append(int(digits or 0))
    return (*numbers, 0, 0)[:2]  # type: ignore[return-value]


def check_version(text: str) -> tuple[int, int]:
    """Return Django's version; raise StartError for one that is too old to serve."""
    version = parse_version(text)
    if version < OLDEST:
        raise StartError(
            f"Django {text} is too old",
            where="the Django that is installed for this project",
            why=f"nuages serves Django {OLDEST[0]}.{OLDEST[1]} and newer; older ones get no security fixes",
            hint="upgrade the project to Django 4.2 or newer, one feature release at a time",
        )
    return version


def import_django(directories: tuple[str, ...]) -> tuple[int, int]:
    """Import Django and return its version; raise StartError when it is missing or too old."""
    try:
        import django
    except ModuleNotFoundError as error:
        if error.name != "django":
            raise
        raise StartError(
            "Django is not installed here",
            where=f"{sys.executable}, for the project in {directories[0] if directories else '.'}",
            why="the server runs in the project's own environment, and that one has no Django",
            hint="`nuages up` installs the project's dependencies privately; or install them here",
        ) from None
    return check_version(django.get_version())


def snapshot_settings(settings: Any, version: tuple[int, int]) -> Snapshot:
    """Read what decides from loaded settings; loads them when they are not."""

    def overridden(name: str) -> bool:
        return bool(settings.is_overridden(name))

    root = settings.STATIC_ROOT
    names = ("STORAGES", "STATICFILES_STORAGE", "STATIC_ROOT", "DATABASES", "ALLOWED_HOSTS")
    return Snapshot(
        django=version,
        debug=bool(settings.DEBUG),
        allowed_hosts=tuple(str(host) for host in settings.ALLOWED_HOSTS or () if host),
        static_root=os.fspath(root) if root else None,
        installed_apps=tuple(_app_names(settings.INSTALLED_APPS)),
        databases=settings.DATABASES or {},
        storages=getattr(settings, "STORAGES", {}),
        staticfiles_storage=getattr(settings, "STATICFILES_STORAGE", "") if version < (5, 1) else "",
        overridden=frozenset(name for name in names if overridden(name)),
        has_manifest=False,
        beside_static=tuple(_beside_static(settings, root)),
        file_storage=getattr(settings, "DEFAULT_FILE_STORAGE", "") if version < (5, 1) else "",
    )


def _beside_static(settings: Any, root: Any) -> Iterator[str]:
    """Yield the settings that name the same folder; what was collected and uploads are never moved together."""
    for name in dir(settings) if root else ():
        if name.endswith("_ROOT") and name not in ("STATIC_ROOT", "MEDIA_ROOT"):
            value = getattr(settings, name)
            if isinstance(value, (str, os.PathLike)) and Path(value) == Path(root):
                yield name


def _app_names(installed: Any) -> Iterator[str]:
    for entry in installed or ():
        # `django.contrib.staticfiles.apps.StaticFilesConfig` is the same application.
        name = str(entry)
        yield name
        if ".apps." in name:
            yield name.partition(".apps.")[0]


class Bringer:
    """Fills the settings at the moment Django is set up, whoever sets it up.

    Entry modules prepare paths and variables before they touch Django, so the settings must not be loaded
    earlier than they do it themselves: `watching` stands in for `django.setup` while they are imported.
    """

    def __init__(self, *, version: tuple[int, int], wish: Wish, fills: bool, report: Report) -> None:
        self.version = version
        self.wish = wish
        self.fills = fills
        self.report = report
        foreign.leave_alone()
        self.done = False
        self.filled: tuple[Filled, ...] = ()
        self.static_root: str | None = None  # as the project has it

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Fill the settings inside the first `django.setup()` that happens in this block."""
        import django

        original = django.setup

        def setup(*arguments: Any, **keywords: Any) -> None:
            self.fill_settings()
            original(*arguments, **keywords)

        django.setup = setup
        try:
            yield
        finally:
            django.setup = original

    def fill_settings(self) -> None:
        """Load the settings, check DEBUG, and fill what is silent; once.

        Raises ProjectError where `serve` finds DEBUG on, and whatever the settings raise.
        """
        if self.done:
            return
        from django.conf import settings

        snapshot = snapshot_settings(settings, self.version)
        self.static_root = snapshot.static_root
        self.done = True
        if debug_refusal_needed(snapshot, self.wish):
            raise debug_refusal(str(getattr(settings, "SETTINGS_MODULE", "")))
        own = None if self.wish.moves_static else snapshot.static_root
        has_manifest = manifest_exists(own or self.wish.static_root)
        if has_manifest:
            snapshot = dataclasses.replace(snapshot, has_manifest=True)
        if self.wish.bucket is not None:
            snapshot = self._with_bucket(snapshot, self.wish.bucket)
        self.filled = fill(snapshot, self.wish)
        if not self.fills:
            # DEBUG was asked for by an option of its own; the rest is what `--fill-settings off` turns off.
            self.filled = tuple(one for one in self.filled if one.name == "DEBUG")
        for one in self.filled:
            for holder in _holders(settings):
                if one.name == "DATABASES":
                    _fill_databases(holder.DATABASES, one.value)
                else:
                    setattr(holder, one.name, one.value)
            for line in one.line.splitlines():
                self.report("settings", f"settings: {line}")
        self._look_at_hosts(settings.ALLOWED_HOSTS, debug=bool(settings.DEBUG))
        module = str(getattr(settings, "SETTINGS_MODULE", ""))
        self._look_at_redirect(module, is_on=bool(settings.SECURE_SSL_REDIRECT))
        self._look_at_database(snapshot, module)

    def _look_at_hosts(self, allowed: Sequence[str], *, debug: bool) -> None:
        """Say it where nobody on this machine would get a page, and would wonder why."""
        from django.http.request import validate_host

        here = self.wish.local_hosts
        if self.wish.who == "serve" and not any(allowed) and not debug:
            self.report("warning", "ALLOWED_HOSTS is empty: every request is answered 400")
        if here and allowed and not any(validate_host(host, allowed) for host in here):
            self.report(
                "warning",
                f"ALLOWED_HOSTS holds {', '.join(allowed)}, and none of {', '.join(here)}: pages that are asked for by "
                "these names are answered 400; add the one that you use",
            )

    def _look_at_redirect(self, module: str, *, is_on: bool) -> None:
        """Say it where every page of this machine leads to HTTPS, which nothing here speaks."""
        if is_on and self.wish.local_hosts and not self.wish.speaks_tls:
            found = assignment(module, "SECURE_SSL_REDIRECT")
            self.report(
                "warning",
                f"SECURE_SSL_REDIRECT is on{f' ({found[0]}: {found[1]})' if found else ''}, and nothing here speaks "
                "HTTPS: every page is a redirect to where nobody answers; --tls-cert serves HTTPS, --debug on takes "
                "what the settings have for development",
            )

    def _look_at_database(self, snapshot: Snapshot, module: str) -> None:
        """Say it where pages ask a database that the settings do not name, or that no thread shares."""
        from nuages.runtime import absence

        for look in (absence.unnamed_database, absence.database_in_memory):
            what = look(snapshot.databases, snapshot.installed_apps, module, os.environ)
            if what and self.wish.who == "serve":
                self.report("warning", what)

    def _with_bucket(self, snapshot: Snapshot, bucket: Bucket) -> Snapshot:
        """Return the snapshot with what filling a bucket's storage needs; say so where uploads do not go there."""
        why = "--fill-settings is off"
        if self.fills and uses_local_storage(snapshot):
            return dataclasses.replace(snapshot, has_new_s3=check_packages(bucket))
        if self.fills:
            chosen = snapshot.storages.get("default", {}).get("BACKEND") or snapshot.file_storage
            why = f"the project has chosen a storage, {chosen}"
        self.report("warning", f"uploads do not go to {bucket}: {why}")
        return snapshot


def _holders(loaded: Any) -> tuple[Any, ...]:
    """Return Django's settings, and those that loading them has put in their place, as Dynaconf does."""
    from django.conf import settings

    return (loaded,) if settings is loaded else (loaded, settings)


def check_time_zone(report: Report) -> None:
    """Warn where the time zone of the settings is not on this machine: every page that shows a time would fail.

    Debian's smallest images lack its package, and `zoneinfo` then knows no zone at all, not even UTC.
    """
    from django.conf import settings
    from django.utils import timezone

    try:
        timezone.get_default_timezone()
    except Exception as error:  # noqa: BLE001 - zoneinfo and pytz raise kinds of their own
        report(
            "warning",
            f"the time zone {settings.TIME_ZONE} is not on this machine, so pages that show times fail ({error}); "
            "apt-get install tzdata, or add the package tzdata to the project's dependencies",
        )


def check_packages(bucket: Bucket) -> bool:
    """Return whether django-storages has its newer S3 backend; raise ProjectError where what it takes is missing."""
    missing = [name for name, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ProjectError(
            f"the project lacks {' and '.join(missing)}", where=f"--media {bucket}",
            why="uploads go to a bucket through django-storages, which is not in the project's environment",
            hint=f"add this line to the project's requirements and lock them again:\n{REQUIREMENT}",
        )  # fmt: skip
    return importlib.util.find_spec("storages.backends.s3") is not None


def _fill_databases(databases: dict[str, Any], new: Mapping[str, Any]) -> None:
    # In place: project code may hold a reference to the same dictionary.
    for alias, values in new.items():
        databases[alias].update(values)


def manifest_exists(root: str) -> bool:
    """Return whether a static root holds the manifest of Django's manifest storage."""
    return (Path(root) / "staticfiles.json").is_file()


def debug_refusal(module: str) -> ProjectError:
    """Return the error for settings with DEBUG on, with the line that sets it."""
    origin = debug_origin(module)
    return ProjectError(
        "DEBUG is on",
        where=origin or f"the settings module {module}",
        why="with DEBUG on, errors show settings and source to every visitor, and memory grows with every query",
        hint="set DEBUG = False in production settings; --debug off overrides it for this run, --debug on allows it",
    )


def debug_origin(module: str) -> str:
    """Return `file:line` and the source line of the last assignment to DEBUG in a settings module, or nothing.

    Modules that it star-imports are looked at too.
    """
    found = assignment(module, "DEBUG")
    return f"{found[0]}: {found[1]}" if found else ""
