"""argv → one command function → exit code; the only place that prints errors."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import functools
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from nuages import __version__, commands
from nuages.__main__ import INTERRUPTED
from nuages.apart import apart
from nuages.configuration import read_file
from nuages.console import Console, open_what_is_closed
from nuages.errors import NuagesError, OutsideError, ProjectError, UsageError, without_extra
from nuages.invocation import Invocation
from nuages.options import Option, check_keys, check_variables, options_of, unknown_flag
from nuages.runtime.settings import Settings
from nuages.termination import Terminated, passed_on

_FORMATS = ("helm", "kustomize")  # of documents for Kubernetes, which are no targets of their own
_EXTRA = {"packaging": "packaging", "yaml": "PyYAML"}
"""Of the extra «build», by module: what commands cannot do without, and do not ask for themselves."""
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
WIDTH = 100  # of help, in characters, where the terminal has so many


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if sys.stdout is None or sys.stderr is None:
        open_what_is_closed()
    console = Console(as_json="--json" in own)
    try:
        # A server ends by rules of its own, and what runs below it too. Migrations run nothing else, and as a
        # container's first process they have the whole grace for what is better not left half done.
        with contextlib.nullcontext() if arguments[:1] in (["serve"], ["migrate"]) else passed_on():
            code = _run(arguments, dict(os.environ), console)
        sys.stdout.flush()
        return code
    except NuagesError as error:
        return _told(console, error)
    except Terminated as error:
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our stdout has gone (`nuages check | head`); nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        return _told(console, without_extra(arguments[0], _EXTRA[error.name]))
    except OSError as error:
        if error.filename is None and error.errno not in _DISK:
            raise
        return _told(console, _outside(error))


def _told(console: Console, error: NuagesError) -> int:
    console.error(error)
    return error.exit_code


def _outside(error: OSError) -> OutsideError:
    """Return what a disk or a file refused; without a name it was our output that could not be written."""
    why = error.strerror or str(error)
    if error.filename is not None:
        return OutsideError(
            "a file or folder cannot be used", where=str(error.filename), why=why,
            hint="see who may read and write it, and whether its disk has room",
        )  # fmt: skip
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails once more at its end
    return OutsideError(
        "the output cannot be written", where="standard output", why=why,
        hint="make room on the disk that it goes to, and run the command again",
    )  # fmt: skip


def _run(arguments: list[str], environ: dict[str, str], console: Console) -> int:
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [arguments[1], "--help"]
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(overview())  # noqa: T201 - help is data
        return 0
    if arguments[0] in {"-V", "--version"}:
        print(f"nuages {__version__}")  # noqa: T201
        return 0
    command = _command(arguments[0])
    invocation = parse(command, arguments[1:], environ, console)
    _check_names(command, functools.partial(check_variables, environ))
    invocation = placed(command, invocation)
    for named in (invocation.named, *invocation.more):
        _check_names(command, functools.partial(check_keys, invocation.at(named).file))
    return command.load()(invocation)


def _check_names(command: commands.Command, check: Callable[[tuple[Option, ...]], None]) -> None:
    """Check names against a command's own options, and where one is none of these against all: `serve` starts fast."""
    try:
        check(command.options())
    except NuagesError:
        check(every_option())


def placed(command: commands.Command, invocation: Invocation) -> Invocation:
    """Return the call with the folders above that declare dependencies, where those that were named declare none."""
    above: dict[Path, Path] = {}
    for named in (invocation.named, *invocation.more):
        top = repository(named)
        if top is not None and _reads(command, invocation.at(named)):
            # A server lives on: what was read of the project would stay in it.
            found = apart(functools.partial(_declaring, named, top, invocation.at(named)))
            if found:
                above[named] = Path(found)
    moved = replace(invocation, above=above).at(invocation.named)
    return replace(moved, more=invocation.more)


def repository(folder: Path) -> Path | None:
    """Return the nearest folder above that has `.git`; None where there is none, or the folder has it itself."""
    # Unlike `Path.exists` this raises nothing where a folder above may not be read.
    found = (one for one in (folder, *folder.parents) if os.path.exists(one / ".git"))  # noqa: PTH110
    top = next(found, folder)
    return None if top == folder else top


