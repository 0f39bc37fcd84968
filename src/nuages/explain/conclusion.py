"""All rows of a file → the command and the table that say the same, and what is to decide."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nuages.explain import wrappers
from nuages.explain.facts import ABSENT, Row, Setting
from nuages.explain.scripts import Part
from nuages.explain.translation import OPTIONS, PROJECT, rows
from nuages.options import Option

_NO_LIMIT = (
    "a request had no time limit: here a sync view has 30 s to begin its response, then the client gets 504; "
    "--timeout-path /reports/=5m for what takes longer"
)
_NO_THREADS = (
    "views ran one at a time in each process: here they run in threads, and code that is not thread-safe (a module's "
    "variable that views change) needs mending or --threads 1"
)
_TWO_SERVERS = (
    "two servers become one: nuages serves pages and WebSockets on one port, so the proxy needs one target"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The sum: options with their texts, those of them that are better left out, and what needs a decision."""

    options: tuple[tuple[str, tuple[str, ...]], ...]
    left_out: tuple[str, ...]
    project: str
    wrappers: tuple[str, ...]
    decisions: tuple[str, ...]
    is_serving: bool

    def command(self, *, is_lean: bool = False) -> tuple[str, ...]:
        """Return the words of the command that says the same; lean: without what is better left out."""
        words = [*self.wrappers, "nuages", "serve", *([self.project] if self.project else [])]
        for name, texts in self.options:
            if not (is_lean and name in self.left_out):
                words += [word for text in texts for word in (f"--{name}", text)]
        return tuple(words)

    def table(self, *, is_lean: bool = False) -> tuple[str, ...]:
        """Return the lines of [tool.nuages] that say the same; none where the defaults do."""
        lines = []
        for name, texts in self.options:
            if is_lean and name in self.left_out:
                continue
            if any("${" in text for text in texts):
                lines.append(f"# {name}: by the variable, on the command line alone")
                continue
            given = [_toml(OPTIONS[name], text) for text in texts]
            lines.append(f"{name} = {given[0] if len(given) == 1 else '[' + ', '.join(given) + ']'}")
        if all(line.startswith("#") for line in lines):
            return ()
        return ("[tool.nuages]", *lines)


def shell(words: Sequence[str]) -> str:
    """Return words as a line of shell; variables stay variables."""
    return " ".join(f'"{word}"' if "${" in word else shlex.quote(word) for word in words)


def _toml(option: Option, text: str) -> str:
    if re.fullmatch(r"\d+", text):
        return text
    if text in {"on", "off"} and isinstance(option.default, bool):
        return "true" if text == "on" else "false"
    return json.dumps(text, ensure_ascii=False)


def explained(parts: Iterable[Part]) -> tuple[list[tuple[Part, list[Row]]], Conclusion]:
    """Return the rows of each part, and the sum of the part that serves; of several the first that serves HTTP."""
    found = [(part, rows(part.items)) for part in parts]
    serving = [(part, given) for part, given in found if part.server]
    main = next((one for one in serving if one[0].name in {"web", "image", "service", "app"}), None)
    main = main or (serving[0] if serving else None)
    decisions = _decisions([row for _, given in found for row in given])
    if main is None:
        empty = Conclusion(
            options=(), left_out=(), project="", wrappers=(), decisions=tuple(decisions), is_serving=False
        )
        return found, empty
    part, given = main
    others = [row for other, lines in found if not (other.server or other.name) for row in lines]
    pairs = [(pair, row) for row in [*others, *given] for pair in row.outcome.pairs]
    options, left_out = _sum(pairs)
    project = next((text for (name, text), _ in reversed(pairs) if name == PROJECT), "")
    decisions = [*_of_the_kind(part, dict(options), decisions), *decisions]
    if len({(one.server, one.name) for one, _ in serving}) > 1:
        decisions.insert(0, _TWO_SERVERS)
    return found, Conclusion(
        options=options, left_out=left_out, project=project, wrappers=tuple(wrappers.kept(part.wrappers)),
        decisions=tuple(decisions), is_serving=True,
    )  # fmt: skip


def _decisions(given: Iterable[Row]) -> list[str]:
    """Return what rows leave to a person, each once, with the places that it is about."""
    places: dict[str, list[Row]] = {}
    for row in given:
        if row.outcome.decision:
            places.setdefault(row.outcome.decision, []).append(row)
    return [f"{_places(rows)}: {words}" for words, rows in places.items()]


def _places(rows: Sequence[Row]) -> str:
    names = ", ".join(dict.fromkeys(row.name or row.text for row in rows))
    return f"{names} ({', '.join(dict.fromkeys(str(row.origin) for row in rows))})"


def _sum(
    pairs: Sequence[tuple[tuple[str, str], Row]],
) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]:
    """Return the options that differ from the defaults, in the order of their declaration, and which to leave out."""
    texts: dict[str, list[str]] = {}
    advised: set[str] = set()
    for (name, text), row in pairs:
        if name == PROJECT:
            continue
        if not OPTIONS[name].repeatable:
            texts[name] = []
            advised.discard(name)
        if text not in texts.setdefault(name, []):
            texts[name].append(text)
        if row.outcome.advice:
            advised.add(name)
    options = tuple(
        (name, tuple(texts[name]))
        for name in OPTIONS
        if name in texts and not _is_default(OPTIONS[name], texts[name])
    )
    return options, tuple(name for name, _ in options if name in advised)


def is_default(name: str, text: str) -> bool:
    """Return whether an option with this one value says what is so without it."""
    return name in OPTIONS and _is_default(OPTIONS[name], (text,))


def _is_default(option: Option, texts: Sequence[str]) -> bool:
    if any("${" in text for text in texts):
        return False
    values = tuple(option.kind.parse(text) for text in texts)
    return bool((values if option.repeatable else values[-1]) == option.default)


def _of_the_kind(part: Part, options: dict[str, tuple[str, ...]], decisions: Sequence[str]) -> list[str]:
    """Return what changes because this server worked in another way; nothing where not all of its files were read."""
    if part.server == "nginx":
        return []  # it has no views
    if any(isinstance(item, Row) and item.outcome.decision == ABSENT for item in part.items):
        return []
    keys = {item.key: item for item in part.items if isinstance(item, Setting)}
    threads = [item for key, item in keys.items() if key in {"threads", "blocking-threads"}]
    has_threads = any(item.values[:1] not in {("1",), ("0",)} for item in threads)
    worker = keys["worker-class"].text if "worker-class" in keys else "sync"
    is_plain = part.server == "uwsgi" or (
        part.server == "gunicorn" and worker.rpartition(".")[2] in {"sync", "SyncWorker", "gthread"}
    )
    found = []
    if (
        is_plain
        and not has_threads
        and "gthread" not in worker
        and not ({"gevent", "async", "asyncio"} & set(keys))
    ):
        found.append(_NO_THREADS)
    limits = {"harakiri", "http-timeout"} & set(keys)
    has_limit = bool(limits) or (
        part.server == "gunicorn" and not has_threads and worker in {"sync", "SyncWorker"}
    )
    if not has_limit and "timeout" not in options and not any("504" in each for each in decisions):
        found.append(_NO_LIMIT)
    return found
