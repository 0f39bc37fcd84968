"""Static files, uploads and the front end: collected, hashed, found by the browser, kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, error, notice, warning
from nuages.errors import Origin
from nuages.project.model import Assignment

NO_ROOT = notice(20, "STATIC_ROOT is unset: collectstatic fails")
NOT_HASHED = notice(21, "static files have no hash in their names")
WHITENOISE = notice(22, "WhiteNoise does not stand right behind SecurityMiddleware")
ROOT_AMONG_SOURCES = error(23, "STATIC_ROOT is one of STATICFILES_DIRS")
REMOVED_STORAGE = warning(24, "a storage setting that this Django ignores")
REMOVED_MEDIA_STORAGE = error(25, "an upload storage that this Django ignores")
UNLOCKED_FRONT_END = warning(26, "the front-end build has no lock file")
LOCAL_MEDIA = notice(27, "uploads lie on the disk of the container")
RULES = (
    NO_ROOT, NOT_HASHED, WHITENOISE, ROOT_AMONG_SOURCES, REMOVED_STORAGE, REMOVED_MEDIA_STORAGE, UNLOCKED_FRONT_END,
    LOCAL_MEDIA,
)  # fmt: skip

_WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
_SECURITY = "django.middleware.security.SecurityMiddleware"
# May stand in front of WhiteNoise: they answer probes or set headers, and its documentation or theirs says so.
_IN_FRONT = re.compile(
    r"SecurityMiddleware$|[Hh]ealth|[Cc]ors|prometheus|[Cc]orrelation|[Rr]equest_?[Ii][Dd]"
)
_DEFAULT = "django.contrib.staticfiles.storage.StaticFilesStorage"
_FILE_SYSTEM = "django.core.files.storage.FileSystemStorage"


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    if "django.contrib.staticfiles" in facts.apps:
        yield from _root(facts)
        yield from _hashed(facts)
    yield from _removed(facts)
    yield from _whitenoise(facts)
    yield from _media(facts)
    end = facts.project.front_end
    if end is not None and not end.lock:
        yield UNLOCKED_FRONT_END.found(
            "the front-end build has no lock file", end.origin,
            why="what it builds with is another thing every day; nuages leaves it out of the image",
            fix=f"{end.manager} install, and commit its lock file",
        )  # fmt: skip


def _root(facts: Facts) -> Iterator[Finding]:
    root = facts.setting("STATIC_ROOT")
    if root is None or (root.is_known and root.value in (None, "") and not root.variables):
        if root is not None or facts.is_unset("STATIC_ROOT"):
            yield NO_ROOT.found(
                "STATIC_ROOT is unset: collectstatic fails", root.origin if root else facts.settings_origin,
                why="nuages collects to a folder of its own and serves it; nothing else does",
                fix=f'STATIC_ROOT = {_beside(facts, "staticfiles")}',
            )  # fmt: skip
        return
    sources = facts.setting("STATICFILES_DIRS")
    if (
        sources is not None
        and root.is_known
        and isinstance(sources.value, list)
        and root.value in sources.value
    ):
        yield ROOT_AMONG_SOURCES.found(
            f"STATIC_ROOT {root.value!r} is one of STATICFILES_DIRS", root.origin, sources.origin,
            why="collectstatic would collect its own output; Django refuses it (staticfiles.E002)",
            fix=f'STATIC_ROOT = {_beside(facts, "collected")}',
        )  # fmt: skip


def _beside(facts: Facts, folder: str) -> str:
    """Return an expression for a folder beside the project's code."""
    base = "BASE_DIR" if facts.setting("BASE_DIR") else "Path(__file__).resolve().parent.parent"
    return f'{base} / "{folder}"'


def _hashed(facts: Facts) -> Iterator[Finding]:
    place = facts.setting("STORAGES") or facts.setting("STATICFILES_STORAGE")
    backend = storage(facts, "staticfiles")
    former = facts.value("STATICFILES_STORAGE", _DEFAULT)
    # A former setting that is not heeded any more is a finding of its own.
    if backend != _DEFAULT or (former != _DEFAULT and facts.setting("STORAGES") is None):
        return
    where = place.origin if place else facts.settings_origin
    yield NOT_HASHED.found(
        "static files have no hash in their names", where,
        why="browsers must ask again for each; nuages hashes them when it collects (the manifest is not strict)",
        fix='STORAGES = {**STORAGES, "staticfiles": {"BACKEND": '
        '"django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}' if place and place.name == "STORAGES"
        else _storages('"django.contrib.staticfiles.storage.ManifestStaticFilesStorage"'),
    )  # fmt: skip


