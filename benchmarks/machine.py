"""What it was measured on: machine, interpreter and its build, and the versions of everything that takes part."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "django", "asgiref", "nuages", "uvicorn", "uvloop", "httptools", "granian", "uwsgi", "gunicorn", "waitress",
    "whitenoise", "psycopg", "sqlparse",
)  # fmt: skip


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _build() -> dict[str, Any]:
    """Return how the interpreter was made: servers in other languages do not slow down without PGO, Python does."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    # Debian's rules make the target profile-opt themselves; its wheels' folder tells its configuration apart.
    optimized = "--enable-optimizations" in arguments or "/usr/share/python-wheels" in arguments
    return {"pgo": optimized, "lto": "--with-lto" in arguments, "configured_with": arguments}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _wrk() -> str:
    try:
        said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "absent"
    return (said.stdout or said.stderr).splitlines()[0].split(" Copyright")[0]


def describe() -> dict[str, Any]:
    """Return the facts as values that JSON has."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(_memory_bytes() / 1e9),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "python": f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})",
        "executable": sys.executable,
        "build": _build(),
        "versions": {package: _version(package) for package in PACKAGES},
        "load": _wrk(),
    }


def text(facts: dict[str, Any]) -> str:
    """Return the facts for people."""
    build = facts["build"]
    optimized = (
        "with PGO" if build["pgo"] else "WITHOUT PGO (Python's share of every figure is larger than need be)"
    )
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return "\n".join([
        f"Machine:     {facts['processor']}, {facts['cores']} cores, {facts['memory_gb']} GB, {facts['kernel']}, "
        f"load average {facts['load_average']}",
        f"Interpreter: {facts['python']}, {optimized}{', LTO' if build['lto'] else ''}",
        f"             {facts['executable']}, configured with: {build['configured_with'] or 'nothing'}",
        f"Versions:    {versions}",
        f"Load:        {facts['load']}",
    ])  # fmt: skip
