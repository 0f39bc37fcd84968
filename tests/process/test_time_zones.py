"""A machine without time zones: Debian's smallest images have none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.harness import serving, write_project


@pytest.mark.parametrize("zones", ["/usr/share/zoneinfo", ""], ids=["present", "missing"])
def test_missing_time_zones_are_said_before_pages_fail(tmp_path: Path, zones: str) -> None:
    if zones and not Path(zones).is_dir():
        pytest.skip("this machine has no time zones: apt-get install tzdata")
    project = write_project(tmp_path)
    with serving(project, "--workers", "1", environ={"PYTHONTZPATH": zones}) as server:
        assert server.get("/") == "hello"
        server.stop()
        warned = "the time zone America/Chicago is not on this machine" in server.said
        assert warned is (zones == "")
        assert ("apt-get install tzdata" in server.said) is (zones == "")
