"""The options of `plan`, `dockerfile` and `build`: what the image is made of."""

from __future__ import annotations

from dataclasses import dataclass

from nuages.kinds import choice, flag, integer, switch, text, word_or
from nuages.options import declare

IMAGE = "Image"
BUILD = "Build"

SUITE = "trixie"
NODE = "22"
"""The Node release for projects that name none: the oldest that is maintained (its release schedule)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """What decides the plan beside the project."""

    base: str | None = declare(
        text("IMAGE"), default=None, default_text=f"python:X.Y-slim-{SUITE}", group=IMAGE,
        help="the Debian-based image with Python that both stages start from",
    )  # fmt: skip
    image_python: str | None = declare(
        text("X.Y"), default=None, default_text="the one that project, Django and wheels agree on", group=IMAGE,
        help="the image's Python",
    )  # fmt: skip
    name: str | None = declare(
        text("NAME"), default=None, default_text="the folder's name", group=IMAGE, help="the image's title",
    )  # fmt: skip
    apt: tuple[str, ...] = declare(
        text("PACKAGE"), default=(), repeatable=True, group=IMAGE,
        help="a Debian package more in the image, such as a program that the project runs; repeatable",
    )  # fmt: skip
    exclude: tuple[str, ...] = declare(
        text("PATTERN"), default=(), repeatable=True, group=IMAGE,
        help="files that are left out, as in .dockerignore; repeatable",
    )  # fmt: skip
    port: int | None = declare(
        word_or("auto", integer(1, 65535)), default=None, group=IMAGE,
        default_text="what the project's own Dockerfile exposes, else 8000", help="the port that the image serves on",
    )  # fmt: skip
    healthcheck: bool = declare(
        flag, default=False, default_text="", group=IMAGE,
        help="add a HEALTHCHECK, for plain Docker; Kubernetes has probes of its own",
    )  # fmt: skip
    front_end: bool = declare(
        switch, default=True, group=IMAGE, help="build the project's front end, in a stage of its own"
    )
    node_image: str | None = declare(
        text("IMAGE"), default=None, default_text=f"node:{NODE}-slim, or the release that the project names",
        group=IMAGE, help="the image that the front end is built in",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Where `dockerfile` leaves its work."""

    write: bool = declare(
        flag, default=False, default_text="", group=IMAGE,
        help="write Dockerfile, .dockerignore and .nuages/ into the project instead of printing the Dockerfile",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How and where the image is built."""

    tag: tuple[str, ...] = declare(
        text("NAME"), default=(), repeatable=True, group=BUILD, short="t",
        help="what to call the image; repeatable",
    )  # fmt: skip
    builder: str = declare(
        choice("auto", "docker", "podman", "buildah"), default="auto", group=BUILD,
        help="auto: the first of docker, podman and buildah that is there",
    )  # fmt: skip
    platform: str | None = declare(
        text("OS/ARCH"), default=None, default_text="this machine's", group=BUILD,
        help="the platform to build for, such as linux/arm64",
    )  # fmt: skip
    push: bool = declare(
        flag,
        default=False,
        default_text="",
        group=BUILD,
        help="push the image to the registry that its name says",
    )
    output: str | None = declare(
        text("FILE"), default=None, group=BUILD, help="write the image as an OCI archive to this file"
    )
    load: bool = declare(
        flag, default=False, default_text="", group=BUILD,
        help="put the image into docker's or podman's store, where something else built it",
    )  # fmt: skip
    lock: bool = declare(
        flag, default=False, default_text="", group=BUILD,
        help="write nuages.lock: the digests of the base images, which later builds then start from",
    )  # fmt: skip
    check: bool = declare(
        switch,
        default=True,
        group=BUILD,
        help="examine the image before it is pushed or written, as check --image",
    )
    cache: bool = declare(switch, default=True, group=BUILD, help="take layers of earlier builds")
