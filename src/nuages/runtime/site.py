"""The project, loaded and ready to serve: its callables, which way its URLs take, and its static files."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from nuages.errors import NuagesError, StartError
from nuages.runtime import acceptance, loggers, pools, templates
from nuages.runtime.application import Application
from nuages.runtime.bucket import bucket_of
from nuages.runtime.collected import files_of_project
from nuages.runtime.django import Bringer, Report, check_time_zone, import_django
from nuages.runtime.faults import start_error
from nuages.runtime.filling import Wish
from nuages.runtime.handlers import Handlers
from nuages.runtime.media import Media
from nuages.runtime.proxies import Proxies
from nuages.runtime.routers import lacks_http, with_http
from nuages.runtime.settings import Settings
from nuages.runtime.static import Files
from nuages.runtime.uploads import media_location, media_of_project
from nuages.runtime.views import Views
from nuages.runtime.xsendfile import Locations, locations_of

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the protocol serves.

    `wsgi` answers in threads and `asgi` on the loop; one of them may be None. `views` tells which of the two a path
    takes; None: there is no choice. `websockets`: the ASGI application answers them. `ssl_header` is the WSGI name
    of the header that SECURE_PROXY_SSL_HEADER believes. `media` are the uploads to serve, `locations` the folders that
    views may send files from.
    """

    wsgi: Wsgi | None
    asgi: Asgi | None
    views: Views | None
    files: Files
    media: Media | None = None
    locations: Locations = field(default_factory=lambda: Locations(()))
    websockets: bool = False
    debug: bool = False
    ssl_header: str = ""
    handlers: Handlers


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One imported entry point.

    `is_django`: the callable is Django's own handler, bare or as an agent wraps what Django's factory returns, and not
    the project's wrapper or subclass.
    """

    path: str
    kind: str
    callable: Any
    is_django: bool


def load(application: Application, settings: Settings, report: Report, *, first: bool = True) -> Site:
    """Import the project and return what serves it. `first`: try what only a start need try.

    Raises StartError for a project that does not load, with the traceback from the first frame that is the
    project's own, and ProjectError for settings that must not be served.
    """
    directories = prepare_path(application)
    version = import_django(directories)
    wish = Wish(
        who="serve",
        static_root=settings.static_root or os.path.join(application.directory, "staticfiles"),  # noqa: PTH118
        debug=settings.debug,
        moves_static=settings.static_root_always,
        local_hosts=_names(settings) if application.local else (),
        speaks_tls=settings.tls_cert is not None,
        bucket=bucket_of(settings.media),
    )
    bringer = Bringer(version=version, wish=wish, fills=settings.fill_settings, report=report)
    handlers = Handlers(Proxies(settings.trusted_proxies))
    with bringer.watching(), handlers.watching():
        entries = import_entries(application, directories)
        bring_up(bringer, directories, application.settings)
        check_time_zone(report)
        from django.conf import settings as django_settings

        for line in pools.scarce(django_settings.DATABASES or {}, settings.threads):
            report("limits", line)
        if settings.fill_settings and (said := loggers.describe()):
            report("settings", f"settings: {said}")
        if settings.reload:
            templates.check(directories)
        site = _site(entries, handlers, directories, settings, report)
        acceptance.check(directories, report)
        return _with_media(site, application.directory, settings, report, first=first)


def prepare_path(application: Application) -> tuple[str, ...]:
    """Make the project importable as its own manage.py would: sys.path, the settings module, the directory."""
    directories = (application.directory, *application.paths)
    for directory in reversed(directories):
        if directory not in sys.path[: len(directories)]:
            sys.path.insert(0, directory)
    if application.settings:
        os.environ["DJANGO_SETTINGS_MODULE"] = application.settings
    if application.configuration:
        os.environ.setdefault("DJANGO_CONFIGURATION", application.configuration)
    os.chdir(application.directory)
    return directories


def bring_up(bringer: Bringer, directories: tuple[str, ...], settings: str | None) -> None:
    """Set Django up where no entry module has done it; raises StartError where that fails, with the project's line."""
    import django
    from django.apps import apps

    if apps.ready and bringer.done:
        return
    module = os.environ.get("DJANGO_SETTINGS_MODULE") or settings
    try:
        django.setup()
    except NuagesError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project's code raises
        raise _settings_error(error, directories, module) from None


