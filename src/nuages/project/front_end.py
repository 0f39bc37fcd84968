"""The front end: package.json with a build script, or with libraries that are served as they are; its lock file and the
manager that reads it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nuages.node import BERRY, LOCKS, build_scripts, executing, installer, manager_of, running
from nuages.project import node_stages, workspaces
from nuages.project.model import Assignment, FrontEnd
from nuages.project.node_stages import NodeBuild
from nuages.project.stage_commands import MANAGERS
from nuages.project.tree import Tree, join

_CONFIGURATION = re.compile(
    r"(vite|webpack[\w.-]*|rollup|esbuild|gulpfile|tailwind|vue)(\.config)?\.(js|ts|mjs|cjs)$"
)
_OUTWARD = re.compile(
    r"(?:outDir|\bpath):\s*(?:process\.env\.\w+\s*(?:\|\||\?\?)\s*)?(?:path\.)?(?:resolve|join)\(\s*"
    r"(?:__dirname|import\.meta\.dirname)\s*,\s*[\"']\.\./"
    r"|outDir:\s*[\"']\.\./|(?:outfile|outdir|output|dist)\S*[=:, (\"'.]+\.\./|-o \.\./"
)
_ASIDE = re.compile(r"/(?:docs?|examples?|tests?|e2e|node_modules|contrib|vendor)/")
"""Folders whose packages are no part of what is served."""
_FINDERS = re.compile(r"(npm|node_assets)\.finders")
"""Of django-npm and django-node-assets: they serve node_modules."""
_FINDERS_PLACES = ("NODE_MODULES_ROOT", "NODE_PACKAGE_JSON", "NPM_ROOT_PATH")
_SETTINGS = ("pnpm-workspace.yaml", ".pnpmfile.cjs", ".yarnrc.yml", ".yarnrc", "bunfig.toml")
_SETTINGS_FOLDERS = (".yarn", "patches")
_NPMRC = re.compile(
    r"^[ \t]*(legacy-peer-deps|strict-peer-dependencies|auto-install-peers|node-linker|shamefully-hoist|ignore-scripts"
    r"|engine-strict)[ \t]*=[ \t]*([\w-]+)[ \t\r]*$",
    re.MULTILINE,
)
_GIT = r"\bgit\+(?:https?|ssh|file)://|\bgit://|\btype: git\b|\.git#"
"""In lock files; what GitHub's archives are fetched by needs no git (`codeload.github.com`)."""
_BUNDLERS = {"webpack": "webpack", "vite": "vite build", "rollup": "rollup --config", "gulpfile": "gulp"}


def find(tree: Tree, folders: tuple[str, ...], assignments: Sequence[Assignment] = ()) -> FrontEnd | None:
    """Return the build that the project's Dockerfile makes, else the one that the project's files speak of.

    That is the one in the project's folder, one above it, one below or beside it that writes into the project, or one
    below which the settings name what nobody has committed. One elsewhere, or a workspace of several packages above the
    project, is a front end of its own. Where static files come out of a node_modules, its package.json counts too:
    without a build script it is installed only.
    """
    if (own := node_stages.find(tree, folders)) is not None:
        return _as_there(tree, own, runs_programs(assignments))
    served = _served(tree, folders, assignments)
    for folder, path, document in _packages(tree, folders, served, assignments):
        scripts = build_scripts(document)
        script = scripts[0] if len(scripts) == 1 else ""
        if not script and (folder not in served or not _has_packages(document, assignments)):
            continue
        manager, lock = _manager(tree, folder, document)
        return FrontEnd(
            directory=folder, manager=manager, lock=lock,
            commands=(running(manager, script),) if script else (), node=_node(tree, folder, document),
            beside=_read_besides(tree, folder), environ=_configured(tree, folder),
            installer=installer(manager, document, tree.text(join(folder, lock)) or ""),
            collects=runs_programs(assignments), git=_fetched_by_git(tree, join(folder, lock)),
            origin=tree.line_of(path, rf'"{re.escape(script or "dependencies")}"\s*:'),
        )  # fmt: skip
    return None


def _as_there(tree: Tree, own: NodeBuild, collects: bool) -> FrontEnd:
    document = tree.json(join(own.directory, "package.json"))
    manager, lock = _manager(tree, own.directory, document)
    steps = (
        step.text if step.is_whole else (running if step.is_script else executing)(manager, step.text)
        for step in own.steps
    )
    # What package.json names itself comes before what the Dockerfile installs.
    named = next(({"packageManager": one} for one in own.tools if one.partition("@")[0] == manager), {})
    return FrontEnd(
        directory=own.directory, manager=manager, lock=lock, commands=tuple(dict.fromkeys(steps)),
        node=_node(tree, own.directory, document) or own.node, origin=own.steps[0].origin,
        beside=_read_besides(tree, own.directory), copies=own.copies,
        tools=tuple(one for one in own.tools if one.partition("@")[0] not in MANAGERS and not one.startswith(BERRY)),
        environ=tuple({**dict(_configured(tree, own.directory)), **dict(own.environ)}.items()),
        installer=installer(manager, {**named, **document}, tree.text(join(own.directory, lock)) or ""),
        collects=collects, git=_fetched_by_git(tree, join(own.directory, lock)),
    )  # fmt: skip


