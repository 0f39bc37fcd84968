"""The options of `nuages manifests`: what the project's files cannot tell about where it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nuages.deploy import names
from nuages.kinds import Kind, choice, duration, flag, integer, size, switch, text, word_or
from nuages.options import declare
from nuages.runtime.settings import LEAST_MEMORY

DEPLOYMENT = "Deployment"
KUBERNETES = "Kubernetes"


def _range(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not dash or not low.isdigit() or not high.isdigit() or not 1 <= int(low) < int(high):
        raise ValueError("it is not MIN-MAX such as 2-10, with MIN below MAX")
    return int(low), int(high)


MEASURED = 0
"""What `--worker-memory measured` is until it has been measured."""


def _weight(text: str) -> int:
    return MEASURED if text == "measured" else _room(LEAST_MEMORY)(text)


weight: Kind[int] = Kind("SIZE|measured", _weight, ("measured",))
autoscale: Kind[tuple[int, int]] = Kind("MIN-MAX", _range)


def _name(text: str) -> str:
    if not names.is_host(text) or text.startswith("*"):
        raise ValueError("names of objects are lower-case letters, digits and - between dots (RFC 1123)")
    return text


def _gateway(text: str) -> str:
    for part in text.split("/", 1):
        _name(part)
    return text


def _room(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = size.parse(text)
        if value < least:
            raise ValueError(f"the smallest value is {least >> 20}M")
        return value

    return parse


name: Kind[str] = Kind("NAME", _name)
gateway: Kind[str] = Kind("[NAMESPACE/]NAME", _gateway)
room: Kind[int] = Kind("SIZE", _room(1 << 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOptions:
    """What decides the documents beside the plan and the server's settings. Durations are seconds, sizes bytes."""

    image: tuple[str, ...] = declare(
        text("REF@DIGEST"), default=(), repeatable=True, default_text="required for kubernetes", group=DEPLOYMENT,
        help="the image, with the digest that `nuages build --push` prints: name@sha256:…; one for each project",
    )  # fmt: skip
    host: tuple[str, ...] = declare(
        text("NAME"), default=(), repeatable=True, group=DEPLOYMENT,
        help="a host name that people use; repeatable, one for each of several projects",
    )  # fmt: skip
    replicas: int | None = declare(
        integer(1), default=None, default_text="2; 1 where files are kept on a volume", group=DEPLOYMENT,
        help="how many run at the same time",
    )  # fmt: skip
    process: tuple[str, ...] = declare(
        text("NAME"), default=(), default_text="all", repeatable=True, group=DEPLOYMENT,
        help="which of the project's other processes run too; repeatable, `none` for none",
    )  # fmt: skip
    worker_memory: int = declare(
        weight, default=160 << 20, default_text="160M", group=DEPLOYMENT,
        help="what one worker takes; measured: as the largest of the project's server that runs on this machine",
    )  # fmt: skip
    memory: int | None = declare(
        size, default=None, default_text="what the workers need", group=DEPLOYMENT,
        help="the memory for all of it, split among several projects; fewer workers where it is too little",
    )  # fmt: skip
    volume: bool | None = declare(
        word_or("auto", switch), default=None, default_text="auto", group=DEPLOYMENT,
        help="keep what the project writes (SQLite, uploads) on a volume; auto: where the plan has such files",
    )  # fmt: skip
    volume_size: int = declare(
        room, default=5 << 30, default_text="5G", group=DEPLOYMENT, help="the size of that volume"
    )
    format: str = declare(
        choice("yaml", "kustomize", "helm"), default="yaml", group=KUBERNETES,
        help="one stream on stdout, or a folder of files with --output",
    )  # fmt: skip
    output: str | None = declare(
        text("DIR"), default=None, group=DEPLOYMENT,
        help="write files into this folder; required for kustomize, helm and systemd with several units",
    )  # fmt: skip
    namespace: str | None = declare(
        name, default=None, default_text="the one that kubectl uses", group=KUBERNETES,
        help="the namespace of all objects",
    )  # fmt: skip
    ingress: str | None = declare(
        Kind("CLASS", _name), default=None, group=KUBERNETES,
        help="an Ingress of this class for each --host; wants --trusted-proxies",
    )  # fmt: skip
    gateway: str | None = declare(
        gateway, default=None, group=KUBERNETES,
        help="an HTTPRoute for each --host at this Gateway; wants --trusted-proxies",
    )  # fmt: skip
    tls_secret: str | None = declare(
        name, default=None, group=KUBERNETES, help="the Secret with the Ingress's certificate"
    )
    autoscale: tuple[int, int] | None = declare(
        autoscale, default=None, group=KUBERNETES, help="a HorizontalPodAutoscaler by CPU between these"
    )
    service_monitor: bool = declare(
        flag,
        default=False,
        default_text="",
        group=KUBERNETES,
        help="a ServiceMonitor for the Prometheus operator",
    )
    migrations: str = declare(
        choice("job", "helm", "argo", "off"), default="job", group=KUBERNETES,
        help="a Job that migrates, whose pods the new ones wait for; helm, argo: with their hook annotations",
    )  # fmt: skip
    termination_grace: float | None = declare(
        duration, default=None, default_text="drain + grace + 5s", group=KUBERNETES,
        help="how long Kubernetes waits after SIGTERM",
    )  # fmt: skip
    image_pull_secret: str | None = declare(
        name, default=None, group=KUBERNETES, help="the Secret with the registry's password"
    )
    storage_class: str | None = declare(
        name, default=None, default_text="the cluster's default", group=KUBERNETES,
        help="the class of the volume",
    )  # fmt: skip
