"""The commands that make something of a project: `plan`, `dockerfile` and `build`; the edge around image/."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nuages.environment import bundle, indexes
from nuages.environment.export import ARCHITECTURES, Export, export
from nuages.environment.variables import unset
from nuages.errors import OutsideError, ProjectError, UsageError
from nuages.image import context, dockerfile, engine, planner
from nuages.image.build_stage import FOLDER
from nuages.image.options import SUITE, BuildOptions, ImageOptions, WriteOptions
from nuages.image.plan import Install, Package, Plan, Runtime, Stated, to_json
from nuages.invocation import Invocation
from nuages.project import debian
from nuages.project.model import Project
from nuages.project.scan import scan
from nuages.runtime.settings import Settings

_INSTALLER = Path(bundle.__file__).with_name("installer-requirements.txt")
_EPOCH = 1_577_836_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan and the files that travel with it in `.nuages/`."""

    project: Project
    plan: Plan
    files: Mapping[str, bytes]


def plan(invocation: Invocation) -> int:
    """Print the plan as JSON."""
    sys.stdout.write(to_json(_make(invocation).plan))
    return 0


def write(invocation: Invocation) -> int:
    """Print the Dockerfile, or write it and what it needs into the project."""
    made = _make(invocation)
    if not invocation.resolve(WriteOptions).value.write:
        sys.stdout.write(dockerfile.render(made.plan))
        return 0
    root = made.project.root
    for path, data in made.files.items():
        _write(root / path, data)
        invocation.console.event("write", path)
    return 0


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a Dockerfile that is not ours is never overwritten."""
    if path.name == "Dockerfile" and path.is_file() and b"written by nuages" not in path.read_bytes()[:400]:
        raise ProjectError(
            "there is a Dockerfile already", where=str(path), why="it was not written by nuages",
            hint="nuages dockerfile > Dockerfile.nuages, or move the present one away",
        )  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise OutsideError(
            f"{path.name} cannot be written", where=str(path), why=error.strerror or str(error),
            hint="make the folder writable, or print it: nuages dockerfile",
        ) from None  # fmt: skip


def build(invocation: Invocation) -> int:
    """Build the image and print its digest."""
    options = invocation.resolve(BuildOptions).value
    chosen = _engine(options.builder)
    made = _make(invocation, platform=options.platform)
    say = invocation.console.event
    tags = options.tag or (f"{made.plan.name}:latest",)
    say("plan", f"Python {made.plan.python.value} on {made.plan.base.image}, built by {chosen}")
    for name, stated in made.plan.stand_ins.items():
        say("stand-in", f"{name} gets a stand-in at build time ({stated.origin})")
    with tempfile.TemporaryDirectory(prefix="nuages-build-") as folder:
        place = Path(folder, "context")
        place.mkdir()
        size = context.write(made.project.root, place, dict(made.files), made.plan.excluded)
        say("context", f"{size / 1e6:.1f} MB of context")
        secrets, volumes = _sources(invocation.environ, Path(folder))
        order = engine.Order(
            context=str(place), dockerfile=str(place / "Dockerfile"), tags=tags, iidfile=f"{folder}/iid",
            secrets=secrets, volumes=volumes, platform=options.platform, cache=options.cache, timestamp=_EPOCH,
            isolation=invocation.environ.get("BUILDAH_ISOLATION", ""),
        )  # fmt: skip
        _run(engine.build(chosen, order), "the image cannot be built")
        identity = Path(folder, "iid").read_text(encoding="utf-8").strip()
        if options.output:
            _run(engine.save(chosen, identity, options.output), "the image cannot be written")
        if options.push:
            for tag in options.tag:
                _run(engine.push(chosen, tag, f"{folder}/digest"), f"{tag} cannot be pushed")
            if Path(folder, "digest").is_file():
                identity = Path(folder, "digest").read_text(encoding="utf-8").strip()
    sys.stdout.write(identity + "\n")
    return 0


def _engine(wanted: str) -> str:
    found = [name for name in engine.ENGINES if shutil.which(name)]
    if wanted != "auto":
        if wanted in found:
            return wanted
        present = engine.names(found)
        raise UsageError(
            f"{wanted} is not installed", where="given by --builder",
            why=f"this machine has {present}" if present else "this machine has no container engine",
            hint=f"--builder {found[0]}" if found else f"install {wanted}",
        )  # fmt: skip
    if not found:
        raise OutsideError(
            "there is no container engine", where="looked for on PATH: docker, podman, buildah",
            why="an image is built by one of them", hint="apt install buildah, or: nuages dockerfile --write",
        )  # fmt: skip
    return found[0]


def _sources(environ: Mapping[str, str], folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Return this machine's package sources as build secrets, and the folders that they name."""
    pip = indexes.read(environ)
    values = {**indexes.uv_variables(pip, environ)}
    values.update({name: text for name, text in environ.items() if re.match(r"UV_.*(INDEX|LINKS)", name)})
    # What limits releases on this machine is no part of the project: its image is the same from any machine.
    values.pop("UV_CONSTRAINT", None)
    for option in ("index-url", "extra-index-url", "find-links", "trusted-host", "timeout"):
        if option in pip:
            values[f"PIP_{option.replace('-', '_').upper()}"] = pip[option].text
    secrets = []
    bundle_of_certificates = values.get("SSL_CERT_FILE") or environ.get("SSL_CERT_FILE")
    if bundle_of_certificates and Path(bundle_of_certificates).is_file():
        secrets.append(("ca", bundle_of_certificates))
        values.update(SSL_CERT_FILE="/run/secrets/ca", PIP_CERT="/run/secrets/ca")
    if values:
        path = folder / "packages"
        lines = [f"export {name}={shlex.quote(text)}\n" for name, text in sorted(values.items())]
        path.write_text("".join(lines), encoding="utf-8")
        path.chmod(0o600)
        secrets.insert(0, ("packages", str(path)))
    words = " ".join(values.values()).replace(",", " ").split()
    # The pages of an index on this disk name files beside it, hence its parent.
    places = [str(Path(word.removeprefix("file://")).parent) for word in words if word.startswith("file://")]
    places += [word for word in words if word.startswith("/")]
    volumes = [place for place in dict.fromkeys(places) if Path(place).is_dir() and place != "/"]
    return secrets, volumes


