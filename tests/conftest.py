"""What all tests share: hypothesis keeps no files, and whoever runs the tests decides nothing that they see."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

settings.register_profile("nuages", database=None, deadline=None, print_blob=True)
settings.load_profile("nuages")

# A developer's own settings must not decide what a test sees.
for name in [*os.environ]:
    if name.startswith("NUAGES_") or name in {"PORT", "WEB_CONCURRENCY", "DJANGO_SETTINGS_MODULE"}:
        del os.environ[name]

# A shell starts what it puts into the background with SIGINT ignored, and every program that a test starts inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)
