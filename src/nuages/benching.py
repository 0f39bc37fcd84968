"""`nuages bench --rollout OLD NEW`: the edge around bench/."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nuages.bench.options import RehearsalOptions
from nuages.bench.pods import Release
from nuages.bench.rehearsal import Result, rehearse
from nuages.bench.rollout import Probe, Rules, rules_of
from nuages.bench.stock import VARIABLE
from nuages.commands import Talk, located
from nuages.deploy.kubernetes.documents import documents
from nuages.deploy.options import ManifestOptions
from nuages.deploy.workload import Workload, decide
from nuages.errors import OutsideError, UsageError
from nuages.invocation import Invocation
from nuages.making import make
from nuages.project.model import Project
from nuages.runtime.settings import Settings

_NAMES = ("old", "new")
_ANY_IMAGE = "rehearsed@sha256:" + "0" * 64


def bench(invocation: Invocation) -> int:
    """Rehearse a rollout under load and print what visitors met; 1 where a request or a file was lost."""
    options = invocation.resolve(RehearsalOptions).value
    if not options.rollout or len(invocation.more) != 1:
        raise UsageError(
            "there is nothing to measure", where="given on the command line",
            why="a rollout goes from one project's folder to another's", hint="nuages bench --rollout OLD NEW",
        )  # fmt: skip
    folders = (invocation.named, invocation.more[0])
    made = [make(invocation.at(folder)) for folder in folders]
    later = invocation.at(folders[1])
    manifest, settings = later.resolve(ManifestOptions).value, later.resolve(Settings)
    workload = decide(made[1].plan, settings, manifest, image=_ANY_IMAGE)
    rules = _rules(workload, manifest)
    engine = _engine(manifest.image)
    static = _static(made[1].project)

    def say(text: str) -> None:
        invocation.console.event("bench", text)

    for note in workload.notes:
        say(note)
    results = []
    with tempfile.TemporaryDirectory(prefix="nuages-kept-") as kept:
        if engine:
            images = list(zip(_NAMES, manifest.image, strict=True))
            pods = [_container(name, _run(engine, image, workload, Path(kept))) for name, image in images]
            for _, image in images:
                _migrate(_run(engine, image, workload, Path(kept)), say)
        else:
            pods = [
                _release(name, folder, workload, kept) for name, folder in zip(_NAMES, folders, strict=True)
            ]
        old, new = pods
        results.append(rehearse("nuages", rules, old, new, static, options, say))
    if options.peer != "none":
        old, new = (_stock(name, each.project, workload) for name, each in zip(_NAMES, made, strict=True))
        page = Probe(path=options.page[0], port="http", period=5, timeout=2, failures=2)
        stock = dataclasses.replace(rules, startup=page, readiness=page, termination=30)
        results.append(rehearse("uvicorn", stock, old, new, static, options, say))
    _print(results, as_json=invocation.resolve(Talk).value.json)
    return 1 if results[0].failed or results[0].lost or results[0].took is None else 0


def _rules(workload: Workload, options: ManifestOptions) -> Rules:
    found = documents(workload, dataclasses.replace(options, process=("none",)))
    deployment = next(one for one in found if one["kind"] == "Deployment")
    return dataclasses.replace(rules_of(deployment), replicas=workload.replicas)


def _static(project: Project) -> str:
    """Return the path that static files lie below, as a browser asks for it."""
    known = [each.value for each in project.assignments if each.name == "STATIC_URL" and each.is_known]
    path = str(known[-1]) if known and known[-1] else "static/"
    return path if path.startswith("/") else f"/{path}"


def _release(name: str, folder: Path, workload: Workload, kept: str) -> Release:
    """Return how a pod of nuages starts: what the image would run, with the options of the ConfigMap.

    `kept` stands for the volume of `--static-keep`.
    """

    def argv(port: int, management: int) -> tuple[str, ...]:
        places = ("--bind", f"127.0.0.1:{port}", "--management", f"127.0.0.1:{management}")
        kept_there = ("--static-keep", kept, "--access-log", "off")
        return (sys.executable, "-m", "nuages", "up", str(folder), *places, *kept_there)

    return Release(name=name, argv=argv, environ={**os.environ, **workload.settings}, directory=folder)


def _engine(images: tuple[str, ...]) -> str:
    """Return the container engine that runs the two images; empty where none is named: pods are processes then."""
    if not images:
        return ""
    if len(images) != len(_NAMES):
        raise UsageError(
            "a rollout goes from one image to another", where="--image", why=f"{len(images)} named",
            hint="nuages bench --rollout OLD NEW --image OLD-IMAGE --image NEW-IMAGE",
        )  # fmt: skip
    engine = next((name for name in ("docker", "podman") if _works(name)), None)
    if engine is None:
        raise OutsideError(
            "no container engine runs here", where="looked for docker and podman", why="neither answers",
            hint="leave --image away: processes stand for the pods then",
        )  # fmt: skip
    return engine


def _works(engine: str) -> bool:
    program = shutil.which(engine)
    return bool(program) and not subprocess.run([engine, "info"], capture_output=True, check=False).returncode


def _run(engine: str, image: str, workload: Workload, folder: Path) -> tuple[str, ...]:
    """Return what runs an image under the limits of the manifests; options and a command of nuages follow.

    The folder holds what would be volumes: the application's files and the static files of several releases.
    """
    given = [word for name, text in workload.settings.items() for word in ("--env", f"{name}={text}")]
    given += [word for stated in workload.required for word in ("--env", stated.value)]
    mounts: list[str] = []
    for name in ("data", "kept"):
        place = folder / name
        place.mkdir(exist_ok=True)
        place.chmod(0o777)  # any user of an image writes into a volume
        mounts += ["--volume", f"{place}:/{name}"]
    limits = ("--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp")
    return (engine, *_runtime(engine), "run", "--rm", "--network", "host", *limits, *mounts, *given, image)


def _migrate(run: tuple[str, ...], say: Callable[[str], None]) -> None:
    """Apply an image's migrations, as the Job of the manifests does before its pods get ready."""
    say(f"migrating with {run[-1]}")
    done = subprocess.run([*run, "migrate"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutsideError(
            "the migrations cannot be applied", where=" ".join(run), why=done.stderr.strip()[-2000:],
            hint="give the variables that name the database",
        )  # fmt: skip


def _container(name: str, run: tuple[str, ...]) -> Release:
    """Return how a pod starts as a container."""

    def argv(port: int, management: int) -> tuple[str, ...]:
        *engine, image = run
        places = ("serve", "--bind", f"127.0.0.1:{port}", "--management", f"127.0.0.1:{management}")
        more = ("--static-keep", "/kept", "--access-log", "off", "--local-hosts", "on")
        return (*engine, "--name", f"nuages-rehearsal-{port}", image, *places, *more)

    def removal(port: int) -> tuple[str, ...]:
        return (run[0], "rm", "--force", f"nuages-rehearsal-{port}")

    return Release(name=name, argv=argv, environ=dict(os.environ), directory=Path.cwd(), removal=removal)


def _runtime(engine: str) -> tuple[str, ...]:
    # crun needs cgroup v2 alone; runc takes what there is.
    return ("--runtime", "runc") if engine == "podman" and shutil.which("runc") else ()


def _stock(name: str, project: Project, workload: Workload) -> Release:
    """Return how a pod of stock uvicorn starts, in the same private environment."""

    def argv(port: int, _: int) -> tuple[str, ...]:
        words = (
            "python", "-m", "uvicorn", "nuages.bench.stock:load", "--factory", "--host", "127.0.0.1",
            "--port", str(port), "--workers", str(workload.workers), "--log-level", "warning",
        )  # fmt: skip
        return (sys.executable, "-m", "nuages", "run", str(project.root), "--", *words)

    environ = {**os.environ, VARIABLE: located(project).to_json()}
    if project.debug and project.debug.off is not None:
        environ[project.debug.variable] = project.debug.off
    return Release(name=name, argv=argv, environ=environ, directory=project.root)


def _print(results: list[Result], *, as_json: bool) -> None:
    if as_json:
        found = [{**dataclasses.asdict(one), "failed": one.failed, "lost": one.lost} for one in results]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    rows: list[tuple[Any, ...]] = [("", *(result.name for result in results))]
    rows += [
        ("pages", *(sum(result.pages.values()) for result in results)),
        ("failed pages", *(result.failed for result in results)),
        ("static files", *(sum(result.files.values()) for result in results)),
        ("missing files", *(result.lost for result in results)),
        (
            "p50, p99, longest ms",
            *(" ".join(f"{1000 * t:.0f}" for t in (r.p50, r.p99, r.max)) for r in results),
        ),
        ("nobody ready, s", *(f"{result.without:.1f}" for result in results)),
        (
            "rollout took, s",
            *("not done" if result.took is None else f"{result.took:.1f}" for result in results),
        ),
    ]
    width = max(len(row[0]) for row in rows)
    for row in rows:
        cells = "".join(f"{cell!s:>16}" for cell in row[1:])
        sys.stdout.write(f"{row[0]:<{width}}{cells}\n")
    for result in results:
        for status, count in result.pages.items():
            if not status.startswith(("2", "3")):
                sys.stdout.write(f"{result.name}: {count} pages: {status}\n")
        for what, count in result.missing.items():
            sys.stdout.write(f"{result.name}: {count} files: {what}\n")
