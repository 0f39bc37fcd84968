"""`check --image`: a built image read layer by layer and tried out; the edge around image/."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nuages.errors import OutsideError, UsageError
from nuages.image import archive, contents, engine, trial
from nuages.image.audit import Finding, Saving, audit, savings
from nuages.invocation import Invocation

_READY_SECONDS = 90.0
_STOP_SECONDS = 40


class Say(Protocol):
    """Where progress goes (`Console.event`)."""

    def __call__(self, name: str, text: str = "", **fields: Any) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found of an image. Sizes are in bytes, of the files: compressed layers are about a third."""

    image: str
    size: int
    layers: tuple[tuple[int, str], ...]
    owners: Mapping[str, int]
    kinds: Mapping[str, int]
    labels: Mapping[str, str]
    savings: tuple[Saving, ...]
    findings: tuple[Finding, ...]
    tried: str


def examine(invocation: Invocation, name: str, *, is_json: bool) -> int:
    """Print what an image is made of and what is wrong with it; 1 where something is an error."""
    say = invocation.console.event
    path = Path(name)
    holder = "" if path.is_file() else _holder(name)
    with tempfile.TemporaryDirectory(prefix="nuages-image-") as folder:
        if holder:
            path = Path(folder, "image.tar")
            say("read", f"reading {name} out of {holder}")
            output(engine.archive(holder, name, str(path)))
        image = archive.read(path)
    report = _report(name, image, holder, say)
    if is_json:
        json.dump(dataclasses.asdict(report), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.write("\n".join(_lines(report)) + "\n")
    return 1 if any(each.severity == "error" for each in report.findings) else 0


def after_build(
    invocation: Invocation, holder: str, name: str, *, platform: str | None
) -> tuple[Finding, ...]:
    """Examine an image that was just built, tell what is wrong with it, and return it."""
    say = invocation.console.event
    with tempfile.TemporaryDirectory(prefix="nuages-image-") as folder:
        path = Path(folder, "image.tar")
        output(engine.archive(holder, name, str(path)))
        image = archive.read(path)
    foreign = platform is not None and platform != f"linux/{image.config.get('architecture')}"
    report = _report(name, image, "" if foreign else holder, say)
    for each in report.findings:
        if each.severity != "note":
            say(
                "finding", f"{each.id} {each.severity}: {each.what}: {each.where}", **dataclasses.asdict(each)
            )
    say("check", f"{report.size / 1e6:.0f} MB in {len(report.layers)} layers; {report.tried}")
    return report.findings


def _report(name: str, image: archive.Image, holder: str, say: Say) -> Report:
    merged = contents.merge(image)
    tried, tries = _try(name, image, merged, holder, say)
    return Report(
        image=name,
        size=sum(layer.size for layer in image.layers),
        layers=tuple((layer.size, " ".join(layer.created_by.split())) for layer in image.layers),
        owners=contents.by_owner(merged),
        kinds=contents.by_kind(merged),
        labels=dict(sorted(((image.config.get("config") or {}).get("Labels") or {}).items())),
        savings=savings(merged),
        findings=(*tries, *audit(image)),
        tried=tried,
    )


def _try(
    name: str, image: archive.Image, merged: contents.Contents, holder: str, say: Say
) -> tuple[str, tuple[Finding, ...]]:
    """Serve with the image, strictly, until it is ready, then end it; return what was done, and findings."""
    program = trial.python(image.config)
    if not program:
        return "not run: it does not start `nuages serve`", ()
    if not holder:
        return "not run: it is in no engine of this machine", ()
    runner = _runner(holder)
    if runner is None:
        return "not run: buildah runs no images, and neither podman nor docker is here", ()
    names = [path.split("/")[-2] for path in merged.texts if path.endswith(".dist-info/METADATA")]
    given = trial.environ(image.config, names)
    say("try", "serving with a read-only root, as user 54321, without network and capabilities")
    identity = output(engine.start(runner, name, given, trial.USER)).split()[-1]
    try:
        ready = _becomes_ready(runner, identity, program)
        _quietly(engine.stop(runner, identity, _STOP_SECONDS))
        said = _quietly([runner, "logs", identity])
        status = output([runner, "inspect", "--format", "{{.State.ExitCode}}", identity]).strip()
    finally:
        _quietly([runner, "rm", "--force", "--volumes", identity])
    found = trial.verdict(ready=ready, status=int(status) if ready else None, said=said)
    return (
        "it serves with a read-only root, as user 54321, without network" if not found else "it was run"
    ), found


def _becomes_ready(runner: str, identity: str, program: str) -> bool:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        asked = subprocess.run(
            [runner, "exec", identity, program, "-c", trial.probe(9000)],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        if asked.returncode == 0:
            return True
        running = _quietly([runner, "inspect", "--format", "{{.State.Running}}", identity]).strip()
        if running != "true":
            return False
        time.sleep(0.3)
    return False


def _runner(holder: str) -> str | None:
    if holder in engine.RUNNERS:
        return holder
    return "podman" if shutil.which("podman") else None  # buildah's store is podman's


def _holder(name: str) -> str:
    """Return the engine that has the image. Raises UsageError where none has it."""
    present = [each for each in engine.ENGINES if shutil.which(each)]
    for each in present:
        done = subprocess.run(
            engine.has(each, name), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
        )
        if done.returncode == 0:
            return each
    raise UsageError(
        f"there is no image {name}", where="given by --image",
        why=f"neither a file nor known to {engine.names(present)}" if present else "there is no container engine here",
        hint="nuages build -t NAME builds one; podman pull NAME fetches one",
    )  # fmt: skip


def output(argv: Sequence[str]) -> str:
    """Return what a command of an engine prints; raises OutsideError where it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutsideError(
            f"{argv[0]} failed", where=f"`{' '.join(argv[:4])}` ended with status {done.returncode}",
            why="\n".join(done.stderr.strip().splitlines()[-8:]), hint=f"the same by hand shows it: {' '.join(argv)}",
        )  # fmt: skip
    return done.stdout


def _quietly(argv: Sequence[str]) -> str:
    """Return what a command says on both streams; one that fails says nothing that matters here."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        errors="replace",
    )  # fmt: skip
    return done.stdout


def _lines(report: Report) -> list[str]:
    lines = [f"{report.image}  {_mega(report.size)}  ({report.tried})", "", "layers"]
    lines += [f"  {_mega(size)}  {_step(step)}" for size, step in report.layers]
    for title, sizes in (("by package", report.owners), ("by kind", report.kinds)):
        lines += ["", title]
        shown = list(sizes.items())[:25]
        lines += [f"  {_mega(size)}  {name}" for name, size in shown]
        rest = sum(sizes.values()) - sum(size for _, size in shown)
        if rest:
            lines.append(f"  {_mega(rest)}  {len(sizes) - len(shown)} more")
    if report.savings:
        lines += ["", "what could go"]
        lines += [f"  {_mega(each.size)}  {each.what}: {', '.join(each.examples)}" for each in report.savings]
    if report.labels:
        lines += ["", "labels", *(f"  {name}={value}" for name, value in report.labels.items())]
    lines += ["", "findings" if report.findings else "nothing is wrong with it"]
    for each in report.findings:
        lines.append(f"  {each.id} {each.severity}: {each.what}")
        lines += [f"    {line}" for line in each.where.splitlines()]
        lines.append(f"    hint: {each.hint}")
    return lines


def _step(text: str) -> str:
    """Return an instruction as it is read: without the shell and the mounts that builders put before it."""
    plain = re.sub(r"^/bin/sh -c (#\(nop\) *)?", "", text)
    plain = re.sub(r"--mount=\S+\s*|\|\d+ (\w+=\S* )+", "", plain)
    return plain[:100] + (" …" if len(plain) > 100 else "")


def _mega(size: int) -> str:
    return f"{size / 1e6:7.1f} MB"
