"""How the project's own Dockerfile builds its front end, as real ones write it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.image.test_state import project

from nuages.project import front_end, node_stages
from nuages.project.model import FrontEnd
from nuages.project.scan import scan
from nuages.project.tree import Tree

PYTHON = "FROM python:3.13-slim\nWORKDIR /app\n"
BESIDE = """\
FROM node:20-alpine AS frontend
WORKDIR /frontend
COPY frontend/package*.json ./
RUN npm ci
COPY frontend/ ./
RUN npm run build
"""


def made(
    folder: Path, dockerfile: str, *, package: str = "frontend", at: str = "Dockerfile"
) -> FrontEnd | None:
    project(folder, "db.sqlite3")
    front = folder / package
    (front / "src").mkdir(parents=True, exist_ok=True)
    scripts = {
        "build": "vite build",
        "build:css": "sass a b",
        "lint": "eslint",
        "production": "mix --production",
    }
    (front / "package.json").write_text(json.dumps({"scripts": scripts}))
    (front / "package-lock.json").write_text("{}")
    (folder / "server/app").mkdir(parents=True)
    (folder / at).parent.mkdir(exist_ok=True)
    (folder / at).write_text(dockerfile)
    return scan(folder, environ={}).front_end


def test_a_build_in_a_stage_is_made_in_its_folder_and_stays_where_the_image_has_it(tmp_path: Path) -> None:
    found = made(
        tmp_path, BESIDE + PYTHON + "COPY . .\nCOPY --from=frontend /frontend/dist ./frontend/dist\n"
    )
    assert found is not None
    assert (found.directory, found.manager, found.commands) == ("frontend", "npm", ("npm run build",))
    assert (found.node, found.copies, str(found.origin)) == ("20", (), "Dockerfile:6")


@pytest.mark.parametrize(
    ("python", "copies"),
    [
        ("COPY . .\nCOPY --from=frontend /frontend/dist ./static", (("frontend/dist", "static"),)),
        # Only the server's folder is copied, to the root of the image's.
        (
            "COPY server/ .\nCOPY --from=frontend /frontend/dist /app/app/static/",
            (("frontend/dist", "server/app/static"),),
        ),
        ('COPY ["server", "./"]\nCOPY --from=0 ["/frontend/dist", "app"]', (("frontend/dist", "server/app"),)),
        (
            "COPY . /app\nCOPY --chown=1000 --from=frontend /frontend/dist/index.html /frontend/dist/a.js shop/",
            (("frontend/dist/index.html", "shop/index.html"), ("frontend/dist/a.js", "shop/a.js")),
        ),
        # By way of a stage that collects.
        (
            "COPY . .\nCOPY --from=frontend /frontend/dist static\nFROM python:3.13 AS final\n"
            "COPY --from=1 /app /srv/app",
            (("frontend/dist", "static"),),
        ),
    ],
)  # fmt: skip
def test_what_the_build_makes_is_copied_to_where_the_image_has_it(
    python: str, copies: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    found = made(tmp_path, BESIDE + PYTHON + python + "\n")
    assert found is not None
    assert found.copies == copies


@pytest.mark.parametrize(
    "copy",
    [
        "COPY . .\nCOPY --from=frontend /out ./static",
        "COPY --from=frontend /w/dist /public",
        "COPY . .",
    ],
)
def test_a_build_whose_places_are_not_the_projects_is_left_alone(copy: str, tmp_path: Path) -> None:
    stage = BESIDE.replace("WORKDIR /frontend", "WORKDIR /w").replace("/frontend/", "/w/")
    assert made(tmp_path, stage + PYTHON + copy + "\n") is None


def test_what_is_written_beside_the_folder_has_its_place_by_the_folders_name(tmp_path: Path) -> None:
    stage = (
        "FROM node:24 AS compile\nCOPY ./ui /src/ui\nWORKDIR /src/ui\n"
        "RUN ./node_modules/.bin/ng build --configuration production\n"
    )
    copy = "COPY ./server ./\nCOPY --from=compile /src/server/app/static/ ./app/static/\n"
    found = made(tmp_path, stage + PYTHON + copy, package="ui")
    assert found is not None
    assert found.commands == ("npx --no-install ng build --configuration production",)
    assert (found.directory, found.copies) == ("ui", ())


@pytest.mark.parametrize(
    ("run", "commands"),
    [
        (
            "npm ci && npm run lint && npm run build:css && npm run build",
            ("npm run build:css", "npm run build"),
        ),
        ("--mount=type=cache,target=/root/.npm npm --prefix . run production", ("npm run production",)),
        ("VITE_BASE=/x yarn build", ("npm run build",)),
        ("npx --yes vite build --mode production", ("npx --no-install vite build --mode production",)),
        ("npm test; (npm run build -- --mode live)", ("npm run build -- --mode live",)),
    ],
)
def test_commands_are_told_from_what_stands_around_them(
    run: str, commands: tuple[str, ...], tmp_path: Path
) -> None:
    stage = f"FROM node AS web\nWORKDIR /w\nCOPY frontend .\nRUN {run}\n"
    found = made(tmp_path, stage + PYTHON + "COPY . .\nCOPY --from=web /w/dist frontend/dist\n")
    assert found is not None
    assert found.commands == commands


def test_a_folder_is_gone_to_by_the_shell_or_by_a_flag(tmp_path: Path) -> None:
    copy = PYTHON + "COPY . .\nCOPY --from=web /w/frontend/dist frontend/dist\n"
    runs = [
        "cd frontend && npm run build", "yarn --cwd frontend build", "pushd frontend && npm run build && popd",
        "pushd docs && pushd api && popd && popd && cd frontend && npm run build",
    ]  # fmt: skip
    for number, run in enumerate(runs):
        stage = f"FROM node AS web\nWORKDIR /w\nCOPY . .\nRUN {run}\n"
        found = made(tmp_path / str(number), stage + copy)
        assert found is not None
        assert (found.directory, found.copies) == ("frontend", ())


def test_a_build_in_the_image_itself_is_made_too(tmp_path: Path) -> None:
    found = made(
        tmp_path, PYTHON + "COPY . .\nRUN apt-get install -y npm\nRUN cd frontend && npm run build:css\n"
    )
    assert found is not None
    assert (found.directory, found.commands, found.node) == ("frontend", ("npm run build:css",), "")


def test_the_stages_variables_go_along_but_no_secret(tmp_path: Path) -> None:
    stage = BESIDE.replace(
        "RUN npm ci",
        "ARG TAG\nARG MODE=live\nENV REACT_APP_API= CI=true NPM_TOKEN=abc PATH=/x:$PATH VITE_MAPS_API_KEY=public",
    )
    found = made(tmp_path, stage + PYTHON + "COPY . .\nCOPY --from=frontend /frontend/dist frontend/dist\n")
    assert found is not None
    assert dict(found.environ) == {
        "MODE": "live",
        "REACT_APP_API": "",
        "CI": "true",
        "VITE_MAPS_API_KEY": "public",
    }


def test_a_build_in_a_stage_of_python_is_made_wherever_the_image_gets_the_whole(tmp_path: Path) -> None:
    stage = (
        "FROM python:3.13 AS builder\nENV PIP_NO_CACHE_DIR=1 NODE_ENV=production\nRUN npm install -g sass npm@11\n"
        "WORKDIR /src\nCOPY . .\nRUN cd frontend && npm ci --production && npm run build\n"
    )
    for number, copy in enumerate(
        [
            "COPY --from=builder /usr/local /usr/local\nCOPY --from=builder /src /app\n",
            "COPY --from=builder /opt/venv /opt/venv\nCOPY . .\n"
            "COPY --from=builder /src/frontend/node_modules /src/frontend/dist/a.css frontend/dist/\n",
        ]
    ):
        found = made(tmp_path / str(number), stage + PYTHON + copy)
        assert found is not None
        assert (found.directory, found.tools, found.copies) == ("frontend", ("sass",), ())
        assert dict(found.environ) == {"NODE_ENV": "production", "npm_config_omit": "dev"}


def test_how_to_install_is_taken_from_the_dockerfile_and_from_npmrc_without_its_tokens(
    tmp_path: Path,
) -> None:
    stage = BESIDE.replace("npm ci", "npm ci --legacy-peer-deps --no-audit") + PYTHON
    copy = "COPY . .\nCOPY --from=frontend /frontend/dist frontend/dist\n"
    (tmp_path / "frontend/.yarn").mkdir(parents=True)
    (tmp_path / "frontend/.yarnrc.yml").write_text("nodeLinker: node-modules\n")
    (tmp_path / "frontend/.npmrc").write_text("//packages.example/:_authToken=abc\nengine-strict = true\n")
    found = made(tmp_path, stage + copy)
    assert found is not None
    assert dict(found.environ) == {"npm_config_engine_strict": "true", "npm_config_legacy_peer_deps": "true"}
    assert found.beside == (".yarnrc.yml", ".yarn/")


def test_the_context_is_the_folder_of_the_dockerfile_or_the_root(tmp_path: Path) -> None:
    found = made(
        tmp_path,
        BESIDE + PYTHON + "COPY . .\nCOPY --from=frontend /frontend/dist static\n",
        at="docker/Dockerfile",
    )
    assert found is not None
    assert found.copies == (("frontend/dist", "static"),)


def test_a_front_end_below_which_a_setting_names_what_is_not_there_is_the_projects(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "spa/src").mkdir(parents=True)
    (tmp_path / "spa/package.json").write_text('{"scripts": {"build": "vite build"}}')
    settings = tmp_path / "shop/settings.py"
    text = settings.read_text()
    assert scan(tmp_path, environ={}).front_end is None  # a front end of its own
    for more in (
        'TEMPLATES = [{"DIRS": [BASE_DIR / "spa/dist"]}]',
        'STATICFILES_DIRS = [BASE_DIR / "spa" / "build" / "static"]',
        'DJANGO_VITE = {"default": {"manifest_path": BASE_DIR / "spa/dist/manifest.json"}}',
    ):
        settings.write_text(f"{text}{more}\n")
        found = scan(tmp_path, environ={}).front_end
        assert found is not None, more
        assert (found.directory, found.commands) == ("spa", ("npm run build",))
    for more in ('STATICFILES_DIRS = [BASE_DIR / "spa/src"]', 'PAGE_URL = "spa/dist"'):
        settings.write_text(f"{text}{more}\n")
        assert scan(tmp_path, environ={}).front_end is None, more


def test_settings_of_pnpm_do_not_make_a_workspace(tmp_path: Path) -> None:
    project(tmp_path / "server", "db.sqlite3")
    (tmp_path / "package.json").write_text('{"scripts": {"build": "vite build"}}')
    workspace = tmp_path / "pnpm-workspace.yaml"
    for text, is_one in (
        ("onlyBuiltDependencies:\n  - esbuild\n", False),
        ('packages:\n  - "."\nallowBuilds:\n  esbuild: true\n', False),
        ("packages:\n  - 'apps/*'\n", True),
    ):
        workspace.write_text(text)
        tree = Tree(tmp_path)
        assert (front_end.find(tree, ("server", ".")) is None) == is_one, text


def said(folder: Path) -> list[str]:
    return [note for note in scan(folder, environ={}).notes if "Dockerfile:" in note]


@pytest.mark.parametrize(
    ("run", "copy", "why"),
    [
        # A program of the project, as docker-django-example has it.
        ("../run yarn:build:js", "/w/dist static", "none of its commands is known"),
        # The script `dependencies`, which npm runs after it has installed, makes what is copied.
        ("npm install --omit=dev", "/w/static static", "none of its commands is known"),
        ("npm run build", "/w/dist /public", "no place of the project"),
    ],
)
def test_a_stage_that_is_not_followed_is_told_of(run: str, copy: str, why: str, tmp_path: Path) -> None:
    stage = f"FROM node:24 AS web\nWORKDIR /w\nCOPY frontend .\nRUN npm ci\nRUN {run}\n"
    assert made(tmp_path, f"{stage}{PYTHON}COPY . /app\nCOPY --from=web {copy}\n") is None
    (note,) = said(tmp_path)
    assert note.startswith("Dockerfile:4: the front end of the stage web is not built")
    assert why in note
    assert note.endswith(": commit what it makes, or have a script called build make it")
    # Where package.json builds into the project, that is what is built.
    package = tmp_path / "frontend/package.json"
    package.write_text('{"scripts": {"build": "vite build --outdir ../server/app"}}')
    assert said(tmp_path)[0].endswith(": frontend/package.json:1 is built in its place")


def test_a_stage_of_which_the_image_has_the_packages_only_is_no_front_end(tmp_path: Path) -> None:
    stage = "FROM node:24 AS packages\nWORKDIR /w\nCOPY frontend .\nRUN npm ci\n"
    assert (
        made(tmp_path, f"{stage}{PYTHON}COPY . .\nCOPY --from=packages /w/node_modules node_modules\n")
        is None
    )
    assert said(tmp_path) == []


def test_a_build_beside_what_the_project_has_elsewhere_is_left(tmp_path: Path) -> None:
    # As the control panel of the Analytical Platform: the sources come out of a folder of the server's.
    stage = (
        "FROM node:24 AS web\nWORKDIR /w\nCOPY frontend/package.json .\nCOPY server/app src\nRUN npm ci\n"
        "RUN npx sass src/app.scss:dist/app.css\n"
    )
    assert made(tmp_path, f"{stage}{PYTHON}COPY . .\nCOPY --from=web /w/dist static\n") is None
    assert "it builds with server/app at /w/src" in said(tmp_path)[0]


def test_a_build_of_what_another_stage_makes_first_is_left(tmp_path: Path) -> None:
    before = "FROM python:3.13 AS catalogues\nWORKDIR /app\nCOPY . .\nRUN ./manage.py compilejsi18n\n"
    stage = BESIDE.replace("RUN npm run", "COPY --from=catalogues /app/jsi18n ./jsi18n\nRUN npm run")
    assert (
        made(tmp_path, f"{before}{stage}{PYTHON}COPY . .\nCOPY --from=frontend /frontend/dist static\n")
        is None
    )
    assert "it builds with what line 10 takes out of another image" in said(tmp_path)[0]
    (tmp_path / "jsi18n").mkdir()
    (tmp_path / "jsi18n/.gitignore").write_text("*")
    assert "it builds with what line 10 takes out of another image" in said(tmp_path)[0]


def test_a_folder_whose_name_begins_with_a_dot_is_no_file(tmp_path: Path) -> None:
    copy = "COPY . .\nCOPY --from=frontend /frontend/.build/ frontend/.build/\n"
    found = made(tmp_path, BESIDE + PYTHON + copy)
    assert found is not None
    assert found.copies == ()


def test_what_the_image_has_lies_where_a_later_stage_of_it_copies_the_project(tmp_path: Path) -> None:
    base = "FROM python:3.13 AS base\nCOPY --from=frontend frontend/dist /srv/frontend/dist\nWORKDIR /srv\n"
    found = made(tmp_path, BESIDE + base + "FROM base AS production\nCOPY . .\n")
    assert found is not None
    assert (str(found.origin), found.copies) == ("Dockerfile:6", ())


def test_all_files_of_a_folder_that_stay_there_are_followed(tmp_path: Path) -> None:
    found = made(
        tmp_path, BESIDE + PYTHON + "COPY . .\nCOPY --from=frontend /frontend/dist/* frontend/dist/\n"
    )
    assert found is not None
    assert (str(found.origin), found.copies) == ("Dockerfile:6", ())


def test_files_of_packages_are_copied_out_of_them(tmp_path: Path) -> None:
    copy = (
        "COPY . .\nCOPY --from=frontend /frontend/dist frontend/dist\n"
        "COPY --from=frontend /frontend/node_modules/jquery/dist static/jquery\n"
        "COPY --from=frontend /frontend/node_modules/a/b.js static/\n"
    )
    found = made(tmp_path, BESIDE + PYTHON + copy)
    assert found is not None
    assert found.copies == (
        ("frontend/node_modules/jquery/dist", "static/jquery"),
        ("frontend/node_modules/a/b.js", "static/b.js"),
    )


def test_what_is_put_into_node_modules_by_hand_is_installed(tmp_path: Path) -> None:
    # As Wger: the stage leaves out what is for development, and unpacks one package of it.
    stage = BESIDE.replace("npm ci", "npm ci --omit=dev")
    copy = f"{PYTHON}COPY . .\nCOPY --from=frontend /frontend/dist frontend/dist\n"
    unpacked = stage.replace("run build\n", "run build && tar -xzf a.tgz -C node_modules/a\n")
    for number, (text, environ) in enumerate([(stage, {"npm_config_omit": "dev"}), (unpacked, {})]):
        found = made(tmp_path / str(number), text + copy)
        assert found is not None
        assert dict(found.environ) == environ


def test_commands_of_either_form_and_tailwinds_program_are_known(tmp_path: Path) -> None:
    copy = f"{PYTHON}COPY . .\nCOPY --from=web /w/dist frontend/dist\n"
    for number, (run, command) in enumerate(
        [
            ('["npx", "tailwindcss", "-o", "a b.css"]', "npx --no-install tailwindcss -o 'a b.css'"),
            ("npx @tailwindcss/cli -i a.css", "npx --no-install tailwindcss -i a.css"),
            ("./node_modules/.bin/babel src -d dist", "npx --no-install babel src -d dist"),
        ]
    ):
        stage = f"FROM node AS web\nWORKDIR /w\nCOPY frontend .\nRUN {run}\n"
        found = made(tmp_path / str(number), stage + copy)
        assert found is not None
        assert found.commands == (command,)


def test_members_of_a_workspace_are_there_when_it_is_installed(tmp_path: Path) -> None:
    stage = (
        "FROM node AS web\nWORKDIR /w\nCOPY . .\nRUN npm ci --workspace frontend\n"
        "RUN npm run build --workspace frontend\n"
    )
    (tmp_path / "package.json").write_text('{"workspaces": ["front*", "!none"]}')
    (tmp_path / "package-lock.json").write_text("{}")
    found = made(tmp_path, f"{stage}{PYTHON}COPY . .\nCOPY --from=web /w/frontend/dist frontend/dist\n")
    assert found is not None
    assert (found.directory, found.commands) == (".", ("npm run build --workspace frontend",))
    assert found.beside == ("frontend/package.json",)


def test_the_front_end_of_a_dockerfile_beside_the_one_for_production_is_built_and_said(
    tmp_path: Path,
) -> None:
    # As doccano: for production a proxy has the front end, and its own Dockerfile has all in one.
    production = f"{PYTHON}COPY . .\nRUN pip install -r requirements.txt\nEXPOSE 8123\n"
    (tmp_path / "docker").mkdir(parents=True)
    (tmp_path / "docker/Dockerfile.prod").write_text(production)
    (tmp_path / "docker/Dockerfile.dev").write_text(production.replace("8123", "8000"))
    (tmp_path / "docker/Dockerfile.nginx").write_text(
        BESIDE + "FROM nginx\nCOPY --from=frontend /frontend/dist /www\n"
    )
    copy = f"{production}COPY --from=frontend /frontend/dist shop/static\n".replace("8123", "9000")
    found = made(tmp_path, BESIDE + copy, at="docker/Dockerfile")
    assert found is not None
    assert (str(found.origin), found.copies) == ("docker/Dockerfile:6", (("frontend/dist", "shop/static"),))
    seen = scan(tmp_path, environ={})
    assert seen.hints.port is not None
    assert (seen.hints.port.value, str(seen.hints.port.origin)) == (8123, "docker/Dockerfile.prod:5")
    assert "docker/Dockerfile.prod is followed, docker/Dockerfile for the front end alone" in seen.notes
    (tmp_path / "docker/Dockerfile").write_text(production)
    assert "docker/Dockerfile.prod is followed, docker/Dockerfile is not" in scan(tmp_path, environ={}).notes
    (tmp_path / "docker/Dockerfile.prod").unlink()
    assert not [note for note in scan(tmp_path, environ={}).notes if "followed" in note]


@pytest.mark.parametrize("at", ["docker/prod/Dockerfile", "docker/django/Dockerfile"])
def test_a_dockerfile_in_a_folder_whose_name_says_what_it_is_for_is_found_once(
    tmp_path: Path, at: str
) -> None:
    # As hypha and courtlistener: by what it is for, and by what it copies.
    (tmp_path / at).parent.mkdir(parents=True)
    made(tmp_path, f"{PYTHON}COPY package.json .\nRUN npm install && npm run build\nCOPY . .\n", at=at)
    assert not [note for note in scan(tmp_path, environ={}).notes if "followed" in note]


@pytest.mark.parametrize(
    "last", ["RUN uv pip install -r requirements/dev.txt", 'CMD ["python", "manage.py", "runserver"]']
)
def test_a_dockerfile_to_write_code_in_is_followed_after_one_for_production_beside_it(
    tmp_path: Path, last: str
) -> None:
    # As pontoon: docker/Dockerfile installs requirements/dev.txt, docker/Dockerfile-cloud requirements/prod.txt.
    (tmp_path / "docker").mkdir()
    serious = f"{PYTHON}COPY . .\nRUN uv pip install -r requirements/prod.txt\nEXPOSE 8123\nCMD gunicorn\n"
    (tmp_path / "docker/Dockerfile-cloud").write_text(serious)
    made(tmp_path, f"{PYTHON}COPY . .\nEXPOSE 8000\n{last}\n", at="docker/Dockerfile")
    seen = scan(tmp_path, environ={})
    assert seen.hints.port is not None
    assert seen.hints.port.value == 8123
    assert "docker/Dockerfile-cloud is followed, docker/Dockerfile is not" in seen.notes


MEMBER = '{"name": "@shop/frontend", "scripts": {"build": "vite build", "lint": "eslint"}}'
"""In the folder frontend, a member of the root's workspace."""


