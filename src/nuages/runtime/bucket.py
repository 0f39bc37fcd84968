"""A bucket of S3 or of a store that speaks its protocol, as `s3://BUCKET/PREFIX?endpoint_url=…` names it.

The parameters are settings of django-storages' S3 backend, under its names. Where it has a default that loses or
publishes something, ours is the other one: a file never overwrites another, and signatures are version 4, which every
store takes. Credentials have no place in an option, which is printed: boto3 finds them as it always does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from nuages.kinds import Kind, duration

SCHEME = "s3://"
NEW_STORAGE = "storages.backends.s3.S3Storage"
OLD_STORAGE = "storages.backends.s3boto3.S3Boto3Storage"
REQUIREMENT = "django-storages[s3]"
PACKAGES = {"django-storages": "storages", "boto3": "boto3"}  # what it takes, and the modules it is known by

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")


def _boolean(text: str) -> bool:
    known = {
        "true": True,
        "on": True,
        "1": True,
        "yes": True,
        "false": False,
        "off": False,
        "0": False,
        "no": False,
    }
    if text.lower() not in known:
        raise ValueError("it is neither true nor false")
    return known[text.lower()]


def _text(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


def _url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("it is not a URL such as https://minio.example:9000")
    if url.username or url.password:
        raise ValueError("it holds credentials")
    return text


def _style(text: str) -> str:
    if text not in ("path", "virtual", "auto"):
        raise ValueError("it is none of path, virtual, auto")
    return text


_PARAMETERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    # the parameter → its kind, and django-storages' setting of before it took OPTIONS
    "endpoint_url": (_url, "AWS_S3_ENDPOINT_URL"),
    "region_name": (_text, "AWS_S3_REGION_NAME"),
    "custom_domain": (_text, "AWS_S3_CUSTOM_DOMAIN"),
    "addressing_style": (_style, "AWS_S3_ADDRESSING_STYLE"),
    "signature_version": (_text, "AWS_S3_SIGNATURE_VERSION"),
    "querystring_auth": (_boolean, "AWS_QUERYSTRING_AUTH"),
    "querystring_expire": (lambda text: int(duration.parse(text)), "AWS_QUERYSTRING_EXPIRE"),
    "default_acl": (_text, "AWS_DEFAULT_ACL"),
    "file_overwrite": (_boolean, "AWS_S3_FILE_OVERWRITE"),
    "session_profile": (_text, "AWS_S3_SESSION_PROFILE"),
    "verify": (lambda text: text if text.startswith("/") else _boolean(text), "AWS_S3_VERIFY"),
    "max_memory_size": (int, "AWS_S3_MAX_MEMORY_SIZE"),
}
_SECRETS = ("access_key", "secret_key", "security_token", "cloudfront_key", "password", "token")
_OURS: Mapping[str, Any] = {"file_overwrite": False, "signature_version": "s3v4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`prefix` has no slash at its ends. `parameters` are those that were given, as django-storages takes them."""

    name: str
    prefix: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}/{self.prefix}".rstrip("/")

    @property
    def options(self) -> dict[str, Any]:
        """The OPTIONS of django-storages' backend."""
        found = {"bucket_name": self.name, **({"location": self.prefix} if self.prefix else {})}
        return {**found, **_OURS, **self.parameters}

    @property
    def old_settings(self) -> dict[str, Any]:
        """The same as settings, for a Django without STORAGES."""
        names = {name: setting for name, (_, setting) in _PARAMETERS.items()}
        names |= {"bucket_name": "AWS_STORAGE_BUCKET_NAME", "location": "AWS_LOCATION"}
        return {names[name]: value for name, value in self.options.items()}


def parse_bucket(text: str) -> Bucket:
    """Return the bucket that a URL names; raise ValueError with what is wrong with it."""
    if not text.startswith(SCHEME):
        raise ValueError("it is not s3://BUCKET/PREFIX")
    place, _, query = text.removeprefix(SCHEME).partition("?")
    name, _, prefix = place.partition("/")
    if "@" in name:
        raise ValueError(
            "credentials do not belong here: boto3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a bucket" if name else "it names no bucket")
    prefix = unquote(prefix).strip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise ValueError(f"the prefix {prefix!r} has an empty part or a dot as one")
    parameters: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        parameters[key] = _parameter(key, value)
    return Bucket(name=name, prefix=prefix, parameters=parameters)


def _parameter(key: str, value: str) -> Any:
    if key in _SECRETS:
        raise ValueError(
            f"{key} does not belong here: boto3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if key not in _PARAMETERS:
        import difflib  # here, as the supervisor would keep it in memory

        near = difflib.get_close_matches(key, _PARAMETERS, n=1)
        meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(_PARAMETERS)}"
        raise ValueError(f"it has no parameter {key}: {meant}")
    try:
        return _PARAMETERS[key][0](value)
    except ValueError as error:
        raise ValueError(f"{key} cannot be {value!r}: {error}") from None


def _text_of_bucket(text: str) -> str:
    parse_bucket(text)
    return text


bucket: Kind[str] = Kind("s3://BUCKET/PREFIX", _text_of_bucket)


def _media(text: str) -> str:
    if text.startswith(SCHEME):
        parse_bucket(text)
    elif text not in {"on", "off", "auto"}:
        raise ValueError("it is none of on, off, auto and s3://BUCKET/PREFIX")
    return text


media: Kind[str] = Kind("on|off|auto|s3://BUCKET/PREFIX", _media, ("on", "off", "auto"))
"""Where media is: not here, in MEDIA_ROOT, or in a bucket."""


def bucket_of(media: str | None) -> Bucket | None:
    """Return the bucket that the option --media names, if it names one."""
    return parse_bucket(media) if media is not None and media.startswith(SCHEME) else None
