"""A server's command line as it stands in a Procfile, a Dockerfile, a unit or a script: words, wrappers, options."""

from __future__ import annotations

import re
import shlex
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nuages.errors import Origin
from nuages.explain import wrappers
from nuages.explain.facts import Row, Setting, drop, normal, undecided
from nuages.explain.servers import TABLES, known, takes_value

_UNKNOWN_WORD = re.compile("\x00(\\d+)\x00")
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_LONGEST = (
    1 << 15
)  # characters of a line; Linux takes four times as many in a word (execve(2)), and people write fewer
_MOST_WORDS = 5000  # of a command; those before its server are read again for each of them
_SUBSTITUTION = re.compile(r"\$\(\([^()]*(?:\([^()]*\)[^()]*)*\)\)|\$\([^()]*\)|`[^`]*`|" + _TEMPLATE.pattern)
_PROGRAM = re.compile("|".join((*TABLES, *wrappers.OWN, *wrappers.SHELLS, r"python[\d.]*")))
APPLICATION = "APP"
_MORE = re.compile(r"\$(?:\w+|\{\w+(?::?-)?\})")
"""What a row calls a word of a command line that is no option: the application, or uWSGI's file."""

_REDIRECTION = re.compile(r"(?<!\S)\d*(?:>>?|<)&[\d-]|&>>?\s*\S+")
_TO_A_FILE = re.compile(r"\d*(?:>>?|<<?-?|<<<)(.*)", re.DOTALL)
_ENTRYPOINT = re.compile(r"\.(sh|bash)$|entrypoint")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_NAMED = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_A_VARIABLE = re.compile(r"\$(\{[^{}]*\}|\w+)")
_PLAIN_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_REQUIRED = re.compile(r"\$\{(\w+):?\?[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A simple command: its variables, the wrappers around it, its own words; `unknown` are substitutions in them.

    `lines` says where each word stands, where that is not the same for all.
    """

    variables: tuple[tuple[str, str], ...]
    wrappers: tuple[wrappers.Words, ...]
    words: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    @property
    def program(self) -> str:
        """The program's own name."""
        return self.words[0].rpartition("/")[2] if self.words else ""

    @property
    def server(self) -> str:
        """The server that it starts, "" for any other program."""
        return self.program if self.program in TABLES else ""

    @property
    def text(self) -> str:
        """The command as a person would write it."""
        return self.restored(" ".join(self.words))

    def origin(self, origin: Origin) -> Origin:
        """Return where the command begins, in the file of `origin`, which is where it stands as a whole."""
        return Origin(origin.place, self.lines[0]) if self.lines else origin

    def filled(self, variables: Mapping[str, str]) -> Command:
        """Return a server's command with defaults for variables that are set elsewhere; others' may be secret."""
        if not self.server:
            return self

        def fill(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            return f"${{{name}:-{variables[name]}}}" if name in variables else match[0]

        return replace(self, words=tuple(_NAMED.sub(fill, word) for word in self.words))

    def restored(self, text: str) -> str:
        """Return a text with the substitutions that were taken out of it."""
        return _UNKNOWN_WORD.sub(lambda match: self.unknown[int(match[1])], text)


def named(text: str) -> str:
    """Return a text whose variables are written `${NAME}`: it has `$NAME` or `${NAME:?why}`."""
    return _PLAIN_VARIABLE.sub(r"${\1}", _REQUIRED.sub(r"${\1}", text))


def split(text: str) -> list[Command]:
    """Return the simple commands of a line of shell. Raises ValueError for unmatched quotes and too long a line."""
    if len(text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST:,} characters")
    taken: list[str] = []

    def take(match: re.Match[str]) -> str:
        taken.append(match[0])
        return f"\x00{len(taken) - 1}\x00"

    plain = _REQUIRED.sub(r"${\1}", text.replace("\x00", "").replace("\\\n", " "))
    plain = _SUBSTITUTION.sub(take, plain)
    plain = _REDIRECTION.sub(" ", plain)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=";&|()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, "#"
    commands: list[Command] = []
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set(";&|()\n"):
            commands += _of_words(_without_files(words), tuple(taken))
            words = []
        else:
            words.append(word)
    return commands


def is_whole(text: str) -> bool:
    """Return whether the quotes of a text match, as far as it is a line that is read."""
    if len(text) > _LONGEST or not {"'", '"', "\\"} & {*text}:
        return True
    try:
        split(text)
    except ValueError:
        return False
    return True


def _without_files(words: Sequence[str]) -> list[str]:
    """Return words without the files that output goes to and input comes from."""
    found: list[str] = []
    is_file = False
    for word in words:
        match = _TO_A_FILE.fullmatch(word)
        if match:
            is_file = not match[1]
        elif is_file:
            is_file = False
        else:
            found.append(word)
    return found


def of_vector(words: Sequence[str], lines: Sequence[int] = ()) -> list[Command]:
    """Return the simple commands that an argument vector runs: one, or those that it gives to a shell.

    `lines` says where each word stands.
    """
    taken: list[str] = []

    def take(match: re.Match[str]) -> str:
        taken.append(match[0])
        return f"\x00{len(taken) - 1}\x00"

    plain = [_TEMPLATE.sub(take, word.replace("\x00", "")) for word in words]
    return list(_of_words(plain, tuple(taken), tuple(lines)))


def _of_words(words: list[str], taken: tuple[str, ...], lines: tuple[int, ...] = ()) -> Iterator[Command]:
    variables: list[tuple[str, str]] = []
    around: list[wrappers.Words] = []
    rest = words
    while rest and len(words) <= _MOST_WORDS:
        name = rest[0].rpartition("/")[2]
        if match := _ASSIGNMENT.fullmatch(rest[0]):
            variables.append((match[1], match[2]))
            rest = rest[1:]
        elif name in wrappers.SHELLS and len(rest) > 2 and _ENTRYPOINT.search(rest[1]):
            rest = rest[1:]
        elif (at := wrappers.line_of_shell(rest)) is not None:
            try:
                inner = split(Command(variables=(), wrappers=(), words=(), unknown=taken).restored(rest[at]))
            except ValueError:
                break
            if name in wrappers.OWN:
                around.append((name, *rest[1 : at - 1], "--"))
            if variables:
                yield Command(variables=tuple(variables), wrappers=(), words=())
            for command in inner:
                here = lines[len(lines) - len(rest) + at :][:1] * len(command.words)
                yield replace(command, wrappers=(*around, *command.wrappers), lines=here)
            return
        elif name in wrappers.OWN:
            behind = wrappers.behind(rest, _PROGRAM)
            around.append((name, *rest[1 : len(rest) - len(behind)]))
            rest = behind
        elif _ENTRYPOINT.search(name) and len(rest) > 1 and _PROGRAM.fullmatch(rest[1].rpartition("/")[2]):
            around.append((rest[0],))
            rest = rest[1:]
        elif (
            _A_VARIABLE.fullmatch(rest[0])
            and len(rest) > 1
            and _PROGRAM.fullmatch(rest[1].rpartition("/")[2])
        ):
            rest = rest[1:]
        elif re.fullmatch(r"python[\d.]*", name) and (behind := _behind_python(rest)):
            rest = behind
        else:
            break
    if rest or variables:
        yield Command(
            variables=tuple(variables), wrappers=tuple(around), words=tuple(rest), unknown=taken,
            lines=lines[len(lines) - len(rest) :] if lines else (),
        )  # fmt: skip


def _behind_python(words: list[str]) -> list[str]:
    """Return a program or module that Python starts and its arguments; [] for a script or a line of code."""
    for at, word in enumerate(words):
        if at == 0 or words[at - 1] in {"-X", "-W"}:
            continue
        if re.fullmatch(r"-[a-zA-Z]*m", word):
            return words[at + 1 :]
        if not word.startswith("-"):
            return words[at:] if word.rpartition("/")[2] in {*TABLES, *wrappers.OWN} else []
    return []


def settings(command: Command, origin: Origin) -> Iterator[Setting | Row]:
    """Yield the settings of a server's command line, in the order of its words."""
    yield from wrappers.rows(command.wrappers, command.origin(origin))
    yield from parse(
        command.server, command.words[1:], origin, unknown=command.unknown, lines=command.lines[1:]
    )


def parse(
    server: str,
    words: Sequence[str],
    origin: Origin,
    *,
    rank: int = 2,
    unknown: tuple[str, ...] = (),
    lines: Sequence[int] = (),
) -> Iterator[Setting | Row]:
    """Yield the settings in a server's arguments; never raises."""
    rest = deque(words)
    here = origin
    holder = Command(variables=(), wrappers=(), words=(), unknown=unknown)

    def setting(name: str, value: str) -> Setting:
        found = known(server, name)
        shown, inner = holder.restored(value), "".join(unknown)
        is_unknown = bool(_UNKNOWN_WORD.search(value))
        return Setting(
            server=server, name=name, key=found.key if found else normal(name), text=shown, origin=here, rank=rank,
            values=() if is_unknown else (named(value),),
            counts_cpus=is_unknown and ("nproc" in inner or "cpu" in inner.lower()),
        )  # fmt: skip

    has_application = False
    while rest:
        here = Origin(origin.place, lines[len(words) - len(rest)]) if lines else origin
        word = rest.popleft()
        if word == "--":
            continue
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            # An unknown option's value would else be taken for the application.
            wants = takes_value(server, name)
            if known(server, name) is None:
                wants = bool(rest) and (has_application or rest[0].replace(".", "").isdigit())
            if not equals and wants and rest and (takes_value(server, name) or not rest[0].startswith("-")):
                value = rest.popleft()
            yield setting(name, value if equals or value else "true" if _is_switch(server, name) else "")
        elif len(word) > 1 and word[0] == "-" and not word[1].isdigit():
            short, behind = word[:2], word[2:]
            if not takes_value(server, short) and behind and known(server, short):
                yield setting(short, "true")
                rest.appendleft(f"-{behind}")
            else:
                value = behind.removeprefix("=") or (
                    rest.popleft() if takes_value(server, short) and rest else ""
                )
                yield setting(short, value or ("true" if _is_switch(server, short) else ""))
        else:
            if word in {"$@", "$*"}:
                why = "what the script itself is started with: give it to nuages serve in our words"
                yield Row(origin=here, name="", text=word, outcome=drop(why))
                continue
            if _MORE.fullmatch(word) and (has_application or re.search(r"ARG|OPT|FLAG", word, re.IGNORECASE)):
                why = f"options that a variable has: nuages explain -- {server} … says what they become"
                yield Row(origin=here, name="", text=word, outcome=undecided(why))
                continue
            has_application = True
            yield from _positional(server, word, setting)


def _is_switch(server: str, name: str) -> bool:
    found = known(server, name)
    return found is not None and not takes_value(server, name)


def _positional(server: str, word: str, setting: object) -> Iterator[Setting]:
    assert callable(setting)
    if server != "uwsgi":
        yield replace(setting("app", word), name=APPLICATION)
    elif match := re.search(r"\.(ini|ya?ml|json|js|xml)(:\w+)?$", word):
        yield replace(setting(match[1], word), name=APPLICATION)
    elif word.endswith((".py", ".wsgi")):
        yield replace(setting("wsgi-file", word), name=APPLICATION)
    elif re.search(r":\d+$|\.sock$|^/", word):
        yield replace(setting("socket", word), name=APPLICATION)
    else:
        yield replace(setting("module", word), name=APPLICATION)