@pytest.mark.parametrize(
    ("lock", "command"),
    [
        ("package-lock.json", "npm --workspace frontend run build"),
        ("package-lock.json", "npm -w @shop/frontend run build -- --mode=live"),
        ("package-lock.json", "npm run build --workspaces --if-present"),
        ("yarn.lock", "yarn workspace @shop/frontend build"),
        ("yarn.lock", "yarn workspace @shop/frontend run build --mode live"),
        ("yarn.lock", "yarn workspace @shop/frontend vite build"),
        ("yarn.lock", "yarn workspaces run build"),
        ("yarn.lock", "yarn workspaces foreach -A run build"),
        ("pnpm-lock.yaml", "pnpm --filter @shop/frontend build"),
        ("pnpm-lock.yaml", "pnpm --filter=@shop/frontend... run build"),
        ("pnpm-lock.yaml", "pnpm -F ./frontend exec vite build"),
        ("pnpm-lock.yaml", "pnpm -r build"),
        ("bun.lock", "bun run --filter @shop/frontend build"),
    ],
)
def test_what_a_dockerfile_runs_in_members_of_a_workspace_is_run_as_it_stands(
    tmp_path: Path, lock: str, command: str
) -> None:
    (tmp_path / "package.json").write_text('{"workspaces": ["front*"]}')
    (tmp_path / "pnpm-workspace.yaml").write_text("packages:\n  - front*\n")
    (tmp_path / lock).write_text("")
    (tmp_path / "frontend").mkdir()
    (tmp_path / "frontend" / "package.json").write_text(MEMBER)
    stage = f"FROM node AS web\nWORKDIR /w\nCOPY . .\nRUN {lock.partition('.')[0]} install && {command}\n"
    (tmp_path / "Dockerfile").write_text(
        f"{stage}{PYTHON}COPY . .\nCOPY --from=web /w/frontend/dist frontend/dist\n"
    )
    found = front_end.find(Tree(tmp_path), (".",))
    assert found is not None
    assert (found.directory, found.commands, found.lock) == (".", (command,), lock)
    assert "frontend/package.json" in found.beside
    assert front_end.doubts(Tree(tmp_path), (".",), found) == ()


