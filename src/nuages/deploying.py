"""`nuages manifests`: the edge around deploy/."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from nuages.deploy import yaml
from nuages.deploy.compose import compose
from nuages.deploy.kubernetes import config, folders
from nuages.deploy.kubernetes.documents import documents
from nuages.deploy.options import KUBERNETES as KUBERNETES_GROUP
from nuages.deploy.options import MEASURED, ManifestOptions
from nuages.deploy.systemd import stream, systemd
from nuages.deploy.workload import DECIDED, Workload, decide, pinned
from nuages.errors import OutsideError, UsageError
from nuages.invocation import Invocation
from nuages.making import make, write_whole
from nuages.monitoring import heaviest_worker
from nuages.options import options_of
from nuages.runtime.settings import Settings

COMPOSE = "compose.yaml"
KUBERNETES = "kubernetes.yaml"


def manifests(invocation: Invocation) -> int:
    """Print the documents, or write them into a folder."""
    target = invocation.target or "kubernetes"
    options = invocation.resolve(ManifestOptions).value
    _check_target(target, invocation)
    workloads = _workloads(invocation, target, options)
    for workload in workloads:
        for note in workload.notes:
            invocation.console.event("note", f"{workload.name}: {note}")
    files = _files(target, workloads, options)
    if options.output:
        for path, text in files.items():
            write_whole(Path(options.output) / path, text.encode(), or_else="name another: --output DIR")
            invocation.console.event("write", path)
        return 0
    if target == "kubernetes" and options.format != "yaml":
        raise UsageError(
            f"{options.format} wants a folder", where="--format", why=f"it is {len(files)} files",
            hint=f"--format {options.format} --output DIR",
        )  # fmt: skip
    sys.stdout.write(stream(files) if target == "systemd" else "".join(files.values()))
    return 0


def _check_target(target: str, invocation: Invocation) -> None:
    """Raise UsageError for a flag that would do nothing: it is decided already, or is for Kubernetes and not here."""
    for name in sorted(DECIDED & set(invocation.flags)):
        raise UsageError(
            f"--{name} is decided by the documents", where="given on the command line",
            why="ports, folders and certificates have to agree in all of them",
            hint="leave it out; --port N is the port that the image serves on",
        )  # fmt: skip
    if target == "kubernetes":
        return
    for option in options_of(ManifestOptions):
        if option.group == KUBERNETES_GROUP and option.name in invocation.flags:
            raise UsageError(
                f"{option.flag} is for Kubernetes", where="given on the command line",
                why=f"documents for {target} have nothing that it could change",
                hint=f"leave it out, or `nuages manifests kubernetes {option.flag} …`",
            )  # fmt: skip


def _workloads(invocation: Invocation, target: str, options: ManifestOptions) -> list[Workload]:
    projects = (invocation.named, *invocation.more)
    images: list[str | None] = [*options.image, *[None] * (len(projects) - len(options.image))]
    if len(options.image) > len(projects):
        raise UsageError(
            "there are more images than projects", where="--image",
            why=f"{len(options.image)} images, {len(projects)} project{'s' * (len(projects) > 1)}",
            hint="name a project for each: nuages manifests PROJECT PROJECT --image REF --image REF",
        )  # fmt: skip
    if len(projects) > 1 and len(options.host) not in (0, len(projects)):
        raise UsageError(
            "each project wants a host name of its own", where="--host",
            why=f"{len(options.host)} named for {len(projects)} projects, in their order",
            hint="nuages manifests PROJECT PROJECT --host one.example.com --host two.example.com",
        )  # fmt: skip
    found: list[Workload] = []
    for number, (project, image) in enumerate(zip(projects, images, strict=True)):
        call = invocation.at(project)
        if target == "kubernetes":
            image = pinned(image)  # before the project is read: it is what people forget
        wish = _weighed(call, options)
        if len(projects) > 1:
            wish = dataclasses.replace(wish, host=options.host[number : number + 1])
        plan = make(call).plan
        settings = call.resolve(Settings)
        found.append(
            decide(
                plan, settings, wish, image=image or f"{plan.name}:latest", share=len(projects), target=target
            )
        )
    names = [workload.name for workload in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(
            f"two projects would be called {twice}", where="the names of their folders",
            why="objects are found by their names",
            hint=f"write them in two calls, one of them with --name {twice}-2",
        )  # fmt: skip
    return found


def _weighed(invocation: Invocation, options: ManifestOptions) -> ManifestOptions:
    """Return the options with the measured memory of a worker, where that is asked for."""
    if options.worker_memory != MEASURED:
        return options
    found = heaviest_worker(invocation)
    if found is None:
        raise OutsideError(
            "no worker can be measured", where="--worker-memory measured",
            why=f"no server of {invocation.project} runs on this machine",
            hint="start it with `nuages up` and ask it for some pages, or say --worker-memory 160M",
        )  # fmt: skip
    return dataclasses.replace(options, worker_memory=-(-found >> 20) << 20)


def _files(target: str, workloads: Sequence[Workload], options: ManifestOptions) -> Mapping[str, str]:
    if target == "compose":
        return {COMPOSE: compose(workloads, options)}
    if target == "systemd":
        return systemd(workloads, options)
    folder = {"kustomize": folders.kustomize, "helm": folders.helm}.get(options.format)
    if folder is None:
        return {KUBERNETES: "---\n".join(_stream(workload, options) for workload in workloads)}
    files: dict[str, str] = {}
    for workload in workloads:
        place = f"{workload.name}/" if len(workloads) > 1 else ""
        made = folder(workload, options, documents(workload, options))
        files |= {f"{place}{path}": text for path, text in made.items()}
    return files


def _stream(workload: Workload, options: ManifestOptions) -> str:
    return config.secret_template(workload, options) + yaml.dump(documents(workload, options))
