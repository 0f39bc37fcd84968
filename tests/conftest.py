"""What all tests share: hypothesis keeps no files, and the environment of whoever runs the tests stays out."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("nuages", database=None, deadline=None, print_blob=True)
settings.load_profile("nuages")

# A developer's own settings must not decide what a test sees.
for name in [*os.environ]:
    if name.startswith("NUAGES_") or name in {"PORT", "WEB_CONCURRENCY", "DJANGO_SETTINGS_MODULE"}:
        del os.environ[name]
