"""What nuages fills in where a project's settings are silent: decided here, purely (DESIGN 4c)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nuages.runtime.bucket import NEW_STORAGE, OLD_STORAGE, Bucket

MANIFEST_STORAGE = "nuages.runtime.storage.ManifestStorage"
DEFAULT_STORAGE = "django.contrib.staticfiles.storage.StaticFilesStorage"
LOCAL_STORAGE = "django.core.files.storage.FileSystemStorage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The settings that decide, as the project left them.

    `overridden` are the names that the project sets itself. `beside_static` are other settings that name the folder of
    STATIC_ROOT, such as COMPRESS_ROOT. `has_manifest`: the static root holds Django's
    manifest. `django` is its version, `(5, 2)`. `file_storage` is DEFAULT_FILE_STORAGE, "" where there is none any
    more; `has_new_s3`: django-storages has its S3 backend under its newer name.
    """

    django: tuple[int, int]
    debug: bool
    allowed_hosts: tuple[str, ...]
    static_root: str | None
    installed_apps: tuple[str, ...]
    databases: Mapping[str, Mapping[str, Any]]
    storages: Mapping[str, Mapping[str, Any]]
    staticfiles_storage: str
    overridden: frozenset[str]
    has_manifest: bool
    beside_static: tuple[str, ...] = ()
    file_storage: str = ""
    has_new_s3: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who asks: `serve`, `collect`, `migrate` or `run`, the static root to use when there is none.

    `moves_static`: it is used also where the project sets one. `local_hosts` are the names that `up` may allow,
    `speaks_tls` tells whether it serves HTTPS itself, `bucket` is where uploads are to go.
    """

    who: str
    static_root: str
    debug: bool | None = None
    moves_static: bool = False
    local_hosts: tuple[str, ...] = ()
    speaks_tls: bool = False
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """One setting's new value and the line that says so."""

    name: str
    value: Any
    line: str


def fill(snapshot: Snapshot, wish: Wish) -> tuple[Filled, ...]:
    """Return what to set, in order; nothing that the project set itself but DEBUG, and that only when asked."""
    found: list[Filled] = []
    debug = snapshot.debug if wish.debug is None else wish.debug
    if debug != snapshot.debug:
        word = "on" if debug else "off"
        found.append(Filled(name="DEBUG", value=debug, line=f"DEBUG = {debug} (--debug {word})"))
    # A program beside the server names static files by the project's own settings.
    uses_static = wish.who != "run" and "django.contrib.staticfiles" in snapshot.installed_apps
    if uses_static and (wish.moves_static or not snapshot.static_root):
        was = repr(snapshot.static_root) if snapshot.static_root else "unset"
        line = f"STATIC_ROOT = {wish.static_root!r} (was {was})"
        found.append(Filled(name="STATIC_ROOT", value=wish.static_root, line=line))
        found += [
            Filled(name=name, value=wish.static_root, line=f"{name} = STATIC_ROOT (as before)")
            for name in snapshot.beside_static
        ]
    # Pages of a site whose files were never collected must not ask a manifest for them.
    if uses_static and not debug and (wish.who == "collect" or snapshot.has_manifest):
        found += _storage(snapshot)
    if wish.bucket is not None and uses_local_storage(snapshot):
        found = _media(snapshot, wish.bucket, found)
    if wish.who == "serve":
        found += _connections(snapshot)
    if wish.local_hosts and not snapshot.allowed_hosts and not debug:
        hosts = list(wish.local_hosts)
        found.append(Filled(name="ALLOWED_HOSTS", value=hosts, line=f"ALLOWED_HOSTS = {hosts!r} (was empty)"))
    return tuple(found)


def _storage(snapshot: Snapshot) -> list[Filled]:
    line = f"{MANIFEST_STORAGE} (hashed names, not strict; was Django's default)"
    if snapshot.django < (4, 2) or "STATICFILES_STORAGE" in snapshot.overridden:
        if "STORAGES" in snapshot.overridden or snapshot.staticfiles_storage != DEFAULT_STORAGE:
            return []
        value = MANIFEST_STORAGE
        return [Filled(name="STATICFILES_STORAGE", value=value, line=f"STATICFILES_STORAGE = {line}")]
    chosen = snapshot.storages.get("staticfiles", {})
    if chosen.get("BACKEND", DEFAULT_STORAGE) != DEFAULT_STORAGE or chosen.get("OPTIONS"):
        return []
    storages = {**snapshot.storages, "staticfiles": {"BACKEND": MANIFEST_STORAGE}}
    return [Filled(name="STORAGES", value=storages, line=f'STORAGES["staticfiles"] = {line}')]


def uses_local_storage(snapshot: Snapshot) -> bool:
    """Return whether uploads go where Django's own settings put them: the project has chosen nothing else."""
    chosen = snapshot.storages.get("default", {})
    if chosen.get("BACKEND", LOCAL_STORAGE) != LOCAL_STORAGE or chosen.get("OPTIONS"):
        return False
    return snapshot.file_storage in ("", LOCAL_STORAGE)


def _media(snapshot: Snapshot, bucket: Bucket, found: list[Filled]) -> list[Filled]:
    """Return what was found and the storage of a bucket; where STORAGES is filled already, both go in."""
    if snapshot.django < (4, 2):
        values = {"DEFAULT_FILE_STORAGE": OLD_STORAGE, **bucket.old_settings}
        line = f"DEFAULT_FILE_STORAGE = {OLD_STORAGE!r} with {_words(bucket.old_settings)} (uploads go to {bucket})"
        more = [Filled(name=name, value=value, line="" if number else line)
                for number, (name, value) in enumerate(values.items())]  # fmt: skip
        return [*found, *more]
    backend = NEW_STORAGE if snapshot.has_new_s3 else OLD_STORAGE
    earlier = next((one for one in found if one.name == "STORAGES"), None)
    storages = dict(earlier.value if earlier else snapshot.storages)
    storages["default"] = {"BACKEND": backend, "OPTIONS": bucket.options}
    line = f'STORAGES["default"] = {backend} with {_words(bucket.options)} (uploads go to {bucket})'
    line = f"{earlier.line}\n{line}" if earlier else line
    rest = [one for one in found if one is not earlier]
    return [*rest, Filled(name="STORAGES", value=storages, line=line)]


def _words(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _connections(snapshot: Snapshot) -> list[Filled]:
    databases: dict[str, Any] = {}
    lines = []
    for alias, database in snapshot.databases.items():
        new = dict(database)
        engine = database.get("ENGINE", "")
        pooled = isinstance(database.get("OPTIONS"), Mapping) and database["OPTIONS"].get("pool")
        if "CONN_MAX_AGE" not in database and engine and not engine.endswith(".dummy") and not pooled:
            new["CONN_MAX_AGE"] = 60
            said = ["CONN_MAX_AGE = 60"]
            if snapshot.django >= (4, 1) and "CONN_HEALTH_CHECKS" not in database:
                new["CONN_HEALTH_CHECKS"] = True
                said.append("CONN_HEALTH_CHECKS = True")
            lines.append(f"DATABASES[{alias!r}]: {', '.join(said)} (was unset)")
        databases[alias] = new
    if not lines:
        return []
    return [Filled(name="DATABASES", value=databases, line="\n".join(lines))]


def debug_refusal_needed(snapshot: Snapshot, wish: Wish) -> bool:
    """Return whether the settings have DEBUG on and nobody said that this is wanted."""
    return wish.who == "serve" and snapshot.debug and wish.debug is None
