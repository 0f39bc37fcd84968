"""Plans and workloads for tests: a project with everything, and variations of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from nuages.deploy.options import ManifestOptions
from nuages.deploy.workload import Workload, decide
from nuages.errors import Origin
from nuages.image.plan import Base, Install, Plan, Runtime, Stated
from nuages.options import Resolved, resolve
from nuages.project.model import Process, ProcessRole, Variable, VariableKind
from nuages.runtime.settings import Settings

DIGEST = "sha256:" + "ab" * 32
IMAGE = f"registry.example/shop@{DIGEST}"

BEAT = Process(
    name="beat",
    role=ProcessRole.SCHEDULER,
    command=("celery", "-A", "shop", "beat"),
    origin=Origin("shop/celery.py", 3),
)
WORKER = Process(
    name="worker", role=ProcessRole.WORKER, command=("celery", "-A", "shop", "worker"),
    origin=Origin("shop/celery.py", 3),
    grace_seconds=60, stop_signal="SIGQUIT", probe=("python", "-m", "nuages.runtime.pulse"),
)  # fmt: skip
NIGHTLY = Process(
    name="nightly", role=ProcessRole.SCHEDULED,
    command=("python", "manage.py", "clearsessions", "--keep", "$(DAYS) %d"),
    origin=Origin("pyproject.toml", 12), schedule="*/30 3 1,15 * mon",
)  # fmt: skip


def variable(name: str, kind: VariableKind, *, line: int = 1, **fields: Any) -> Variable:
    return Variable(
        name=name, kind=kind, required="default" not in fields, reader="environ",
        origin=Origin("shop/settings.py", line), **fields,
    )  # fmt: skip


def plan(**changes: Any) -> Plan:
    """Return the plan of a shop with PostgreSQL, Redis, three other processes and no file of its own."""
    found = Plan(
        name="shop",
        python=Stated(value="3.13", origin=".python-version"),
        base=Base(image="python:3.13-slim-trixie"),
        build_packages=(),
        run_packages=(),
        install=Install(
            origin="uv.lock", requirements="django==5.2\npsycopg==3.2\ncelery[redis]==5.5\nredis==6.0\n", closed=True,
            hashed=True,
        ),
        runtime=Runtime(wheel="nuages-0.1.0-py3-none-any.whl", sha256="0" * 64, requirements=""),
        directory=".",
        manage="manage.py",
        settings=Stated(value="shop.settings", origin="manage.py:9"),
        apps=(Stated(value="shop.wsgi:application", origin="shop/wsgi.py:16"),),
        environ={},
        stand_ins={},
        static_root=None,
        required=(Stated(value="SECRET_KEY", origin="shop/settings.py:5"),),
        variables=(
            variable("SECRET_KEY", VariableKind.SECRET, line=5),
            variable("DATABASE_URL", VariableKind.URL, line=40, default="sqlite:///db.sqlite3"),
            variable("ALLOWED_HOSTS", VariableKind.HOSTS, line=9, default="[]"),
            variable("REDIS_URL", VariableKind.URL, line=60, default="None"),
        ),
        processes=(WORKER, BEAT, NIGHTLY),
    )  # fmt: skip
    return dataclasses.replace(found, **changes)


KEPT = {
    "state": {"/app/db.sqlite3": Stated(value="/data/db.sqlite3", origin="shop/settings.py:40")},
    "variables": (),
    "processes": (),
    "install": Install(origin="uv.lock", requirements="django==5.2\n", closed=True, hashed=True),
}
"""Changes that make a project which keeps an SQLite file."""

WRITING = {**KEPT, "state": {
    "/app/media/": Stated(value="/data/media", origin="shop/settings.py:41"),
    "/app/db.sqlite3": Stated(value="/data/db.sqlite3", origin="shop/settings.py:40"),
    "/app/my logs/": Stated(value="/data/my logs", origin="shop/settings.py:42"),
}}  # fmt: skip
"""And folders."""


def options(**flags: str) -> ManifestOptions:
    return resolved(ManifestOptions, **flags).value


def resolved(declaration: type[Any], **flags: str) -> Resolved[Any]:
    given = {name.replace("_", "-"): text.split() for name, text in flags.items()}
    return resolve(declaration, flags=given, environ={}, file={})


def workload(
    made: Plan | None = None,
    server: dict[str, str] | None = None,
    *,
    share: int = 1,
    image: str = IMAGE,
    **flags: str,
) -> Workload:
    settings = resolved(Settings, **(server or {}))
    return decide(made or plan(), settings, options(**flags), image=image, share=share)
