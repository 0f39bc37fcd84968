"""Command lines in files: what each becomes; Procfile and shell scripts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nuages.errors import Origin
from nuages.explain import arguments, others
from nuages.explain.arguments import Command
from nuages.explain.facts import Fate, Outcome, Row, Setting, drop, nothing, undecided
from nuages.explain.quantities import in_seconds
from nuages.explain.servers import known, of_variable
from nuages.explain.wrappers import Words

_PROCFILE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(.+)")
_SCRIPT = re.compile(r"\.(sh|bash)$|entrypoint|/[\w-]*(start|run|boot)[\w-]*$")
_STOPS_WITHIN = 35.0  # seconds; --drain 5s and --grace 30s, the defaults
_LONGEST_QUOTATION = 60  # lines
_LONGEST_VALUE = 10_000  # characters; of `A=$A$A` each line doubles it
# What ends a here-document; not bash's `<<< word`, nor `$((1<<4))`.
HEREDOC = re.compile(r"(?<!<)<<-?(?!<)\s*[\"']?([A-Za-z_]\w*)")
_ASSIGNED = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(?:\"([^\"`]*)\"|'([^']*)'|([^\s\"'`;&|()]*))")
_NAMED = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DECLARED = re.compile(r"export((?:\s+[A-Za-z_]\w*)+)")
_LABEL = re.compile(r"\(?[^()$;&<>=`]*\)\s*")
"""What a clause of `case` begins with: `web | worker)` (POSIX, Shell Command Language, 2.9.4.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What belongs to one server, or to none: its settings and rows in the order of the file.

    `scripts` are shell scripts that it starts, by the names that they have there; `folders` those where its files may
    lie, beside the file's own. `starts` is a command's server, which may have no setting but a file that is absent.
    `copies` says where paths of its image lie beside its Dockerfile, and `folder` where it is started there;
    `variables` are set for scripts, which may start a
    server. `is_image`: it starts what an image says that is not read; `dockerfile` is of its image,
    behind the folder that it is built in; `files` are texts that are mounted there, by their names.
    """

    name: str
    items: tuple[Setting | Row, ...]
    wrappers: tuple[Words, ...] = ()
    scripts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    starts: str = ""
    copies: tuple[tuple[str, str], ...] = ()
    folder: str = "/"
    variables: tuple[tuple[Origin, str, str], ...] = ()
    is_image: bool = False
    dockerfile: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    @property
    def server(self) -> str:
        """The server whose settings these are, "" for none."""
        return next((item.server for item in self.items if isinstance(item, Setting)), self.starts)


def row(origin: Origin, name: str, text: str, outcome: Outcome) -> Row:
    """Return a row that needs no table."""
    return Row(origin=origin, name=name, text=" ".join(text.split()), outcome=outcome)


def line(
    text: str,
    origin: Origin,
    name: str,
    *,
    variables: Mapping[str, str] | None = None,
    is_procfile: bool = False,
) -> Part:
    """Return what a command line becomes: a server's settings, or a row for what else it runs. Never raises.

    `variables` are set when it is run.
    """
    try:
        commands = [command.filled(defaults(variables or {})) for command in arguments.split(text)]
    except ValueError as error:
        return Part(
            name=name,
            items=(row(origin, name, text, undecided(f"cannot be read as a command line: {error}")),),
        )
    return of_commands(commands, origin, name, is_procfile=is_procfile)


def of_commands(
    commands: Iterable[Command],
    origin: Origin,
    name: str,
    *,
    variables: Sequence[Setting | Row] = (),
    is_procfile: bool = False,
) -> Part:
    """Return what simple commands become; the first server among them is the one that counts."""
    items: list[Setting | Row] = list(variables)
    wrappers: tuple[Words, ...] = ()
    serving = ""
    started: list[str] = []
    for command in commands:
        items += environment(command.variables, command.origin(origin), command.server or serving)
        started += [words[0] for words in command.wrappers]
        started += () if command.server else command.words[:2]
        if command.server and not serving:
            serving, wrappers = command.server, command.wrappers
            items += arguments.settings(command, origin)
        elif command.words and not others.is_syntax(command.words):
            outcome = others.outcome(command, name, is_procfile=is_procfile)
            items.append(row(command.origin(origin), name, command.text, outcome))
    if not serving:
        items = [_unused(item) for item in items]
    names = tuple(dict.fromkeys(word for word in started if _SCRIPT.search(word)))
    return Part(name=name, items=tuple(items), wrappers=wrappers, scripts=names, starts=serving)


def stopping(text: str, why: str) -> Outcome:
    """Return what becomes of the time that a server has to stop; `why` is said where it is too short."""
    try:
        is_enough = in_seconds(text.replace("min", "m").replace(" ", "")) > _STOPS_WITHIN
    except ValueError:
        is_enough = text == "infinity"
    return (
        nothing("longer than --drain and --grace together (35s): requests in flight end")
        if is_enough
        else undecided(why)
    )


def defaults(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those variables whose values may stand in for them: PORT is read here too, whatever it is."""
    return {name: value for name, value in variables.items() if name != "PORT" and "$" not in value}


def _unused(setting: Setting | Row) -> Row:
    if isinstance(setting, Row):
        return setting
    return row(setting.origin, setting.name, setting.text, drop("stays in the environment"))


def environment(variables: Iterable[tuple[str, str]], origin: Origin, server: str) -> Iterator[Setting | Row]:
    """Yield what variables mean: a server's options, what nuages reads itself, or nothing."""
    for name, value in variables:
        own = of_variable(name)
        if name == "GUNICORN_CMD_ARGS" and server in {"", "gunicorn"}:
            try:
                words = arguments.split(value)
            except ValueError:
                words = []
            for command in words:
                yield from arguments.parse("gunicorn", command.words, origin, rank=1, unknown=command.unknown)
        elif own and server in {"", own[0]}:
            found = known(*own)
            yield Setting(
                server=own[0], name=name, key=found.key if found else own[1], text=value,
                values=(arguments.named(value),), origin=origin, rank=1,
            )  # fmt: skip
        elif name in {"WEB_CONCURRENCY", "PORT"}:
            read = {"WEB_CONCURRENCY": "workers", "PORT": "bind, as 0.0.0.0:$PORT"}[name]
            yield row(origin, name, value, nothing(f"read here too: {read}"))
        elif name == "DJANGO_SETTINGS_MODULE":
            yield row(origin, name, value, nothing("read here too: the settings module"))
        elif name == "FORWARDED_ALLOW_IPS" and server in {"gunicorn", "uvicorn"}:
            yield Setting(
                server=server, name=name, key="forwarded-allow-ips", text=value,
                values=(arguments.named(value),), origin=origin, rank=1,
            )  # fmt: skip
        else:
            yield row(origin, name, "…", drop("stays in the environment"))


def procfile(text: str, path: str) -> list[Part]:
    """Return the parts of a Procfile: one a line."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        if match := _PROCFILE.fullmatch(raw.strip()):
            found.append(line(match[2], Origin(path, number), match[1], is_procfile=True))
    return found


def joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text by the number of their first, continued ones joined at their backslashes."""
    parts: list[str] = []
    start = 0
    for number, raw in enumerate(text.splitlines(), 1):
        if parts and raw.lstrip().startswith("#"):
            continue
        start = start if parts else number
        parts.append(raw.rstrip().removesuffix("\\"))
        if not raw.rstrip().endswith("\\"):
            yield start, " ".join(part.strip() for part in parts) if len(parts) > 1 else parts[0]
            parts = []
    if parts:
        yield start, " ".join(part.strip() for part in parts)


def script(text: str, path: str, *, first: int = 1, variables: Mapping[str, str] | None = None) -> list[Part]:
    """Return the parts of a shell script: its servers, and a row for each command that means something here.

    It begins with line `first` of the file; `variables` are set when it starts.
    """
    found: list[Part] = []
    variables = dict(variables or {})
    ends: list[str] = []
    exported: list[tuple[Origin, str, str]] = []
    cases = 0
    functions = set(re.findall(r"^[ \t]*(?:function[ \t]+)?(\w+)[ \t]*\(\)", text, re.MULTILINE))
    for number, raw in _whole(text):
        stripped = raw.strip()
        if ends:
            ends = ends[1:] if stripped == ends[0] else ends
            continue
        if not stripped or stripped.startswith("#"):
            continue
        ends = HEREDOC.findall(stripped)
        cases += bool(re.match(r"case\s", stripped)) - bool(re.search(r"(^|[\s;])esac\b", stripped))
        if cases > 0 and (label := _LABEL.match(stripped)):
            stripped = stripped[label.end() :]
        stripped = _NAMED.sub(lambda match: variables.get(match[1] or match[2], match[0]), stripped)
        if assigned := _ASSIGNED.fullmatch(stripped):
            value = assigned[2] or assigned[3] or assigned[4] or ""
            variables[assigned[1]] = value if len(value) <= _LONGEST_VALUE else f"${{{assigned[1]}}}"
            if not stripped.startswith("export"):
                continue
            if server_of(assigned[1]):
                exported.append((Origin(path, number + first - 1), assigned[1], value))
                continue
        if _DECLARED.fullmatch(stripped):
            continue
        part = line(stripped, Origin(path, number + first - 1), "")
        items = [item for item in part.items if isinstance(item, Setting) or _speaks(item, functions)]
        if part.server:
            items = [*_given(exported, part.server), *items]
            exported = [one for one in exported if not _given([one], part.server)]
        if items:
            found.append(replace(part, items=tuple(items)))
    rows = tuple(_unused(item) for one in exported for item in environment([one[1:]], one[0], ""))
    return [*found, *([Part(name="", items=rows)] if rows else [])]


def server_of(name: str) -> str:
    """Return the server that an environment variable gives an option to, "" for any other variable."""
    own = ("gunicorn", "config") if name == "GUNICORN_CMD_ARGS" else of_variable(name)
    return own[0] if own and known(*own) else ""


def _given(variables: Iterable[tuple[Origin, str, str]], server: str) -> list[Setting]:
    """Return the options of a server that variables give it."""
    return [
        item
        for origin, name, value in variables
        for item in environment([(name, value)], origin, server)
        if isinstance(item, Setting)
    ]


def with_variables(part: Part, variables: Sequence[tuple[Origin, str, str]]) -> Part:
    """Return a server's part with the options that variables of its image or container give it."""
    return replace(part, items=(*_given(variables, part.server), *part.items)) if part.server else part


def _whole(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines, those together between which a quotation goes on."""
    held: list[str] = []
    start = 0
    for number, raw in joined(text):
        start = start if held else number
        held.append(raw)
        whole = "\n".join(held)
        if len(held) > _LONGEST_QUOTATION or raw.lstrip().startswith("#") or arguments.is_whole(whole):
            yield start, whole
            held = []
    yield from ((start, line) for line in held)


def _speaks(item: Row, functions: Collection[str]) -> bool:
    """Whether a row of a script says more than that the line stays."""
    first = item.text.split(" ")[0] if item.text else ""
    is_said = item.outcome.fate is not Fate.DROPPED or not item.text.startswith("…")
    return is_said and first not in functions
