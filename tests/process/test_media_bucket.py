"""Uploads in a bucket: the project is not edited, one option names the store."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.process.harness import serving
from tests.process.sites import talking, write_site
from tests.process.store import ENVIRON, Store, storing

URLS = """
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


def keep(request):
    name = default_storage.save(request.GET["name"], ContentFile(request.GET["text"].encode()))
    return JsonResponse({"name": name, "url": default_storage.url(name), "storage": default_storage.__class__.__name__})


urlpatterns += [path("keep/", keep)]
"""
CHOSEN = """
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
"""


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with storing() as running:
        yield running


def fetch(url: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_uploads_go_to_the_bucket_and_come_back_by_signed_urls(store: Store, tmp_path: Path) -> None:
    project = write_site(tmp_path, urls=URLS)
    bucket = store.bucket("uploads")
    # By name: a store at an address of its own must not be asked at BUCKET.HOST.
    endpoint = store.endpoint.replace("127.0.0.1", "localhost")
    media = f"s3://{bucket}/shop?endpoint_url={endpoint}&querystring_expire=90s"
    with serving(project, "--workers", "1", environ={**ENVIRON, "NUAGES_MEDIA": media}) as server:
        server.wait_for("ready")
        (line,) = [
            seen["text"]
            for seen in server.found("settings")
            if "default" in seen["text"] and "s3" in seen["text"]
        ]
        assert "uploads go to s3://uploads/shop" in line
        with talking(server.address) as talk:
            first = json.loads(talk.get("/keep/?name=a.txt&text=one").body)
            second = json.loads(talk.get("/keep/?name=a.txt&text=two").body)
        assert first["storage"] == "S3Storage"
        assert first["name"] == "a.txt"
        assert second["name"] != "a.txt"  # nothing is overwritten
        query = parse_qs(urlsplit(first["url"]).query)
        assert query["X-Amz-Expires"] == ["90"]
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert first["url"].startswith(f"{endpoint}/uploads/shop/a.txt?")
        assert fetch(first["url"]) == (200, b"one")
        assert fetch(second["url"]) == (200, b"two")
        warned = [seen["text"].replace(str(tmp_path), "") for seen in server.found("warning")]
        assert not [text for text in warned if "uploads" in text]
    assert {key: one["Body"] for key, one in store.objects(bucket).items()} == {
        "shop/a.txt": b"one", f"shop/{second['name']}": b"two",
    }  # fmt: skip


def test_a_storage_that_the_project_chose_stays_and_that_is_said(tmp_path: Path) -> None:
    project = write_site(tmp_path, urls=URLS, settings=CHOSEN)
    with serving(project, "--workers", "1", "--media", "s3://uploads", environ=ENVIRON) as server:
        server.wait_for("ready")
        said = server.wait_for("warning")["text"]
        assert said == (
            "uploads do not go to s3://uploads: the project has chosen a storage, "
            "django.core.files.storage.InMemoryStorage"
        )
        with talking(server.address) as talk:
            assert json.loads(talk.get("/keep/?name=a.txt&text=one").body)["storage"] == "InMemoryStorage"


def test_missing_packages_are_named_with_the_line_that_adds_them(tmp_path: Path) -> None:
    project = write_site(tmp_path)
    # An environment that has all but the two: they are hidden from the very import system that looks for them.
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    with serving(
        project, "--media", "s3://uploads/shop", environ={**ENVIRON, "PYTHONPATH": str(tmp_path)}
    ) as server:
        assert server.error() == (
            "error: the project lacks django-storages and boto3\n"
            "  --media s3://uploads/shop\n"
            "  uploads go to a bucket through django-storages, which is not in the project's environment\n"
            "\n"
            "hint: add this line to the project's requirements and lock them again:\n"
            "      django-storages[s3]"
        )
        assert server.wait() == 1


HIDE = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name in ("storages", "boto3") else find(name, *rest)
"""


@pytest.mark.parametrize("media", ["s3://", "s3://bucket?endpoint=x", "yes"])
def test_a_wrong_bucket_is_wrong_usage(tmp_path: Path, media: str) -> None:
    project = write_site(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "nuages", "serve", str(project), "--media", media],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"--media cannot be {media!r}" in done.stderr
