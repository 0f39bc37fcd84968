"""How libraries read the environment: which argument is the name, which the default, and what the text becomes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from nuages.project import shapes
from nuages.project.model import VariableKind
from nuages.project.shapes import Shape
from nuages.project.values import Dotted, Reader

OS = "os.environ"
DJANGO_ENVIRON = "django-environ"
ENVIRONS = "environs"
DECOUPLE = "python-decouple"
STARLETTE = "starlette"
DYNACONF = "dynaconf"
URL_HELPER = "dj-database-url"

BOOL, INTEGER, LIST = VariableKind.BOOL, VariableKind.INTEGER, VariableKind.LIST
URL, PATH, TEXT = VariableKind.URL, VariableKind.PATH, VariableKind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call that reads a variable. `raises`: without a default it raises when the variable is not set."""

    name: ast.expr | str
    reader: str
    default: ast.expr | None = None
    cast: ast.expr | None = None
    kind: VariableKind | None = None
    shape: Shape | None = None
    raises: bool = True
    prefix: str = ""
    casts_default: bool = False
    value: tuple[object, ...] = ()
    """The default as a value, where it is no expression of the call: one item or none."""


_KINDS: Mapping[str, VariableKind] = {
    "bool": BOOL, "boolean": BOOL, "int": INTEGER, "integer": INTEGER, "list": LIST, "tuple": LIST, "path": PATH,
    "url": URL, "db": URL, "db_url": URL, "cache": URL, "cache_url": URL, "email": URL, "email_url": URL,
    "search_url": URL, "channels": URL, "channels_url": URL, "dj_db_url": URL, "dj_email_url": URL,
    "dj_cache_url": URL, "str": TEXT, "string": TEXT, "unicode": TEXT, "bytes": TEXT, "float": TEXT, "json": TEXT,
    "dict": TEXT, "get_value": TEXT, "date": TEXT, "datetime": TEXT, "timedelta": TEXT, "uuid": TEXT,
    "log_level": TEXT, "enum": TEXT, "decimal": TEXT, "literal": TEXT, "__call__": TEXT, "get": TEXT, "time": TEXT,
}  # fmt: skip
# The variable that a method without arguments reads (django-environ, «Supported types»).
_OWN_NAMES: Mapping[str, str] = {
    "db": "DATABASE_URL", "db_url": "DATABASE_URL", "cache": "CACHE_URL", "cache_url": "CACHE_URL",
    "email": "EMAIL_URL", "email_url": "EMAIL_URL", "search_url": "SEARCH_URL", "channels": "CHANNELS_URL",
    "channels_url": "CHANNELS_URL",
}  # fmt: skip
# Helpers that read a URL variable of their own and give an empty value without it.
_URL_HELPERS: Mapping[str, str] = {
    "dj_database_url.config": "DATABASE_URL",
    "dj_email_url.config": "EMAIL_URL",
    "django_cache_url.config": "CACHE_URL",
    "dj_search_url.config": "SEARCH_URL",
    "dj_redis_url.config": "REDIS_URL",
    "django_heroku.settings": "DATABASE_URL",
}
_OS_CALLS = frozenset(
    {"os.getenv", "os.environ.get", "os.environ.setdefault", "os.environ.pop", "os.environ.__getitem__"}
)
# Calls that make a reader; the value is the library.
MAKERS: Mapping[str, str] = {
    "environ.Env": DJANGO_ENVIRON,
    "environ.FileAwareEnv": DJANGO_ENVIRON,
    "environ.environ.Env": DJANGO_ENVIRON,
    "environs.Env": ENVIRONS,
    "environs.FileAwareEnv": ENVIRONS,
    "epicenv.Env": ENVIRONS,
    "envparse.Env": DJANGO_ENVIRON,
    "decouple.AutoConfig": DECOUPLE,
    "decouple.Config": DECOUPLE,
    "starlette.config.Config": STARLETTE,
}
# Names that are readers as they are imported.
READY: Mapping[str, str] = {
    "decouple.config": DECOUPLE,
    "environs.env": ENVIRONS,
    "envparse.env": DJANGO_ENVIRON,
}
# Called with a variable's name, a function with one of these names reads it, whichever package it comes from.
_LIKELY = frozenset(
    {
        "env", "config", "getenv", "get_env", "env_var", "get_env_variable", "get_env_var", "env_bool", "env_str",
        "env_int",
    }
)  # fmt: skip


