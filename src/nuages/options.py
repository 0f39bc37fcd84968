"""One declaration per option: flag, NUAGES_* variable, TOML key, help text, documentation row and provenance.

An option is one field of a frozen dataclass, made with `declare`. Values are read sparsely from four sources, of
which the strongest that speaks wins: flag > environment > file > default. Where a value came from is kept.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nuages.errors import Origin, UsageError
from nuages.kinds import Kind

T = TypeVar("T")

PREFIX = "NUAGES_"
DEFAULT = Origin("default")

# Kubernetes injects these for a Service that is called «nuages» (service links, v1 of the Service API). One of them,
# NUAGES_PORT=tcp://10.0.0.7:80, has the name of an option: its value tells which it is.
_SERVICE_LINK = re.compile(
    r"NUAGES_(SERVICE_(HOST|PORT(_.+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)

# Words that people know from other servers, and what says the same here.
KNOWN_ELSEWHERE: Mapping[str, str] = {
    "access-logfile": "access-log",
    "die-on-term": "grace",
    "disable-lifespan": "app",
    "ds": "settings",
    "env": "env-file",
    "forwarded-allow-ips": "trusted-proxies",
    "graceful-timeout": "grace",
    "harakiri": "timeout",
    "host": "bind",
    "http": "bind",
    "http-socket": "bind",
    "http-timeout": "timeout",
    "https": "tls-cert",
    "keepalive": "keep-alive",
    "limit-concurrency": "threads",
    "limit-max-requests": "recycle-requests",
    "listen": "bind",
    "master": "workers",
    "max-requests": "recycle-requests",
    "max-requests-delta": "recycle-requests",
    "max-requests-jitter": "recycle-requests",
    "max-worker-lifetime": "recycle-age",
    "module": "app",
    "port": "bind",
    "post-buffering": "buffer-requests",
    "proxy-request-buffering": "buffer-requests",
    "processes": "workers",
    "reload-on-rss": "recycle-memory",
    "socket": "bind",
    "ssl-certfile": "tls-cert",
    "ssl-keyfile": "tls-key",
    "timeout-graceful-shutdown": "grace",
    "timeout-keep-alive": "keep-alive",
    "uds": "bind",
    "wsgi-file": "app",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """All that is known of one option; `name` is the flag without its dashes and the TOML key.

    One that is `rare` is only named in a command's help, and explained in the reference.
    """

    name: str
    kind: Kind[Any]
    default: Any
    default_text: str
    help: str
    group: str
    short: str = ""
    repeatable: bool = False
    rare: bool = False
    aliases: Mapping[str, Callable[[str], str]] = dataclasses.field(default_factory=dict)

    @property
    def flag(self) -> str:
        """`--recycle-requests`."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """`NUAGES_RECYCLE_REQUESTS`."""
        return PREFIX + self.name.replace("-", "_").upper()

    @property
    def field(self) -> str:
        """The dataclass field: `recycle_requests`."""
        return self.name.replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Texts that one source gave for one option, and where they stand."""

    texts: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved(Generic[T]):
    """The values of one option class and, for each field, where its value came from."""

    value: T
    origins: Mapping[str, Origin]


def declare(
    kind: Kind[Any],
    *,
    default: Any,
    help: str,  # noqa: A002 - the field's standard name
    group: str,
    default_text: str | None = None,
    short: str = "",
    repeatable: bool = False,
    rare: bool = False,
    aliases: Mapping[str, Callable[[str], str]] | None = None,
) -> Any:
    """Return the dataclass field that is the one declaration of an option; its name is the field's.

    `aliases` are environment variables other than our own that may give the value, each with the function that
    turns its text into ours. A repeatable option has a tuple as its value. `rare`: help only names it.
    """
    extra = {
        "kind": kind,
        "help": help,
        "group": group,
        "short": short,
        "repeatable": repeatable,
        "rare": rare,
    }
    metadata = {"option": {**extra, "default_text": default_text, "aliases": aliases or {}}}
    return dataclasses.field(default=default, metadata=metadata)


def options_of(declaration: type[Any]) -> tuple[Option, ...]:
    """Return the options that a dataclass declares, in the order of their declaration."""
    found = []
    for field in dataclasses.fields(declaration):
        if "option" not in field.metadata:
            continue
        facts = dict(field.metadata["option"])
        text = facts.pop("default_text")
        default_text = _default_text(field.default) if text is None else text
        name = field.name.replace("_", "-")
        found.append(Option(name=name, default=field.default, default_text=default_text, **facts))
    return tuple(found)


def resolve(
    declaration: type[T],
    *,
    flags: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    file: Mapping[str, Given],
) -> Resolved[T]:
    """Return the values for one option class. `flags` and `file` are keyed by option name.

    Raises UsageError, naming the origin, for a value that does not parse, and for none or two that differ where
    one is taken.
    Names are not checked here: see `check_variables` and `check_keys`.
    """
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for option in options_of(declaration):
        given = _given(option, flags, environ, file)
        if given is None:
            origins[option.field] = DEFAULT
            continue
        _agree(option, given)
        parsed = tuple(_parse(option, text, given.origin) for text in given.texts)
        values[option.field] = parsed if option.repeatable else parsed[-1]
        origins[option.field] = given.origin
    return Resolved(value=declaration(**values), origins=origins)


