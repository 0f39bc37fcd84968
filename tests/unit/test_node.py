"""Which package manager a front end is built with, in the image and in what we tell people to run."""

from __future__ import annotations

import pytest

from nuages.node import manager_of


@pytest.mark.parametrize(
    ("package", "files", "found"),
    [
        ({}, {"yarn.lock"}, ("yarn", "yarn.lock")),
        ({}, {"npm-shrinkwrap.json"}, ("npm", "npm-shrinkwrap.json")),
        ({"packageManager": "pnpm@9.1.0"}, set(), ("pnpm", "")),
        # What is locked is installed, whatever else is named or lies there.
        ({"packageManager": "pnpm@9.1.0"}, {"package-lock.json", "bun.lock"}, ("npm", "package-lock.json")),
        ({"packageManager": "cargo@1"}, set(), ("npm", "")),
        ({"packageManager": None}, set(), ("npm", "")),
    ],
)
def test_the_lock_tells_the_manager_else_package_json(
    package: dict[str, object], files: set[str], found: tuple[str, str]
) -> None:
    assert manager_of(package, files) == found
