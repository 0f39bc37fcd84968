"""`build`: the plan's image through an engine of this machine; examined, then pushed or written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from nuages import examining
from nuages.environment import indexes
from nuages.environment.export import ARCHITECTURES
from nuages.errors import OutsideError, UsageError
from nuages.image import context, engine, pins
from nuages.image.audit import Finding
from nuages.image.options import BuildOptions
from nuages.invocation import Invocation
from nuages.making import Made, make, write_whole

_EPOCH = 1_577_836_800
"""2020-01-01: files and layers have one time, so that the same content makes the same image."""

_BY_HAND = "the lines above say which step failed; the same by hand: nuages dockerfile --write"

_NPM = re.compile(
    r"(@[\w-]+:)?(registry|cafile|ca|strict-ssl|proxy|https-proxy)\s*=|//.*(_auth|_authToken|username|_password)="
)
"""What of a .npmrc says where packages come from and how they are reached."""


def build(invocation: Invocation) -> int:
    """Build the image, examine it, and print its digest."""
    options = invocation.resolve(BuildOptions).value
    say = invocation.console.event
    _agree(options)
    chosen = _engine(options.builder, say)
    made = make(invocation, platform=options.platform)
    tags = options.tag or (f"{made.plan.name}:latest",)
    say("plan", f"Python {made.plan.python.value} on {made.plan.base.reference}, built by {chosen}")
    for name, stated in made.plan.stand_ins.items():
        say("stand-in", f"{name} gets a stand-in at build time ({stated.origin}): {stated.value}")
    with tempfile.TemporaryDirectory(prefix="nuages-build-") as folder:
        image = _build(invocation, options, made, chosen, tags, Path(folder))
        findings: tuple[Finding, ...] = ()
        if options.check:
            findings = examining.after_build(invocation, chosen, image, platform=options.platform)
        if any(each.severity == "error" for each in findings):
            sys.stdout.write(_digest(chosen, image) + "\n")
            say(
                "check",
                "the image has errors: it is neither pushed nor written; --check off goes on in spite of them",
            )
            return 1
        digest = _hand_over(options, chosen, image, tags, Path(folder), say)
    if options.lock:
        _lock(made, chosen, say)
    sys.stdout.write(digest + "\n")
    return 0


def _agree(options: BuildOptions) -> None:
    """Raise UsageError for what could only be refused after minutes of building."""
    if options.push and not options.tag:
        raise UsageError(
            "there is no name to push the image under", where="given by --push",
            why="a name says which registry it goes to, and -t gives it",
            hint="-t registry.example.com/team/NAME --push",
        )  # fmt: skip
    folder = Path(options.output).absolute().parent if options.output else None
    if folder is not None and not folder.is_dir():
        raise UsageError(
            "the folder of the image's file does not exist", where="given by --output", why=str(folder),
            hint=f"mkdir -p {folder}",
        )  # fmt: skip


def _build(
    invocation: Invocation, options: BuildOptions, made: Made, chosen: str, tags: Sequence[str], folder: Path
) -> str:
    """Build in a context of exactly the plan's files; return the image's id."""
    place = folder / "context"
    place.mkdir()
    size = context.write(made.project.root, place, dict(made.files), made.plan.excluded)
    invocation.console.event("context", f"{size / 1e6:.1f} MB of context")
    secrets, volumes = sources(invocation.environ, folder)
    order = engine.Order(
        context=str(place), dockerfile=str(place / "Dockerfile"), tags=tags, iidfile=f"{folder}/iid",
        secrets=secrets, volumes=volumes, platform=options.platform, cache=options.cache, timestamp=_EPOCH,
        isolation=invocation.environ.get("BUILDAH_ISOLATION", ""), has_healthcheck=made.plan.healthcheck,
    )  # fmt: skip
    try:
        run(engine.build(chosen, order), "the image cannot be built", hint=_BY_HAND)
    except OutsideError as error:
        raise _foreign(made, options.platform, error) or error from None
    return Path(folder, "iid").read_text(encoding="utf-8").strip()


def _foreign(made: Made, platform: str | None, error: OutsideError) -> OutsideError | None:
    """Return the error for another processor's image where the base of it, or what runs its programs, is not there."""
    if platform is None or ARCHITECTURES.get(platform.removeprefix("linux/")) == os.uname().machine:
        return None
    if re.search(r"exec format error", error.why, re.IGNORECASE):
        return OutsideError(
            f"this machine cannot run programs of {platform}", where="given by --platform", why=error.why,
            hint="apt install qemu-user-static binfmt-support, or build on such a machine",
        )  # fmt: skip
    if re.search(r"initializing source|pull|manifest unknown|no image found", error.why):
        return OutsideError(
            f"the base image is not there for {platform}", where=f"{made.plan.base.reference}, {made.plan.base.origin}",
            why=error.why, hint="pull it where a registry is reached, or name another one: --base IMAGE",
        )  # fmt: skip
    return None