def _reads(command: commands.Command, invocation: Invocation) -> bool:
    """Return whether a command looks into the project's files: not where options say all that is to be loaded."""
    if command.name not in {"serve", "collect", "migrate"}:
        return command.name != "status" and not command.of_file
    settings = invocation.resolve(Settings).value
    return not (settings.settings and settings.app)


def _declaring(named: Path, top: Path, invocation: Invocation) -> str:
    from nuages.project.above import declaring

    return str(declaring(named, top, invocation.resolve(Settings).value.app) or "")


def _command(name: str) -> commands.Command:
    for command in commands.COMMANDS:
        if command.name == name:
            return command
    if name.startswith("-"):
        raise unknown_flag(name, (), "")
    near = difflib.get_close_matches(name, [command.name for command in commands.COMMANDS], n=1)
    hint = f"did you mean `nuages {near[0]}`?" if near else "see `nuages --help`"
    if name == "nuages":
        hint = "leave it out: an image of nuages starts with it already"
    raise UsageError(
        f"unknown command {name!r}",
        where="given on the command line",
        why="nuages has " + ", ".join(command.name for command in commands.COMMANDS),
        hint=hint,
    )


def every_option() -> tuple[Option, ...]:
    """Return the options of all commands: a variable for `serve` may be set where `check` runs."""
    options = {o.name: o for c in commands.COMMANDS for d in c.classes() for o in options_of(d)}
    return tuple(options.values())


