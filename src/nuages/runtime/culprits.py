"""Settings of a wrong kind: which one it was where Django or nuages failed on it, far from the line that sets it.

They are looked at only once something has failed. A wrong value that nobody reads harms nobody.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from nuages.errors import NuagesError, StartError
from nuages.runtime.sources import assignment, line_of

Fits = Callable[[Any], bool]

_OF_KIND = (TypeError, AttributeError, ValueError, LookupError, AssertionError)
"""What values of a wrong kind raise. ImportError is not among them: it names what it misses."""


_LATE = {"Promise", "LazyObject"}
"""Django's classes for it, by name: the supervisor's modules import no Django."""

_READERS = {
    "/logging/config.py": "LOGGING", "/django/apps/": "INSTALLED_APPS", "/django/db/utils.py": "DATABASES",
    "/django/core/cache/__init__.py": "CACHES", "/django/template/utils.py": "TEMPLATES",
    "/django/core/handlers/base.py": "MIDDLEWARE", "/django/core/files/storage/handler.py": "STORAGES",
    "/django/contrib/staticfiles/finders.py": "STATICFILES_FINDERS", "/django/template/engine.py": "TEMPLATES",
    "/django/urls/resolvers.py": "ROOT_URLCONF", "/django/middleware/clickjacking.py": "X_FRAME_OPTIONS",
}  # fmt: skip
"""Who reads a setting and names it in no error: the last of these files in a traceback tells which one it was."""


_RARELY_READ = {"AUTHENTICATION_BACKENDS", "X_FRAME_OPTIONS"}
"""No failure is theirs that does not name them or come from who reads them: not every project uses them."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What Django takes for a setting, in words and as a test, and a line to paste."""

    wanted: str
    fits: Fits
    line: str


@dataclass(frozen=True, slots=True)
class Culprit:
    """A setting whose value cannot be used: `where` is `file:line`, `why` does not show the value, maybe a secret."""

    name: str
    where: str
    why: str
    line: str


def _text(value: Any) -> bool:
    return isinstance(value, str) or _is_late(value)


def _is_late(value: Any) -> bool:
    """Return whether a value is made when it is used: translated texts, `reverse_lazy`."""
    return not _LATE.isdisjoint(base.__name__ for base in type(value).__mro__)


def _url(value: Any) -> bool:
    if not _text(value):
        return False
    try:
        return _is_late(value) or urlsplit(value) is not None
    except ValueError:
        return False


def _path(value: Any) -> bool:
    if not isinstance(value, (str, os.PathLike)):
        return False
    path = os.fspath(value)
    return isinstance(path, str) and "\0" not in path


def _place(value: Any) -> bool:
    """Return whether it is an entry of STATICFILES_DIRS: a folder, or a prefix and a folder."""
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    return (_text(value[0]) and _path(value[1])) if is_pair else _path(value)


def _app(value: Any) -> bool:
    return _text(value) and bool(str(value)) and all(str(value).split("."))


def _header(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_text, value))


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _each(fits: Fits) -> Fits:
    return lambda value: isinstance(value, (list, tuple)) and all(map(fits, value))


def _by_name(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(one, Mapping) for name, one in value.items()
    )


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _host(value: Any) -> bool:
    """Return whether it is an entry of ALLOWED_HOSTS: what is empty fits no host, and Django passes it over."""
    return not value or _text(value)


def _urls(value: Any) -> bool:
    return _text(value) or isinstance(value, (ModuleType, tuple))


_TEXTS = _each(_text)
_FOLDERS = _each(_path)
_KINDS: Mapping[str, _Kind] = {
    "ALLOWED_HOSTS": _Kind("a list of host names", _each(_host), 'ALLOWED_HOSTS = ["shop.example"]'),
    "AUTHENTICATION_BACKENDS": _Kind(
        "a list of names", _TEXTS, 'AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]'
    ),
    "CACHES": _Kind(
        "a dictionary with one for each cache", _by_name,
        'CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}',
    ),
    "DATABASES": _Kind(
        "a dictionary with one for each database", _by_name,
        'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}}',
    ),
    "DATABASE_ROUTERS": _Kind("a list", lambda value: isinstance(value, (list, tuple)), "DATABASE_ROUTERS = []"),
    "FORCE_SCRIPT_NAME": _Kind("a path or None", _or_none(_text), 'FORCE_SCRIPT_NAME = "/shop"'),
    "INSTALLED_APPS": _Kind(
        "a list of the applications' names", _each(_app), 'INSTALLED_APPS = ["django.contrib.staticfiles", "shop"]',
    ),
    "LANGUAGE_CODE": _Kind("the code of a language", _text, 'LANGUAGE_CODE = "en-us"'),
    "LOCALE_PATHS": _Kind("a list of folders", _FOLDERS, 'LOCALE_PATHS = [BASE_DIR / "locale"]'),
    "LOGGING": _Kind("a dictionary", _mapping, 'LOGGING = {"version": 1}'),
    "LOGGING_CONFIG": _Kind(
        "the name of a function or None", _or_none(_text), 'LOGGING_CONFIG = "logging.config.dictConfig"'
    ),
    "MEDIA_ROOT": _Kind("a folder", _path, 'MEDIA_ROOT = BASE_DIR / "media"'),
    "MEDIA_URL": _Kind("a path or a URL", _url, 'MEDIA_URL = "/media/"'),
    "MIDDLEWARE": _Kind(
        "a list of names", _TEXTS, 'MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]'
    ),
    "MIGRATION_MODULES": _Kind("a dictionary", _mapping, "MIGRATION_MODULES = {}"),
    "ROOT_URLCONF": _Kind("the name of a module", _urls, 'ROOT_URLCONF = "shop.urls"'),
    "SECURE_PROXY_SSL_HEADER": _Kind(
        "a pair of texts or None", _or_none(_header),
        'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")',
    ),
    "STATICFILES_DIRS": _Kind(
        "a list of folders, or of pairs of a prefix and a folder", _each(_place),
        'STATICFILES_DIRS = [BASE_DIR / "static"]',
    ),
    "STATICFILES_FINDERS": _Kind(
        "a list of names", _TEXTS,
        'STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder"]',
    ),
    "STATIC_ROOT": _Kind("a folder or None", _or_none(_path), 'STATIC_ROOT = BASE_DIR / "staticfiles"'),
    "STATIC_URL": _Kind("a path or a URL", _or_none(_url), 'STATIC_URL = "static/"'),
    "STORAGES": _Kind(
        "a dictionary with one for each storage", _by_name,
        'STORAGES = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}, '
        '"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}',
    ),
    "TEMPLATES": _Kind(
        "a list of dictionaries", _each(_mapping),
        'TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]',
    ),
    "TIME_ZONE": _Kind("the name of a time zone", _or_none(_text), 'TIME_ZONE = "UTC"'),
    "X_FRAME_OPTIONS": _Kind("DENY, SAMEORIGIN or another text", _text, 'X_FRAME_OPTIONS = "DENY"'),
}  # fmt: skip


