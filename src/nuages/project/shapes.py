"""The shape that a variable's text must have for its reader, where the kind does not tell: JSON, a PEM key, a date …"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum


class Shape(str, Enum):
    """What the text is parsed as."""

    DECIMAL = "decimal"
    JSON = "json"
    JSON_LIST = "json-list"
    PAIRS = "pairs"
    """`key=value,key=value`: django-environ's and environs' dict."""

    BASE64 = "base64"
    """Of 32 bytes: what Fernet takes (its specification, «Key Format»), and good for whoever decodes any."""

    BASE64_JSON = "base64-json"
    HEX = "hex"
    PRIVATE_KEY = "private-key"
    PUBLIC_KEY = "public-key"
    """In PEM (RFC 7468)."""

    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    UUID = "uuid"
    ADDRESS = "address"
    CACHE = "cache"
    SEARCH = "search"
    """URLs whose schemes are django-environ's own."""

    EMAIL = "email"
    LOG_LEVEL = "log-level"


_USES: Mapping[str, Shape] = {
    "float": Shape.DECIMAL, "decimal.Decimal": Shape.DECIMAL, "json.loads": Shape.JSON, "orjson.loads": Shape.JSON,
    "simplejson.loads": Shape.JSON, "ast.literal_eval": Shape.JSON, "yaml.safe_load": Shape.JSON,
    "base64.b64decode": Shape.BASE64, "base64.urlsafe_b64decode": Shape.BASE64,
    "base64.standard_b64decode": Shape.BASE64, "cryptography.fernet.Fernet": Shape.BASE64,
    "bytes.fromhex": Shape.HEX, "bytearray.fromhex": Shape.HEX, "binascii.unhexlify": Shape.HEX,
    "binascii.a2b_hex": Shape.HEX, "binascii.a2b_base64": Shape.BASE64,
    "datetime.date.fromisoformat": Shape.DATE, "datetime.datetime.fromisoformat": Shape.DATETIME,
    "uuid.UUID": Shape.UUID, "ipaddress.ip_address": Shape.ADDRESS, "ipaddress.ip_network": Shape.ADDRESS,
}  # fmt: skip
_LAST: Mapping[str, Shape] = {
    "load_pem_private_key": Shape.PRIVATE_KEY, "load_pem_public_key": Shape.PUBLIC_KEY,
    "from_pem": Shape.PRIVATE_KEY, "import_key": Shape.PRIVATE_KEY, "importKey": Shape.PRIVATE_KEY,
    "from_service_account_info": Shape.JSON,
}  # fmt: skip
_METHODS: Mapping[str, Shape] = {
    "float": Shape.DECIMAL, "decimal": Shape.DECIMAL, "timedelta": Shape.DECIMAL, "json": Shape.JSON,
    "dict": Shape.PAIRS, "date": Shape.DATE, "datetime": Shape.DATETIME, "time": Shape.TIME, "uuid": Shape.UUID,
    "cache": Shape.CACHE, "cache_url": Shape.CACHE, "search_url": Shape.SEARCH, "log_level": Shape.LOG_LEVEL,
}  # fmt: skip
_ANNOTATIONS: Mapping[str, Shape] = {
    "float": Shape.DECIMAL, "Decimal": Shape.DECIMAL, "timedelta": Shape.DECIMAL, "Json": Shape.JSON,
    "dict": Shape.JSON, "Dict": Shape.JSON, "list": Shape.JSON_LIST, "List": Shape.JSON_LIST, "tuple": Shape.JSON_LIST,
    "set": Shape.JSON_LIST, "date": Shape.DATE, "datetime": Shape.DATETIME, "time": Shape.TIME, "UUID": Shape.UUID,
    "IPvAnyAddress": Shape.ADDRESS, "IPv4Address": Shape.ADDRESS, "EmailStr": Shape.EMAIL,
}  # fmt: skip
_NAMES = (
    (r"(RSA|PEM|JWT|OIDC|JWK|SAML|SIGNING|EC|ED25519|TLS|SSL|APP)_(PRIVATE|SIGNING)_KEY$|^PRIVATE_KEY$|PRIVATE_(KEY_)?PEM$",
     Shape.PRIVATE_KEY),
    (r"(RSA|PEM|JWT|OIDC|JWK|SAML)_(PUBLIC|VERIFYING)_KEY$|PUBLIC_(KEY_)?PEM$", Shape.PUBLIC_KEY),
    (r"FERNET|(FIELD|DATA|TOKEN|DB|MFA|CREDENTIALS?)_ENC(RYPTION)?_KEY$|^ENCRYPTION_KEY$", Shape.BASE64),
)  # fmt: skip


def of_use(function: str) -> Shape | None:
    """Return what a function takes a text for, by its dotted name."""
    return _USES.get(function) or _LAST.get(function.rpartition(".")[2])


def of_method(method: str) -> Shape | None:
    """Return what a method of django-environ or environs reads."""
    return _METHODS.get(method)


def of_annotation(annotation: str) -> Shape | None:
    """Return what pydantic-settings reads for a field of this type; collections are JSON there."""
    words = re.findall(r"\w+", annotation)
    return next((_ANNOTATIONS[word] for word in words if word in _ANNOTATIONS), None)


def of_name(name: str, default: str | None) -> Shape | None:
    """Return what a variable holds by its default's text, or by its name: keys are parsed far from the settings."""
    if default and "-----BEGIN" in default[:20]:
        return Shape.PUBLIC_KEY if "PUBLIC KEY" in default[:40] else Shape.PRIVATE_KEY
    return next((shape for pattern, shape in _NAMES if re.search(pattern, name.upper())), None)


def nested(outer: Shape, inner: Shape) -> Shape:
    """Return the shape of a text that is decoded twice: JSON in base64."""
    return Shape.BASE64_JSON if (outer, inner) == (Shape.JSON, Shape.BASE64) else inner