@pytest.mark.parametrize(
    ("command", "installer"),
    [
        ("npm install -g pnpm@9", "pnpm@9"),
        ("npm i --global pnpm@9.1.0 @angular/cli", "pnpm@9.1.0"),
        ("corepack enable && corepack prepare pnpm@8.6.0 --activate", "pnpm@8.6.0"),
        ("corepack enable && corepack prepare pnpm@latest --activate", "pnpm@10"),
        ("npm install -g pnpm", "pnpm@10"),
        ("npm install -g yarn@1.22.22", "pnpm@10"),
    ],
)
def test_the_manager_has_the_release_that_the_dockerfile_installs(
    tmp_path: Path, command: str, installer: str
) -> None:
    (tmp_path / "package.json").write_text('{"scripts": {"build": "vite build"}}')
    (tmp_path / "pnpm-lock.yaml").write_text("lockfileVersion: '9.0'\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM node AS web\nWORKDIR /w\nCOPY . .\nRUN {command} && pnpm install && pnpm build\n{PYTHON}COPY . .\n"
        "COPY --from=web /w/dist dist\n"
    )
    found = front_end.find(Tree(tmp_path), (".",))
    assert found is not None
    assert found.installer == installer
    assert found.tools == (("@angular/cli",) if "angular" in command else ())


