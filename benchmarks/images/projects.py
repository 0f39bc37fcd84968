"""Public projects as images, each on what a table says of it: built, migrated, started, asked for a page and a file.

`python -m benchmarks.images.projects TABLE FOLDER [ID …]` as root, with buildah and podman. TABLE has a row a project,
tab-separated: `id`, `status`, the variables that it is started with, its services, a page with a text that it must
hold, a static file. FOLDER/ID is the project as it was fetched; what lies in FOLDER/ID.files is laid over it first
(the files of the row). Names in angle brackets, in the variables and in those files, become the addresses of the
database servers that are started here. `--up` serves with `nuages up` and builds nothing. A line of JSON a project.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.image import bases
from tests.image.containers import Engine
from tests.image.databases import mariadb
from tests.process.harness import wait_until

from benchmarks.database import binaries, postgresql
from benchmarks.images.visit import Answer, visit
from benchmarks.running import free_port

PASSWORD = "pass-word"
UP_SECONDS = 540
TAIL = 1500


@dataclass(kw_only=True)
class Services:
    """The servers that rows name, on loopback: a database of its own for each project."""

    folder: Path
    postgresql: int
    mysql: int
    redis: int
    made: set[str] = field(default_factory=set)

    def values(self, row: Mapping[str, str]) -> dict[str, str]:
        """Return what the names in angle brackets stand for."""
        name = "nu_" + re.sub(r"\W", "_", row["id"].lower())
        server = f"127.0.0.1:{self.postgresql}"
        return {
            "SECRET50": secrets.token_hex(30), "DATA": "/data",
            "PG_HOST": "127.0.0.1", "PG_PORT": str(self.postgresql), "PG_USER": "bench", "PG_PASSWORD": PASSWORD,
            "PG_DB": name, "PG_URL": f"postgres://bench:{PASSWORD}@{server}/{name}",
            "MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": str(self.mysql), "MYSQL_USER": "bench",
            "MYSQL_PASSWORD": PASSWORD, "MYSQL_DB": name,
            "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.redis), "REDIS_URL": f"redis://127.0.0.1:{self.redis}",
        }  # fmt: skip

    def empty(self, values: Mapping[str, str], names: Mapping[str, str]) -> None:
        """Make the databases that the row's variables name anew."""
        programs = binaries()
        assert programs
        psql = [
            str(programs / "psql"),
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.postgresql),
            "-U",
            "bench",
            "postgres",
        ]
        for line in ("DROP DATABASE IF EXISTS {0}", "CREATE DATABASE {0}"):
            _run([*psql, "-c", line.format(values["PG_DB"])])
        mysql = next(
            (text for name, text in names.items() if re.search(r"MYSQL.*(DATABASE|DB|NAME)", name)), ""
        )
        if mysql:
            lines = f"DROP DATABASE IF EXISTS {mysql}; CREATE DATABASE {mysql} CHARACTER SET utf8mb4"
            _run(["mariadb", "--no-defaults", "-uroot", "-S", str(self.folder / "mariadb.sock"), "-e", lines])


@contextlib.contextmanager
def services(folder: Path) -> Iterator[Services]:
    """Run PostgreSQL, MariaDB and Redis while the block runs."""
    folder.chmod(0o755)
    user = f"CREATE USER bench@'%' IDENTIFIED BY '{PASSWORD}'"
    port = free_port()
    with (
        postgresql(folder, core=None) as first,
        mariadb(folder, user, "GRANT ALL ON *.* TO bench@'%'") as second,
        subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=folder,
        ) as redis,
    ):  # fmt: skip
        try:
            yield Services(folder=folder, postgresql=first.port, mysql=second, redis=port)
        finally:
            redis.terminate()


