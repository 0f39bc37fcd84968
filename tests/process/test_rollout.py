"""`nuages bench --rollout`: two releases of the bookshop, rolled under load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_page_fails_and_no_file_is_missing_while_three_replicas_are_replaced(tmp_path: Path) -> None:
    if shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("no HAProxy here: apt-get install haproxy")
    for release in ("old", "new"):
        shutil.copytree(EXAMPLES / "bookshop", tmp_path / release)
    (style,) = (tmp_path / "new").glob("shop/static/shop/shop.css")
    style.write_text(style.read_text() + "\nbody { color: #222 }\n")
    done = subprocess.run(
        [
            sys.executable, "-m", "nuages", "bench", "--rollout", str(tmp_path / "old"), str(tmp_path / "new"),
            "--replicas", "3", "--volume", "off", "--workers", "1", "--duration", "60s", "--rate", "20", "--json",
        ],
        capture_output=True, text=True, check=False, timeout=500,
        env={**os.environ, "SECRET_KEY": "only for tests", "NUAGES_HOME": str(tmp_path / "home")},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr + done.stdout
    nuages, uvicorn = json.loads(done.stdout)
    assert (nuages["failed"], nuages["lost"], nuages["without"]) == (0, 0, 0)
    assert sum(nuages["pages"].values()) == sum(uvicorn["pages"].values()) == 1200
    assert sum(nuages["files"].values()) > 2000
    assert uvicorn["lost"] > 0  # it serves no static files: a difference that the report has to show
