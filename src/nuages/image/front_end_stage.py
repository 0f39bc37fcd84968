"""The stage that builds the front end, and what others take out of it."""

from __future__ import annotations

import posixpath
import shlex

from nuages.image.instructions import apt, comment, run
from nuages.image.plan import FrontEnd, Package
from nuages.image.state import APP

_NODE_MOUNTS = (
    "--mount=type=secret,id=npmrc,target=/root/.npmrc",
    "--mount=type=secret,id=ca",
    "--mount=type=cache,target=/root/.npm",
)
_CERTIFICATES = "{ [ ! -e /run/secrets/ca ] || export NODE_EXTRA_CA_CERTS=/run/secrets/ca; }"

_MODULES = "/node_modules"
_NODE = "/usr/local/bin/node"
"""Where the images of Node have it."""

_MOVED = f"{{ [ ! -e node_modules ] || mv node_modules {_MODULES}; }}"
"""There is none without a dependency, or where Yarn has packages elsewhere."""


def render(end: FrontEnd | None) -> str:
    """Return the stage; empty without a front end."""
    if end is None:
        return ""
    folder = posixpath.normpath(posixpath.join(APP, end.directory))
    within = "" if end.directory == "." else f"{end.directory}/"
    files = [name for name in ("package.json", end.lock, *end.beside) if name and "/" not in name]
    given = [
        (name.startswith("npm_config_"), f"ENV {name}={shlex.quote(value)}") for name, value in end.environ
    ]
    has = "builds it" if end.commands else "has libraries that are served as they are"
    has = "has programs that collecting runs" if end.collects and not end.commands else has
    return "\n".join(
        [
            comment(f"The front end: {end.origin} {has}. Node stays in this stage.", rule="front end"),
            f"FROM {end.image} AS front-end",
            *_node_packages(end),
            f"WORKDIR {folder}",
            f"COPY {' '.join(within + name for name in files)} ./",
            *(f"COPY {within}{name} ./{name}" for name in end.beside if "/" in name),
            *(line for is_managers, line in given if is_managers),
            comment("Private registries: `--secret id=npmrc,src=FILE`; their certificates: `--secret id=ca,src=FILE`."),
            run(_NODE_MOUNTS, [_CERTIFICATES, *_node_programs(end), _node_install(end)]),
            *(line for is_managers, line in given if not is_managers),
            f"COPY . {APP}",
            run(_NODE_MOUNTS, [_CERTIFICATES, *end.commands, *_cleared(end)])
            if end.commands
            else run((), _cleared(end)),
        ]
    )  # fmt: skip


def _cleared(end: FrontEnd) -> list[str]:
    """Return the commands that take what was installed out of the project; pnpm has some in each member."""
    members = [posixpath.dirname(name) for name in end.beside if name.endswith("/package.json")]
    kept = [_MOVED, f"mkdir -p {_MODULES}"] if end.collects else [_MOVED]
    return [*kept, *([f"rm -rf {shlex.join(f'{one}/node_modules' for one in members)}"] if members else [])]


def made(end: FrontEnd, path: str) -> str:
    """Return where the stage has something in the end."""
    modules = posixpath.normpath(posixpath.join(end.directory, "node_modules"))
    return f"/node_modules{path[len(modules) :]}" if path.startswith(f"{modules}/") else f"{APP}/{path}"


def _node_packages(end: FrontEnd) -> list[str]:
    """Return the installation of what the slim images of Node lack; who gives one of Alpine has it there."""
    names = ("git", "ca-certificates", "openssh-client") if end.git and "alpine" not in end.image else ()
    packages = [
        Package(name=name, wanted_by=f"{end.git}, a package that is fetched by git") for name in names
    ]
    return [apt(packages, "front-end")] if packages else []


def _node_programs(end: FrontEnd) -> list[str]:
    """Return the commands that install the manager, and the programs that no package.json asks for."""
    add = "npm install --global --no-audit --no-fund"
    return [
        # An image of Node has a Yarn of its own in the way.
        *([f"{add} --force {end.installer}"] if end.installer else []),
        *([f"{add} {shlex.join(end.tools)}"] if end.tools else []),
    ]


def _node_install(end: FrontEnd) -> str:
    """Return the command; without a build nobody needs what is for development."""
    command, served = {
        "pnpm": ("pnpm install --frozen-lockfile", " --prod"),
        "yarn": ("yarn install --frozen-lockfile", ""),
        "bun": ("bun install --frozen-lockfile", " --production"),
        "npm": (f"npm {'ci' if end.lock else 'install'} --no-audit --no-fund", " --omit=dev"),
    }[end.manager]
    return command if end.commands or end.collects else command + served


def programs(end: FrontEnd | None) -> tuple[list[str], list[str]]:
    """Return the mounts and the variables with which a command runs programs of the installed packages."""
    if end is None or not end.collects:
        return [], []
    place = _installed(end)
    given = ((_MODULES, place), (_NODE, _NODE))
    mounts = [f"--mount=type=bind,from=front-end,source={source},target={target}" for source, target in given]
    return mounts, [f"PATH={place}/.bin:$PATH"]


def _installed(end: FrontEnd) -> str:
    return posixpath.normpath(posixpath.join(APP, end.directory, "node_modules"))


def modules(end: FrontEnd | None) -> list[str]:
    """Return what puts the installed packages where they are served from."""
    if end is None or not end.serves_modules or end.collects:
        return []  # what collecting runs is there as long as it runs
    return [f"COPY --from=front-end {_MODULES} {_installed(end)}"]
