"""How the project's own Dockerfile builds its front end: in which folder, by what, and where it puts what that made.

Nothing is run: of a command line those words are taken that say themselves what they are.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nuages.errors import Origin
from nuages.project import container_file
from nuages.project.container_file import Instruction, Stage
from nuages.project.environment import kind_of
from nuages.project.model import VariableKind
from nuages.project.stage_layout import Layout, Layouts, is_into, operands
from nuages.project.tree import Tree, join

_IMAGE = re.compile(r"(?:.*/)?(?:node|bun)(?::(?P<release>\d+)?.*)?")
_SEPARATOR = re.compile(r"&&|\|\||;|\||\(|\)")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_ELSEWHERE = frozenset({"--prefix", "--cwd", "-C", "--dir"})
"""Flags of the managers that name a folder."""
_INSTALLING = frozenset({"ci", "install", "i", "clean-install"})
_GLOBALLY = frozenset({"-g", "--global", "--location=global"})
_INSTALL_FLAGS = ("--legacy-peer-deps", "--force", "--ignore-scripts")
_WITHOUT_DEVELOPMENT = frozenset({"--production", "--omit=dev", "--only=production", "--only=prod", "--prod"})
_INSTALLED = re.compile(r"/(usr|opt|etc|bin|lib|wheels?|install)(/|$)|.*/(\.venv|venv|\.local|wheels?)(/|$)")
"""Places that programs and Python's packages are copied out of."""
_ASIDE = re.compile(r"dev|watch|test|lint|check|audit|format|story|serve|start|types|docs?\b")
"""In the names of scripts that make nothing of what production serves."""
_BUNDLERS = frozenset(
    {
        "astro", "elm-app", "ember", "esbuild", "grunt", "gulp", "lessc", "mix", "ng", "parcel", "postcss", "quasar",
        "react-scripts", "rollup", "rspack", "sass", "tailwindcss", "tsc", "vite", "vue-cli-service", "webpack",
    }
)  # fmt: skip
"""Programs that Dockerfiles run without a script of package.json."""
_OF_THE_STAGE = re.compile(r"PATH|HOME|LANG|LC_\w+|DEBIAN_FRONTEND|(PYTHON|PIP|UV|POETRY)\w*")
"""Variables that mean something to its other programs, and that nuages' own stages have too."""
_IN_THE_BUNDLE = re.compile(r"(VITE|REACT_APP|VUE_APP|NEXT_PUBLIC|PUBLIC|NG_APP)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a build: a script of package.json or a program of its packages, with its arguments."""

    text: str
    is_script: bool
    origin: Origin


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
    for path, stages, chain in container_file.nearest(tree, folders):
        for context in dict.fromkeys((posixpath.dirname(path) or ".", ".")):
            if found := _Reading(tree, path, Layouts(tree, context, stages)).build(chain):
                return found
        return None
    return None


class _Reading:
    def __init__(self, tree: Tree, path: str, layouts: Layouts) -> None:
        self._tree, self._path, self._layouts = tree, path, layouts

    def build(self, chain: Sequence[Stage]) -> NodeBuild | None:
        """Return the first build whose stage another one copies from, else what the image's own stages run."""
        for name, stage in self._layouts.stages.items():
            ancestry = self._layouts.ancestry(stage)
            taken = list(self._taken(name))
            if taken and (found := self._made(ancestry, taken, name)):
                image = _IMAGE.fullmatch(ancestry[0][0].partition("@")[0].lower())
                return replace(found, node=(image and image["release"]) or "")
        return self._made(chain, [], "")

    def _taken(self, name: str) -> Iterator[tuple[Instruction, str, Layout]]:
        """Yield each COPY out of a stage, the folder that it finds itself in, and what its stage has in the end."""
        for other, stage in self._layouts.stages.items():
            for each, layout in self._layouts.walk(self._layouts.ancestry(stage)):
                verb, _, rest = each.text.partition(" ")
                is_own = each in stage[2] and verb.upper() == "COPY"
                if is_own and self._layouts.copied_from(operands(rest)[0]) == name:
                    yield each, layout.cwd, self._layouts.of(other)

    def _made(
        self, stages: Sequence[Stage], taken: Sequence[tuple[Instruction, str, Layout]], name: str
    ) -> NodeBuild | None:
        environ: dict[str, str] = {}
        steps: list[Step] = []
        tools: list[str] = []
        where, directory, layout = "", "", Layout()
        for each, layout in self._layouts.walk(stages):
            verb, _, rest = each.text.partition(" ")
            if verb.upper() in {"ENV", "ARG"} and not steps:
                given = container_file.given(each.text)
                environ.update(
                    {name: value for name, value in given.items() if value or verb.upper() == "ENV"}
                )
            for place, words, given in _commands(rest, layout.cwd) if verb.upper() == "RUN" else ():
                folder = layout.source(place)
                if not steps:
                    environ.update(_install_flags(words))
                    tools += _tools(words)
                step = self._step(folder, words, Origin(self._path, each.line)) if folder else None
                if folder and step and place == (where or place):
                    where, directory = place, folder
                    steps.append(step)
                    environ.update(given)
        if not steps:
            return None
        copies = _copies(_with_the_root(layout, where, directory), taken, name, directory)
        if copies is None:
            return None
        known = ((name, value) for name, value in environ.items() if _is_passed_on(name, value))
        return NodeBuild(
            directory=directory,
            steps=tuple(steps),
            tools=tuple(tools),
            copies=copies,
            environ=tuple(known) if taken else (),
        )

    def _step(self, folder: str, words: Sequence[str], origin: Origin) -> Step | None:
        path = join(folder, "package.json")
        if path not in self._tree:
            return None
        scripts = self._tree.json(path).get("scripts")
        program, *rest = words
        if program in _MANAGERS:
            while rest and (rest[0] in {"run", "run-script", "exec", "dlx"} or rest[0].startswith("-")):
                rest = rest[1:]
            if rest and isinstance(scripts, Mapping) and rest[0] in scripts:
                wanted = not _ASIDE.search(rest[0])
                return Step(text=shlex.join(rest), is_script=True, origin=origin) if wanted else None
        elif program in {"npx", "bunx"}:
            while rest and rest[0].startswith("-"):
                rest = rest[1:]
        else:
            rest = [posixpath.basename(program), *rest] if "node_modules/.bin/" in program else []
        is_ours = bool(rest) and rest[0] in _BUNDLERS
        return Step(text=shlex.join(rest), is_script=False, origin=origin) if is_ours else None


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
            if "node_modules" in place or _INSTALLED.match(place):
                continue
            to = posixpath.normpath(posixpath.join(cwd, target))
            if re.search(r"\.\w+$", posixpath.basename(place)) and is_into(target, sources):
                to = posixpath.join(to, posixpath.basename(place))
            at, wanted = made.source(place), there.source(to, without=stage)
            if at == "." or f"{directory}/".startswith(f"{at}/"):
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


def _commands(text: str, cwd: str) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield the folder, the words and the variables of each command of a RUN."""
    while match := re.match(r"\s*--\S+\s+", text):
        text = text[match.end() :]
    for part in _SEPARATOR.split(text):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        environ: dict[str, str] = {}
        while words and (match := _ASSIGNED.fullmatch(words[0])):
            environ[match[1]] = match[2]
            words = words[1:]
        if words[:1] == ["cd"] and len(words) == 2:
            cwd = posixpath.normpath(posixpath.join(cwd, words[1]))
        elif words:
            folder, words = _elsewhere(words)
            yield posixpath.normpath(posixpath.join(cwd, folder)), words, environ


def _install_flags(words: Sequence[str]) -> dict[str, str]:
    """Return what npm is told when it installs, as the variables that tell it too."""
    if words[0] not in {"npm", "pnpm"} or not _INSTALLING & {*words} or _GLOBALLY & {*words}:
        return {}
    found = {f"npm_config_{flag[2:].replace('-', '_')}": "true" for flag in _INSTALL_FLAGS if flag in words}
    return {**found, "npm_config_omit": "dev"} if _WITHOUT_DEVELOPMENT & {*words} else found


def _tools(words: Sequence[str]) -> list[str]:
    """Return the packages that npm installs for everybody; npm and other managers are there already."""
    if words[0] != "npm" or not _INSTALLING & {*words} or not _GLOBALLY & {*words}:
        return []
    named = [word for word in words[1:] if not word.startswith("-") and word not in _INSTALLING]
    return [word for word in named if word.partition("@")[0] not in {*_MANAGERS, "corepack"}]


def _elsewhere(words: list[str]) -> tuple[str, list[str]]:
    """Return the folder that a manager's flag names, `.` without one, and the words without it."""
    if words[0] not in _MANAGERS:
        return ".", words
    folder, kept, rest = ".", [words[0]], iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _ELSEWHERE:
            folder = value if equals else next(rest, ".")
        else:
            kept.append(word)
    return folder, kept
