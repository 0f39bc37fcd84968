"""The environment variables that the settings read: name, kind, default, required or not, file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project import shapes
from nuages.project.model import Variable, VariableKind
from nuages.project.shapes import Shape

_SECRET = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|PRIVATE_KEY|API_?KEY|ACCESS_KEY|ENCRYPTION_KEY|SIGNING_KEY"
    r"|_PASS$|DBPASS$|_PWD$|_SALT$|(^|_)SALT_KEY$|ACCOUNT_KEY$|SECURITY_KEY$|_PEPPERS?$|HMAC|SENTRY_DSN|^DSN$"
)
_ABOUT_SECRET = re.compile(
    r"ALLOW_CREDENTIALS$|^GOOGLE_APPLICATION_CREDENTIALS$|TOKEN_(URL|URI|ENDPOINT)$"
    r"|_(FILE|FILENAME|PATH|DIR|TYPE|PREFIX|ALGORITHMS?|LENGTH|RATE|HASHERS|VALIDATORS|ENABLED|REQUIRED)$"
    r"|_(LIFETIME|EXPIRY|EXPIRATION|TIMEOUT|TTL|AGE|MINUTES|HOURS|DAYS|SECONDS|LIMIT|COUNT|SIZE)$"
)
"""Names with a secret's word in them that hold none: where one lies, of what kind it is, how long it lives."""
_SECRETS = re.compile(r"(SECRETS?|PASSWORDS?|TOKENS?|API_?KEYS?|KEY_FALLBACKS|ENCRYPTION_KEYS?)$")
"""Lists of them."""
_URL = re.compile(r"(^|_)(URL|URI|DSN|ENDPOINT)S?$")
_HOSTS = re.compile(
    r"ALLOWED_HOST|TRUSTED_ORIGIN|CORS_.*(ORIGIN|WHITELIST)|(^|_)(DOMAINS?|HOSTS|HOSTNAMES?)$"
)
_PATH = re.compile(r"(_|^)(DIR|PATH|ROOT|FOLDER|FILE|FILENAME|APPLICATION_CREDENTIALS)$")
_INTEGER = re.compile(r"(_|^)(PORT|TIMEOUT|SECONDS|AGE|SIZE|COUNT|LIMIT|WORKERS|TTL|DB_INDEX)$")
_BOOL = re.compile(
    r"^(DJANGO_)?DEBUG$|(^|_)(USE|ENABLE|ENABLED|DISABLE|DISABLED|IS)(_|$)|_SSL_REDIRECT$"
    r"|ALLOW_CREDENTIALS$"
)
_TRUTHS = frozenset({"true", "false", "yes", "no", "on", "off"})
# Variables of the platform or of the shell: they are read, but nobody has to set them for the project.
_PLATFORM = frozenset(
    {"DJANGO_SETTINGS_MODULE", "PATH", "HOME", "USER", "PWD", "PYTHONPATH", "LANG", "VIRTUAL_ENV"}
)


@dataclass(slots=True, kw_only=True)
class Read:
    """One place where a variable is read; `kind` and `is_required` become known while the source is followed."""

    name: str
    reader: str
    origin: Origin
    kind: VariableKind | None = None
    shape: Shape | None = None
    default: str | None = None
    has_default: bool = False
    is_required: bool = False
    is_certain: bool = True
    condition: str | None = None
    given: Origin | None = None


def variables(reads: Iterable[Read]) -> tuple[Variable, ...]:
    """Return one variable for each name, in the order in which they are read.

    It is required when any of its reads is; its origin is the first such read, its default the first there is.
    """
    found: dict[str, list[Read]] = {}
    for read in reads:
        if read.name not in _PLATFORM:
            found.setdefault(read.name, []).append(read)
    return tuple(_merged(name, same) for name, same in found.items())


def _merged(name: str, reads: list[Read]) -> Variable:
    required = [read for read in reads if read.is_required]
    decisive = (required or [read for read in reads if read.is_certain] or reads)[0]
    default = next((read.default for read in reads if read.default is not None), None)
    given = next((read.given for read in reads if read.given is not None), None)
    # The last: an expression around another one is looked at after it, and may say more.
    shape = next((read.shape for read in reversed(reads) if read.shape is not None), None)
    kinds = [read.kind for read in reads if read.kind is not None]
    return Variable(
        name=name,
        kind=kind_of(name, kinds[0] if kinds else None, default),
        # A dotenv file that the settings load has it: nothing is missing.
        required=bool(required) and given is None,
        reader=decisive.reader,
        origin=decisive.origin,
        default=default,
        condition=decisive.condition,
        given=given,
        shape=shape or shapes.of_name(name, default),
    )


def is_secret(name: str, value: str = "") -> bool:
    """Return whether a variable holds a secret: by its name, or because its value is an address with a password."""
    return bool(_is_secret(name.upper()) or re.search(r"://[^/\s:@]*:[^/\s@]+@", value))


def _is_secret(upper: str) -> bool:
    return _SECRET.search(upper) is not None and _ABOUT_SECRET.search(upper) is None


def kind_of(name: str, read_as: VariableKind | None, default: str | None) -> VariableKind:
    """Return what a variable holds: by how it is read, then by its name, then by its default's text."""
    upper = name.upper()
    if (
        _HOSTS.search(upper)
        and read_as in {None, VariableKind.LIST, VariableKind.TEXT}
        and not upper.endswith("_HOST")
    ):
        return VariableKind.HOSTS
    if read_as is VariableKind.LIST and _SECRETS.search(upper):
        return VariableKind.SECRET
    if read_as is not None and read_as is not VariableKind.TEXT:
        return read_as
    text = (default or "").strip("\"'")
    if _BOOL.search(upper) and (not text or text.lower() in _TRUTHS or text in {"0", "1"}):
        return VariableKind.BOOL
    # `RATE_LIMIT_CREDENTIALS = "100/5m"`
    if _is_secret(upper) and not re.fullmatch(r"\d+/\d*[a-z]+", text):
        return VariableKind.SECRET
    for pattern, kind in (
        (_URL, VariableKind.URL),
        (_INTEGER, VariableKind.INTEGER),
        (_PATH, VariableKind.PATH),
    ):
        if pattern.search(upper):
            return kind
    if text.lower() in _TRUTHS:
        return VariableKind.BOOL
    if re.match(r"[a-z][a-z0-9+]*://", text):
        return VariableKind.URL
    return VariableKind.TEXT