def storage(facts: Facts, alias: str) -> str | None:
    """Return the class of one of STORAGES as the project's Django takes it; None where that is not known."""
    old, name = {
        "staticfiles": ("STATICFILES_STORAGE", _DEFAULT),
        "default": ("DEFAULT_FILE_STORAGE", _FILE_SYSTEM),
    }[alias]
    setting = facts.setting("STORAGES")
    if setting is not None:
        entry = setting.value.get(alias) if isinstance(setting.value, dict) else None
        backend = entry.get("BACKEND") if isinstance(entry, dict) else None
        return backend if isinstance(backend, str) else None
    former = facts.setting(old)
    if former is not None and not facts.django_is(5, 1):
        return former.value if former.is_known and isinstance(former.value, str) else None
    return name if former is not None or facts.is_unset(old) else None


def _storages(static: str, default: str = f'"{_FILE_SYSTEM}"') -> str:
    return f'STORAGES = {{\n    "default": {{"BACKEND": {default}}},\n    "staticfiles": {{"BACKEND": {static}}},\n}}'


def _removed(facts: Facts) -> Iterator[Finding]:
    if not facts.django_is(5, 1) or facts.setting("STORAGES") is not None:
        return
    static, media = facts.setting("STATICFILES_STORAGE"), facts.setting("DEFAULT_FILE_STORAGE")
    series = ".".join(map(str, facts.django or ()))
    whole = _storages(_text(static, _DEFAULT), _text(media, _FILE_SYSTEM))
    if media is not None and media.value not in (None, _FILE_SYSTEM):
        yield REMOVED_MEDIA_STORAGE.found(
            f"DEFAULT_FILE_STORAGE is ignored by Django {series}", media.origin,
            why=f"it went away in 5.1: uploads go to the local disk, not to {media.value}", fix=whole,
        )  # fmt: skip
    if static is not None and static.value not in (None, _DEFAULT):
        yield REMOVED_STORAGE.found(
            f"STATICFILES_STORAGE is ignored by Django {series}", static.origin,
            why=f"it went away in 5.1: {static.value} is not used", fix=whole,
        )  # fmt: skip


def _text(setting: Assignment | None, default: str) -> str:
    return f'"{setting.value}"' if setting is not None and isinstance(setting.value, str) else f'"{default}"'


def _whitenoise(facts: Facts) -> Iterator[Finding]:
    names = facts.middleware
    if _WHITENOISE not in names:
        return
    at = names.index(_WHITENOISE)
    in_front = [one for one in names[:at] if one and not _IN_FRONT.search(one)]
    late_security = _SECURITY in names[at:]
    if not in_front and not late_security:
        return
    setting = facts.setting("MIDDLEWARE")
    origin = setting.origin if setting else facts.settings_origin
    told = (
        f"in front of it stand {', '.join(in_front[:3])}"
        if in_front
        else "SecurityMiddleware stands behind it"
    )
    yield WHITENOISE.found(
        "WhiteNoise does not stand right behind SecurityMiddleware", _whitenoise_line(facts, origin),
        why=f"{told}: each static file goes through that, or misses the security headers\n"
        "nuages serves static files before Django; other servers go by this order",
        fix=f'move "{_WHITENOISE}"\nright behind "{_SECURITY}"',
    )  # fmt: skip


def _whitenoise_line(facts: Facts, origin: Origin) -> Origin:
    return facts.line_in(origin, re.escape(_WHITENOISE))


def _media(facts: Facts) -> Iterator[Finding]:
    if facts.media.startswith("s3://"):
        return
    root = facts.setting("MEDIA_ROOT")
    if root is None or not root.is_known or not root.value or storage(facts, "default") != _FILE_SYSTEM:
        return
    if root.variables or re.match(r"/(data|tmp|var/tmp|mnt|srv)(/|$)", str(root.value)):
        return
    if str(root.value).startswith("/"):
        yield LOCAL_MEDIA.found(
            f"uploads lie in {root.value}, outside of the project", root.origin,
            why="the image puts a volume in the place of a folder of the project only: elsewhere its root is read-only",
            fix=f"mount a volume at {root.value}, or MEDIA_ROOT = {_beside(facts, 'media')}",
        )  # fmt: skip
        return
    yield LOCAL_MEDIA.found(
        f"uploads lie in {root.value}, on the disk of the container", root.origin,
        why="the image puts a volume there; two replicas on two machines do not see each other's uploads",
        fix="mount one volume for all replicas, or take a bucket: django-storages as STORAGES[\"default\"]",
    )  # fmt: skip