def _hand_over(
    options: BuildOptions, chosen: str, image: str, tags: Sequence[str], folder: Path, say: examining.Say
) -> str:
    """Load, write and push the image as asked; return the digest that it has where it went last."""
    file = folder / "digest"
    digest = _digest(chosen, image)
    if options.load:
        _load(chosen, tags, say)
    if options.output:
        run(
            engine.save(chosen, image, options.output, str(file)), "the image cannot be written",
            hint="free some space, or choose another place with --output FILE",
        )  # fmt: skip
        digest = file.read_text(encoding="utf-8").strip() if file.is_file() else digest
    for tag in options.tag if options.push else ():
        run(
            engine.push(chosen, tag, str(file)), f"{tag} cannot be pushed",
            hint=f"log in and push it again, nothing is built anew: {chosen} login {tag.partition('/')[0]}",
        )  # fmt: skip
        if chosen == "docker":
            digest = examining.output(engine.pushed(tag)).splitlines()[0].rpartition("@")[2]
        else:
            digest = file.read_text(encoding="utf-8").strip()
    return digest


def _digest(chosen: str, image: str) -> str:
    return examining.output(engine.digest(chosen, image)).strip()


def _load(chosen: str, tags: Sequence[str], say: examining.Say) -> None:
    if chosen != "buildah":
        say("load", f"{chosen} has the image already")
    elif _works("docker"):
        for tag in tags:
            run(
                engine.load(tag),
                f"{tag} cannot be loaded into docker",
                hint="docker info says whether it answers",
            )
    elif _works("podman"):
        say("load", "podman has the image already: buildah's store is its own")
    else:
        raise OutsideError(
            "there is nothing to load the image into", where="looked for: docker, podman",
            why="buildah builds and keeps images, and runs none", hint="apt install podman, or --output FILE",
        )  # fmt: skip


def _lock(made: Made, chosen: str, say: examining.Say) -> None:
    images = [made.plan.base.image]
    if made.plan.front_end:
        images.append(made.plan.front_end.image.partition("@")[0])
    found = {image: _digest(chosen, image) for image in images}
    write_whole(made.project.root / pins.NAME, pins.write(found).encode())
    say("write", f"{pins.NAME}: {engine.names(found)}")


def _works(name: str) -> bool:
    if not shutil.which(name):
        return False
    return subprocess.run(
        engine.answers(name), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
    ).returncode == 0  # fmt: skip


def _engine(wanted: str, say: examining.Say) -> str:
    present = [name for name in engine.ENGINES if shutil.which(name)]
    if wanted != "auto":
        if wanted in present:
            return wanted
        listed = engine.names(present)
        raise UsageError(
            f"{wanted} is not installed", where="given by --builder",
            why=f"this machine has {listed}" if present else "this machine has no container engine",
            hint=f"--builder {present[0]}" if present else f"install {wanted}",
        )  # fmt: skip
    for name in present:
        if _works(name):
            return name
        say("note", f"{name} is installed, but does not answer")
    raise OutsideError(
        "there is no container engine", where="looked for on PATH: docker, podman, buildah",
        why="an image is built by one of them", hint="apt install buildah, or: nuages dockerfile --write",
    )  # fmt: skip


def sources(environ: Mapping[str, str], folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
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
    certificates = values.get("SSL_CERT_FILE") or environ.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        secrets.append(("ca", certificates))
        values.update(SSL_CERT_FILE="/run/secrets/ca", PIP_CERT="/run/secrets/ca")
    if values:
        lines = [f"export {name}={shlex.quote(text)}\n" for name, text in sorted(values.items())]
        secrets.insert(0, ("packages", _private(folder / "packages", lines)))
    npm = Path(
        environ.get("NPM_CONFIG_USERCONFIG") or Path(environ.get("HOME") or "~", ".npmrc")
    ).expanduser()
    if npm.is_file():
        lines = [
            f"{line}\n" for line in npm.read_text("utf-8", "replace").splitlines() if _NPM.match(line.strip())
        ]
        if lines:
            secrets.append(("npmrc", _private(folder / "npmrc", lines)))
    words = " ".join(values.values()).replace(",", " ").split()
    # The pages of an index on this disk name files beside it, hence its parent.
    places = [str(Path(word.removeprefix("file://")).parent) for word in words if word.startswith("file://")]
    places += [word for word in words if word.startswith("/")]
    volumes = [place for place in dict.fromkeys(places) if Path(place).is_dir() and place != "/"]
    return secrets, volumes


def _private(path: Path, lines: Sequence[str]) -> str:
    path.touch(mode=0o600)
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def run(argv: list[str], what: str, *, hint: str) -> None:
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
            hint=hint,
        )  # fmt: skip
