"""Requirement lines of PEP 508 as edges of a lock."""

from __future__ import annotations

from nuages.environment.locks.graph import Edge, LockError
from nuages.project.model import normalized


def edge_of(text: str) -> Edge:
    """Return the edge that a line such as `uvicorn[standard]>=0.30; python_version < "3.12"` says.

    Raises LockError for a line that is no requirement.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise LockError(f"{text!r} is not a requirement: {error}") from None
    return Edge(
        name=normalized(found.name),
        specifier=str(found.specifier),
        marker=str(found.marker or ""),
        extras=tuple(sorted(found.extras)),
    )
