"""django-compressor with COMPRESS_OFFLINE: its command runs where files are collected, wherever they are to lie."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.process.environments import SETTINGS, environ, nuages, project
from tests.process.test_up import up

COMPRESSING = """
STATIC_ROOT = BASE_DIR / "collected"
COMPRESS_ROOT = STATIC_ROOT
COMPRESS_OFFLINE = True
INSTALLED_APPS += ["compressor"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder", "compressor.finders.CompressorFinder",
]
ENGINE = "django.template.backends.django.DjangoTemplates"
TEMPLATES = [{"BACKEND": ENGINE, "DIRS": [BASE_DIR / "pages"], "APP_DIRS": True}]
"""
URLS = """
from django.shortcuts import render
from django.urls import path

urlpatterns = [path("", lambda request: render(request, "page.html"))]
"""
PAGE = """{% load compress static %}{% compress css %}
<link rel="stylesheet" href="{% static 'one.css' %}"><link rel="stylesheet" href="{% static 'two.css' %}">
{% endcompress %}"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    shop = project(tmp_path / "shop", "Django>=4.2,<5.3\ndjango-compressor\n")
    (shop / "shop" / "settings.py").write_text(SETTINGS + COMPRESSING)
    (shop / "shop" / "urls.py").write_text(URLS)
    (shop / "pages").mkdir()
    (shop / "pages" / "page.html").write_text(PAGE)
    (shop / "assets" / "one.css").write_text("a { background: url(pixel.png) }\n")
    (shop / "assets" / "two.css").write_text("b { color: red }\n")
    (shop / "assets" / "pixel.png").write_bytes(b"\x89PNG....")
    return shop


def test_pages_of_compressed_blocks_find_them_in_the_project_s_folder_and_in_another(
    home: Path, shop: Path
) -> None:
    for options in ((), ("--static-root-always", "on")):
        with up(shop, *options, variables=environ(home, None)) as site:
            assert site.named("error") == []
            status, page = site.get("/")
            (sheet,) = re.findall(r'href="([^"]+)"', page)
            assert (status, sheet.startswith("/static/CACHE/css/output.")) == (200, True)
            text = site.get(sheet)[1]
            assert "b{color:red}" in text
            (picture,) = re.findall(r'url\("?([^")?]+)', text)
            assert re.fullmatch(r"/static/pixel\.[0-9a-f]{12}\.png", picture)
        assert (shop / "collected" / "CACHE").exists() == (not options)
        shutil.rmtree(shop / "collected", ignore_errors=True)


def test_a_block_that_cannot_be_compressed_is_an_error_that_names_its_command(home: Path, shop: Path) -> None:
    (shop / "pages" / "page.html").write_text(PAGE.replace("two.css", "gone.css"))
    answer = nuages("up", str(shop), "--bind", "127.0.0.1:0", variables=environ(home, None))
    assert answer.code == 1
    assert "error: the static files cannot be collected\n  manage.py compress\n" in answer.error
    assert "page.html" in answer.error
    assert "gone.css" in answer.error
    assert "hint: correct what the message names; `python manage.py compress` shows the same" in answer.error
    assert "Traceback" not in answer.error
