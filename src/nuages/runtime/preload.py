"""The project loaded for a fork: what its workers would otherwise load one by one, and nothing left open."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from nuages.runtime import site as sites
from nuages.runtime import views
from nuages.runtime.application import Application
from nuages.runtime.django import Report
from nuages.runtime.settings import Settings
from nuages.runtime.site import Site

# Ours, and what uvicorn's Config and Server import when they begin.
_MODULES = (
    "uvloop", "httptools", "uvicorn.server", "uvicorn.lifespan.on", "uvicorn.lifespan.off", "encodings.idna",
    "nuages.runtime.protocol", "nuages.runtime.server", "nuages.runtime.hooks", "nuages.runtime.tls",
    "concurrent.futures.thread",
    "http.cookies", "cgi", "encodings.ascii", "encodings.latin_1", "django.core.handlers.wsgi",
    "django.db.models.sql.compiler", "django.http.multipartparser", "django.views.csrf", "django.views.defaults",
    "django.views.debug", "django.template.context_processors",
)  # fmt: skip


def load(application: Application, settings: Settings, report: Report) -> Site:
    """Load the project and what it uses, and close what that has opened; raises as `site.load` does."""
    site = sites.load(application, settings, report)
    for module in _MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    if site.asgi:  # what uvicorn then loads, and knows WebSockets by
        with contextlib.suppress(ImportError):
            importlib.import_module("uvicorn.protocols.websockets.auto")
    for step in (_databases, _translations, _urls, _models, _backends, _close, _classes):
        # What fails here fails in a request too, where Django says it with a page of its own.
        with contextlib.suppress(Exception, SystemExit):
            step()
    return site


def _databases() -> None:
    from django.db import connections

    for alias in connections:
        _ = connections[alias].features, connections[alias].ops


def _translations() -> None:
    from django.conf import settings
    from django.utils import formats, translation

    with translation.override(settings.LANGUAGE_CODE):
        if settings.USE_I18N:
            translation.gettext("")
        formats.get_format("DATE_FORMAT")


def _urls() -> None:
    """What URLs are matched and reversed by is compiled when it is first used."""
    from django.urls import get_resolver

    resolver: Any = get_resolver()
    for pattern in _patterns(resolver):
        with contextlib.suppress(Exception):
            _ = pattern.pattern.regex
    _ = resolver.reverse_dict, resolver.namespace_dict, resolver.app_dict


def _patterns(resolver: Any) -> Iterator[Any]:
    todo, seen = [resolver], set()
    while todo:
        entry = todo.pop()
        if id(entry) not in seen:
            seen.add(id(entry))
            yield entry
            todo.extend(views.children(entry) or ())


def _models() -> None:
    from django.apps import apps

    for model in apps.get_models(include_auto_created=True, include_swapped=True):
        options: Any = model._meta
        options.get_fields()
        _ = options.concrete_fields, options.local_concrete_fields, options.db_returning_fields


def _backends() -> None:
    """The modules behind settings that name one: caches, sessions, storages, password hashers."""
    from django.conf import settings

    names = [cache.get("BACKEND") for cache in settings.CACHES.values()]
    names += [*settings.AUTHENTICATION_BACKENDS, *settings.PASSWORD_HASHERS[:1]]
    names += [storage.get("BACKEND") for storage in getattr(settings, "STORAGES", {}).values()]
    names += [settings.SESSION_SERIALIZER, settings.MESSAGE_STORAGE, settings.EMAIL_BACKEND]
    for name in (settings.SESSION_ENGINE, *(str(name).rpartition(".")[0] for name in names if name)):
        with contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)


def _close() -> None:
    """Close every connection to a database, also those of pools, and of every cache."""
    from django.core.cache import close_caches
    from django.db import connections

    for alias in connections:
        connection: Any = connections[alias]
        ways: list[Callable[[], None] | None] = [connection.close, getattr(connection, "close_pool", None)]
        for close in ways:
            if close is not None:
                with contextlib.suppress(Exception):
                    close()
    close_caches()


def _classes() -> None:
    """A class is given a number when something is first looked up in it (PyTypeObject.tp_version_tag)."""
    todo: list[type] = [object]
    seen: set[int] = set()  # by id: a metaclass may forbid to hash its classes
    while todo:
        one = todo.pop()
        if id(one) not in seen:
            seen.add(id(one))
            todo += type.__subclasses__(one)
            type.__getattribute__(one, "__init__")  # of the class alone: a metaclass may do more
