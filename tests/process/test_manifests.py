"""`nuages manifests` on whole projects, read by the programs that are to read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.process.harness import serving, write_project

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
IMAGE = "registry.example/stockroom@sha256:" + "ab" * 32
DEADLINE = 120


def manifests(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nuages", "manifests", *arguments],
        capture_output=True, text=True, timeout=DEADLINE, check=False, env=environ,
    )  # fmt: skip


def test_kubernetes_on_stdout_is_the_same_twice() -> None:
    project = str(EXAMPLES / "stockroom")
    first = manifests("kubernetes", project, "--image", IMAGE)

    assert first.returncode == 0, first.stderr
    assert first.stdout == manifests(project, "--image", IMAGE).stdout
    assert "DATABASE_URL (stockroom/settings/base.py:" in first.stderr
    assert "kind: Deployment" in first.stdout
    assert str(EXAMPLES) not in first.stdout


def test_an_image_without_a_digest_is_refused_before_anything_is_read() -> None:
    answer = manifests("kubernetes", str(EXAMPLES / "stockroom"), "--image", "stockroom:latest")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: the image has no digest\n  --image\n")


@pytest.mark.parametrize("below", ["", "/units"])
def test_a_file_where_a_folder_is_wanted_is_named(tmp_path: Path, below: str) -> None:
    file = tmp_path / "out"
    file.write_text("mine")
    answer = manifests("systemd", str(EXAMPLES / "bookshop"), "--output", f"{file}{below}")

    assert answer.returncode == 4
    assert answer.stderr.endswith(
        f"error: bookshop.socket cannot be written\n  {file}{below}/bookshop.socket\n"
        f"  {file} is a file, and a folder is wanted there\n"
        "\nhint: move it away, or name another: --output DIR\n"
    )
    assert file.read_text() == "mine"


def test_the_memory_of_a_worker_is_measured_where_the_project_runs(tmp_path: Path) -> None:
    project = write_project(tmp_path / "pages")
    (project / "manage.py").write_text(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'pages.settings')\n"
    )
    (project / "requirements.txt").write_text("django==5.2\n")
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    asked = ["kubernetes", str(project), "--image", IMAGE, "--worker-memory", "measured"]
    answer = manifests(*asked, environ=environ)
    assert answer.returncode == 4
    assert answer.stderr.endswith(
        f"error: no worker can be measured\n  --worker-memory measured\n  no server of {project} runs on this machine\n"
        "\nhint: start it with `nuages up` and ask it for some pages, or say --worker-memory 160M\n"
    )
    with serving(project, "--workers", "1", "--management", "auto", environ=environ) as server:
        server.wait_for("worker-ready")
        answer = manifests(*asked, environ=environ)
    assert answer.returncode == 0, answer.stderr
    default = manifests(*asked[:-2], environ=environ).stdout
    assert 'memory: "384Mi"' in default
    assert 'memory: "384Mi"' not in answer.stdout  # a page that says hello takes less than 160 MB


def test_kustomize_renders_the_folder_and_an_overlay_over_it(tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl here: apt-get install kubernetes-client")
    base, overlay = tmp_path / "base", tmp_path / "overlay"
    answer = manifests(
        str(EXAMPLES / "stockroom"), "--image", IMAGE, "--format", "kustomize", "--output", str(base)
    )
    assert answer.returncode == 0, answer.stderr
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../base]\nnamespace: staging\nnamePrefix: staging-\n"
        "replicas: [{name: stockroom, count: 5}]\n"
    )
    rendered = subprocess.run(
        ["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=False, timeout=DEADLINE,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip

    assert rendered.returncode == 0, rendered.stderr
    assert "replicas: 5" in rendered.stdout
    assert "name: staging-stockroom-settings" in rendered.stdout
    assert f"image: {IMAGE}" in rendered.stdout


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: apt-get install systemd")
    answer = manifests("systemd", str(EXAMPLES / "bookshop"), "--output", str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    for unit in tmp_path.iterdir():
        # Only the program has to be there for the verification, and it is not installed under that name here.
        unit.write_text(unit.read_text().replace("/usr/local/bin/nuages", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False, timeout=DEADLINE,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip

    assert (verified.returncode, verified.stderr) == (0, "")


def test_compose_of_two_projects_splits_the_memory() -> None:
    answer = manifests("compose", str(EXAMPLES / "bookshop"), str(EXAMPLES / "chat"), "--memory", "800M")

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count('mem_limit: "400m"') >= 2
    assert "bookshop-web:" in answer.stdout
    assert "chat-web:" in answer.stdout


def test_each_of_several_projects_has_a_host_name_of_its_own() -> None:
    projects = ["compose", str(EXAMPLES / "bookshop"), str(EXAMPLES / "chat")]
    one = manifests(*projects, "--host", "a.example")
    assert (one.returncode, one.stdout) == (2, "")
    assert one.stderr.startswith("error: each project wants a host name of its own\n  --host\n")

    both = manifests(*projects, "--host", "a.example", "--host", "b.example")
    assert both.returncode == 0, both.stderr
    assert "a.example {" in both.stdout
    assert "reverse_proxy bookshop-web:8000" in both.stdout
    assert both.stdout.count("b.example {") == 1
