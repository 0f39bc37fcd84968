"""Python source as a syntax tree, as much of it as this Python can read: older and newer dialects lose statements."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

MAX_LOST = 60
# What cannot begin a statement at the margin: the rest of one that began above.
_GOES_ON = re.compile(r"[ \t)\]}#]|(else|elif|except|finally)\b|$")


@dataclass(frozen=True, slots=True)
class Lost:
    """Lines, counted from 1, that were left out because they do not parse, and what the parser said."""

    first: int
    last: int
    why: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tree, None when nothing could be read, and what it lacks."""

    module: ast.Module | None
    lost: tuple[Lost, ...] = ()


def parse(text: str) -> Parsed:
    """Return the tree of a source file. Statements that do not parse are left out, whole, so that the others keep
    their lines. Prints no warning about the user's source.
    """
    lines = text.split("\n")
    lost: list[Lost] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while len(lost) <= MAX_LOST:
            try:
                return Parsed(ast.parse("\n".join(lines)), tuple(lost))
            except SyntaxError as error:
                gone = _leave_out(lines, error)
                if gone is None:
                    break
                lost.append(gone)
            except (ValueError, RecursionError, MemoryError) as error:
                lost.append(Lost(1, len(lines), str(error) or "it is nested too deeply"))
                break
    return Parsed(None, tuple(lost))


def _leave_out(lines: list[str], error: SyntaxError) -> Lost | None:
    """Blank the statement around an error; None when that makes no progress."""
    line = min(max(error.lineno or 1, 1), len(lines))
    first = line
    while first > 1 and _GOES_ON.match(lines[first - 1]):
        first -= 1
    last = line
    while last < len(lines) and _GOES_ON.match(lines[last]):
        last += 1
    while last > line and not lines[last - 1].strip():
        last -= 1
    # A decorator belongs to what follows it.
    while first > 1 and lines[first - 2].startswith("@"):
        first -= 1
    if not any(lines[first - 1 : last]):
        return None
    lines[first - 1 : last] = [""] * (last - first + 1)
    return Lost(first, last, error.msg or "invalid syntax")
