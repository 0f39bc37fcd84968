"""A subject: one question about the servers, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.samples import Outcome
from benchmarks.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`name` is what the command line calls it; `run` raises FileNotFoundError when a program it needs is absent."""

    name: str
    title: str
    run: Callable[[Stage], Outcome]
