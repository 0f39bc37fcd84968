"""How the project's own Dockerfile builds its front end: in which folder, by what, and where it puts what that made.

Nothing is run: of a command line those words are taken that say themselves what they are.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from nuages.errors import Origin
from nuages.project import container_file
from nuages.project.container_file import Instruction, Stage
from nuages.project.environment import kind_of
from nuages.project.model import VariableKind
from nuages.project.node_steps import Step, step_of
from nuages.project.stage_commands import GLOBALLY, MANAGERS, commands, install_flags, tools_of
from nuages.project.stage_layout import Layout, Layouts, is_into, operands
from nuages.project.tree import Tree

_IMAGE = re.compile(r"(?:.*/)?(?:node|bun)(?::(?P<release>\d+)?.*)?")
_INSTALLED = re.compile(r"/(usr|opt|etc|bin|lib|wheels?|install)(/|$)|.*/(\.venv|venv|\.local|wheels?)(/|$)")
"""Places that programs and Python's packages are copied out of."""
_CLEARING = frozenset({"rm", "ls", "chown", "chmod", "mv", "find", "du"})
"""Programs that put nothing into node_modules."""
_OF_THE_STAGE = re.compile(r"PATH|HOME|LANG|LC_\w+|DEBIAN_FRONTEND|(PYTHON|PIP|UV|POETRY)\w*")
"""Variables that mean something to its other programs, and that nuages' own stages have too."""
_IN_THE_BUNDLE = re.compile(r"(VITE|REACT_APP|VUE_APP|NEXT_PUBLIC|PUBLIC|NG_APP)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBuild:
    """A front end that a Dockerfile builds. Folders are relative to the root.

    `tools` are packages that it installs for their programs alone. `copies` are what is made and where the image has
    it, for what does not stay where it is made. `environ` are the variables that the stage gives it, `node` the major
    release of its image, "" where none is named.
    """

    directory: str
    steps: tuple[Step, ...]
    tools: tuple[str, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    environ: tuple[tuple[str, str], ...] = ()
    node: str = ""


def find(tree: Tree, folders: tuple[str, ...]) -> NodeBuild | None:
    """Return the build of the Dockerfile nearest to the project; None where it has none, or it cannot be followed."""
    return _read(tree, folders)[0]


@dataclass(frozen=True, slots=True)
class Doubts:
    """What a Dockerfile puts among the project's files and nothing here makes: its stages, and others' images."""

    stages: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def doubts(tree: Tree, folders: tuple[str, ...]) -> Doubts:
    """Return what of the Dockerfile nearest to the project cannot be followed, each with the reason."""
    return _read(tree, folders)[1]


def _read(tree: Tree, folders: tuple[str, ...]) -> tuple[NodeBuild | None, Doubts]:
    """Return the first build that can be followed: a Dockerfile for production may leave it to one beside it."""
    first: Doubts | None = None
    for path, stages, chain in container_file.nearest(tree, folders):
        for context in dict.fromkeys((posixpath.dirname(path) or ".", ".")):
            reading = _Reading(tree, path, Layouts(tree, context, stages), chain)
            found = reading.build()
            said = Doubts(() if found else tuple(reading.doubts), tuple(reading.from_images()))
            if found:
                return found, first or said
        first = first or said
    return None, first or Doubts()


class _Reading:
    def __init__(self, tree: Tree, path: str, layouts: Layouts, chain: Sequence[Stage]) -> None:
        self._tree, self._path, self._layouts, self._chain = tree, path, layouts, chain
        self.doubts: list[str] = []
        self._why = ""

    def build(self) -> NodeBuild | None:
        """Return the first build whose stage another one copies from, else what the image's own stages run."""
        for name, stage in self._layouts.stages.items():
            ancestry = self._layouts.ancestry(stage)
            taken = list(self._taken(name))
            self._why = "none of its commands is known to build one"
            if taken and (found := self._made(ancestry, taken, name)):
                image = _IMAGE.fullmatch(ancestry[0][0].partition("@")[0].lower())
                return replace(found, node=(image and image["release"]) or "")
            if self._is_wanted(taken) and (line := self._managed(stage)):
                self.doubts.append(
                    f"{Origin(self._path, line)}: the front end of the stage {name} is not built as it stands there, "
                    f"for {self._why}"
                )
        return self._made(self._chain, [], "")

    def from_images(self) -> Iterator[str]:
        """Yield what the image takes out of others, by their names, and has among the project's files."""
        there = self._layouts.of(self._last()) if self._chain else Layout()
        for stage in self._chain:
            for each, layout in self._layouts.copies(stage):
                flags, sources, target = operands(each.text.partition(" ")[2])
                image = next((flag[7:] for flag in flags if flag.startswith("--from=")), "")
                if not image:
                    continue
                other = self._layouts.stages.get(self._layouts.copied_from(flags))
                if other and not other[2]:  # a name for somebody else's image
                    image, other = other[0], None
                place = posixpath.normpath(posixpath.join(layout.cwd, target))
                path = there.source(place)
                programs = [one for one in (place, *sources) if _INSTALLED.match(posixpath.join("/", one))]
                if path not in {None, "."} and not programs and not other:
                    yield (
                        f"{Origin(self._path, each.line)} has {path} from the image {image}: nothing puts it there "
                        "here; commit it, or copy it in a Dockerfile of your own"
                    )

    def _is_wanted(self, taken: Sequence[tuple[Instruction, str, Layout]]) -> bool:
        """Whether the image, or what it is copied from, has more of a stage than the packages that it installs."""
        sources = (
            one
            for each, _, _ in taken
            if id(each) in self._ours
            for one in operands(each.text.partition(" ")[2])[1]
        )
        return any(
            not one.rstrip("/").endswith("node_modules") and not _INSTALLED.match(posixpath.join("/", one))
            for one in sources
        )

    @cached_property
    def _ours(self) -> set[int]:
        """The instructions of the stages that come of no image of Node's."""
        return {
            id(each)
            for stage in self._layouts.stages.values()
            if not _IMAGE.fullmatch(self._layouts.ancestry(stage)[0][0].partition("@")[0].lower())
            for each in stage[2]
        }

    def _last(self) -> str:
        return next(name for name, stage in self._layouts.stages.items() if stage is self._chain[-1])

    def _managed(self, stage: Stage) -> int:
        """Return the line of a stage in which Node's packages are installed or run, 0 where none does."""
        lines = (
            each.line
            for each in stage[2]
            for _, words, _ in commands(each.text[4:], "/")
            if each.text[:4].upper() == "RUN " and words[0] in {*MANAGERS, "npx", "bunx"} - {"bun"}
            if not GLOBALLY & {*words} and words[1:2] not in (["config"], ["cache"], ["-v"], ["--version"])
        )
        return next(lines, 0)

    def _taken(self, name: str) -> Iterator[tuple[Instruction, str, Layout]]:
        """Yield each COPY out of a stage, the folder that it finds itself in, and what its stage has in the end."""
        for other, each, cwd in self._copied.get(name, ()):
            is_last = any(self._layouts.stages[other] is one for one in self._chain)
            yield each, cwd, self._layouts.of(self._last() if is_last else other)

    @cached_property
    def _copied(self) -> dict[str, list[tuple[str, Instruction, str]]]:
        """Each COPY out of a stage, by the name of that: the stage that has it, and the folder it finds itself in."""
        found: dict[str, list[tuple[str, Instruction, str]]] = {}
        for other, stage in self._layouts.stages.items():
            for each, layout in self._layouts.copies(stage):
                name = self._layouts.copied_from(operands(each.text.partition(" ")[2])[0])
                found.setdefault(name, []).append((other, each, layout.cwd))
        return found

    def _made(
        self, stages: Sequence[Stage], taken: Sequence[tuple[Instruction, str, Layout]], name: str
    ) -> NodeBuild | None:
        environ: dict[str, str] = {}
        steps: list[Step] = []
        tools: list[str] = []
        where, directory, layout, is_filled = "", "", Layout(), False
        for each, layout in self._layouts.walk(stages):
            verb, _, rest = each.text.partition(" ")
            if verb.upper() in {"ENV", "ARG"} and not steps:
                given = container_file.given(each.text)
                environ.update(
                    {name: value for name, value in given.items() if value or verb.upper() == "ENV"}
                )
            for place, words, given in commands(rest, layout.cwd) if verb.upper() == "RUN" else ():
                folder = layout.source(place)
                if not steps:
                    environ.update(install_flags(words))
                    tools += tools_of(words)
                is_filled = is_filled or (
                    words[0] not in {*MANAGERS, *_CLEARING} and "node_modules" in " ".join(words[1:])
                )
                step = step_of(self._tree, folder, words, Origin(self._path, each.line)) if folder else None
                if folder and step and place == (where or place):
                    where, directory = place, folder
                    steps.append(step)
                    environ.update(given)
        if not steps or (taken and self._is_elsewhere(stages, layout, where, directory)):
            return None
        if is_filled:
            # What is put there by hand is, as a rule, what was left out.
            environ.pop("npm_config_omit", None)
        copies = _copies(_with_the_root(layout, where, directory), taken, name, directory)
        if copies is None:
            self._why = "what it makes, or where the image has it, is no place of the project"
            return None
        known = ((name, value) for name, value in environ.items() if _is_passed_on(name, value))
        return NodeBuild(
            directory=directory,
            steps=tuple(steps),
            tools=tuple(tools),
            copies=copies,
            environ=tuple(known) if taken else (),
        )

    def _is_elsewhere(self, stages: Sequence[Stage], layout: Layout, where: str, directory: str) -> bool:
        """Whether the build finds beside it what the project has elsewhere, or what another stage makes first."""
        root = where.rstrip("/") + "/"
        for place, path in layout.places:
            beside = posixpath.normpath(posixpath.join(directory, posixpath.relpath(place, where)))
            if f"{place}/".startswith(root) and path in self._tree.folders and path != beside:
                self._why = f"it builds with {path} at {place}"
                return True
        for each, found in self._layouts.walk(stages):
            verb, _, rest = each.text.partition(" ")
            flags, sources, target = operands(rest) if verb.upper() == "COPY" else ([], [], "")
            into = found.inside(target)
            if not any(flag.startswith("--from=") for flag in flags) or not f"{into}/".startswith(root):
                continue
            name = self._layouts.copied_from(flags)
            for source in sources:
                place = posixpath.normpath(posixpath.join("/", source))
                if "node_modules" in place or _INSTALLED.match(place):
                    continue
                origin = self._layouts.of(name).source(place) if name else None
                if origin is None or not self._is_there(origin):
                    self._why = f"it builds with what line {each.line} takes out of another image"
                    return True
        return False

    def _is_there(self, path: str) -> bool:
        """Whether the project has a file, or a folder with more than a .gitignore that keeps it."""
        start = "" if path == "." else f"{path}/"
        return path in self._tree or any(
            one.startswith(start) and not posixpath.basename(one).startswith(".") for one in self._tree.files
        )


def _with_the_root(layout: Layout, where: str, directory: str) -> Layout:
    """Return a layout in which what is written beside the folder of the build has its place too.

    It has it where the folder has the same name in the image: then its parents are the project's.
    """
    if directory == "." or where.endswith(f"/{directory}"):
        root = where if directory == "." else where.removesuffix(f"/{directory}") or "/"
        layout.likely.append((root, "."))
    return layout


def _copies(
    made: Layout, taken: Sequence[tuple[Instruction, str, Layout]], stage: str, directory: str
) -> tuple[tuple[str, str], ...] | None:
    """Return what is made elsewhere than the image has it, and where; None where one of both is not in the project.

    What was installed is not made, and the folder itself, copied as a whole, is the project.
    """
    found: dict[tuple[str, str], None] = {}
    for each, cwd, there in taken:
        _, sources, target = operands(each.text.partition(" ")[2])
        for source in sources:
            place = posixpath.normpath(posixpath.join("/", source))
            to = posixpath.normpath(posixpath.join(cwd, target))
            is_package = "/node_modules/" in place and "node_modules" not in to
            if _INSTALLED.match(place) or ("node_modules" in place and not is_package):
                continue
            if re.search(r".\.\w+$", posixpath.basename(place)) and is_into(target, sources):
                to = posixpath.join(to, posixpath.basename(place))
            at, wanted = made.source(place), there.source(to, without=stage)
            if at == "." or f"{directory}/".startswith(f"{at}/"):
                continue
            if is_package and wanted is None:
                continue
            if place.endswith("/*") and at is not None and at.removesuffix("/*") == wanted:
                continue
            if at is None or wanted is None or "*" in place:
                return None
            if at != wanted:
                found[at, wanted] = None
    return tuple(found)


def _is_passed_on(name: str, value: str) -> bool:
    if _OF_THE_STAGE.fullmatch(name) or "$" in value:
        return False
    return bool(_IN_THE_BUNDLE.match(name)) or kind_of(name, None, None) is not VariableKind.SECRET