def _settings_error(error: BaseException, directories: tuple[str, ...], module: str | None) -> NuagesError:
    loading = f"the settings module {module}" if module else "the settings"
    return start_error(error, directories=directories, settings=module, loading=loading)


def bring_up_alone(bringer: Bringer, application: Application, directories: tuple[str, ...]) -> None:
    """Set Django up as manage.py does: entry modules stay out unless only they make it possible.

    Old layouts put a folder of applications on sys.path in manage.py and wsgi.py, so what INSTALLED_APPS names may
    not be found without. That has to be seen beforehand: a failed `django.setup()` cannot be repeated. Raises
    StartError where it fails all the same.
    """
    from django.conf import settings

    if application.settings is None and "DJANGO_SETTINGS_MODULE" not in os.environ:
        import_entries(application, directories)
    first: BaseException | None = None
    try:
        bringer.fill_settings()
        lacking = _lacks_applications(settings.INSTALLED_APPS)
    except NuagesError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project's code raises
        # What failed is no settings that entry modules could prepare for, and is not tried again.
        if bringer.done:
            module = os.environ.get("DJANGO_SETTINGS_MODULE") or application.settings
            raise _settings_error(error, directories, module) from None
        lacking, first = True, error
    if lacking and application.apps:
        try:
            import_entries(application, directories)
        except NuagesError:
            if bringer.done:
                raise
            # What settings say when they are loaded a second time may be about that alone.
            if first is not None and not isinstance(first, ImportError):
                module = os.environ.get("DJANGO_SETTINGS_MODULE") or application.settings
                raise _settings_error(first, directories, module) from None
    bring_up(bringer, directories, application.settings)


def _lacks_applications(installed: Iterable[Any]) -> bool:
    roots = {str(name).partition(".")[0] for name in installed}
    return any(root not in sys.modules and importlib.util.find_spec(root) is None for root in roots if root)


def import_entries(application: Application, directories: tuple[str, ...]) -> tuple[Entry, ...]:
    """Import the entry modules for their side effects and their callables; raises StartError."""
    return tuple(_entry(path, directories, application.settings) for path in application.apps)


def _entry(path: str, directories: tuple[str, ...], settings: str | None) -> Entry:
    module_name, _, attribute = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except NuagesError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project's code raises
        named = os.environ.get("DJANGO_SETTINGS_MODULE") or settings
        if isinstance(error, ModuleNotFoundError) and error.name and module_name.startswith(error.name):
            raise StartError(
                f"there is no module {module_name}", where=f"--app {path}", why=str(error),
                hint="name the entry point with --app MODULE:NAME, for example shop.wsgi:application",
            ) from None  # fmt: skip
        loading = f"the entry module {module_name}"
        raise start_error(error, directories=directories, settings=named, loading=loading) from None
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise StartError(
            f"{module_name} has no {attribute}", where=f"--app {path}",
            why=f"{module.__file__} was imported, but nothing in it has this name",
            hint=f"name it with --app {module_name}:NAME; startproject calls it application",
        )  # fmt: skip
    if not callable(found):
        raise StartError(
            f"{path} is no application", where=f"--app {path}", why=f"it is a {type(found).__name__}",
            hint="name a WSGI or ASGI callable with --app MODULE:NAME",
        )  # fmt: skip
    kind = kind_of(found, module_name)
    return Entry(path=path, kind=kind, callable=found, is_django=_is_django(found))


def _is_django(found: Any) -> bool:
    return type(found).__module__ in {"django.core.handlers.wsgi", "django.core.handlers.asgi"}


def kind_of(found: Any, module: str = "") -> str:
    """Return `wsgi`, `asgi` or `asgi2` for a callable, by inspection; the module's name decides where nothing does."""
    for base in type(found).__mro__:
        if base.__module__ == "django.core.handlers.wsgi":
            return "wsgi"
        if base.__module__ == "django.core.handlers.asgi":
            return "asgi"
    call = found if inspect.isroutine(found) or inspect.isclass(found) else type(found).__call__
    if inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(call):
        return "asgi"
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    required = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        required = []
    by_count = {1: "asgi2", 2: "wsgi", 3: "asgi"}
    return by_count.get(len(required)) or ("asgi" if "asgi" in module else "wsgi")