def find(module: str | None) -> Iterator[Culprit]:
    """Yield the settings of a wrong kind, as the loaded settings module itself has them."""
    values = vars(sys.modules[module]) if module in sys.modules else {}
    for name, kind in _KINDS.items():
        if name in values and not kind.fits(values[name]):
            yield Culprit(name, line_of(module or "", name), _why(values[name], kind.wanted), kind.line)


def _why(value: Any, wanted: str) -> str:
    kind = type(value).__name__
    inside = f" of {_kinds(value)}" if isinstance(value, (list, tuple)) and value else ""
    if isinstance(value, Mapping) and value:
        inside = f" with {_kinds(value.values())}"
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind}{inside} stands where {wanted} is wanted"


def _kinds(values: Any) -> str:
    return ", ".join(sorted({type(one).__name__ for one in values}))


def error_of(error: BaseException, module: str | None, *, what: str = "") -> StartError | None:
    """Return the error that names the settings of a wrong kind behind an exception; None where there are none.

    `what` says what could not be done, where it is not the setting's own fault alone.
    """
    refused = type(error).__name__ == "ImproperlyConfigured"
    if not (refused or isinstance(error, _OF_KIND)):
        return None
    said = f"{type(error).__name__}: {error}"
    read = set(_readers(error))
    found = [
        each
        for each in find(module)
        if each.name in said or each.name in read or not (refused or each.name in _RARELY_READ)
    ]
    if not found:
        return None
    first = next((each for each in found if each.name in said), found[0])
    others = "".join(f"\n{each.name} too, {each.where}: {each.why}" for each in found if each is not first)
    return StartError(
        f"{first.name} is of the wrong kind" + (f": {what}" if what else ""),
        where=first.where, why=f"{first.why}\n{said}{others}", hint=first.line,
    )  # fmt: skip


def place(error: BaseException, module: str | None) -> str:
    """Return `file:line` of the setting that an error is about: it names it or its value, or its reader raised it."""
    if module not in sys.modules:
        return ""
    known = vars(sys.modules[module])
    names = [name for name in re.findall(r"\b[A-Z][A-Z_]{3,}\b", str(error)) if name in known]
    names += [name for name in _readers(error) if name in known]
    names += [name for name, value in _texts(known) if _is_about(error, value)]
    found = (assignment(module, name) for name in names)
    return next((str(one[0]) for one in found if one), "")


def _texts(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the settings that are texts, and the classes that are asked for users: Django's error names one of them."""
    yield from ((name, value) for name, value in known.items() if name.isupper() and isinstance(value, str))
    listed = known.get("AUTHENTICATION_BACKENDS")
    if isinstance(listed, (list, tuple)):
        yield from (("AUTHENTICATION_BACKENDS", one) for one in listed if isinstance(one, str))


def _is_about(error: BaseException, value: str) -> bool:
    """Return whether an error tells a setting's value: «Incorrect timezone setting: Mars».

    Of a class that cannot be imported it tells a part: «No module named 'shop'», «Module "shop.auth" does not define a
    "Backend" attribute/class».
    """
    said = {word for word in re.split(r"[\s'\"]+", str(error)) if len(word) > 2}
    absent = error.name if isinstance(error, ModuleNotFoundError) else None
    module, _, attribute = value.rpartition(".")
    is_there = value in said or bool(module and {module, attribute} <= said)
    return is_there or bool(absent and f"{value}.".startswith(f"{absent}."))


def _readers(error: BaseException) -> Iterator[str]:
    """Yield the settings that an error's frames were reading, the innermost first."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = frame.filename.replace("\\", "/")
        yield from (name for part, name in _READERS.items() if part in file)


@contextmanager
def blamed() -> Iterator[None]:
    """Let what fails in this block be told as the fault of the settings of a wrong kind, if there are any.

    Anything else passes: it is a fault of ours, and its traceback is wanted.
    """
    try:
        yield
    except NuagesError:
        raise
    except _OF_KIND as error:
        told = error_of(error, os.environ.get("DJANGO_SETTINGS_MODULE"))
        if told is None:
            raise
        raise told from None
