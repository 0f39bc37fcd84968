"""The answer as text of 100 columns, and as values that JSON has."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from nuages.explain.arguments import APPLICATION
from nuages.explain.conclusion import Conclusion, is_default, shell
from nuages.explain.facts import Fate, Row
from nuages.explain.scripts import Part
from nuages.explain.translation import PROJECT

WIDTH = 100  # characters
_LONGEST = 34  # of what stands in the file; the rest is in the file, and in --json
_SHORT = 40  # characters; a reason that is no longer may be given twice
_ARROW = "→ "
PROXY = "nginx.conf"


def text(kind: str, found: Sequence[tuple[Part, Sequence[Row]]], conclusion: Conclusion) -> str:
    """Return a row for each line of the source, the sum, and what needs a decision."""
    given = [row for _, rows in found for row in rows]
    blocks = [_rows(given, " " if kind == PROXY else " = "), _sum(kind, conclusion)]
    if conclusion.decisions:
        blocks.append("To decide:\n" + "".join(_bullet(each) for each in conclusion.decisions))
    return "\n".join(blocks)


def _rows(rows: Sequence[Row], between: str) -> str:
    places = [str(row.origin) for row in rows]
    names = [_shortened(_name(row, between)) for row in rows]
    first, second = (max(map(len, words), default=0) for words in (places, names))
    room = max(WIDTH - first - second - 4, 36)
    told: dict[str, str] = {}
    lines = []
    for place, name, row in zip(places, names, rows, strict=True):
        said = [
            line
            for each in _outcome(row, told, place)
            for line in textwrap.wrap(each, room, break_on_hyphens=False, break_long_words=False)
        ]
        for at, line in enumerate(said or [""]):
            head = f"{place:<{first}}  {name:<{second}}" if at == 0 else " " * (first + second + 2)
            lines.append(f"{head}  {line}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def _name(row: Row, between: str) -> str:
    """Return what stands there: as a word of a command line, an instruction, or a line of a file."""
    if row.name == APPLICATION:
        return row.text
    if row.name.startswith("-") or row.outcome.fate is Fate.IMAGE or row.name.isupper():
        sign = "=" if row.name.startswith("--") else " "
        return sign.join(filter(None, (row.name, row.text if row.text != "true" else "")))
    return between.join(filter(None, (row.name, row.text)))


def _shortened(words: str) -> str:
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def _outcome(row: Row, told: dict[str, str], place: str) -> list[str]:
    """Return what becomes of a row, in paragraphs; a reason that was given before is not given again."""

    def once(words: str) -> str:
        before = told.setdefault(words, place)
        if before == place or len(words) <= _SHORT:
            return words
        return (
            f"as in line {before.rpartition(':')[2]}"
            if before.rpartition(":")[0] == place.rpartition(":")[0]
            else words
        )

    outcome = row.outcome
    if outcome.pairs and all(is_default(*pair) for pair in outcome.pairs):
        return [f"nothing: {' '.join(f'--{name} {text}' for name, text in outcome.pairs)} is the default"]
    if outcome.fate is Fate.KEPT and not outcome.pairs:
        return [_ARROW + outcome.why]
    if outcome.pairs:
        options = [text if name == PROJECT else f"--{name} {text}" for name, text in outcome.pairs]
        why = [outcome.why] if outcome.why else []
        return [_ARROW + " ".join(options), *why, *([once(outcome.advice)] if outcome.advice else [])]
    word = {Fate.UNKNOWN: "unknown", Fate.DECIDE: "to decide", Fate.IMAGE: "image"}.get(
        outcome.fate, "nothing"
    )
    return [f"{word}: {once(outcome.why)}"]


def _sum(kind: str, conclusion: Conclusion) -> str:
    if not conclusion.is_serving:
        return "No server is started here.\n"
    whole, lean = conclusion.command(), conclusion.command(is_lean=True)
    lines = []
    if lean != whole:
        lines += ["The same under nuages:", "", *_indented(shell(whole)), ""]
        lines += ["Better, without what is better left out:", "", *_indented(shell(lean))]
    elif not conclusion.options:
        lines += ["The same under nuages, which needs no option:", "", *_indented(shell(whole))]
    else:
        lines += ["The same under nuages:", "", *_indented(shell(whole))]
    lines += _table(conclusion.table(is_lean=True))
    if kind == "Dockerfile":
        lines += [
            "",
            "In this Dockerfile, after RUN pip install nuages:",
            "",
            f"    CMD {json.dumps(_vector([word for word in lean if word != conclusion.project]))}",
            "",
            "«image» is what `nuages dockerfile` writes instead; its image listens on 0.0.0.0 by itself.",
        ]
    if kind == PROXY:
        is_left = "Nothing of this is left for nginx: whoever reaches it can reach nuages itself."
        lines += ["", "What is to decide stays with nginx until it is." if conclusion.decisions else is_left]
    return "\n".join(lines) + "\n"


def _vector(words: Sequence[str]) -> list[str]:
    """Return the exec form of a command; what names variables goes through a shell."""
    return ["sh", "-c", f"exec {shell(words)}"] if any("${" in word for word in words) else list(words)


def _table(lines: Iterable[str]) -> list[str]:
    given = list(lines)
    return ["", "or, in pyproject.toml:", "", *(f"    {line}" for line in given)] if given else []


def _indented(command: str) -> list[str]:
    """Return a command in lines of at most WIDTH, broken before options."""
    words = command.split(" --")
    lines, current = [], words[0]
    for word in words[1:]:
        if len(current) + len(word) + 9 > WIDTH:
            lines.append(current + " \\")
            current = f"    --{word}"
        else:
            current += f" --{word}"
    return [f"    {line}" for line in [*lines, current]]


def _bullet(words: str) -> str:
    lines = textwrap.wrap(words, WIDTH - 4, break_on_hyphens=False, break_long_words=False)
    return "".join(f"{'  * ' if at == 0 else '    '}{line}\n" for at, line in enumerate(lines))


def to_json(kind: str, found: Sequence[tuple[Part, Sequence[Row]]], conclusion: Conclusion) -> dict[str, Any]:
    """Return the whole answer as values that JSON has."""
    return {
        "kind": kind,
        "rows": [_row(part, row) for part, rows in found for row in rows],
        "command": list(conclusion.command()) if conclusion.is_serving else [],
        "recommended": list(conclusion.command(is_lean=True)) if conclusion.is_serving else [],
        "options": {name: list(texts) for name, texts in conclusion.options},
        "left_out": list(conclusion.left_out),
        "decisions": list(conclusion.decisions),
    }


def _row(part: Part, row: Row) -> dict[str, Any]:
    return {
        "file": row.origin.place, "line": row.origin.line, "part": part.name, "server": part.server, "option": row.name,
        "value": row.text, "fate": row.outcome.fate.value, "becomes": [list(pair) for pair in row.outcome.pairs],
        "why": row.outcome.why, "advice": row.outcome.advice,
    }  # fmt: skip
