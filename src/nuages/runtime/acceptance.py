"""Settings that load, and that every page then fails on: tried at the start, where the error can name them.

Only what Django itself does with them for each request or each page is done here. What a single view uses may be wrong
for years, and nobody is harmed: an API that renders no template serves with template engines that cannot be made, one
whose users have tokens with authentication backends that are not there, and a warning tells it. With the admin its
pages would fail, or its login, and it does not start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from nuages.errors import NuagesError, StartError
from nuages.runtime.django import Report
from nuages.runtime.faults import start_error

_FRAMES = "django.middleware.clickjacking.XFrameOptionsMiddleware"
_SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
_MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"


def check(directories: tuple[str, ...], report: Report) -> None:
    """Raise StartError where host names cannot be compared, or middleware fails on every request.

    Template engines and authentication backends that cannot be had are reported, and raised for a project with the
    admin.
    """
    from django.apps import apps

    _tried(_hosts, directories, "ALLOWED_HOSTS")
    _tried(_middleware, directories, "what the project's middleware needs")
    for step, loading, outcome in (
        (_engines, "the template engines", "views with a template fail"),
        (_backends, "the authentication backends", "nobody can log in"),
    ):
        try:
            _tried(step, directories, loading)
        except StartError as error:
            if apps.is_installed("django.contrib.admin"):
                raise
            report("warning", f"{outcome}: {error.what} ({error.where})")


def check_as_commands_do(directories: tuple[str, ...]) -> None:
    """Raise StartError for what Django's checks raise, with which its commands begin; what they tell is theirs."""
    from django.core.checks import run_checks

    _tried(lambda: run_checks(databases=["default"]), directories, "the project's URLs and middleware")


def _tried(step: Callable[[], Any], directories: tuple[str, ...], loading: str) -> None:
    module = os.environ.get("DJANGO_SETTINGS_MODULE")
    try:
        step()
    except NuagesError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project's code raises
        # Django tells which library of tags it is, what is behind that the line in it.
        is_library = type(error).__name__ == "InvalidTemplateLibrary" and error.__cause__ is not None
        told = (is_library and error.__cause__) or error
        raise start_error(told, directories=directories, settings=module, loading=loading) from None


def _hosts() -> None:
    """Compare a name that fits no entry: it is compared with all of them."""
    from django.conf import settings
    from django.http.request import validate_host

    validate_host("nuages.invalid", settings.ALLOWED_HOSTS or ())


def _middleware() -> None:
    """Import and read what Django's own middleware takes from settings for every request."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    if _SESSIONS in settings.MIDDLEWARE:
        import_string(settings.SESSION_SERIALIZER)
    if _MESSAGES in settings.MIDDLEWARE:
        from django.contrib.messages.storage.cookie import CookieStorage
        from django.contrib.messages.storage.fallback import FallbackStorage

        if issubclass(import_string(settings.MESSAGE_STORAGE), (CookieStorage, FallbackStorage)):
            _ = settings.SECRET_KEY  # signs them; Django refuses an empty one when it is read
    if _FRAMES in settings.MIDDLEWARE:
        import_string(_FRAMES)(lambda _: None).get_xframe_options_value(None, None)


def _backends() -> None:
    """Import whom Django asks for a user and what that may do, all of them each time; none is made here."""
    from django.apps import apps
    from django.conf import settings
    from django.utils.module_loading import import_string

    if not apps.is_installed("django.contrib.auth"):
        return
    names = settings.AUTHENTICATION_BACKENDS
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError("AUTHENTICATION_BACKENDS is no list")
    for name in names:
        import_string(name)


def _engines() -> None:
    """Make what templates are rendered by; what is forked has it then."""
    from django.template import engines

    for backend in engines.all():
        engine: Any = getattr(backend, "engine", None)
        _ = getattr(engine, "template_loaders", None), getattr(engine, "template_context_processors", None)
