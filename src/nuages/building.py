"""`build`: the plan's image through an engine of this machine; examined, then pushed or written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nuages import examining
from nuages.environment.export import ARCHITECTURES
from nuages.environment.headers import bounds, missing, older_tools
from nuages.errors import OutsideError, UsageError
from nuages.image import archive, context, engine, pins
from nuages.image.audit import Finding
from nuages.image.options import BuildOptions
from nuages.invocation import Invocation
from nuages.making import Made, make, with_older_tools, write_whole
from nuages.package_sources import sources
from nuages.project.python import SERVED

_EPOCH = 1_577_836_800
"""2020-01-01: files and layers have one time, so that the same content makes the same image."""

# distribution/reference: a registry's host, parts of a path, a tag.
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:[a-zA-Z0-9.\-\[\]:]+/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.\-]{{0,127}})?"
)
_BY_HAND = "the lines above say which step failed; the same by hand: nuages dockerfile --write"


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
        say("stand-in", f"{name} gets a stand-in at build time ({stated.origin}): {_first(stated.value)}")
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


def _first(value: str) -> str:
    """Return the line that tells what a value is: a key has many."""
    line, *more = value.splitlines()
    return f"{line} …" if more else line


def _agree(options: BuildOptions) -> None:
    """Raise UsageError for what could only be refused after minutes of building."""
    if options.push and not options.tag:
        raise UsageError(
            "there is no name to push the image under", where="given by --push",
            why="a name says which registry it goes to, and -t gives it",
            hint="-t registry.example.com/team/NAME --push",
        )  # fmt: skip
    for tag in options.tag:
        if not _NAME.fullmatch(tag):
            raise UsageError(
                f"the image cannot be called {tag!r}", where="given by --tag",
                why="a name is small letters and digits, parted by . _ - and /, then perhaps : and a tag",
                hint="-t registry.example.com/team/NAME:TAG",
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
    """Build the plan's image, again with older tools where its sources were written for such; return its id."""
    tools: dict[str, int] = {}
    while True:
        try:
            return _attempt(invocation, options, made, chosen, tags, folder)
        except EngineError as error:
            needed = {
                tool: bound
                for tool, bound in older_tools(error.said).items()
                if bound < tools.get(tool, 1000)
            }
            if not needed:
                raise (
                    _foreign(made, options.platform, error)
                    or compiled(made.plan.python.value, error)
                    or error
                ) from None
        tools |= needed
        named, with_them = " and ".join(needed), " ".join(bounds(tools).split())
        invocation.console.event(
            "retry", f"a source was written for an older {named}: building with {with_them}"
        )
        made = with_older_tools(made, tools)


def _attempt(
    invocation: Invocation, options: BuildOptions, made: Made, chosen: str, tags: Sequence[str], folder: Path
) -> str:
    """Build in a context of exactly the plan's files; return the image's id. Raises EngineError."""
    place = folder / "context"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    size = context.write(made.project.root, place, dict(made.files), made.plan.excluded)
    invocation.console.event("context", f"{size / 1e6:.1f} MB of context")
    given = sources(invocation.environ, folder, mounts=chosen in engine.MOUNTING)
    if given.left_out:
        places = engine.names(given.left_out)
        invocation.console.event(
            "note", f"{chosen} mounts no folders into a build: no packages out of {places}"
        )
    order = engine.Order(
        context=str(place), dockerfile=str(place / "Dockerfile"), tags=tags, iidfile=f"{folder}/iid",
        secrets=given.secrets, volumes=given.volumes, platform=options.platform, cache=options.cache, timestamp=_EPOCH,
        isolation=invocation.environ.get("BUILDAH_ISOLATION", ""), has_healthcheck=made.plan.healthcheck,
    )  # fmt: skip
    run(engine.build(chosen, order), "the image cannot be built", hint=_BY_HAND)
    return Path(folder, "iid").read_text(encoding="utf-8").strip()


