"""What is known of another server's option: what it becomes under nuages, and why; the tables are made of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from nuages.errors import Origin
from nuages.options import KNOWN_ELSEWHERE


class Fate(Enum):
    """What becomes of an option."""

    KEPT = "kept"
    ITSELF = "by itself"
    DROPPED = "dropped"
    DECIDE = "to decide"
    UNKNOWN = "unknown"
    IMAGE = "in the image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One option as a foreign file or command line gives it.

    `name` is as it was written, `key` what the tables call it. A text in `values` may name variables as `${NAME}` or
    `${NAME:-default}`; `values` is empty where only running the code would tell, and then `text` is its source.
    """

    server: str
    name: str
    key: str
    text: str
    values: tuple[str, ...]
    origin: Origin
    counts_cpus: bool = False
    rank: int = 0
    """Which source wins: a configuration file 0, the environment 1, the command line 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the answer: what stands there, and what becomes of it."""

    origin: Origin
    name: str
    text: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What else the same server was told: its settings' first values by key; `lists` has all that were given of one."""

    server: str
    values: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def get(self, *keys: str, default: str = "") -> str:
        """Return the first of these that was given."""
        return next((self.values[key] for key in keys if key in self.values), default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of one setting: `pairs` are options of nuages with their texts.

    `advice` says why it is better left out, `decision` what only the project's people can answer.
    """

    fate: Fate
    pairs: tuple[tuple[str, str], ...] = ()
    why: str = ""
    advice: str = ""
    decision: str = ""


Convert = Callable[[str, str, Context], Outcome]
"""The option of nuages, the foreign value and what else was said → what becomes of it; raises ValueError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One option of another server under all of its names; `names` that end in `*` stand for a family."""

    names: tuple[str, ...]
    fate: Fate
    why: str = ""
    option: str = ""
    convert: Convert | None = None
    is_switch: bool = False


def kept(names: str, convert: Convert, option: str = "", *, why: str = "", is_switch: bool = False) -> Fact:
    """An option that has a counterpart: `option`, or what `nuages.options` knows the first name as."""
    words = tuple(names.split())
    return Fact(
        names=words, fate=Fate.KEPT, option=option or KNOWN_ELSEWHERE[words[0]], convert=convert, why=why,
        is_switch=is_switch,
    )  # fmt: skip


def itself(names: str, why: str, *, is_switch: bool = False) -> Fact:
    """An option for what nuages does without being told."""
    return Fact(names=tuple(names.split()), fate=Fate.ITSELF, why=why, is_switch=is_switch)


def dropped(names: str, why: str, *, is_switch: bool = False) -> Fact:
    """An option that means nothing here."""
    return Fact(names=tuple(names.split()), fate=Fate.DROPPED, why=why, is_switch=is_switch)


def decide(names: str, why: str, *, is_switch: bool = False) -> Fact:
    """An option for something that a person has to find another place for."""
    return Fact(names=tuple(names.split()), fate=Fate.DECIDE, why=why, is_switch=is_switch)


def keep(option: str, *texts: str, why: str = "", advice: str = "", decision: str = "") -> Outcome:
    """The option with these texts."""
    pairs = tuple((option, text) for text in texts)
    return Outcome(fate=Fate.KEPT, pairs=pairs, why=why, advice=advice, decision=decision)


def nothing(why: str, decision: str = "") -> Outcome:
    """Nothing: nuages does it by itself."""
    return Outcome(fate=Fate.ITSELF, why=why, decision=decision)


def drop(why: str) -> Outcome:
    """Nothing: it means nothing here."""
    return Outcome(fate=Fate.DROPPED, why=why)


def in_image(why: str) -> Outcome:
    """What `nuages dockerfile` writes in its place."""
    return Outcome(fate=Fate.IMAGE, why=why)


def undecided(why: str) -> Outcome:
    """Nothing by itself: somebody has to decide."""
    return Outcome(fate=Fate.DECIDE, why=why, decision=why)


ABSENT = "the file is not beside this one, or has no lines: explain it as well"
"""What is decided about a file that a server is told to read and that is not there to be read here."""


def normal(name: str) -> str:
    """Return a foreign name as the tables write it: `worker_class` and `--worker-class` are one."""
    return name.strip().lstrip("-").replace("_", "-")


def find(facts: Sequence[Fact], key: str) -> Fact | None:
    """Return what is known of an option; one that is named goes before a family."""
    family = None
    for fact in facts:
        for name in fact.names:
            if name == key:
                return fact
            if name.endswith("*") and key.startswith(name[:-1]):
                family = family or fact
    return family
