"""The front end that a project has: its script, its lock and what stands in its way."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.image.test_state import project

from nuages.image.dockerfile import _node_install, _node_run
from nuages.image.plan import FrontEnd
from nuages.project.scan import scan


def test_a_build_in_parts_is_said_not_to_be_made(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    package = tmp_path / "package.json"
    package.write_text(
        '{\n"scripts": {\n"build-css": "stylus",\n"build-js": "riot",\n"build:docs": "typedoc"}}'
    )
    note = (
        "no front end is built: package.json:3 has build-css and build-js, and none is the whole; "
        "a script called build that runs what production needs is taken"
    )
    assert note in scan(tmp_path, environ={}).notes
    package.write_text(
        '{"scripts": {"build-css": "stylus", "build-js": "riot", "build": "npm-run-all build-*"}}'
    )
    assert note not in scan(tmp_path, environ={}).notes


@pytest.mark.parametrize("lock", ["bun.lock", "bun.lockb"])
def test_a_lock_of_bun_is_installed_from_by_bun(lock: str, tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "package.json").write_text('{"scripts": {"build": "vite build"}}')
    (tmp_path / lock).write_text("")
    end = scan(tmp_path, environ={}).front_end

    assert end is not None
    assert (end.manager, end.lock) == ("bun", lock)
    made = FrontEnd(
        directory=".", manager=end.manager, lock=end.lock, script=end.script, image="node:22-slim", origin=""
    )
    assert _node_install(made).endswith(" bun@1 && bun install --frozen-lockfile")
    assert _node_run(made) == "bun run build"