def compiled(python: str, error: EngineError) -> OutsideError | None:
    """Return the error for a package that has no wheel for the image's Python and does not build; None for others."""
    found = re.findall(r"Failed to (?:download and )?build `([^`]+)`", error.said)
    if not found:
        return None
    name = found[-1].partition(" @ ")[0].replace("==", " ")
    lacks = missing(error.said)
    older = f"3.{int(python.removeprefix('3.')) - 1}"
    other = f", or take an older Python, --image-python {older}" if older in SERVED else ""
    return OutsideError(
        f"{name} does not build in the image", where=error.where,
        why="\n".join([*([f"the build misses {lacks.what}"] if lacks else []), error.why]),
        hint=f"it has no wheel for Python {python}: depend on a release that has one{other}",
    )  # fmt: skip


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
        _load(chosen, tags, folder, say)
    if options.output:
        run(
            engine.save(chosen, image, options.output, str(file)), "the image cannot be written",
            hint="free some space, or choose another place with --output FILE",
        )  # fmt: skip
        told = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        digest = told or archive.digest(Path(options.output)) or digest
    for tag in options.tag if options.push else ():
        run(
            engine.push(chosen, tag, str(file)), f"{tag} cannot be pushed",
            hint=f"log in and push it again, nothing is built anew: {chosen} login {tag.partition('/')[0]}",
        )  # fmt: skip
        digest = _pushed(tag) if chosen == "docker" else file.read_text(encoding="utf-8").strip()
    return digest


def _digest(chosen: str, image: str) -> str:
    return examining.output(engine.digest(chosen, image)).strip()


def _pushed(tag: str) -> str:
    """Return the digest that docker pushed a tag under; it knows the image by those of other repositories too."""
    folders, slash, name = tag.rpartition("/")
    repository = folders + slash + name.partition(":")[0]
    lines = examining.output(engine.pushed(tag)).split()
    own = [line for line in lines if line.partition("@")[0] == repository]
    return (own or lines)[0].rpartition("@")[2]


def _load(chosen: str, tags: Sequence[str], folder: Path, say: examining.Say) -> None:
    if chosen != "buildah":
        say("load", f"{chosen} has the image already")
    elif _works("docker"):
        for number, tag in enumerate(tags):
            for words in engine.load(tag, str(folder / f"load-{number}.tar")):
                run(words, f"{tag} cannot be loaded into docker", hint="docker info says whether it answers")
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
    found = {image: examining.output(engine.pinned(chosen, image)).strip() for image in images}
    write_whole(made.project.root / pins.NAME, pins.write(found).encode())
    say("write", f"{pins.NAME}: {engine.names(found)}")


def _works(name: str) -> bool:
    return bool(shutil.which(name)) and _lacks(name) != "an answer"


def _lacks(name: str) -> str:
    """Return what an installed engine lacks for a build: «an answer», «BuildKit», or nothing."""
    for words, lacking in ((engine.answers(name), "an answer"), (engine.builds(name), "BuildKit")):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
        if done.returncode:
            return lacking
    return ""


def _engine(wanted: str, say: examining.Say) -> str:
    present = [name for name in engine.ENGINES if shutil.which(name)]
    if wanted != "auto":
        if wanted not in present:
            listed = engine.names(present)
            raise UsageError(
                f"{wanted} is not installed", where="given by --builder",
                why=f"this machine has {listed}" if present else "this machine has no container engine",
                hint=f"--builder {present[0]}" if present else f"install {wanted}",
            )  # fmt: skip
        lacking = _lacks(wanted)
        if lacking:
            raise _unable(wanted, lacking)
        return wanted
    for name in present:
        lacking = _lacks(name)
        if not lacking:
            return name
        say("note", f"{name} is installed, but {_UNABLE[lacking][0]}")
    raise OutsideError(
        "there is no container engine", where="looked for on PATH: docker, podman, buildah",
        why="an image is built by one of them", hint="apt install buildah, or: nuages dockerfile --write",
    )  # fmt: skip


_UNABLE = {
    "an answer": ("does not answer", "{0} info says why; the daemon may not run, or not let this user in"),
    "BuildKit": ("has no buildx, and what it builds with then knows no cache mounts and no build secrets",
                 "apt install docker-buildx, or docker-buildx-plugin from docker's own packages"),
}  # fmt: skip


def _unable(name: str, lacking: str) -> OutsideError:
    why, hint = _UNABLE[lacking]
    return OutsideError(
        f"{name} cannot build an image",
        where="given by --builder",
        why=f"{name} {why}",
        hint=hint.format(name),
    )


class EngineError(OutsideError):
    """An engine that failed; `said` is all that it printed."""

    said: str = ""


def run(argv: list[str], what: str, *, hint: str) -> None:
    """Run an engine with its talk on our stderr; raises EngineError with its last lines."""
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
        error = EngineError(
            what, where=f"`{' '.join(argv[:2])}` ended with status {process.returncode}", why="\n".join(tail),
            hint=hint,
        )  # fmt: skip
        error.said = "\n".join(lines)
        raise error