def _run(argv: list[str], what: str) -> None:
    """Run an engine with its talk on our stderr; raises OutsideError with its last lines."""
    lines: list[str] = []
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            print(line, end="", file=sys.stderr)  # noqa: T201 - the engine's own progress
    if process.returncode:
        tail = [line for line in lines if line.strip()][-12:]
        raise OutsideError(
            what, where=f"`{' '.join(argv[:2])}` ended with status {process.returncode}", why="\n".join(tail),
            hint="the lines above say which step failed; the same by hand: nuages dockerfile --write",
        )  # fmt: skip


# What the planner needs to know


def _make(invocation: Invocation, *, platform: str | None = None) -> Made:
    settings = invocation.resolve(Settings).value
    project = scan(
        invocation.project, settings=settings.settings, apps=settings.app, environ=invocation.environ
    )
    for note in project.notes:
        invocation.console.event("note", note)
    options = invocation.resolve(ImageOptions).value
    given = bundle.read()
    wheel = bundle.wheel(given.files)
    wanted = export(
        project, invocation.environ, python=options.image_python or _python_of(options.base),
        given_by="--image-python" if options.image_python else "--base", suite=_suite(options.base),
        architecture=_architecture(platform),
    )  # fmt: skip
    build_packages, run_packages = _debian(wanted)
    found = planner.Findings(
        python=Stated(value=wanted.python, origin=wanted.because),
        install=_install(project, wanted),
        runtime=Runtime(
            wheel=bundle.wheel_name(), sha256=hashlib.sha256(wheel).hexdigest(), requirements=given.requirements,
            ahead=wanted.ahead,
        ),
        build=build_packages,
        run=run_packages,
        unset=unset(project, {}),
        sources=_digests(project, wanted),
        debug=settings.debug,
    )  # fmt: skip
    made = planner.plan(project, found, options)
    texts = {f"{FOLDER}/{name}": text for name, text in dockerfile.files(made).items()}
    texts[f"{FOLDER}/uv.txt"] = _INSTALLER.read_text(encoding="utf-8")
    texts["Dockerfile"] = dockerfile.render(made)
    texts[".dockerignore"] = dockerfile.ignore(made, context.patterns())
    files = {name: text.encode() for name, text in texts.items()}
    files[f"{FOLDER}/{made.runtime.wheel}"] = wheel
    return Made(project=project, plan=made, files=dict(sorted(files.items())))


def _install(project: Project, wanted: Export) -> Install:
    lines = wanted.requirements
    options = [each for each in lines.options if each != "--pre"]
    return Install(
        origin=str(
            project.dependencies.files[0] if project.dependencies.files else project.dependencies.origin
        ),
        requirements="\n".join([*options, *lines.lines]) + "\n",
        closed=lines.closed,
        hashed=lines.hashed,
        constraints="\n".join(lines.constraints) + "\n" if lines.constraints else "",
        prereleases="--pre" in lines.options,
        find_links=lines.find_links,
        local=lines.local,
        metadata=wanted.metadata,
        compiled=wanted.compiled,
    )


def _debian(wanted: Export) -> tuple[tuple[Package, ...], tuple[Package, ...]]:
    names = [match[0] for line in wanted.requirements.lines if (match := re.match(r"[A-Za-z0-9._-]+", line))]
    build_needs, run_needs = debian.needs(names, wanted.compiled, known=wanted.known)
    if not wanted.known:
        build_needs += (
            debian.Need(package="build-essential", wanted_by="whatever has no wheel: no lock tells"),
        )
    return (
        tuple(Package(name=one.package, wanted_by=one.wanted_by) for one in build_needs),
        tuple(Package(name=one.package, wanted_by=one.wanted_by) for one in run_needs),
    )


def _digests(project: Project, wanted: Export) -> dict[str, str]:
    found = {}
    for path in wanted.files:
        file = project.root / path
        if file.is_file():
            found[path] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def _python_of(base: str | None) -> str | None:
    """Return the Python that the name of a base image tells: `python:3.12-slim` has 3.12."""
    if base is None:
        return None
    match = re.search(r"python:(\d+\.\d+)", base)
    if match is None:
        raise UsageError(
            "the base image's name does not say which Python it has", where="given by --base",
            why=f"{base} is not python:X.Y…", hint=f"name it: --base {base} --image-python 3.13",
        )  # fmt: skip
    return match[1]


def _suite(base: str | None) -> str:
    return next(
        (name for name in ("bookworm", "trixie", "forky", "bullseye") if base and name in base), SUITE
    )


def _architecture(platform: str | None) -> str:
    if platform is None:
        return {machine: name for name, machine in ARCHITECTURES.items()}.get(os.uname().machine, "amd64")
    name = platform.partition("/")[2].partition("/")[0]
    if name not in ARCHITECTURES or not platform.startswith("linux/"):
        raise UsageError(
            f"the platform cannot be {platform!r}", where="given by --platform",
            why=f"images are made for {', '.join(f'linux/{each}' for each in ARCHITECTURES)}",
            hint="--platform linux/amd64",
        )  # fmt: skip
    return name
