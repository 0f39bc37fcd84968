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
