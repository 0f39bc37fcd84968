"""nginx.conf → its directives and blocks, as nginx reads them; nothing is included, and nothing is asked of nginx.

The grammar is that of ngx_conf_read_token (src/core/ngx_conf_file.c): words in quotes or not, `;` behind a directive,
braces around a block, comments from `#` to the end of the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<sign>[{};])
      |"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'
      |(?P<word>(?:\\.|\$\{[^}\s]*\}|[^\s{};"'\\])(?:\\.|\$\{[^}\s]*\}|[^\s{};\\])*)""",
    re.DOTALL | re.VERBOSE,
)
_DEEPEST = 20  # blocks in blocks; nginx's own go to five


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive; `block` has those between its braces, None where it has none."""

    name: str
    words: tuple[str, ...]
    line: int
    block: list[Directive] | None = field(default=None)

    def all(self, *names: str) -> Iterator[Directive]:
        """Yield those in its block that have one of these names, and in the blocks inside it."""
        for each in self.block or ():
            if each.name in names:
                yield each
            yield from each.all(*names)

    def first(self, *names: str) -> Directive | None:
        """Return the first in its own block that has one of these names."""
        return next((each for each in self.block or () if each.name in names), None)


def parse(text: str) -> list[Directive]:
    """Return the directives of a file; raises ValueError, with the line, for what nginx would not read."""
    top: list[Directive] = []
    open_blocks = [top]
    words: list[str] = []
    begun = 1
    for line, sign, word in _tokens(text):
        if not sign:
            begun = begun if words else line
            words.append(word)
        elif sign == "}":
            if words or len(open_blocks) == 1:
                raise ValueError(f"an unexpected }} on line {line}")
            open_blocks.pop()
        elif not words:
            raise ValueError(f"an unexpected {sign} on line {line}")
        else:
            made = Directive(words[0], tuple(words[1:]), begun, [] if sign == "{" else None)
            open_blocks[-1].append(made)
            words = []
            if made.block is not None:
                open_blocks.append(made.block)
                if len(open_blocks) > _DEEPEST:
                    raise ValueError(f"too many blocks in each other on line {line}")
    if words or len(open_blocks) > 1:
        raise ValueError(f"it ends inside what began on line {begun}")
    return top


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield lines with a sign or a word each."""
    line, at = 1, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"a quote that nothing ends on line {line}")
        if match["space"] is None:
            quoted = match["double"] if match["double"] is not None else match["single"]
            yield line, match["sign"] or "", match["word"] or quoted or ""
        line += match[0].count("\n")
        at = match.end()
