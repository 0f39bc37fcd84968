"""Where an image goes: pushed to a registry on loopback, written to a file, and what another processor's would take."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.image.containers import Engine, free_port
from tests.image.test_images import EXAMPLES, WRITTEN
from tests.process.harness import wait_until

FORMS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def registry(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a registry; the engine is told that it speaks plain HTTP."""
    if not shutil.which("docker-registry"):
        pytest.skip("pushing takes a registry: apt-get install docker-registry")
    folder, address = tmp_path_factory.mktemp("registry"), f"127.0.0.1:{free_port()}"
    written = (
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    (folder / "registry.yml").write_text(written)
    (folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    engine.environ["CONTAINERS_REGISTRIES_CONF"] = str(folder / "registries.conf")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "registry.yml")], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _answer(address, "/v2/")[0] == 200, "the registry answers")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _answer(address: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": FORMS})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Docker-Content-Digest", "")
    except OSError:
        return 0, ""
    finally:
        connection.close()


@pytest.fixture(scope="module")
def project(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Path(shutil.copytree(EXAMPLES / "chat", tmp_path_factory.mktemp("work") / "chat", ignore=WRITTEN))
    engine.build(made, "handed-over", "--check", "off")
    return made


@pytest.mark.parametrize("builder", ["buildah", "podman"])
def test_the_digest_that_is_printed_is_the_one_of_the_registry(
    engine: Engine, registry: str, project: Path, builder: str
) -> None:
    name = f"{registry}/team/{builder}:1"
    done = engine.nuages("build", str(project), "--builder", builder, "--check", "off", "-t", name, "--push")
    assert _answer(registry, f"/v2/team/{builder}/manifests/1") == (200, done.stdout.strip())


@pytest.mark.parametrize("builder", ["buildah", "podman"])
def test_the_digest_that_is_printed_is_the_one_of_the_file(
    engine: Engine, project: Path, tmp_path: Path, builder: str
) -> None:
    file = tmp_path / "chat.tar"
    done = engine.nuages(
        "build",
        str(project),
        "--builder",
        builder,
        "--check",
        "off",
        "-t",
        "chat",
        "--output",
        str(file),
        "--load",
    )
    with tarfile.open(file) as archive:
        index = archive.extractfile("index.json")
        assert index
        assert json.load(index)["manifests"][0]["digest"] == done.stdout.strip()
    assert "podman has the image already" in done.stderr


def test_a_registry_that_is_not_there_is_named_with_what_to_do(engine: Engine, project: Path) -> None:
    name = f"127.0.0.1:{free_port()}/team/chat:1"
    done = engine.nuages(
        "build", str(project), "--builder", "buildah", "--check", "off", "-t", name, "--push", check=False
    )
    assert done.returncode == 4
    assert f"error: {name} cannot be pushed\n  `buildah push` ended with status 125\n" in done.stderr
    place = name.partition("/")[0]
    assert done.stderr.endswith(
        f"\nhint: log in and push it again, nothing is built anew: buildah login {place}\n"
    )
    assert done.stdout == ""


def test_what_another_processors_image_lacks_is_said(engine: Engine, project: Path) -> None:
    done = engine.nuages(
        "build",
        str(project),
        "--builder",
        "buildah",
        "--check",
        "off",
        "--platform",
        "linux/arm64",
        check=False,
    )
    if done.returncode == 0:
        pytest.skip("this machine reaches a registry and runs programs of linux/arm64")
    assert done.returncode == 4
    assert "for linux/arm64\n" in done.stderr or "run programs of linux/arm64\n" in done.stderr
    assert "\nhint: " in done.stderr
