"""Projects written from a few lines of text into a temporary folder."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from nuages.project.tree import Tree

Write = Callable[..., Path]

MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""
WSGI = """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")
application = get_wsgi_application()
"""
ASGI = WSGI.replace("wsgi", "asgi")
SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = []
ROOT_URLCONF = "shop.urls"
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes files (`__` is a slash, `_py` the ending, or a mapping) and returns the root."""

    def make(files: dict[str, str]) -> Path:
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text).lstrip("\n"))
        return tmp_path

    return make


@pytest.fixture
def tree(write: Write) -> Callable[[dict[str, str]], Tree]:
    """Return a function that writes files and reads them as a tree."""
    return lambda files: Tree(write(files))


@pytest.fixture
def shop(write: Write) -> Callable[..., Path]:
    """Return a function that writes an ordinary project named shop, with more files or other texts."""

    def make(files: dict[str, str] | None = None, *, settings: str = "shop.settings") -> Path:
        base = {
            "manage.py": MANAGE.format(settings=settings),
            "shop/__init__.py": "",
            "shop/settings.py": SETTINGS,
            "shop/wsgi.py": WSGI.format(settings=settings),
            "shop/asgi.py": ASGI.format(settings=settings),
            "requirements.txt": "Django==5.2.1\n",
        }
        merged = {**base, **(files or {})}
        return write({path: text for path, text in merged.items() if text is not None})

    return make
