"""Node's package managers: which one a front end is installed and built with."""

from __future__ import annotations

from collections.abc import Container, Mapping

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
