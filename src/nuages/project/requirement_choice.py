"""Which of a project's requirements files are production's: those that its own Dockerfile installs, else by name."""

from __future__ import annotations

import posixpath
import re

from nuages.project.model import Fact
from nuages.project.requirements import Listing
from nuages.project.roles import Role, role_of
from nuages.project.tree import join

NAME = re.compile(r"(^|[-_.])(requirements?|reqs|requires)($|[-_.])", re.IGNORECASE)
"""What is in the name of a requirements file."""
_ORDER = (Role.PRODUCTION, Role.BASE, Role.OTHER, Role.STAGING, Role.DEVELOPMENT, Role.TEST, Role.AUXILIARY)


def _role(path: str) -> Role:
    stem = posixpath.splitext(posixpath.basename(path))[0]
    rest = NAME.sub(" ", stem).strip("-_. ")
    if not rest:
        return Role.BASE
    return role_of(rest)


def choose(
    folder: str, listings: dict[str, Listing], told: tuple[Fact[str], ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files to install, and what to say about the choice. `told` are those that the Dockerfile installs."""
    ranked = sorted(listings, key=lambda path: (_ORDER.index(_role(path)), path.count("/"), len(path), path))
    with_django = [path for path in ranked if _holds_django(listings[path])] or ranked
    root = join(folder, "requirements.txt")
    first = with_django[0]
    production = [path for path in ranked if _role(path) is Role.PRODUCTION]
    if (
        root in with_django
        and _covers(listings[root], production)
        and not _is_development(listings[root], root)
    ):
        first = root
    chosen: tuple[str, ...] = (first,)
    notes: list[str] = []
    # A production file without Django of its own is installed on top of the file that has it.
    additions = [path for path in production if path not in with_django and path not in listings[first].files]
    if additions and _role(first) is not Role.PRODUCTION:
        chosen = (first, additions[0])
    own = _own(listings, told)
    said = ""
    if own and own != chosen and (_role(first) is not Role.PRODUCTION or set(chosen) < set(own)):
        chosen, said = own, f", as {told[0].origin} does"
    unread = [path for path in ranked if not any(path in listings[one].files for one in chosen)]
    rivals = [path for path in unread if not _role(path).is_development]
    if rivals:
        notes.append(
            f"requirements are taken from {' and '.join(chosen)}{said}; not from {', '.join(rivals)}"
        )
    elif said:
        notes.append(f"requirements are taken from {' and '.join(chosen)}{said}")
    elif _role(first).is_development:
        notes.append(f"requirements are taken from {first}, the only file there is")
    return chosen, tuple(notes)


def _own(listings: dict[str, Listing], told: tuple[Fact[str], ...]) -> tuple[str, ...]:
    """Return the files that the project's own Dockerfile installs, without what others of them include.

    Nothing where they lack Django, or one is for development. A file may have been copied to another folder there: the
    one is meant whose path ends most alike.
    """
    found: dict[str, None] = {}
    for fact in told:
        parts = [part for part in fact.value.split("/") if part not in {"", "."}]
        alike = {path: _alike(path.split("/"), parts) for path in listings}
        most = max(alike.values(), default=0)
        best = [path for path in alike if alike[path] == most > 0]
        if len(best) == 1:
            found[best[0]] = None
    if not any(_holds_django(listings[path]) for path in found) or any(
        _role(path).is_development for path in found
    ):
        return ()
    return tuple(path for path in found if not any(path in listings[one].files[1:] for one in found))


def _alike(one: list[str], other: list[str]) -> int:
    """Return how many parts at the end of two paths are the same."""
    return next((at for at, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=False)) if a != b),
                min(len(one), len(other)))  # fmt: skip


def _covers(listing: Listing, production: list[str]) -> bool:
    return not production or any(path in listing.files for path in production)


def _is_development(listing: Listing, root: str) -> bool:
    return any(_role(path).is_development for path in listing.files if path != root)


def _holds_django(listing: Listing) -> bool:
    return any(line.name == "django" for line in listing.requirements)
