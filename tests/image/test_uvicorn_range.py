"""The oldest uvicorn that pyproject.toml allows, and two between it and the newest: contract and server life."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "tests/unit/runtime/test_uvicorn_contract.py",
    "tests/process/test_serve_asgi.py",
    "tests/process/test_serve_lifecycle.py",
)


def _oldest() -> str:
    match = re.search(r'"uvicorn>=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert match
    return match[1]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", [_oldest(), "0.29.0", "0.36.0"])
def test_nuages_serves_on_uvicorn(version: str, tmp_path: Path) -> None:
    wanted = f"uvicorn=={version}" + (".*" if version.count(".") < 2 else "")
    subprocess.run(["uv", "pip", "install", "--quiet", "--target", str(tmp_path), wanted], check=True)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-c", "import uvicorn; print(uvicorn.__version__)"],
        env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.startswith(version)
    subprocess.run([sys.executable, "-m", "pytest", "--quiet", *FILES], cwd=ROOT, env=environ, check=True)
