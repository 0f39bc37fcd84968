"""Cookies, redirects and origins: what HTTPS behind a proxy needs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, error, notice, warning

COOKIES = warning(10, "session or CSRF cookies are sent over plain HTTP")
REDIRECT = notice(11, "HTTPS is demanded, and nothing says how a proxy tells of it")
ORIGINS = error(12, "CSRF_TRUSTED_ORIGINS has entries without a scheme")
FORWARDED_HOST = warning(13, "X-Forwarded-Host is believed from anybody")
RULES = (COOKIES, REDIRECT, ORIGINS, FORWARDED_HOST)

_COOKIES = (
    ("SESSION_COOKIE_SECURE", "django.contrib.sessions.middleware.SessionMiddleware"),
    ("CSRF_COOKIE_SECURE", "django.middleware.csrf.CsrfViewMiddleware"),
)


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    open_ones = [
        name for name, middleware in _COOKIES if middleware in facts.middleware and _is_off(facts, name)
    ]
    if open_ones:
        found = [each.origin for name in open_ones if (each := facts.setting(name))]
        yield COOKIES.found(
            f"{' and '.join(open_ones)} {'is' if len(open_ones) == 1 else 'are'} off",
            *(found or [facts.settings_origin]),
            why="one request over plain HTTP hands the session to whoever listens (Django's security.W012, W016)",
            fix="\n".join(f"{name} = not DEBUG" for name in open_ones),
        )
    yield from _redirect(facts)
    yield from _origins(facts)
    hosts = facts.value("ALLOWED_HOSTS")
    takes_every = isinstance(hosts, (list, tuple, str)) and "*" in hosts
    if facts.value("USE_X_FORWARDED_HOST") is True and takes_every:
        setting = facts.setting("USE_X_FORWARDED_HOST")
        assert setting is not None
        yield FORWARDED_HOST.found(
            "X-Forwarded-Host is believed, and every name is allowed", setting.origin,
            why="whoever sends the header chooses the site's name in links and redirects",
            fix="USE_X_FORWARDED_HOST = False, or list the site's names in ALLOWED_HOSTS",
        )  # fmt: skip


def _is_off(facts: Facts, name: str) -> bool:
    """Return whether a switch is certainly off; one that a variable decides is whoever's who runs it."""
    setting = facts.setting(name)
    if setting is None:
        return facts.is_unset(name)
    return setting.is_known and setting.value is False and not setting.variables


def _redirect(facts: Facts) -> Iterator[Finding]:
    redirect = facts.setting("SECURE_SSL_REDIRECT")
    if redirect is None or not redirect.is_known or redirect.value is not True:
        return
    if facts.is_unset("SECURE_PROXY_SSL_HEADER"):
        yield REDIRECT.found(
            "SECURE_SSL_REDIRECT is on without SECURE_PROXY_SSL_HEADER", redirect.origin,
            why="behind a proxy that ends TLS every request looks like HTTP and is redirected for ever\n"
            "nuages sets it for requests of --trusted-proxies; no other server does",
            fix='SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")',
        )  # fmt: skip


def _origins(facts: Facts) -> Iterator[Finding]:
    setting = facts.setting("CSRF_TRUSTED_ORIGINS")
    if (
        setting is None
        or not setting.is_known
        or not isinstance(setting.value, list)
        or not facts.django_is(4, 0)
    ):
        return
    bare = [one for one in setting.value if isinstance(one, str) and one and "://" not in one]
    if bare:
        yield ORIGINS.found(
            f"CSRF_TRUSTED_ORIGINS has {', '.join(repr(one) for one in bare[:3])}, without a scheme", setting.origin,
            why="since Django 4.0 such an entry keeps every management command from running (4_0.E001)",
            fix=f"CSRF_TRUSTED_ORIGINS = {json.dumps([_with_scheme(one) for one in setting.value])}",
        )  # fmt: skip


def _with_scheme(origin: str) -> str:
    return origin if "://" in origin else f"https://{origin}"
