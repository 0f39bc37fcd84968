"""The servers whose options are known: their tables, their names, and the variables that they read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nuages.explain.asgi_options import DAPHNE, GRANIAN, HYPERCORN, HYPERCORN_FILE, UVICORN
from nuages.explain.facts import Fact, find, normal
from nuages.explain.gunicorn_options import GUNICORN
from nuages.explain.uwsgi_names import NAMES, OPTIONAL, SWITCHES
from nuages.explain.uwsgi_options import UWSGI

TABLES: Mapping[str, tuple[Fact, ...]] = {
    "uwsgi": UWSGI,
    "gunicorn": GUNICORN,
    "uvicorn": UVICORN,
    "daphne": DAPHNE,
    "hypercorn": HYPERCORN,
    "granian": GRANIAN,
}

TITLES = {"uwsgi": "uWSGI"}
"""Where a name is not written as its program's is."""

# uvicorn: click's auto_envvar_prefix. granian: its --help. uWSGI: core/config.c, uwsgi_opt_load_env.
_PREFIXES = {"UWSGI_": "uwsgi", "UVICORN_": "uvicorn", "GRANIAN_": "granian"}
_GRANIAN = {
    "websockets": "ws",
    "log-enabled": "log",
    "log-access-enabled": "access-log",
    "log-access-fmt": "access-log-fmt",
    "metrics-enabled": "metrics",
}
"""Variables of granian's that are not named after their flag."""

_HYPERCORN_FILE = "hypercorn's file"
_MOST_LETTERS = 4  # by which a misspelt name is longer or shorter
_OF_UWSGI_ITSELF = {"reloads", "original-proc-name", "plugins"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a table says of one name: its fact, and what its settings are called by."""

    fact: Fact
    key: str


@lru_cache(maxsize=4096)
def known(server: str, name: str) -> Known | None:
    """Return what is known of an option that somebody has written as `name`; None for one that the server lacks."""
    key = normal(name)
    fact = find(TABLES[server], key)
    if fact is None or (server == "uwsgi" and key not in NAMES and key not in fact.names):
        return None
    return Known(fact=fact, key=fact.names[0] if key in fact.names and fact.convert is not None else key)


def in_file(server: str, name: str) -> Known | None:
    """Return what is known of an option that stands in a file as `name`; None for one that the server does not read."""
    return known(server, name) if server != "hypercorn" or normal(name) in HYPERCORN_FILE else None


def takes_value(server: str, name: str) -> bool:
    """Return whether the next word of a command line is this option's value."""
    key = normal(name)
    if server == "uwsgi" and key in NAMES:
        return key not in SWITCHES and key not in OPTIONAL
    found = known(server, name)
    return found is not None and not found.fact.is_switch


@lru_cache(maxsize=4096)
def similar(server: str, name: str, cutoff: float = 0.75) -> str:
    """Return the option that was probably meant, "" where none is near."""
    size = len(name.lstrip("-"))
    return _nearest(normal(name), server, range(size - _MOST_LETTERS, size + _MOST_LETTERS + 1), cutoff)


def similar_in_file(server: str, name: str, cutoff: float = 0.75) -> str:
    """Return what was probably meant by a name in a file, "" where nothing is near."""
    if server != "hypercorn":
        return similar(server, name, cutoff)
    found = known(server, name)
    alias = next((each for each in found.fact.names if each in HYPERCORN_FILE), "") if found else ""
    near = alias or _nearest(normal(name), _HYPERCORN_FILE, _words(_HYPERCORN_FILE), cutoff)
    return near.replace("-", "_")


def _nearest(name: str, place: str, lengths: Iterable[int], cutoff: float) -> str:
    """Return the word of so many letters that is most like a name (`difflib.get_close_matches`), "" where none is.

    A file may have tens of thousands of names, and uWSGI a thousand options: only those are compared, at 10 µs each,
    that have enough of their letters in common to come to it.
    """
    words, letters, size = _words(place), _letters(name), len(name)
    likely = [
        word
        for length in lengths
        for word, others in words.get(length, ())
        if 2
        * min(size - (letters & ~others).bit_count(), length - (others & ~letters).bit_count())
        / (size + length)
        >= cutoff
    ]
    return "".join(difflib.get_close_matches(name, likely, n=1, cutoff=cutoff))


@lru_cache(maxsize=16)
def _words(place: str) -> Mapping[int, tuple[tuple[str, int], ...]]:
    """Return the names that a server's options have, or those of hypercorn's in a file, by their length."""
    names = set(HYPERCORN_FILE)
    if place != _HYPERCORN_FILE:
        names = {each for fact in TABLES[place] for each in fact.names if len(each) > 2 and each[-1] != "*"}
        names |= set(NAMES) if place == "uwsgi" else set()
    lengths = {len(name) for name in names}
    return {
        length: tuple((name, _letters(name)) for name in sorted(names) if len(name) == length)
        for length in lengths
    }


def _letters(word: str) -> int:
    """Return the letters of a word as the bits of a number; two letters may share one."""
    return sum({1 << ord(letter) % 64 for letter in word})


def of_variable(name: str) -> tuple[str, str] | None:
    """Return the server and the option that an environment variable gives; None for any other variable."""
    for prefix, server in _PREFIXES.items():
        if name.startswith(prefix):
            key = normal(name.removeprefix(prefix).lower())
            key = _GRANIAN.get(key, key) if server == "granian" else key
            return None if server == "uwsgi" and key in _OF_UWSGI_ITSELF else (server, key)
    return None
