"""What all tests share: hypothesis keeps no files, and whoever runs the tests decides nothing that they see."""

from __future__ import annotations

import compileall
import os
import signal
from pathlib import Path

from hypothesis import settings

SOURCES = Path(__file__).parents[1] / "src"

settings.register_profile("nuages", database=None, deadline=None, print_blob=True)
settings.load_profile("nuages")

# A developer's own settings must not decide what a test sees.
for name in [*os.environ]:
    if name.startswith("NUAGES_") or name in {"PORT", "WEB_CONCURRENCY", "DJANGO_SETTINGS_MODULE"}:
        del os.environ[name]

# Where the environment forbids Python to write bytecode, every server that a test starts would compile nuages anew, for
# 0.2 s each time; whoever has installed it waits for none of that. The project's own code is compiled by nobody.
if "PYTEST_XDIST_WORKER" not in os.environ:
    compileall.compile_dir(SOURCES, quiet=1)

# A shell starts what it puts into the background with SIGINT ignored, and every program that a test starts inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)
