"""docker as builder: what docker itself makes of our command lines and of the Dockerfile."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.image import bases
from tests.image.docker import Docker, daemon
from tests.image.test_images import EXAMPLES, WRITTEN
from tests.image.test_private_index import PASSWORD, assert_no_password
from tests.process.harness import wait_until

pytestmark = pytest.mark.timeout(900)

ADDRESS = "127.0.0.1:5000"
"""Of the registry: in the daemon's own network."""


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    bases.needed()
    with daemon(tmp_path_factory.mktemp("docker")) as running:
        yield running


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(EXAMPLES / "chat", tmp_path_factory.mktemp("work") / "chat", ignore=WRITTEN))


@pytest.fixture(scope="module")
def built(docker: Docker, project: Path) -> subprocess.CompletedProcess[str]:
    """Build by what `auto` takes first."""
    base = json.loads(docker.nuages("plan", str(project)).stdout)["base"]["image"]
    docker.take(bases.make(base))
    return docker.nuages("build", str(project), "-t", "chat:1")


def test_auto_takes_docker_and_the_image_is_examined(
    docker: Docker, built: subprocess.CompletedProcess[str]
) -> None:
    assert ", built by docker\n" in built.stderr
    assert "; it serves with a read-only root, as user 54321, without network\n" in built.stderr
    found = docker.run("docker", "image", "inspect", "--format", "{{.Id}} {{.Config.User}}", "chat:1").stdout
    assert found == f"{built.stdout.strip()} 65532:65532\n"


def test_a_change_of_code_installs_nothing_again(
    docker: Docker, built: subprocess.CompletedProcess[str], project: Path
) -> None:
    views = next(project.rglob("views.py"))
    views.write_text(views.read_text() + "\nCHANGED = True\n")
    done = docker.nuages("build", str(project), "--builder", "docker", "--check", "off", "-t", "chat:1")
    assert done.stdout != built.stdout
    steps = dict(re.findall(r"(?m)^#(\d+) \[build +\d+/\d+\] (?:RUN|COPY) (.{40})", done.stderr))
    assert len(steps) > 3
    assert [text for number, text in steps.items() if f"#{number} CACHED\n" not in done.stderr] == []


def test_a_change_of_the_same_size_is_in_the_image(
    docker: Docker, built: subprocess.CompletedProcess[str], project: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(project, tmp_path / "chat"))
    for number in ("1", "2"):
        (project / "number.txt").write_text(number)
        docker.nuages("build", str(project), "--builder", "docker", "--check", "off", "-t", "chat:number")
        shown = docker.run("docker", "run", "--rm", "--entrypoint", "cat", "chat:number", "/app/number.txt")
        assert shown.stdout == number


@pytest.fixture(scope="module")
def registry(docker: Docker) -> Iterator[str]:
    if not shutil.which("docker-registry"):
        pytest.skip("pushing takes a registry: apt-get install docker-registry")
    folder = docker.folder / "registry"
    folder.mkdir()
    (folder / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}}}}}\nhttp: {{addr: '{ADDRESS}'}}\n"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["nsenter", f"--net=/proc/{docker.namespace}/ns/net", "docker-registry", "serve",
             str(folder / "registry.yml")], stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: ADDRESS in (folder / "log").read_text(), "the registry listens")
        yield ADDRESS
    finally:
        server.terminate()
        server.wait(30)


def test_the_digest_that_is_printed_is_the_registrys(
    docker: Docker, built: subprocess.CompletedProcess[str], registry: str, project: Path
) -> None:
    names = [f"{registry}/team/chat:1", f"{registry}/other/chat:2"]
    done = docker.nuages(
        "build", str(project), "--builder", "docker", "--check", "off", "-t", names[0], "-t", names[1], "--push",
    )  # fmt: skip
    assert [_of_registry(docker, name) for name in names] == [done.stdout.strip()] * 2


def test_the_base_is_pinned_by_the_digest_that_the_registry_has_it_under(
    docker: Docker, built: subprocess.CompletedProcess[str], registry: str, project: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(project, tmp_path / "chat"))
    base = f"{registry}/python:3.13"
    docker.run("docker", "tag", json.loads(docker.nuages("plan", str(project)).stdout)["base"]["image"], base)
    docker.run("docker", "push", base)
    words = ["build", str(project), "--builder", "docker", "--check", "off", "-t", "chat:2", "--base", base]
    docker.nuages(*words, "--lock")
    pinned = (project / "nuages.lock").read_text()
    digest = _of_registry(docker, base)
    assert f'"{base}" = "{digest}"\n' in pinned
    assert f"{base}@{digest}" in docker.nuages(*words).stderr


def _of_registry(docker: Docker, name: str) -> str:
    """Ask the registry for an image's digest."""
    address, _, path = name.partition("/")
    repository, _, tag = path.partition(":")
    code = (
        "import sys, urllib.request as r\n"
        "asked = r.Request(sys.argv[1], headers={'Accept': sys.argv[2]}, method='HEAD')\n"
        "print(r.urlopen(asked).headers['Docker-Content-Digest'])\n"
    )
    return docker.run(
        sys.executable, "-c", code, f"http://{address}/v2/{repository}/manifests/{tag}",
        "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json",
    ).stdout.strip()  # fmt: skip


