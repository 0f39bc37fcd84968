"""`nuages status`: finds the running servers, asks them, and shows what they say."""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nuages import __version__
from nuages.errors import OutsideError
from nuages.kinds import flag
from nuages.options import declare
from nuages.runtime import management, panel
from nuages.runtime.address import Address, parse_address
from nuages.runtime.settings import Settings
from nuages.termination import Terminated

if TYPE_CHECKING:
    from nuages.invocation import Invocation

_WATCH_SECONDS = 2.0
_CLEAR = "\033[H\033[J"  # ECMA-48: to the first place of the screen, erase what follows


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOptions:
    """How `status` answers."""

    watch: bool = declare(flag, default=False, default_text="", group="Output",
                          help="ask again every 2 seconds, and show rates, until Ctrl-C")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server said of itself, and where."""

    address: Address
    status: dict[str, Any]


def status(invocation: Invocation) -> int:
    """Show the server of this folder, else every server that is found."""
    from nuages.commands import Talk

    asked = invocation.resolve(Settings)
    as_json = invocation.resolve(Talk).value.json
    addresses = _addresses(asked.value.management, str(asked.origins["management"]), invocation)
    answers = _answers(addresses, invocation)
    if not answers:
        raise _none(invocation)
    here = [answer for answer in answers if _is_at(answer.status["project"], invocation.project)]
    if not here and asked.value.management == "auto" and invocation.project != Path.cwd():
        raise OutsideError(
            "no server of this project is running", where=str(invocation.project),
            why="others serve " + ", ".join(answer.status["project"] for answer in answers),
            hint="nuages status / shows all that run",
        )  # fmt: skip
    shown = here or answers
    if not invocation.resolve(StatusOptions).value.watch:
        _show(shown, None, as_json=as_json)
        others = len(answers) - len(shown)
        if others and not as_json:
            verb = "serve" if others > 1 else "serves"
            invocation.console.event("others", f"{others} more {verb} other projects; see `nuages status /`")
        return 0
    try:
        _watch([answer.address for answer in shown], as_json=as_json)
    except Terminated:
        raise
    except KeyboardInterrupt:
        return 0
    return 0


def heaviest_worker(invocation: Invocation) -> int | None:
    """Return the bytes (PSS) of the largest worker of this project's running servers; None where none runs."""
    answers = _answers(management.running(invocation.environ), invocation)
    here = [answer.status for answer in answers if _is_at(answer.status["project"], invocation.project)]
    weights = [worker["memory"] for status in here for worker in status["workers"] if worker["memory"]]
    return max(weights, default=None)


def _answers(addresses: list[Address], invocation: Invocation) -> list[_Answer]:
    """Return what the servers say. Where several are asked, one that does not answer is named and left out."""
    if len(addresses) == 1:
        return [_ask(addresses[0])]
    found = []
    for address in addresses:
        try:
            found.append(_ask(address))
        except OutsideError as error:
            invocation.console.warning(f"{error.what}, {error.where}: {error.why}")
    return found


def _addresses(option: str, origin: str, invocation: Invocation) -> list[Address]:
    if option == "off":
        raise OutsideError(
            "the server has no management socket to be asked at", where=f"given by {origin}",
            why="--management is off, for the server too if it reads the same",
            hint="start it with --management auto, or name where it answers: nuages status --management HOST:PORT",
        )  # fmt: skip
    if option != "auto":
        return [parse_address(option)]
    found = management.running(invocation.environ)
    if not found:
        raise _none(invocation)
    return found


def _none(invocation: Invocation) -> OutsideError:
    places = "\n".join(f"looked into {place}" for place in management.places(invocation.environ))
    return OutsideError(
        "no server is running", where=places,
        why="`nuages serve` and `nuages up` make a socket there while they run, for who started them",
        hint="start one, or name where it answers: nuages status --management HOST:PORT",
    )  # fmt: skip


def _ask(address: Address) -> _Answer:
    hint = "see whether it runs, and what --management it was started with"
    try:
        code, body = management.ask(address, "/-/status")
        found = json.loads(body) if code == 200 else None
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise OutsideError(
            "the server does not answer", where=f"asked at {address}", why=why, hint=hint
        ) from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not {"workers", "project", "pid"} <= found.keys():
        why = "what answers there is not the management socket of a nuages server"
        raise OutsideError(
            "the server's answer cannot be read", where=f"asked at {address}", why=why, hint=hint
        )
    return _Answer(address, found)


def _is_at(project: str, folder: Path) -> bool:
    """Whether a server's project is this folder, lies in it or around it."""
    place = Path(project)
    return place == folder or folder in place.parents or place in folder.parents


def _watch(addresses: list[Address], *, as_json: bool) -> None:
    before: list[_Answer] | None = None
    while True:
        answers = [_ask(address) for address in addresses]
        if sys.stdout.isatty() and not as_json:
            print(_CLEAR, end="")  # noqa: T201
        _show(answers, before, as_json=as_json, watch=True)
        before = answers
        time.sleep(_WATCH_SECONDS)


def _lines(answer: _Answer, earlier: dict[str, Any] | None, *, brief: bool = False) -> list[str]:
    try:
        if brief:
            return panel.brief(answer.status, str(answer.address))
        if earlier is not None and earlier["pid"] != answer.status["pid"]:
            earlier = None  # it was started anew
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        return panel.screen(answer.status, earlier, width=columns)
    except (LookupError, TypeError, ValueError):
        raise OutsideError(
            "the server's answer cannot be read", where=f"asked at {answer.address}",
            why=f"it is nuages {answer.status.get('version', 'of no known version')}, and this is {__version__}",
            hint="ask with the nuages of its own environment; --json shows what it says",
        ) from None  # fmt: skip


def _show(
    answers: list[_Answer], before: list[_Answer] | None, *, as_json: bool, watch: bool = False
) -> None:
    """Write to stdout: JSON, a list of servers; or one server's screen; or several, each in brief."""
    if as_json:
        text = json.dumps([answer.status for answer in answers], indent=None if watch else 2)
    elif len(answers) == 1:
        text = "\n".join(_lines(answers[0], before[0].status if before else None))
    else:
        text = "\n".join(line for answer in answers for line in _lines(answer, None, brief=True))
    print(text + ("\n" if watch and not as_json else ""), flush=True)  # noqa: T201