def by_dotted(function: Dotted, call: ast.Call) -> Request | None:
    """Return what a call of something outside reads, or None when it reads nothing."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    first = call.args[0] if call.args else keywords.get("key") or keywords.get("name")
    if function.name in _OS_CALLS:
        if first is None:
            return None
        default = call.args[1] if len(call.args) > 1 else keywords.get("default") or keywords.get("value")
        raises = function.name.endswith(("pop", "__getitem__"))
        return Request(name=first, reader=OS, default=default, raises=raises)
    if function.name in _URL_HELPERS:
        name = keywords.get("env") or (call.args[0] if call.args and "database" in function.name else None)
        return Request(
            name=name or _URL_HELPERS[function.name], reader=URL_HELPER, default=keywords.get("default"), kind=URL,
            raises=False,
        )  # fmt: skip
    module, _, last = function.name.rpartition(".")
    is_likely = last in _LIKELY or (
        "env" in module and last.startswith(("get_", "read_", "parse_", "require_"))
    )
    if is_likely and isinstance(first, ast.Constant) and _is_name(first.value):
        default = keywords.get("default") or (call.args[1] if len(call.args) > 1 else None)
        return Request(name=first, reader=function.name.split(".")[0], default=default, raises=False)
    return None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isupper() and value.replace("_", "").isalnum()


def by_reader(reader: Reader, method: str, call: ast.Call) -> Request | None:
    """Return what a call of a reader's method reads (`__call__` for the reader itself)."""
    if method not in _KINDS:
        return None
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    positional = list(call.args)
    name: ast.expr | str | None = positional[0] if positional else keywords.get("var") or keywords.get("name")
    name = name or keywords.get("option") or keywords.get("key") or _OWN_NAMES.get(method)
    if name is None:
        return None
    second = positional[1] if len(positional) > 1 else None
    third = positional[2] if len(positional) > 2 else None
    kind: VariableKind | None = _KINDS[method]
    default, cast = keywords.get("default"), keywords.get("cast") or keywords.get("subcast")
    is_mapping = reader.library in {DECOUPLE, DYNACONF} and method in {"__call__", "get"}
    if reader.library == ENVIRONS or is_mapping:
        default = default or second
        cast = cast or (third if reader.library == DECOUPLE else None)
    elif reader.library == STARLETTE or method in {"__call__", "list", "tuple", "dict", "get_value"}:
        cast, default = cast or second, default or third
    else:
        default = default or second
    if method in {"__call__", "get", "get_value"}:
        kind = None
    return Request(
        name=name,
        reader=reader.library,
        default=None if _is_notset(default) else default,
        cast=cast,
        kind=kind,
        shape=shapes.of_method(method),
        raises=reader.library != DYNACONF,
        prefix=reader.prefix,
        casts_default=reader.library in {DECOUPLE, STARLETTE},
    )


def _is_notset(node: ast.expr | None) -> bool:
    # `default=env.NOTSET`, `default=undefined`, `default=...` all mean: none.
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in {"NOTSET", "undefined", "Undefined"} or (
        isinstance(node, ast.Constant) and node.value is ...
    )


def cast_kind(cast: object) -> VariableKind | None:
    """Return what a cast makes of the text: `bool`, `int`, `list`, decouple's Csv …"""
    name = cast.name if isinstance(cast, Dotted) else ""
    last = name.rpartition(".")[2]
    return {"bool": BOOL, "strtobool": BOOL, "int": INTEGER, "list": LIST, "tuple": LIST, "Csv": LIST, "set": LIST,
            "CommaSeparatedStrings": LIST, "Path": PATH, "parse": URL, "db_url": URL, "URL": URL}.get(last)  # fmt: skip


def parsed(text: str, kind: VariableKind | None) -> object:
    """Return the value that a reader makes of a text; raises ValueError when it cannot be read."""
    if kind is BOOL:
        return text.strip().lower() in {"true", "on", "ok", "y", "yes", "1", "t"}
    if kind is INTEGER:
        return int(text)
    if kind is LIST:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
