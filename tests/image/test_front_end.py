"""A front end as the project's own Dockerfile builds it: beside the code, by Node, copied to where Django finds it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.image import bases
from tests.image.containers import Engine
from tests.image.test_images import EXAMPLES, SECRET, WRITTEN

pytestmark = pytest.mark.timeout(900)

DOCKERFILE = """\
FROM node:22-alpine AS ui
WORKDIR /ui
COPY ui/package*.json ./
RUN npm ci --legacy-peer-deps
COPY ui/ ./
ENV VITE_GREETING="good morning"
RUN npm run bundle

FROM python:3.13-slim
WORKDIR /app
COPY . .
COPY --from=ui /ui/out ./shop/static/ui/
COPY --from=ui /ui/node_modules/library/dist ./shop/static/library
"""
BUNDLE = """\
const { env } = process;
require("fs").mkdirSync("out");
require("fs").mkdirSync("node_modules/library/dist", { recursive: true });
require("fs").writeFileSync("node_modules/library/dist/a.js", "1");
require("fs").writeFileSync("out/app.js", JSON.stringify([env.VITE_GREETING, env.npm_config_legacy_peer_deps]));
"""
FOUND = """\
from pathlib import Path
(collected,) = Path("/app").rglob("staticfiles/ui/app.*.js")
(library,) = Path("/app").rglob("staticfiles/library/a.*.js")
print(collected.read_text(), library.read_text())
print(Path("/app/ui/node_modules").exists(), __import__("shutil").which("node"))
"""


def test_what_the_dockerfiles_stage_makes_is_among_the_static_files(engine: Engine, tmp_path: Path) -> None:
    project = Path(shutil.copytree(EXAMPLES / "bookshop", tmp_path / "shop", ignore=WRITTEN))
    (project / "Dockerfile").write_text(DOCKERFILE)
    (project / "ui").mkdir()
    (project / "ui/package.json").write_text('{"name": "ui", "scripts": {"bundle": "node bundle.js"}}')
    (project / "ui/package-lock.json").write_text(
        '{"name": "ui", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "ui"}}}'
    )
    (project / "ui/bundle.js").write_text(BUNDLE)
    bases.make("node:22-slim")
    engine.build(project, "test-front-end", "--check", "off")
    said = engine.once("test-front-end", "-c", FOUND, environ=SECRET)
    assert said == '["good morning","true"] 1\nFalse None\n'


WORKSPACE = """\
FROM node:22-alpine AS ui
WORKDIR /w
COPY . .
RUN corepack enable && pnpm install && pnpm --filter @shop/ui build

FROM python:3.13-slim
WORKDIR /app
COPY . .
COPY --from=ui /w/ui/out ./shop/static/ui/
"""
LOCK = "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n\n  ui: {}\n"
BUILD = "mkdir -p out && echo $npm_config_user_agent > out/app.js"
STORAGE = """

PIPELINE = {"JS_COMPRESSOR": "pipeline.compressors.terser.TerserCompressor"}
STORAGES = {**globals().get("STORAGES", {}), "staticfiles": {"BACKEND": "shop.programs.Storage"}}
"""
PROGRAMS = """\
import subprocess
from pathlib import Path

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class Storage(ManifestStaticFilesStorage):
    def post_process(self, paths, **options):
        code = "console.log(process.argv0, process.cwd())"
        done = subprocess.run(["/usr/bin/env", "node", "-e", code], check=True, capture_output=True, text=True)
        Path(self.path("ui/program.txt")).write_text(done.stdout)
        yield from super().post_process(paths, **options)
"""
SEEN = """\
from pathlib import Path
(collected,) = Path("/app").rglob("staticfiles/ui/app.*.js")
print(collected.read_text().split()[0], *Path("/app").rglob("staticfiles/ui/program.txt"))
print(*Path("/app").rglob("node_modules"), __import__("shutil").which("node"))
"""


def test_a_member_of_a_workspace_is_built_and_collecting_finds_programs_of_node(
    engine: Engine, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(EXAMPLES / "bookshop", tmp_path / "shop", ignore=WRITTEN))
    (project / "ui").mkdir()
    for name, text in {
        "Dockerfile": WORKSPACE,
        "package.json": '{"name": "root", "private": true}',
        "pnpm-workspace.yaml": "packages:\n  - ui\n",
        "pnpm-lock.yaml": LOCK,
        "ui/package.json": json.dumps({"name": "@shop/ui", "scripts": {"build": BUILD}}),
        "shop/programs.py": PROGRAMS,
    }.items():
        (project / name).write_text(text)
    with (project / "bookshop" / "settings.py").open("a") as settings:
        settings.write(STORAGE)
    bases.make("node:22-slim")
    engine.build(project, "test-workspace", "--check", "off")
    said = engine.once("test-workspace", "-c", SEEN, environ=SECRET).splitlines()
    assert said[0].startswith("pnpm/10.")
    assert said[0].endswith("/staticfiles/ui/program.txt")
    assert said[1] == "None"
