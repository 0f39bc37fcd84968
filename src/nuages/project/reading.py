"""Records the reads of variables while source is followed: where, on which conditions, and what must be set."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project.environment import Read
from nuages.project.model import VariableKind
from nuages.project.shapes import Shape
from nuages.project.values import Scope

LOOKUP = frozenset(
    {"KeyError", "LookupError", "Exception", "BaseException", "ImproperlyConfigured", "UndefinedValueError", "EnvError",
     "EnvValidationError", "EnvironmentError", ""}
)  # fmt: skip
TYPE = frozenset({"TypeError", "AttributeError", "ValueError", "Exception", "BaseException", ""})
MAX_STEPS = 150_000


class Raised(Exception):  # noqa: N818 - control flow, no error
    """In a `try` that catches it: the variable is not set, so that the handler runs."""

    def __init__(self, variable: str) -> None:
        super().__init__(variable)
        self.variable = variable


class Exhausted(Exception):  # noqa: N818 - control flow, no error
    """The source takes more steps than reading is willing to take."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The `if` around a statement; `truth` is None when reading cannot decide it."""

    text: str
    truth: bool | None


class Reading:
    """What is recorded, and the context that decides what a read means."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.given: dict[str, tuple[str, Origin]] = {}
        self.reads: list[Read] = []
        self.settled: set[str] = set()
        """Variables that the settings give a value if they have none, known or not."""
        self.made: dict[str, Origin] = {}
        """Folders that are made, as far as it is known that nothing keeps them from it."""
        self.by_node: dict[int, Read] = {}
        self.conditions: list[Condition] = []
        self.catching: list[frozenset[str]] = []
        self.handling: list[str] = []
        self.calls: list[Origin] = []
        self.touched: set[str] = set()
        self.steps = 0
        self.scope = Scope("")

    def step(self) -> None:
        """Count one step; raises Exhausted beyond the limit."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted

    @property
    def is_dead(self) -> bool:
        """Whether the current statement is certain not to run."""
        return any(condition.truth is False for condition in self.conditions)

    @property
    def is_live(self) -> bool:
        """Whether the current statement is certain to run."""
        return all(condition.truth is True for condition in self.conditions)

    def catches(self, kinds: frozenset[str]) -> bool:
        """Return whether an enclosing `try` catches one of the exceptions."""
        return any(caught & kinds for caught in self.catching)

    def text_of(self, name: str) -> str | None:
        """Return the text that a variable has, from the environment or a file that the settings load."""
        if name in self.environ:
            return self.environ[name]
        return self.given[name][0] if name in self.given else None

    def is_empty(self, name: str) -> bool:
        """Return whether a variable has neither a text nor a default that says something."""
        empty = {None, "None", "''", '""', "False", "0", "[]", "()"}
        # Production settings read again, and without a default, what the base's have one for.
        last = next((read.default for read in reversed(self.reads) if read.name == name), None)
        return not self.text_of(name) and last in empty

    def record(
        self,
        name: str,
        reader: str,
        node: ast.AST,
        *,
        kind: VariableKind | None = None,
        shape: Shape | None = None,
        default: str | None = None,
        has_default: bool = False,
        raises: bool = False,
    ) -> Read:
        """Record a read; raises Raised when it fails inside a `try` that catches it."""
        conditions = [condition.text for condition in self.conditions]
        line = getattr(node, "lineno", None)
        origin = self.calls[0] if self.calls else Origin(self.scope.path, line)
        given = self.given.get(name)
        read = Read(
            name=name,
            reader=reader,
            origin=origin,
            kind=kind,
            shape=shape,
            default=default,
            has_default=has_default,
            condition=" and ".join(conditions) or None,
            is_certain=self.is_live,
            given=given[1] if given and name not in self.environ else None,
        )
        self.reads.append(read)
        self.by_node[id(node)] = read
        self.touched.add(name)
        if raises and not has_default and self.is_live and name not in self.settled:
            if not self.catches(LOOKUP):
                read.is_required = True
            elif self.text_of(name) is None:
                raise Raised(name)
        return read

    def need(self, variables: Iterable[str]) -> None:
        """Note that something fails here unless these variables are set; raises Raised where that is caught."""
        if not self.is_live:
            return
        for variable in variables:
            if self.catches(TYPE):
                raise Raised(variable)
            self.require(variable)

    def require(self, variable: str) -> None:
        """Mark the reads of a variable that certainly run as required."""
        reads = [read for read in self.reads if read.name == variable]
        for read in [read for read in reads if read.is_certain] or reads:
            read.is_required = True
