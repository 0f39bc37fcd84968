"""What of the build context lies where in the stages of a Dockerfile, as far as its instructions tell.

Dockerfile reference: «COPY», «ADD», «WORKDIR», «FROM». Nothing is run, so nothing is known of what a command makes.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterator, Sequence

from nuages.project.container_file import Instruction, Stage
from nuages.project.tree import Tree

_MOST_PLACES = 300  # of what came out of other stages: two copies of a stage that has two copies double them


class Layout:
    """Where a stage's next command runs, and the places of what was copied there: (place, path in the project).

    `moved` is what came out of another stage, the third; `likely` are places of folders of which only a file was
    copied, or that only a name tells.
    """

    def __init__(self) -> None:
        self.cwd = "/"
        self.places: list[tuple[str, str]] = []
        self.moved: list[tuple[str, str, str]] = []
        self.likely: list[tuple[str, str]] = []

    def inside(self, folder: str) -> str:
        """Return a place, as an instruction names it, with all that leads to it."""
        return posixpath.normpath(posixpath.join(self.cwd, folder))

    def source(self, place: str, *, without: str = "") -> str | None:
        """Return the path in the project of what lies at a place; None where nothing tells.

        The longest match tells, of several the last. What came out of the stage `without` does not count.
        """
        moved = [(start, path) for start, path, stage in self.moved if stage != without]
        for places in (self.places, moved, self.likely):
            above = [
                (len(start), number)
                for number, (start, _) in enumerate(places)
                if place == start or place.startswith(start.rstrip("/") + "/")
            ]
            if above:
                start, path = places[max(above)[1]]
                return posixpath.normpath(posixpath.join(path, posixpath.relpath(place, start)))
        return None


class Layouts:
    """A Dockerfile's stages, as they would be built from the folder `context`."""

    def __init__(self, tree: Tree, context: str, stages: Sequence[Stage]) -> None:
        self._tree, self._context = tree, context
        self._numbered = list(stages)
        self.stages = {stage[1] or str(number): stage for number, stage in enumerate(stages)}
        self._known: dict[str, Layout] = {}

    def ancestry(self, stage: Stage) -> list[Stage]:
        """Return the stages that one is made from, the first one's image being somebody else's, and itself."""
        found = [stage]
        while (below := self.stages.get(found[0][0].lower())) is not None and below not in found:
            found.insert(0, below)
        return found

    def walk(self, stages: Sequence[Stage]) -> Iterator[tuple[Instruction, Layout]]:
        """Yield each instruction with the layout that it finds; it is the same one, and grows."""
        layout = Layout()
        for _, _, instructions in stages:
            for each in instructions:
                yield each, layout
                self._lay(layout, each)

    def copies(self, stage: Stage) -> Iterator[tuple[Instruction, Layout]]:
        """Yield each COPY of a stage's own with the layout that it finds."""
        own = {id(each) for each in stage[2]}
        for each, layout in self.walk(self.ancestry(stage)):
            if id(each) in own and each.text.partition(" ")[0].upper() == "COPY":
                yield each, layout

    def of(self, name: str) -> Layout:
        """Return what a stage has in the end."""
        if name not in self._known:
            self._known[name] = Layout()  # meanwhile, for a stage that copies from itself
            for _, layout in self.walk(self.ancestry(self.stages[name])):
                self._known[name] = layout
        return self._known[name]

    def copied_from(self, flags: Sequence[str]) -> str:
        """Return the name of the stage that a COPY takes from, by name or by number; "" for all else."""
        name = next((flag[7:].lower() for flag in flags if flag.startswith("--from=")), "")
        if name.isdecimal() and int(name) < len(self._numbered):
            # A stage whose name another one takes later has none any more.
            return next((key for key, stage in self.stages.items() if stage is self._numbered[int(name)]), "")
        return name if name in self.stages else ""

    def _lay(self, layout: Layout, each: Instruction) -> None:
        verb, _, rest = each.text.partition(" ")
        if verb.upper() == "WORKDIR":
            layout.cwd = layout.inside(rest.strip().strip("\"'"))
        if verb.upper() not in {"COPY", "ADD"}:
            return
        flags, sources, target = operands(rest)
        place = layout.inside(target)
        if any(flag.startswith("--from=") for flag in flags):
            if other := self.copied_from(flags):
                for source in sources:
                    there = _moved(self.of(other), posixpath.join("/", source), place)
                    room = max(0, _MOST_PLACES - len(layout.moved))
                    layout.moved += [(one, path, other) for one, path in there[:room]]
            return
        for source in sources:
            path = posixpath.normpath(posixpath.join(self._context, source.lstrip("/")))
            if path in self._tree.folders:
                layout.places.append((place, path))
            elif is_into(target, sources):
                layout.places.append((posixpath.join(place, posixpath.basename(path)), path))
                # A file lies beside its neighbours, wherever those are copied.
                layout.likely.append((place, posixpath.dirname(path) or "."))
            else:
                layout.places.append((place, path))


def _moved(other: Layout, source: str, target: str) -> list[tuple[str, str]]:
    """Return the places of what is copied out of another stage."""
    below = [
        (posixpath.normpath(posixpath.join(target, posixpath.relpath(place, source))), path)
        for place, path in (*other.places, *(one[:2] for one in other.moved))
        if place == source or place.startswith(source.rstrip("/") + "/")
    ]
    whole = other.source(source)
    return [*below, *([(target, whole)] if whole is not None else [])]


def is_into(target: str, sources: Sequence[str]) -> bool:
    """Return whether a file is copied into a target, and not as it."""
    return target.endswith(("/", ".")) or len(sources) > 1


def operands(text: str) -> tuple[list[str], list[str], str]:
    """Return flags, sources and target of a COPY or ADD, of either form."""
    flags: list[str] = []
    rest = text.strip()
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        flags.append(flag)
        rest = rest.strip()
    try:
        words = [str(one) for one in json.loads(rest)] if rest.startswith("[") else shlex.split(rest)
    except (ValueError, TypeError, RecursionError):
        words = rest.split()
    return flags, words[:-1], words[-1] if words else "."