def test_a_written_image_has_the_digest_that_is_printed_and_can_be_examined(
    docker: Docker, built: subprocess.CompletedProcess[str], project: Path, tmp_path: Path
) -> None:
    file = tmp_path / "chat.tar"
    done = docker.nuages(
        "build", str(project), "--builder", "docker", "--check", "off", "-t", "chat:1", "--load", "--output", str(file),
    )  # fmt: skip
    assert "docker has the image already" in done.stderr
    index = subprocess.run(["tar", "-xOf", file, "index.json"], check=True, capture_output=True).stdout
    assert json.loads(index)["manifests"][0]["digest"] == done.stdout.strip()
    examined = docker.nuages("check", "--image", str(file), "--json").stdout
    assert (
        json.loads(examined)["layers"]
        == json.loads(docker.nuages("check", "--image", "chat:1", "--json").stdout)["layers"]
    )


def test_buildahs_image_is_loaded_into_docker(docker: Docker, project: Path) -> None:
    words = ["--builder", "buildah", "--check", "off", "-t", "chat-of-buildah", "--load"]
    docker.nuages("build", str(project), *words, environ={"BUILDAH_ISOLATION": "chroot"})
    assert (
        docker.run("docker", "image", "inspect", "--format", "{{.Config.User}}", "chat-of-buildah").stdout
        == "65532:65532\n"
    )


def test_a_folder_of_packages_cannot_be_mounted_and_is_named(
    docker: Docker, built: subprocess.CompletedProcess[str], project: Path, tmp_path: Path
) -> None:
    words = ["build", str(project), "--check", "off", "-t", "chat:1"]
    done = docker.nuages(*words, environ={"PIP_FIND_LINKS": str(tmp_path)})
    assert f"docker mounts no folders into a build: no packages out of {tmp_path}\n" in done.stderr
    done = docker.nuages(*words, environ={"PIP_INDEX_URL": f"file://{tmp_path}"}, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "error: docker cannot reach this machine's package index\n"
        f"  the default index: file://{tmp_path}\n"
        "  it is a folder, and docker mounts none into a build\n\n"
        "hint: --builder podman mounts it, and so does buildah\n"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"DOCKER_HOST": "unix:///nonexistent/docker.sock"},
            "  docker does not answer\n\n"
            "hint: docker info says why; the daemon may not run, or not let this user in\n",
        ),
        (
            {"DOCKER_CONFIG": "/nonexistent"},
            "  docker has no buildx, and what it builds with then knows no cache mounts and no build secrets\n\n"
            "hint: apt install docker-buildx, or docker-buildx-plugin from docker's own packages\n",
        ),
    ],
)
def test_a_docker_that_cannot_build_is_told_apart(
    docker: Docker, project: Path, changed: dict[str, str], said: str
) -> None:
    done = docker.nuages("build", str(project), "--builder", "docker", environ=changed, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"error: docker cannot build an image\n  given by --builder\n{said}"


def test_a_healthcheck_is_asked_for_and_answered(
    docker: Docker, built: subprocess.CompletedProcess[str], project: Path
) -> None:
    words = [
        "build",
        str(project),
        "--check",
        "off",
        "-t",
        "chat:health",
        "--healthcheck",
        "--platform",
        "linux/amd64",
    ]
    docker.nuages(*words)
    form = "{{.Os}}/{{.Architecture}} {{.Config.Healthcheck.Interval}}"
    seen = docker.run("docker", "image", "inspect", "--format", form, "chat:health").stdout
    assert seen == "linux/amd64 30s\n"
    strictly = ("--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL", "--network=none")
    started = ("docker", "run", "--detach", *strictly, "--env", "SECRET_KEY=only for tests", "chat:health")
    container = docker.run(*started).stdout.strip()
    try:
        state = ("docker", "inspect", "--format", "{{.State.Health.Status}}", container)
        wait_until(lambda: docker.run(*state).stdout == "healthy\n", "docker finds it healthy", within=90)
    finally:
        docker.run("docker", "rm", "--force", "--volumes", container)


def test_an_image_of_another_processor_is_not_built_on_this_ones_base(
    docker: Docker, built: subprocess.CompletedProcess[str], project: Path
) -> None:
    """Neither a registry nor an emulator is here: the base that docker has is not taken for the other one."""
    words = ["build", str(project), "--check", "off", "-t", "chat:arm", "--platform", "linux/arm64"]
    done = docker.nuages(*words, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert "error: the image cannot be built\n  `docker buildx` ended with status 1\n" in done.stderr


def test_the_password_of_an_index_is_in_no_layer_of_docker(
    docker: Docker, built: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    project = Path(shutil.copytree(EXAMPLES / "chat", tmp_path / "chat", ignore=WRITTEN))
    (project / "requirements.txt").write_text("django==5.2.*\nchannels\nprivate-melody==1.0\n")
    index = subprocess.Popen(
        ["nsenter", f"--net=/proc/{docker.namespace}/ns/net", sys.executable, "-m", "tests.image.test_private_index"],
        cwd=EXAMPLES.parent, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert index.stdout
        gateway = ("docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge")
        host = f"{docker.run(*gateway).stdout.strip()}:{index.stdout.readline().strip()}"
        given = {"UV_INDEX": f"http://mara:{PASSWORD}@{host}/simple"}
        archive = tmp_path / "chat.tar"
        words = ["build", str(project), "--check", "off", "-t", "chat:private", "--output", str(archive)]
        done = docker.nuages(*words, environ=given)
    finally:
        index.terminate()
        index.communicate(timeout=30)
    assert PASSWORD not in done.stderr + done.stdout
    told = docker.run("docker", "run", "--rm", "--entrypoint", "/opt/venv/bin/python", "chat:private", "-c",
                      "import private_melody as m; print(m.KEY)").stdout  # fmt: skip
    assert told == "B flat\n"
    assert_no_password(archive)
    assert PASSWORD not in docker.run("docker", "history", "--no-trunc", "chat:private").stdout