def _agree(option: Option, given: Given) -> None:
    if option.repeatable or len(set(given.texts)) == 1:
        return
    if not given.texts:
        raise UsageError(
            f"{option.flag} has no value", where=f"given by {given.origin}", why="the list there is empty",
            hint=f"take {option.name} out, or give it a value",
        )  # fmt: skip
    raise UsageError(
        f"{option.flag} is given several values",
        where=f"given by {given.origin}",
        why=f"it takes one: {', '.join(given.texts)}",
        hint=f"leave one of them: {option.flag} {given.texts[-1]}",
    )


def _given(
    option: Option, flags: Mapping[str, Sequence[str]], environ: Mapping[str, str], file: Mapping[str, Given]
) -> Given | None:
    if option.name in flags:
        return Given(texts=tuple(flags[option.name]), origin=Origin(option.flag))
    if option.variable in environ and not is_service_link(option.variable, environ[option.variable]):
        text = environ[option.variable]
        texts = tuple(text.split()) if option.repeatable else (text,)
        return Given(texts=texts, origin=Origin(option.variable))
    if option.name in file:
        return file[option.name]
    for variable, translate in option.aliases.items():
        if environ.get(variable):
            return Given(texts=(translate(environ[variable]),), origin=Origin(f"${variable}"))
    return None


def is_service_link(variable: str, value: str) -> bool:
    """Whether Kubernetes has set it, for a Service that happens to have the name of an option's variable."""
    return bool(_SERVICE_LINK.fullmatch(variable) and re.match(r"(tcp|udp|sctp)://", value))


def _parse(option: Option, text: str, origin: Origin) -> Any:
    try:
        return option.kind.parse(text)
    except ValueError as error:
        raise UsageError(
            f"{option.flag} cannot be {text!r}" if text else f"{option.flag} has no value",
            where=f"given by {origin}",
            why=str(error),
            hint=f"{option.flag} {option.kind.metavar}{_example(option)}"
            if option.kind.metavar
            else f"{option.variable}=on or {option.variable}=off; on the command line {option.flag} alone",
        ) from None


def _example(option: Option) -> str:
    """Return a value that parses, as the end of a hint; nothing where the declaration gives none."""
    text = next(iter(option.kind.choices), "") or option.default_text.split(" ")[0].rstrip(",;")
    if not text or text.startswith(("$", "the")):
        return ""
    try:
        option.kind.parse(text)
    except ValueError:
        return ""
    return f", for example {option.flag} {text}"


def _default_text(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    return str(value)


def check_variables(environ: Iterable[str], known: Iterable[Option]) -> None:
    """Raise UsageError for a NUAGES_* variable that no option has; Kubernetes' service links are let through."""
    variables = {option.variable: option for option in known}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in variables or _SERVICE_LINK.fullmatch(name):
            continue
        meant = closest(name.removeprefix(PREFIX).lower().replace("_", "-"), variables.values())
        raise UsageError(
            f"unknown variable {name}",
            where="set in the environment",
            why="nuages ignores nothing silently: every NUAGES_* variable must be one of its options",
            hint=f"did you mean {meant.variable}?" if meant else f"unset {name}",
        )


def check_keys(file: Mapping[str, Given], known: Iterable[Option]) -> None:
    """Raise UsageError for a key of [tool.nuages] that no option has."""
    options = {option.name: option for option in known}
    for key, given in file.items():
        if key in options:
            continue
        meant = closest(key.replace("_", "-"), options.values())
        raise UsageError(
            f"unknown key {key!r} in the configuration of nuages",
            where=given.origin,
            why="nuages ignores nothing silently: every key must be one of its options",
            hint=f"did you mean {meant.name}?" if meant else f"remove the key {key!r}",
        )


def unknown_flag(flag: str, known: Iterable[Option], command: str) -> UsageError:
    """Return the error for a flag that a command does not have."""
    name = flag.lstrip("-").partition("=")[0]
    meant = closest(name, known)
    called = f"nuages {command}".rstrip()
    if meant is None:
        hint = f"see `{called} --help`"
    elif KNOWN_ELSEWHERE.get(name) == meant.name:
        hint = f"nuages calls it {meant.flag}: {meant.help}"
    else:
        hint = f"did you mean {meant.flag}?"
    return UsageError(
        f"unknown option {flag.partition('=')[0]}", where="given on the command line",
        why=f"`{called}` has no such option", hint=hint,
    )  # fmt: skip


def closest(word: str, known: Iterable[Option]) -> Option | None:
    """Return the option that somebody who wrote `word` most likely means, or None."""
    import difflib  # here, as the supervisor would keep it in memory

    options = {option.name: option for option in known}
    elsewhere = KNOWN_ELSEWHERE.get(word)
    if elsewhere in options:
        return options[elsewhere]
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return options[near[0]]
    foreign = difflib.get_close_matches(word, KNOWN_ELSEWHERE, n=1, cutoff=0.8)
    return options.get(KNOWN_ELSEWHERE[foreign[0]]) if foreign else None