def _read_besides(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return the names of what a manager reads before it installs, besides package.json and its lock."""
    files = (name for name in _SETTINGS if join(folder, name) in tree)
    inner = (f"{name}/" for name in _SETTINGS_FOLDERS if join(folder, name) in tree.folders)
    return (*files, *inner, *(f"{name}/package.json" for name in workspaces.members(tree, folder)))


def _configured(tree: Tree, folder: str) -> tuple[tuple[str, str], ...]:
    """Return what .npmrc says of how to install, as variables: the file itself may hold tokens, and stays outside."""
    found = _NPMRC.findall(tree.text(join(folder, ".npmrc")) or "")
    return tuple((f"npm_config_{name.replace('-', '_')}", value) for name, value in found)


def _fetched_by_git(tree: Tree, lock: str) -> str:
    """Return where a lock file names a package of a git repository, "" where it names none."""
    return str(tree.line_of(lock, _GIT)) if re.search(_GIT, tree.text(lock) or "") else ""


def _manager(tree: Tree, folder: str, document: Mapping[str, Any]) -> tuple[str, str]:
    return manager_of(document, {name for name in LOCKS if join(folder, name) in tree})


def undecided(tree: Tree, folders: tuple[str, ...], assignments: Sequence[Assignment] = ()) -> str | None:
    """Return the note on a package.json where several scripts build something and none is the whole build, or where
    none runs the bundler whose configuration lies beside it."""
    for folder, path, document in _packages(tree, folders, _served(tree, folders, assignments), assignments):
        parts = build_scripts(document)
        if len(parts) == 1:
            return None
        bundler = next(_bundlers(tree, folder), None)
        if not parts and bundler is not None:
            configuration, command = bundler
            return (
                f"no script of {path} runs {configuration}: what it makes is missing where nobody has committed it; "
                f"npm pkg set scripts.build={command!r} beside it has nuages build it"
            )
        if len(parts) > 1:
            origin = tree.line_of(path, rf'"{re.escape(parts[0])}"\s*:\s*"')
            return (
                f"no front end is built: {origin} has {', '.join(parts[:-1])} and {parts[-1]}, and none is the "
                "whole; a script called build that runs what production needs is taken"
            )
    return None


def doubts(tree: Tree, folders: tuple[str, ...], built: FrontEnd | None) -> tuple[str, ...]:
    """Return the notes on what the project's Dockerfile builds or copies and nothing here does, with what to do."""
    is_built = built is not None and bool(built.commands)
    then = (
        f"{built.origin} is built in its place"
        if built and is_built
        else "commit what it makes, or have a script called build make it"
    )
    reading = node_stages.doubts(tree, folders)
    return (*(f"{one}: {then}" for one in reading.stages), *reading.images)


def _bundlers(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    for path in tree.below(folder):
        match = _CONFIGURATION.search(posixpath.basename(path))
        command = _BUNDLERS.get(match[1].partition(".")[0]) if match else None
        if command == "gulp" and match and match[2]:
            continue  # gulp reads no gulpfile.config.js: the gulpfile beside it does
        if command == "gulp" and re.search(r"\bbuild\b", tree.text(path) or ""):
            command = "gulp build"  # its default task is as often the one that watches
        if command:
            yield path, command


def serves(assignments: Sequence[Assignment]) -> Assignment | None:
    """Return the setting by which static files come out of node_modules: a folder of them, or a finder for them."""
    last = {each.name: each for each in assignments}
    for name, pattern in (("STATICFILES_FINDERS", _FINDERS.pattern), ("STATICFILES_DIRS", "node_modules")):
        if name in last and re.search(pattern, last[name].text):
            return last[name]
    return None


def runs_programs(assignments: Sequence[Assignment]) -> bool:
    """Whether collectstatic runs programs of Node's, as django-pipeline and django-compressor do."""
    return any(
        each.name == "PIPELINE"
        # A command line, and no class of Python's such as django-libsass has.
        or (
            each.name == "COMPRESS_PRECOMPILERS"
            and re.search("infile|node_modules", each.text, re.IGNORECASE)
        )
        or (each.name.endswith("_BINARY") and "node_modules" in each.text)
        for each in assignments
    )


def _has_packages(document: Mapping[str, Any], assignments: Sequence[Assignment]) -> bool:
    """Whether a package.json asks for what is served, or run when static files are collected."""
    return bool(
        document.get("dependencies") or (runs_programs(assignments) and document.get("devDependencies"))
    )


def _served(tree: Tree, folders: tuple[str, ...], assignments: Sequence[Assignment]) -> tuple[str, ...]:
    """Return the folders whose node_modules is served, as far as the settings tell; else the project's."""
    setting = serves(assignments)
    if setting is None:
        is_near = runs_programs(assignments)
        return tuple(one for one in folders if is_near and join(one, "package.json") in tree)
    values = [each.value for each in assignments if each.name in _FINDERS_PLACES]
    values += setting.value if isinstance(setting.value, list) else []
    texts = [str(value[-1] if isinstance(value, (list, tuple)) and value else value) for value in values]
    found = [re.split(r"/?(?:node_modules|package\.json)(?:/|$)", text)[0] or "." for text in texts]
    return tuple(dict.fromkeys(one for one in (*found, *folders) if join(one, "package.json") in tree))


def _packages(
    tree: Tree, folders: tuple[str, ...], served: tuple[str, ...], assignments: Sequence[Assignment]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield folder, path and content of each package.json that may be the project's front end."""
    near = (*folders, *_below(tree, folders[0]), *_beside(tree, folders[0]))
    for folder in dict.fromkeys((*near, *served, *_named(tree, assignments))):
        path = join(folder, "package.json")
        if path not in tree:
            continue
        document = tree.json(path)
        if folder != folders[0] and ("workspaces" in document or workspaces.listed(tree, folder)):
            continue
        if folder not in served and workspaces.is_member(tree, folder):
            continue
        is_bundled = next(_bundlers(tree, folder), None) is not None
        if isinstance(document.get("scripts"), Mapping) or is_bundled or folder in served:
            yield folder, path, document


def _named(tree: Tree, assignments: Sequence[Assignment]) -> tuple[str, ...]:
    """Return the folders of packages in which settings name something that is not there: a build has to make it."""
    packages = [path.rpartition("/")[0] for path in tree.files if path.endswith("/package.json")]
    named = [text for each in assignments if not each.name.endswith("_URL") for text in _texts(each.value)]
    return tuple(
        one
        for one in packages
        if any(
            text.startswith(f"{one}/") and text not in tree and text.rstrip("/") not in tree.folders
            for text in named
        )
    )


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a setting's value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def _below(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return the folders below the project's whose build writes to a folder outside of them; the nearest first.

    Of those deeper than directly below, as an application's own, one only: of several nobody knows which is served.
    """
    prefix = "" if folder == "." else f"{folder}/"
    inner = [path.rpartition("/")[0] for path in tree.files if path.endswith("/package.json")]
    found = [one for one in inner if one.startswith(prefix) and one != folder and _writes_outward(tree, one)]
    near = [one for one in found if "/" not in one[len(prefix) :]]
    deep = [one for one in found if one not in near and not _ASIDE.search(f"/{one}/")]
    return (*near, *(deep if len(deep) == 1 else ()))


def _beside(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return the folders beside the project's whose build names a place in the project: `../backend/static`."""
    if folder == ".":
        return ()
    parent, name = posixpath.split(folder)
    inward = re.compile(rf"\.\./{re.escape(name)}/")
    found = [posixpath.dirname(path) for path in tree.files if path.endswith("/package.json")]
    return tuple(
        one
        for one in found
        if one != folder
        and posixpath.dirname(one) == parent
        and any(inward.search(text) for text in _building(tree, one))
    )


def _writes_outward(tree: Tree, folder: str) -> bool:
    return any(_OUTWARD.search(text) for text in _building(tree, folder))


def _building(tree: Tree, folder: str) -> Iterator[str]:
    """Yield what says how a package is built: its scripts, the bundlers' configuration, the programs beside it."""
    scripts = tree.json(f"{folder}/package.json").get("scripts")
    yield from (str(text) for text in scripts.values()) if isinstance(scripts, Mapping) else ()
    yield from (tree.text(path) or "" for path in tree.below(folder) if _CONFIGURATION.search(path))
    for inner in (f"{folder}/bin", f"{folder}/scripts"):
        yield from (tree.text(path) or "" for path in (tree.below(inner) if inner in tree.folders else ()))


def _node(tree: Tree, folder: str, document: Mapping[str, object]) -> str:
    """Return the major release of Node that the project names, else nothing."""
    for name in (".nvmrc", ".node-version"):
        if match := re.match(r"\s*v?(\d+)", tree.text(join(folder, name)) or ""):
            return match[1]
    engines = document.get("engines")
    wanted = str(engines.get("node", "")) if isinstance(engines, Mapping) else ""
    numbers = [int(number) for number in re.findall(r"(?:^|[^.\d])(\d+)", wanted)]
    return str(max(numbers)) if numbers else ""
