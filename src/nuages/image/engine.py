"""Container engines as command lines: docker, podman and buildah build the same Dockerfile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ENGINES = ("docker", "podman", "buildah")
RUNNERS = ("docker", "podman")
"""Those that run containers on their own, without a network of theirs."""

MOUNTING = ("podman", "buildah")
"""Those that mount folders of this machine into a build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to build: files and folders on this machine. `secrets` maps ids to files, `volumes` are folders that the
    installers read (a local package index), which docker cannot mount into a build (MOUNTING)."""

    context: str
    dockerfile: str
    tags: Sequence[str]
    iidfile: str
    secrets: Sequence[tuple[str, str]] = ()
    volumes: Sequence[str] = ()
    platform: str | None = None
    cache: bool = True
    timestamp: int | None = None
    has_healthcheck: bool = False
    """The OCI image format has no HEALTHCHECK: docker's own format has."""
    isolation: str = ""
    """`chroot` where no container can be started, as inside another one (buildah)."""


def answers(engine: str) -> list[str]:
    """Return the command line that succeeds where the engine can work: docker needs its daemon."""
    if engine == "docker":
        return ["docker", "version", "--format", "{{.Server.Version}}"]
    return [engine, "--version"]


def builds(engine: str) -> list[str]:
    """Return the command line that succeeds where the engine can build: docker's BuildKit is a plugin of its client."""
    return ["docker", "buildx", "version"] if engine == "docker" else [engine, "--version"]


def build(engine: str, order: Order) -> list[str]:
    """Return the command line that builds the image and writes its id to `iidfile`."""
    words = {
        "docker": ["docker", "buildx", "build", "--load"],
        "podman": ["podman", "build", "--layers", "--force-rm"],
        "buildah": ["buildah", "build", "--layers", "--force-rm"],
    }[engine]
    words = [*words, "--file", order.dockerfile, "--iidfile", order.iidfile]
    words += [word for tag in order.tags for word in ("--tag", tag)]
    for name, path in order.secrets:
        words += ["--secret", f"id={name},src={path}"]
    if engine != "docker":
        words += ["--network=host"]
        words += [word for place in order.volumes for word in ("--volume", f"{place}:{place}:ro")]
        if order.isolation:
            words += ["--isolation", order.isolation]
        if order.has_healthcheck:
            words += ["--format", "docker"]
        if order.timestamp is not None:
            words += ["--timestamp", str(order.timestamp)]
    if order.platform:
        words += ["--platform", order.platform]
    if not order.cache:
        words += ["--no-cache"]
    return [*words, order.context]


def push(engine: str, tag: str, digest_file: str) -> list[str]:
    """Return the command line that pushes a tag and, where the engine can, writes the digest to a file."""
    if engine == "docker":
        return ["docker", "push", tag]
    return [engine, "push", "--digestfile", digest_file, tag]


def pushed(tag: str) -> list[str]:
    """Return the command line that prints what docker knows a pushed image by: lines of `NAME@sha256:…`."""
    return ["docker", "image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', tag]


def pinned(engine: str, image: str) -> list[str]:
    """Return the command line that prints the digest by which a registry has the image: BuildKit keeps the bases that
    it fetched to itself, so docker is made to ask the registry."""
    if engine == "docker":
        # A format that starts with `{{.Manifest` is taken for another by some releases: they print their own text.
        form = '{{printf "%s" .Manifest.Digest}}'
        return ["docker", "buildx", "imagetools", "inspect", "--format", form, image]
    return digest(engine, image)


def save(engine: str, image: str, path: str, digest_file: str) -> list[str]:
    """Return the command line that writes the image as an OCI archive; docker's `save` writes one with both forms."""
    if engine == "docker":
        return ["docker", "save", "--output", path, image]
    return [engine, "push", "--digestfile", digest_file, image, f"oci-archive:{path}"]


def load(tag: str, path: str) -> tuple[list[str], list[str]]:
    """Return the command lines that put an image of buildah's into docker's store, by way of a file: buildah's own way
    there knows one socket only, not docker's contexts and DOCKER_HOST."""
    name = tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"
    return ["buildah", "push", tag, f"docker-archive:{path}:{name}"], ["docker", "load", "--input", path]


def digest(engine: str, image: str) -> list[str]:
    """Return the command line that prints the digest of an image's manifest, or its id where docker has no other."""
    if engine == "docker":
        return ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    if engine == "podman":
        return ["podman", "image", "inspect", "--format", "{{.Digest}}", image]
    return ["buildah", "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", image]


def has(engine: str, image: str) -> list[str]:
    """Return the command line that succeeds where the engine's store has the image."""
    return (
        [engine, "inspect", "--type", "image", image]
        if engine != "docker"
        else ["docker", "image", "inspect", image]
    )


def archive(engine: str, image: str, path: str) -> list[str]:
    """Return the command line that writes an image with uncompressed layers, for reading."""
    if engine == "docker":
        return ["docker", "save", "--output", path, image]
    if engine == "podman":
        return ["podman", "save", "--format", "docker-archive", "--output", path, image]
    return ["buildah", "push", image, f"docker-archive:{path}"]


def start(engine: str, image: str, environ: Mapping[str, str], user: str) -> list[str]:
    """Return the command line that starts the image as strictly as a platform may, and prints the container's id."""
    given = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]
    return [
        engine, "run", "--detach", "--network=none", "--read-only", "--tmpfs", "/tmp", "--user", user,
        "--cap-drop=ALL", "--security-opt=no-new-privileges", *given, image,
    ]  # fmt: skip


def stop(engine: str, identity: str, seconds: int) -> list[str]:
    """Return the command line that ends a container. The short option: `--time` became `--timeout` in docker 28."""
    return [engine, "stop", "-t", str(seconds), identity]


def names(found: Iterable[str]) -> str:
    """Return names as they are told: `docker, podman`."""
    return ", ".join(found)
