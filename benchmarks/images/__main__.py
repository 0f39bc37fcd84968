"""One application in three images on one base: by hand as of old, by hand as of today, by nuages; their sizes.

`python -m benchmarks.images` as root, with buildah and podman. Base images are made here where no registry is reached.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tests.image import bases
from tests.image.containers import Engine

from nuages.environment import indexes

HERE = Path(__file__).parent
APPLICATION = HERE.parents[1] / "examples" / "stockroom"
WRITTEN = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "__pycache__")
BY_HAND = ("article", "slim")
FULL, SLIM = "python:3.11-trixie", "python:3.11-slim-trixie"


def main() -> int:
    """Build the images one after the other and print a table."""
    for name in (SLIM, FULL):
        bases.make(name)
    folder = Path(tempfile.mkdtemp(prefix="nuages-images-"))
    engine = Engine(folder)
    try:
        project = Path(shutil.copytree(APPLICATION, folder / "stockroom", ignore=WRITTEN))
        plain = Path(shutil.copytree(project, folder / "plain"))
        _without_index(plain)
        rows = []
        for name in BY_HAND:
            _build(engine, plain, name)
            rows.append((name, *_sizes(engine, name)))
        engine.build(project, "nuages")
        rows.append(("nuages", *_sizes(engine, "nuages")))
        rows.insert(0, ("(the base)", *_sizes(engine, SLIM)))
    finally:
        engine.clean()
    print("| image | MB | compressed MB |\n|---|---|---|")
    for name, size, compressed in rows:
        print(f"| {name} | {size / 1e6:.1f} | {compressed / 1e6:.1f} |")
    return 0


def _without_index(project: Path) -> None:
    """Take the index out that Pipfile names and nobody reaches: pipenv then asks the one that everybody does."""
    pipfile = project / "Pipfile"
    pipfile.write_text(re.sub(r"\[\[source\]\]\n(?:.+\n)+", "", pipfile.read_text()))
    locked = project / "Pipfile.lock"
    lock = json.loads(locked.read_text())
    lock["_meta"]["sources"] = []
    for package in lock["default"].values():
        package.pop("index", None)
    locked.write_text(json.dumps(lock))


def _build(engine: Engine, project: Path, name: str) -> None:
    """Build one of the Dockerfiles with pip configured as it is on this machine."""
    lines = ["[global]"]
    found = indexes.read(engine.environ)
    volumes = []
    for option in ("index-url", "extra-index-url", "find-links", "trusted-host", "timeout"):
        if option in found:
            lines.append(f"{option} = {' '.join(found[option].words)}")
            # The pages of an index on this disk name files beside it, hence its parent.
            volumes += [
                str(Path(word.removeprefix("file://")).parent if word.startswith("file:") else word)
                for word in found[option].words
                if word.startswith(("/", "file:"))
            ]
    if "cert" in found:
        lines.append("cert = /etc/ssl/packages.crt")
    # pipenv reads no file of pip's; only variables reach the pip that it starts.
    variables = {"PIP_CERT": "/etc/ssl/packages.crt"} if "cert" in found else {}
    configuration = engine.folder / "pip.conf"
    configuration.write_text("\n".join(lines) + "\n")
    mounts = [f"{configuration}:/etc/pip.conf:ro"]
    mounts += [f"{found['cert'].text}:/etc/ssl/packages.crt:ro"] if "cert" in found else []
    mounts += [f"{place}:{place}:ro" for place in volumes if Path(place).is_dir()]
    engine.run(
        "buildah", "build", "--layers", "--isolation=chroot", "--network=host", "--tag", name,
        *(f"--env={name}={text}" for name, text in variables.items()),
        "--file", str(HERE / f"{name}.Dockerfile"), *(word for mount in mounts for word in ("--volume", mount)),
        str(project),
    )  # fmt: skip


def _sizes(engine: Engine, name: str) -> tuple[int, int]:
    archive = engine.folder / "image.tar"
    engine.run("buildah", "push", name, f"oci-archive:{archive}")
    size = archive.stat().st_size
    archive.unlink()
    return engine.size(name), size


if __name__ == "__main__":
    sys.exit(main())
