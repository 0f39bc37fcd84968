"""A front end by Node: the package manager that installs it, the scripts that build it, and the command for both."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping

LOCKS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}


def manager_of(package: Mapping[str, object], beside: Container[str]) -> tuple[str, str]:
    """Return the manager that a package.json is meant for, and its lock file, "" where there is none.

    `beside` are the names of files that lie beside it, those of LOCKS at least. Without a lock `packageManager` names
    the manager (Node's Corepack: `pnpm@9.1.0`), else it is npm.
    """
    for lock, name in LOCKS.items():
        if lock in beside:
            return name, lock
    name = str(package.get("packageManager", "")).partition("@")[0]
    return (name if name in LOCKS.values() else "npm"), ""


_PNPM = {"5": 7, "6": 8, "9": 10}
"""The newest major release of pnpm that keeps to a version of the lock file, of its first number."""
BERRY = "@yarnpkg/cli-dist"
_BERRY = {"4": 2, "5": 3, "6": 3, "8": 4}
"""The major release of Yarn that wrote a version of its lock file; there was no other before."""
_VERSION = re.compile(r"\d+(\.\d+){0,2}(-[\w.]+)?")


def installer(manager: str, package: Mapping[str, object], lock: str) -> str:
    """Return the package of npm's registry that a manager comes in, as `npm install` is asked for it; "" for npm.

    `lock` is the text of the lock file. The project names the version, or a major release (`packageManager`,
    `devEngines`, `engines`), or else the lock file tells which release reads it. It is npm that installs it and not
    Corepack: that takes the newest pnpm where no version is named, whatever runs on this Node, refuses a registry
    without signatures, reads no .npmrc, and has not come with Node since release 25.
    """
    if manager == "npm":
        return ""
    if manager == "bun":
        return "bun@1"
    exact, least = _named(manager, package)
    if manager == "pnpm":
        written = re.search(r"^lockfileVersion:\s*['\"]?(\d+)", lock, re.MULTILINE)
        return f"pnpm@{exact or max(_PNPM.get(written[1] if written else '', 10), least)}"
    written = re.search(r"^__metadata:\s*\n\s+version:\s*['\"]?(\d+)", lock, re.MULTILINE)
    version = exact or str(_BERRY.get(written[1], 4) if written else 1)
    return f"yarn@{version}" if version.startswith("1") else f"{BERRY}@{version}"


def _named(manager: str, package: Mapping[str, object]) -> tuple[str, int]:
    """Return the version of a manager that a package.json names, "" without one, and the least major release."""
    development, engines = package.get("devEngines"), package.get("engines")
    wanted = development.get("packageManager") if isinstance(development, Mapping) else None
    named = [str(package.get("packageManager", "")).partition("+")[0].partition("@")]
    named += [
        (str(one.get("name", "")), "@", str(one.get("version", "")))
        for one in (wanted if isinstance(wanted, list) else [wanted])
        if isinstance(one, Mapping)
    ]
    named += [(manager, "@", str(engines.get(manager, "")))] if isinstance(engines, Mapping) else []
    versions = [version for name, _, version in named if name == manager]
    exact = next((one for one in versions if _VERSION.fullmatch(one)), "")
    least = (int(match[0]) for one in versions if (match := re.search(r"\d{1,3}", one)))
    return exact, next(least, 0)


_SCRIPTS = (
    "build:prod", "build-prod", "build_prod", "build:production", "build-production", "build_production",
    "production", "prod", "build",
)  # fmt: skip
"""Names of the script that makes what production serves: where there is one for production, `build` is not it."""
_ONE_OF_ITS_KIND = re.compile(r"(^|[:_-])build([:_-]|$)")
_NOT_PRODUCTION = re.compile(r"dev|watch|test|docs?\b|story|debug|types|//")


def build_scripts(package: Mapping[str, object]) -> list[str]:
    """Return the script of a package.json that builds for production: by its usual names, else by `build` in its name.

    Several where each builds a part and none is known to be the whole.
    """
    scripts = package.get("scripts")
    if not isinstance(scripts, Mapping):
        return []
    usual = [name for name in _SCRIPTS if scripts.get(name)]
    return usual[:1] or [
        name
        for name, text in scripts.items()
        if text and _ONE_OF_ITS_KIND.search(name) and not _NOT_PRODUCTION.search(name)
    ]


def running(manager: str, script: str) -> str:
    """Return the command that runs a script of package.json."""
    return f"{manager} run {script}"


def executing(manager: str, program: str) -> str:
    """Return the command that runs a program of the installed packages."""
    before = {"npm": "npx --no-install", "pnpm": "pnpm exec", "yarn": "yarn run", "bun": "bunx"}[manager]
    return f"{before} {program}"


def build_command(folder: str, manager: str, commands: Iterable[str]) -> str:
    """Return what somebody types to install and build a front end; `folder` is where from here, `.` for here."""
    command = " && ".join([f"{manager} install", *commands])
    return command if folder == "." else f"(cd {folder} && {command})"