def environ(row: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a row: `NAME=value …`, or `(none)`; what follows ` ; FILE` names files."""
    text = row["env_to_boot_debug_off"].partition(" ; FILE")[0]
    return {} if text.startswith("(none)") else dict(
        pair.split("=", 1) for pair in re.findall(r"\S+=(?:\[[^\]]*\]|\S*)", _filled(text, values))
    )  # fmt: skip


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda match: values.get(match[1], match[0]), text)


def _prepared(source: Path, target: Path, values: Mapping[str, str]) -> Path:
    """Copy a project, and lay the row's own files over it."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    over = source.with_name(f"{source.name}.files")
    for path in sorted(over.rglob("*")) if over.is_dir() else ():
        if path.is_file():
            place = target / path.relative_to(over)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(_filled(path.read_text(encoding="utf-8"), values), encoding="utf-8")
    return target


def image(row: Mapping[str, str], project: Path, given: Mapping[str, str], engine: Engine) -> dict[str, Any]:
    """Build the image, migrate with it, serve with it, ask; return what was seen."""
    tag = "nu-" + re.sub(r"[^a-z0-9]+", "-", row["id"].lower())
    # What the person who builds sets as well: which settings the project is built for.
    engine.environ.pop("DJANGO_SETTINGS_MODULE", None)
    engine.environ.update({name: text for name, text in given.items() if name == "DJANGO_SETTINGS_MODULE"})
    shown = engine.nuages("plan", str(project), check=False)
    if shown.returncode:
        return {"failed": "plan", "said": shown.stderr[-TAIL:]}
    plan = json.loads(shown.stdout)
    for name in (plan["base"]["image"], *([plan["front_end"]["image"]] if plan["front_end"] else [])):
        bases.make(name)
    began = time.monotonic()
    done = engine.nuages("build", str(project), "--builder", "buildah", "-t", tag, check=False)
    found: dict[str, Any] = {"base": plan["base"]["image"], "build_seconds": round(time.monotonic() - began)}
    if done.returncode:
        return {**found, "failed": "build", "said": done.stderr[-2 * TAIL :]}
    found["megabytes"] = round(engine.size(tag) / 1e6)
    try:
        if plan["manage"]:
            migrated = engine.run(
                "podman", "run", "--rm", "--network=host", "--read-only", "--volume", f"{tag}:/data",
                *(f"--env={name}={text}" for name, text in given.items()), tag, "migrate", check=False,
            )  # fmt: skip
            if migrated.returncode:
                found["migrate"] = (migrated.stdout + migrated.stderr)[-TAIL:]
        with engine.serving(tag, environ=given, volume=tag) as container:
            found.update(_asked(row, container.port))
    except AssertionError as error:
        found.update(failed="serve", said=str(error)[-2 * TAIL :])
    finally:
        engine.run("podman", "rmi", "--force", tag, check=False)
    return found


def up(row: Mapping[str, str], project: Path, given: Mapping[str, str], engine: Engine) -> dict[str, Any]:
    """Serve with `nuages up`, ask, end it; return what was seen."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "nuages",
        "up",
        str(project),
        "--bind",
        f"127.0.0.1:{port}",
        "--management",
        "off",
    ]
    home = engine.folder / "home"
    values = {
        **engine.environ,
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        **given,
    }
    log = engine.folder / "up.log"
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=values)

    def listens() -> bool:
        text = log.read_text(errors="replace")
        assert process.poll() is None, text[-2 * TAIL :]
        return "ready to serve at" in text

    try:
        wait_until(listens, "a worker is ready", within=UP_SECONDS)
        found = {"start_seconds": round(time.monotonic() - began), **_asked(row, port)}
        loads = re.search(r"every worker loads the project itself: (.*)", log.read_text(errors="replace"))
        return {**found, "forked": loads[1] if loads else True}
    except AssertionError as error:
        return {"failed": "up", "said": str(error)[-2 * TAIL :]}
    finally:
        process.terminate()
        process.wait(60)


def _asked(row: Mapping[str, str], port: int) -> dict[str, Any]:
    """Ask for the page and the static file of a row, as a browser behind a proxy with TLS does."""
    page = visit(port, row["host_header"], row["url"])
    found: dict[str, Any] = {"page": page.chain, "marker": row["marker"] in page.text, "static": None}
    if not found["marker"]:
        found["said"] = page.text[:600]
    for path in _sheets(row, page):
        answer = visit(port, row["host_header"], path)
        found["static"] = f"{answer.chain} {path}"
        if answer.status == 200:
            break
    return found


def _sheets(row: Mapping[str, str], page: Answer) -> list[str]:
    """Return the row's static file, then the first own stylesheet of the page: a row's hash is only a sample."""
    if not row["static_url"]:
        return []
    links = re.findall(r'<link[^>]+href="([^"]+\.css[^"]*)"', page.text)
    own = [urljoin(page.path, link.replace("&amp;", "&")) for link in links if not urlsplit(link).netloc]
    return [row["static_url"], *own[:1]]


def right(row: Mapping[str, str], found: Mapping[str, Any]) -> bool:
    """Return whether all that the row asks for was seen."""
    static = str(found.get("static") or "")
    return bool(
        "failed" not in found
        and found["marker"]
        and str(found["page"]).endswith("200")
        and (not row["static_url"] or static.startswith("200 "))
    )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildProcessError(f"{command[0]}: {done.stderr}")


def main() -> int:
    """Try each project of the table, or those that are named; print a line each, and how many were right."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--up", action="store_true", help="serve with `nuages up`, build nothing")
    asked = parser.parse_args()
    with asked.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    wanted = asked.ids or [row["id"] for row in rows if row["status"] == "boots"]
    good = 0
    with tempfile.TemporaryDirectory(prefix="nuages-projects-") as text:
        place = Path(text)
        with services(place) as servers:
            for row in (row for row in rows if row["id"] in wanted):
                engine = Engine(Path(tempfile.mkdtemp(dir=place)))
                try:
                    values = servers.values(row)
                    given = environ(row, values)
                    servers.empty(values, given)
                    project = _prepared(asked.folder / row["id"], engine.folder / "work" / row["id"], values)
                    found = (up if asked.up else image)(row, project, given, engine)
                finally:
                    engine.clean()
                good += right(row, found)
                print(json.dumps({"id": row["id"], "right": right(row, found), **found}), flush=True)
    print(f"{good} of {len(wanted)} right", file=sys.stderr)
    return 0 if good == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
