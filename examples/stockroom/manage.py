#!/usr/bin/env python
"""Django's command line, with the development settings."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stockroom.settings.development")
    sys.path.insert(0, str(Path(__file__).resolve().parent / "apps"))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
