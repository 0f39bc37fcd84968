"""Dockerfile instructions as text: comments, RUN with its mounts, Debian packages, quoting (Dockerfile reference)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from nuages.image.plan import Package


def _apt_caches(stage: str) -> tuple[str, ...]:
    # A cache of its own for each stage: some releases of buildah keep a lock to the end of the build.
    return tuple(
        f"--mount=type=cache,id={stage}-{name},target={place},sharing=locked"
        for name, place in (("apt", "/var/cache/apt"), ("lists", "/var/lib/apt/lists"))
    )


def comment(*lines: str, rule: str = "") -> str:
    """Return comment lines; `rule` is a heading above them."""
    top = [f"# ── {rule} " + "─" * max(3, 100 - len(rule))] if rule else []
    return "\n".join([*top, *(f"# {line}".rstrip() for line in lines)])


def run(mounts: Iterable[str], commands: Sequence[str]) -> str:
    """Return one RUN of commands that must all succeed."""
    return "RUN " + " \\\n    ".join([*mounts, " \\\n && ".join(commands)])


def quoted(value: str) -> str:
    """Return a value of ENV or LABEL; `$PATH` alone is meant as the variable."""
    if re.fullmatch(r"[A-Za-z0-9_./:,@%+=-]+", value) or value.endswith(":$PATH"):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def apt(packages: Iterable[Package], stage: str, then: Sequence[str] = ()) -> str:
    """Return the installation of Debian packages in a stage, with what wants each; `then` is done after it."""
    named = sorted({package.name: package for package in packages}.values(), key=lambda package: package.name)
    width = max(len(package.name) for package in named)
    reasons = [f"  {package.name:<{width}}  {package.wanted_by}" for package in named]
    names = " ".join(package.name for package in named)
    return "\n".join(
        [
            comment("Debian packages, and what wants them:", *reasons),
            "# Their releases are the suite's: security fixes come with the next build.",
            "# hadolint ignore=DL3008",
            run(
                _apt_caches(stage),
                [
                    "rm -f /etc/apt/apt.conf.d/docker-clean",
                    "apt-get update -q",
                    f"DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends {names}",
                    *then,
                ],
            ),
        ]
    )


def labels(labels: Mapping[str, str]) -> str:
    """Return one LABEL with all labels in order."""
    return "LABEL " + " \\\n      ".join(f"{name}={quoted(value)}" for name, value in sorted(labels.items()))