def _site(
    entries: tuple[Entry, ...],
    handlers: Handlers,
    directories: tuple[str, ...],
    settings: Settings,
    report: Report,
) -> Site:
    from django.conf import settings as django_settings

    entries = tuple(
        dataclasses.replace(entry, is_django=entry.is_django or handlers.is_given(entry.callable))
        for entry in entries
    )
    wsgi = next((entry for entry in entries if entry.kind == "wsgi"), None)
    asgi = next((entry for entry in entries if entry.kind != "wsgi"), None)
    module = getattr(django_settings, "SETTINGS_MODULE", None)
    for left in entries:
        taken = wsgi if left.kind == "wsgi" else asgi
        if taken and left.callable is not taken.callable:
            interface = "WSGI" if left.kind == "wsgi" else "ASGI"
            report(
                "warning",
                f"{left.path} is not served: the {interface} application is {taken.path}, named first",
            )
    try:
        wsgi_call, asgi_call, views = _ways(wsgi, asgi, handlers)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project's code raises
        raise start_error(
            error, directories=directories, settings=module, loading="the project's URLs and middleware"
        ) from None
    if asgi and not asgi.is_django:
        what = "async views and WebSockets" if wsgi_call else "every request"
        what = "WebSockets, and has no application for http" if lacks_http(asgi.callable) else what
        report("entry", f"{asgi.path} answers {what}")
    header = getattr(django_settings, "SECURE_PROXY_SSL_HEADER", None)
    files = files_of_project(django_settings, settings, report)
    return Site(
        wsgi=wsgi_call,
        asgi=asgi_call,
        views=views,
        files=files,
        handlers=handlers,
        websockets=bool(asgi and not asgi.is_django),
        debug=bool(django_settings.DEBUG),
        ssl_header=header[0] if header else "",
    )


def _with_media(site: Site, directory: str, options: Settings, report: Report, *, first: bool) -> Site:
    """Return the site with its uploads, and the folders that its views may send from."""
    from django.conf import settings

    media = media_of_project(
        settings, options.media, options.media_max_age, report, directory=directory, tests=first
    )
    locations = locations_of(settings, options.sendfile, media_location(settings))
    return dataclasses.replace(site, media=media, locations=locations)


def _ways(
    wsgi: Entry | None, asgi: Entry | None, handlers: Handlers
) -> tuple[Wsgi | None, Asgi | None, Views | None]:
    """Return the WSGI callable, the ASGI callable and who chooses between them.

    A customised entry point that stands alone answers everything, as it does under its own server.
    """
    if asgi and asgi.kind == "asgi" and lacks_http(asgi.callable):
        views = Views()
        routed = with_http(asgi.callable, handlers.own_asgi()) if views.any_async else asgi.callable
        wsgi_call = wsgi.callable if wsgi else handlers.own_wsgi()
        return wsgi_call, handlers.asgi(routed, "asgi", alone=False), views
    if asgi and not asgi.is_django and not wsgi:
        return None, handlers.asgi(asgi.callable, asgi.kind, alone=True), None
    if wsgi and not wsgi.is_django and not asgi:
        return wsgi.callable, None, None
    wsgi_call = wsgi.callable if wsgi else handlers.own_wsgi()
    views = Views()
    if asgi and not asgi.is_django:
        return wsgi_call, handlers.asgi(asgi.callable, asgi.kind, alone=False), views
    if not views.any_async:
        return wsgi_call, None, None
    own = asgi.callable if asgi else handlers.own_asgi()
    return wsgi_call, handlers.asgi(own, "asgi", alone=False), views


def _names(settings: Settings) -> tuple[str, ...]:
    """Return the host names under which the bind addresses can be reached from this machine."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    for address in settings.bind:
        if address.host and address.host not in {"0.0.0.0", "::"}:
            name = f"[{address.host}]" if ":" in address.host else address.host
            if name not in names:
                names.append(name)
    return tuple(names)
