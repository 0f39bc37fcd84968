"""The front end that a project has: its script, its lock and what stands in its way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.unit.image.test_state import project

from nuages.image.front_end_stage import _node_install, render
from nuages.image.front_end_stage import made as placed
from nuages.image.plan import FrontEnd
from nuages.project import workspaces
from nuages.project.scan import scan
from nuages.project.tree import Tree


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
        directory=".",
        manager=end.manager,
        lock=end.lock,
        commands=end.commands,
        image="node:22-slim",
        origin="",
        installer=end.installer,
    )
    assert " --force bun@1 \\\n && bun install --frozen-lockfile\n" in render(made)
    assert made.commands == ("bun run build",)


@pytest.mark.parametrize(
    ("lock", "text", "line"),
    [
        ("package-lock.json", '{\n"resolved": "git+ssh://git@github.com/a/b.git#0123"}', 2),
        ("yarn.lock", '# yarn lockfile v1\n\n"a@b":\n  resolved "git+https://git.example/a/b.git#0123"\n', 4),
        ("yarn.lock", '"a@b":\n  resolved "https://git.example/a/b.git#0123"\n', 2),
        ("pnpm-lock.yaml", "packages:\n  a:\n    resolution: {commit: 0123, repo: x, type: git}\n", 3),
        ("yarn.lock", '"a@b":\n  resolved "https://codeload.github.com/a/b/tar.gz/0123"\n', 0),
        ("package-lock.json", '{"packages": {"node_modules/git": {}, "digit+x": {}}}', 0),
    ],
)
def test_git_is_there_for_packages_that_are_fetched_by_it(
    lock: str, text: str, line: int, tmp_path: Path
) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "package.json").write_text('{"scripts": {"build": "vite build"}}')
    (tmp_path / lock).write_text(text)
    end = scan(tmp_path, environ={}).front_end
    assert end is not None
    assert end.git == (f"{lock}:{line}" if line else "")
    made = FrontEnd(
        directory=".", manager=end.manager, lock=lock, commands=end.commands, image="node:22-slim", origin="",
        git=end.git,
    )  # fmt: skip
    wanted = f"#   git              {lock}:{line}, a package that is fetched by git\n" in render(made)
    assert wanted == bool(line)
    assert "apt-get" not in render(dataclasses.replace(made, image="node:22-alpine"))


SERVED = """
STATICFILES_DIRS = [BASE_DIR / "static", ("fonts", BASE_DIR / "{folder}node_modules/somebody/fonts")]
"""


@pytest.mark.parametrize("folder", ["", "front/"])
def test_libraries_that_are_served_out_of_node_modules_are_installed_without_a_build(
    folder: str, tmp_path: Path
) -> None:
    project(tmp_path, "db.sqlite3")
    with (tmp_path / "shop/settings.py").open("a") as settings:
        settings.write(SERVED.format(folder=folder))
    (tmp_path / "front").mkdir()
    (tmp_path / folder / "package.json").write_text('{"dependencies": {"jquery": "3.7.1"}}')
    (tmp_path / folder / "package-lock.json").write_text("{}")
    end = scan(tmp_path, environ={}).front_end
    assert end is not None
    assert (end.directory, end.commands) == (folder.rstrip("/") or ".", ())
    assert str(end.origin) == f"{folder}package.json:1"
    made = FrontEnd(directory=".", manager="npm", lock=end.lock, commands=(), image="node:22-slim", origin="")
    assert _node_install(made) == "npm ci --no-audit --no-fund --omit=dev"
    # A build that somebody has added is made there too.
    (tmp_path / folder / "package.json").write_text('{"scripts": {"build": "webpack"}}')
    end = scan(tmp_path, environ={}).front_end
    assert end is not None
    assert end.commands == ("npm run build",)


def test_a_package_json_whose_modules_nobody_serves_is_nobodys(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "package.json").write_text('{"dependencies": {"jquery": "3.7.1"}}')
    (tmp_path / "package-lock.json").write_text("{}")
    assert scan(tmp_path, environ={}).front_end is None


@pytest.mark.parametrize(
    ("tasks", "command"), [("build, watch, default: watch", "gulp build"), ("css", "gulp")]
)
def test_a_gulpfile_beside_a_package_json_without_scripts_is_told(
    tmp_path: Path, tasks: str, command: str
) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "package.json").write_text('{"devDependencies": {"gulp": "4"}}')
    (tmp_path / "gulpfile.config.js").write_text("module.exports = {};")
    (tmp_path / "gulpfile.js").write_text(f"module.exports = {{{tasks}}};")
    assert (
        "no script of package.json runs gulpfile.js: what it makes is missing where nobody has committed it; "
        f"npm pkg set scripts.build='{command}' beside it has nuages build it"
    ) in scan(tmp_path, environ={}).notes


def test_the_one_front_end_of_an_application_that_writes_out_of_its_folder_is_the_projects(
    tmp_path: Path,
) -> None:
    project(tmp_path, "db.sqlite3")
    for folder in ("shop/front", "docs/site", "shop/editor"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "package.json").write_text('{"scripts": {"build": "vite build"}}')
    into = "build: {outDir:\n process.env.OUT_DIR ||\n path.resolve(__dirname, '../static/shop')}"
    (tmp_path / "docs/site/vite.config.js").write_text(into)
    assert scan(tmp_path, environ={}).front_end is None
    (tmp_path / "shop/front/vite.config.js").write_text(into)
    end = scan(tmp_path, environ={}).front_end
    assert end is not None
    assert end.directory == "shop/front"
    # Of two nobody knows which is served.
    (tmp_path / "shop/editor/vite.config.js").write_text(into)
    assert scan(tmp_path, environ={}).front_end is None


def test_a_bundler_that_no_script_runs_is_told(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "package.json").write_text(
        '{"devDependencies": {"webpack": "5"}, "scripts": {"lint": "eslint"}}'
    )
    assert "webpack" not in str(scan(tmp_path, environ={}).notes)
    (tmp_path / "webpack.config.js").write_text("")
    note = (
        "no script of package.json runs webpack.config.js: what it makes is missing where nobody has committed it; "
        "npm pkg set scripts.build='webpack' beside it has nuages build it"
    )
    assert note in scan(tmp_path, environ={}).notes


@pytest.mark.parametrize(
    ("path", "text", "is_ours"),
    [
        ("vite.config.ts", "export default { build: { outDir: '../backend/shop/static' } }", True),
        ("bin/mjml", "mjml mjml/*.mjml -o ../backend/shop/templates/mail", True),
        ("vite.config.ts", "export default { build: { outDir: 'dist' } }", False),
        ("vite.config.ts", "export default { build: { outDir: '../other/static' } }", False),
    ],
)
def test_a_build_beside_the_project_that_writes_into_it_is_its_own(
    path: str, text: str, is_ours: bool, tmp_path: Path
) -> None:
    project(tmp_path / "src/backend", "db.sqlite3")
    front = tmp_path / "src/front"
    (front / path).parent.mkdir(parents=True)
    (front / path).write_text(text)
    (front / "package.json").write_text('{"scripts": {"build": "make it"}}')
    (front / "yarn.lock").write_text("")
    end = scan(tmp_path, environ={}).front_end
    assert (end.directory if end else None) == ("src/front" if is_ours else None)


def test_the_members_of_a_workspace_are_copied_before_it_is_installed_and_leave_no_packages() -> None:
    end = FrontEnd(
        directory="ui", manager="yarn", lock="yarn.lock", commands=("yarn run build",), image="node:22-slim", origin="",
        beside=(".yarnrc", "patches/", "apps/a/package.json"),
    )  # fmt: skip
    lines = render(end).splitlines()
    assert lines.index("COPY ui/apps/a/package.json ./apps/a/package.json") < next(
        number for number, line in enumerate(lines) if "yarn install" in line
    )
    assert "COPY ui/package.json ui/yarn.lock ui/.yarnrc ./" in lines
    assert " && rm -rf apps/a/node_modules" in lines
    # Packages lie outside of the project when the stage is done.
    assert placed(end, "ui/node_modules/a/b.js") == "/node_modules/a/b.js"
    assert placed(end, "ui/node_modules.txt") == "/app/ui/node_modules.txt"


def test_members_of_workspaces_are_found_by_the_patterns_of_each_manager(tmp_path: Path) -> None:
    for folder in ("apps/a", "apps/b/c", "apps/none", "tools"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "package.json").write_text("{}")
    for package, workspace, found in (
        ('{"workspaces": ["apps/*", "!apps/none"]}', "", ("apps/a",)),
        ('{"workspaces": {"packages": ["./tools"]}}', "", ("tools",)),
        ("{}", "packages:\n  - 'apps/**'\n  - .\n", ("apps/a", "apps/b/c", "apps/none")),
        ('{"workspaces": [1, ""]}', "packages: []\n", ()),
        ('{"workspaces": ["**/b/*", "**/none", "!**/**/none"]}', "", ("apps/b/c",)),
        # As in pnpm's documentation.
        (
            "{}",
            "packages:\n  # in a subfolder of the root\n  - 'tools'\n\n  - apps/* # all\n  - '!**/none'\n"
            "catalog:\n  - apps/b/c\n",
            ("apps/a", "tools"),
        ),
        ("{}", "packages: ['apps/b/*', \"tools\"] # two\n", ("apps/b/c", "tools")),
    ):
        (tmp_path / "package.json").write_text(package)
        (tmp_path / "pnpm-workspace.yaml").write_text(workspace)
        assert workspaces.members(Tree(tmp_path), ".") == found
