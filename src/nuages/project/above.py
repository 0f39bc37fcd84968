"""The folder above a project that declares its dependencies, where the folder that was named declares none."""

from __future__ import annotations

from pathlib import Path

from nuages.errors import ProjectError
from nuages.project import dependencies, layout
from nuages.project.tree import Tree

_DEPTH = 2  # requirements/production/base.txt


def declaring(folder: Path, top: Path, apps: tuple[str, ...] = ()) -> Path | None:
    """Return the folder above, up to and including `top`, that a project's dependencies are declared in.

    The nearest that declares Django: a list of development tools tells nothing of what the project needs. None where
    the folder declares something itself, has no project in it, or nothing above declares Django.
    """
    own = Tree(folder)
    try:
        place = layout.find(own, apps)
    except ProjectError:
        return None  # said by whoever reads the project
    if dependencies.find(own, layout.upwards(place.directory)) is not None:
        return None
    for parent in folder.parents[: folder.parents.index(top) + 1]:
        found = dependencies.find(Tree(parent, depth=_DEPTH), (".",))
        if found is not None and found.django is not None:
            return parent
    return None
