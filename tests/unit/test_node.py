"""What a front end is built with, in the image and in what we tell people to run."""

from __future__ import annotations

import pytest

from nuages.node import build_command, build_scripts, installer, manager_of


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


YARN_4 = "__metadata:\n  version: 8\n  cacheKey: 10c0\n"


@pytest.mark.parametrize(
    ("manager", "package", "lock", "found"),
    [
        ("npm", {"packageManager": "npm@11.0.0"}, "{}", ""),
        ("bun", {}, "", "bun@1"),
        ("pnpm", {}, "lockfileVersion: 5.4\n", "pnpm@7"),
        ("pnpm", {}, "lockfileVersion: '6.0'\n", "pnpm@8"),
        ("pnpm", {}, "lockfileVersion: '9.0'\n", "pnpm@10"),
        ("pnpm", {}, "nonsense", "pnpm@10"),
        ("pnpm", {"packageManager": "pnpm@9.15.9+sha512.68046141893c"}, "", "pnpm@9.15.9"),
        ("pnpm", {"packageManager": "yarn@1.22.22"}, "lockfileVersion: '9.0'", "pnpm@10"),
        ("pnpm", {"packageManager": "pnpm@$(id)"}, "lockfileVersion: '6.0'", "pnpm@8"),
        ("pnpm", {"engines": {"pnpm": ">=11.9.0"}}, "lockfileVersion: '9.0'", "pnpm@11"),
        ("pnpm", {"engines": {"pnpm": ">=8"}}, "lockfileVersion: '9.0'", "pnpm@10"),
        ("pnpm", {"devEngines": {"packageManager": {"name": "pnpm", "version": "^11.1.0"}}}, "", "pnpm@11"),
        (
            "pnpm",
            {"devEngines": {"packageManager": [{"name": "pnpm", "version": "9.1.2"}]}},
            "",
            "pnpm@9.1.2",
        ),
        ("pnpm", {"devEngines": 1, "engines": [], "packageManager": None}, "", "pnpm@10"),
        ("pnpm", {"packageManager": "pnpm@9"}, "lockfileVersion: '9.0'", "pnpm@9"),
        ("pnpm", {"packageManager": "pnpm@latest"}, "lockfileVersion: '9.0'", "pnpm@10"),
        ("yarn", {}, "# yarn lockfile v1\n", "yarn@1"),
        ("yarn", {"engines": {"yarn": ">= 1.0.0"}}, "", "yarn@1"),
        ("yarn", {"packageManager": "yarn@1.22.22"}, "# yarn lockfile v1\n", "yarn@1.22.22"),
        ("yarn", {}, YARN_4, "@yarnpkg/cli-dist@4"),
        ("yarn", {}, YARN_4.replace("8", "6"), "@yarnpkg/cli-dist@3"),
        ("yarn", {"packageManager": "yarn@4.9.4"}, YARN_4, "@yarnpkg/cli-dist@4.9.4"),
    ],
)
def test_a_manager_is_installed_by_npm_in_the_release_that_the_project_names_or_that_reads_its_lock(
    manager: str, package: dict[str, object], lock: str, found: str
) -> None:
    assert installer(manager, package, lock) == found


@pytest.mark.parametrize(
    ("scripts", "found"),
    [
        ({"build": "vite build", "dev": "vite"}, "build"),
        # Where there is one for production, `build` is for development.
        ({"build": "webpack", "build:prod": "webpack --mode production"}, "build:prod"),
        ({"build-prod": "webpack", "build": "webpack"}, "build-prod"),
        (
            {"tailwind:build": "tailwindcss -i a -o b", "tailwind:watch": "tailwindcss --watch"},
            "tailwind:build",
        ),
        ({"build:css": "sass a b", "build:docs": "typedoc"}, "build:css"),
        # Two of a kind: neither is the whole.
        ({"build-stylus": "stylus a", "build-riot": "riot b"}, "build-stylus build-riot"),
        ({"start": "node server.js", "build:dev": "webpack"}, ""),
        ({"rebuild": "npm rebuild"}, ""),
        ({"build": ""}, ""),
    ],
)
def test_the_script_for_production_is_taken(scripts: dict[str, str], found: str) -> None:
    assert build_scripts({"scripts": scripts}) == found.split()


@pytest.mark.parametrize(
    "package", [{}, {"scripts": None}, {"scripts": ["build"]}, {"scripts": {"build": None}}]
)
def test_a_package_json_without_scripts_builds_nothing(package: dict[str, object]) -> None:
    assert build_scripts(package) == []


def test_the_command_leaves_the_shell_where_it_is() -> None:
    assert build_command(".", "npm", ["npm run build"]) == "npm install && npm run build"
    assert build_command("front", "pnpm", ["pnpm run build-css", "pnpm run build-js"]) == (
        "(cd front && pnpm install && pnpm run build-css && pnpm run build-js)"
    )