@pytest.mark.parametrize(
    "command",
    [
        "yarn workspace @shop/frontend lint",
        "yarn workspace @shop/none build",
        "yarn workspaces focus @shop/frontend",
        "npm run build --workspace frontend",  # nothing that npm reads says what is to be installed
    ],
)
def test_what_builds_nothing_in_members_of_a_workspace_is_no_build(tmp_path: Path, command: str) -> None:
    (tmp_path / "package.json").write_text('{"workspaces": ["front*"]}')
    (tmp_path / "yarn.lock").write_text("")
    (tmp_path / "frontend").mkdir()
    (tmp_path / "frontend" / "package.json").write_text(MEMBER)
    (tmp_path / "Dockerfile").write_text(
        f"FROM node AS web\nWORKDIR /w\nCOPY . .\nRUN {command}\n{PYTHON}COPY . .\n"
        "COPY --from=web /w/frontend/dist frontend/dist\n"
    )
    assert front_end.find(Tree(tmp_path), (".",)) is None
    [said] = front_end.doubts(Tree(tmp_path), (".",), None)
    assert said.startswith("Dockerfile:4: the front end of the stage web is not built as it stands there")


def test_a_member_of_a_workspace_is_not_asked_for_a_lock_file_of_its_own(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    for folder in ("", "shop/static/"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        scripts = '{"scripts": {"build": "vite build --outDir ../dist"}}'
        (tmp_path / folder / "package.json").write_text(scripts if folder else '{"workspaces": ["shop/*"]}')
    found = front_end.find(Tree(tmp_path), ("shop", "."))
    assert found is None


def test_what_comes_out_of_somebodys_image_is_told_of(tmp_path: Path) -> None:
    text = (
        "FROM example/sdk:latest AS sdk\n" + PYTHON + "COPY --from=example/uv:0.9 /uv /uvx /bin/\nCOPY . .\n"
        "COPY --from=sdk /sdk shop/static/sdk\nCOPY --from=example/maps /maps /app/maps\n"
    )
    made(tmp_path, text)
    first, second = said(tmp_path)
    assert first.startswith(
        "Dockerfile:6 has shop/static/sdk from the image example/sdk:latest: nothing puts it"
    )
    assert second.startswith("Dockerfile:7 has maps from the image example/maps")


def test_stages_that_double_what_they_copy_and_long_chains_of_them_end(tmp_path: Path) -> None:
    # Each took from minutes to all memory.
    doubled = "".join(
        f"FROM node AS s{at}\nCOPY --from=s{at - 1} / /x\nCOPY --from=s{at - 1} / /y\n" for at in range(1, 25)
    )
    chain = "".join(f"FROM t{at - 1} AS t{at}\nCOPY . /a\nRUN npm install\n" for at in range(1, 60))
    text = f"FROM node AS s0\nCOPY . /a\n{doubled}FROM node AS t0\n{chain}" + PYTHON
    begun = time.process_time()
    made(tmp_path, f"{text}COPY --from=s24 / /z\nCOPY --from=t59 / /z\n")
    said(tmp_path)
    assert time.process_time() - begun < 20


def test_a_variable_that_each_line_doubles_takes_no_memory(tmp_path: Path) -> None:
    lines = "ENV A=0123456789\n" + "ENV A=$A$A\n" * 60
    made(tmp_path, f"{PYTHON}{lines}COPY . .\n")
    assert scan(tmp_path).hints.notes == (
        "Dockerfile sets A: left out, for only a build of it tells the value",
    )


WORDS = st.sampled_from(
    [
        "FROM node AS web", "FROM web AS web", "FROM python", "WORKDIR /w", "WORKDIR ../..", "COPY . .", "COPY",
        "COPY --from=web /w/dist frontend/dist", "COPY --from=web / /", "COPY --from=1 a b", 'COPY ["a"', "RUN",
        "RUN cd .. && npm run build", "RUN npm run 'build", "RUN npm", "RUN npx", "ENV", "ENV A='b", "COPY frontend /w",
        "COPY frontend/package.json /w/", "RUN npm run build", "COPY --from=a/b /c /w/d", 'RUN ["npx", "sass"]',
        "RUN [", "RUN " + "[" * 100_000, "ADD . ../../x/", "RUN yarn --cwd", "WORKDIR",
    ]
)  # fmt: skip


@example(lines=["FROM node AS web"] * 3 + ["COPY --from=1 a b"])
@given(lines=st.lists(WORDS, max_size=12))
def test_no_dockerfile_is_too_strange(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "strange"
    if not folder.exists():
        made(folder, "")
    (folder / "Dockerfile").write_text("\n".join(lines))
    found = node_stages.find(Tree(folder), (".",))
    assert found is None or (folder / found.directory / "package.json").exists()