def overview() -> str:
    """Return the text of `nuages --help`."""
    width = max(len(command.name) for command in commands.COMMANDS)
    lines = [f"  {command.name:<{width}}  {command.summary}" for command in commands.COMMANDS]
    return "\n".join(
        [
            "usage: nuages COMMAND [PROJECT] [OPTIONS]",
            "",
            "The production container environment for Django: point it at a project, unedited.",
            "",
            *lines,
            "",
            "`nuages COMMAND --help` lists a command's options. Each is also a NUAGES_* variable and a key of",
            "[tool.nuages] in pyproject.toml (or of nuages.toml): flag > variable > file > default.",
        ]
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        flags, found, _ = message.removeprefix("argument ").partition(": expected one argument")
        if found:
            flag = flags.rpartition("/")[2]
            metavar = next(one.metavar for one in self._actions if flag in one.option_strings)
            raise UsageError(
                f"{flag} has no value",
                where="given on the command line",
                why="nothing stands behind it, or another option does",
                hint=f"{flag} {metavar}; a value that begins with a dash: {flag}=VALUE",
            )
        raise UsageError(
            f"`{self.prog}` cannot be understood",
            where="given on the command line",
            why=message,
            hint=f"see `{self.prog} --help`",
        )


class Help(argparse.HelpFormatter):
    """Leaves what follows the options as it is: argparse would break flags at their hyphens."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def parser_for(command: commands.Command) -> argparse.ArgumentParser:
    """Return the parser of one command; every option's value stays the text that was typed."""
    target = f" [{'|'.join(command.targets)}]" if command.targets else ""
    project = "FILE" if command.of_file else "[PROJECT …]" if command.several else "[PROJECT]"
    width = max(30, min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns))
    usage = f"nuages {command.name}{target} {project} [OPTIONS]{command.takes_rest}"
    parser = _Parser(
        prog=f"nuages {command.name}",
        usage=usage,
        description=command.summary,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: Help(prog, max_help_position=min(30, width // 3), width=width),
    )
    count = "*" if command.several else "?"
    what = (
        ("FILE", "the file to read")
        if command.of_file
        else ("project", "the project's folder (default: this one)")
    )
    parser.add_argument("project", nargs=count, default=None, metavar=what[0], help=what[1])
    groups: dict[str, Any] = {}
    rare: list[str] = []
    for option in command.options():
        listed = option.group not in command.unlisted or option.name in command.names
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        if option.rare and listed:
            rare.append(option.flag)
        names = [f"-{option.short}"] if option.short else []
        text = option.help + (f" (default: {option.default_text})" if option.default_text else "")
        facts: dict[str, Any] = {"dest": option.name, "action": "append", "metavar": option.kind.metavar}
        if not option.kind.metavar:
            facts = {"dest": option.name, "action": "append_const", "const": "on"}
        shown = argparse.SUPPRESS if option.rare or not listed else text.replace("%", "%%")
        groups[option.group].add_argument(*names, option.flag, help=shown, **facts)
    if rare:
        said = f"rarely needed, see docs/options.md: {' '.join(sorted(rare))}"
        parser.epilog = textwrap.fill(said, width, break_on_hyphens=False)
    if command.unlisted:
        more = "The server's own options are taken too: see `nuages serve --help`."
        parser.epilog = "\n".join([more, *([parser.epilog] if parser.epilog else [])])
    return parser


def _no_folder(project: Path, command: commands.Command) -> ProjectError | UsageError:
    """Return the error for a PROJECT that is none, which may be a target that was not spelt right."""
    near = difflib.get_close_matches(str(project).lower(), command.targets, n=1)
    if command.targets and str(project) in _FORMATS:
        near = [f"kubernetes --format {project} --output DIR"]
    if near and not project.exists():
        return UsageError(
            f"{str(project)!r} is neither a folder nor something to write documents for",
            where="given on the command line",
            why=f"`nuages {command.name}` writes for {', '.join(command.targets)}",
            hint=f"did you mean `nuages {command.name} {near[0]}`?",
        )
    return ProjectError(
        f"{str(project)!r} is a file" if project.exists() else f"there is no folder {str(project)!r}",
        where="given on the command line",
        why="PROJECT is the folder that holds manage.py, or one above it",
        hint=f"nuages {command.name} {project.parent if project.exists() else 'PATH'}",
    )


def parse(
    command: commands.Command, arguments: Sequence[str], environ: Mapping[str, str], console: Console
) -> Invocation:
    """Return the invocation that the arguments after the command's name make; raise UsageError."""
    own, rest = list(arguments), []
    if "--" in own:
        at = own.index("--")
        own, rest = own[:at], own[at + 1 :]
    if rest and not command.takes_rest:
        raise UsageError(
            f"`nuages {command.name}` takes nothing after --",
            where="given on the command line",
            why=f"there stands: {' '.join(rest)}",
            hint=f"see `nuages {command.name} --help`",
        )
    target = own.pop(0) if own and own[0] in command.targets else ""
    parser = parser_for(command)
    namespace, unknown = parser.parse_known_args(own)
    process = ""
    if command.takes_rest and not rest and not command.of_file:
        # Without a command behind --, the last word is a process, and the one before it the project.
        words = [word for word in (getattr(namespace, "project", None), *unknown) if word and word[0] != "-"]
        if words and len(words) <= 2 and ("/" not in words[-1] or Path(words[-1]).is_dir()):
            process = words.pop()
            namespace.project = words[0] if words else None
            unknown = [word for word in unknown if word != process]
    if command.several:
        # argparse ends a list of words where an option stands between them.
        namespace.project = [*(namespace.project or ()), *(word for word in unknown if word[:1] != "-")]
        unknown = [word for word in unknown if word[:1] == "-"]
    for word in unknown:
        if word.startswith("-"):
            raise unknown_flag(word, command.options(), command.name)
        raise UsageError(
            f"{word!r} is one argument too many",
            where="given on the command line",
            why=f"`nuages {command.name}` takes one {'file' if command.of_file else 'project'}",
            hint=f"see `nuages {command.name} --help`",
        )
    values = dict(vars(namespace))
    named = values.pop("project") or "."
    if command.of_file:
        return Invocation(
            command=command.name, project=Path.cwd(), source=Path(named), rest=tuple(rest), flags=values,
            environ=environ, console=console,
        )  # fmt: skip
    projects = [Path(each) for each in (named if isinstance(named, list) else [named])]
    for project in projects:
        if not project.is_dir():
            raise _no_folder(project, command)
    project, *more = [each.resolve() for each in projects]
    return Invocation(
        command=command.name,
        project=project,
        target=target,
        more=tuple(more),
        rest=tuple(rest),
        process=process,
        flags=values,
        environ=environ,
        file=read_file(project),
        console=console,
    )
