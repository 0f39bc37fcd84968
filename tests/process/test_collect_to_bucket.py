"""`nuages collect --to`: static files in a bucket, only what it lacks, the manifest last."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.sites import collect, write_site
from tests.process.store import ENVIRON, Store, storing

EXTRA = """
STATIC_ROOT = BASE.parent / "collected"
STATICFILES_DIRS = [BASE.parent / "assets"]
INSTALLED_APPS = ["django.contrib.staticfiles"]
"""


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with storing() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = write_site(tmp_path, settings=EXTRA)
    assets = project / "assets"
    (assets / "css").mkdir(parents=True)
    (assets / "css" / "site.css").write_text(
        "body { background: url(../pixel.png) }\n" + "/* long */\n" * 400
    )
    (assets / "pixel.png").write_bytes(b"\x89PNG....")
    (assets / "robots.txt").write_text("User-agent: *\n")
    return project


def upload(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return collect(project, *arguments, **{**ENVIRON, **environ})


def test_what_the_bucket_lacks_goes_up_and_nothing_else(store: Store, project: Path) -> None:
    bucket = store.bucket("static")
    to = f"s3://{bucket}/shop?endpoint_url={store.endpoint}"
    first = upload(project, "--to", to)
    assert first.returncode == 0, first.stderr
    objects = store.objects(bucket)
    names = json.loads(objects["shop/staticfiles.json"]["Body"])["paths"]
    assert f"· {len(objects)} static files," in first.stderr
    assert "uploaded to s3://static/shop" in first.stderr
    sheet = objects[f"shop/{names['css/site.css']}"]
    assert sheet["ContentType"] == "text/css; charset=utf-8"
    assert sheet["CacheControl"] == "max-age=31536000, public, immutable"
    assert names["pixel.png"].encode() in sheet["Body"]
    assert objects["shop/robots.txt"]["CacheControl"] == "max-age=604800, public"
    assert objects["shop/staticfiles.json"]["CacheControl"] == "no-cache"
    assert not [name for name in objects if name.endswith((".gz", ".br", ".zst"))]
    assert not [name for name in objects if "nuages" in name]

    again = upload(project, "--to", to)
    assert again.returncode == 0, again.stderr
    assert (
        f"· 0 static files, 0.0 kB, uploaded to s3://static/shop, {len(objects)} were there" in again.stderr
    )

    (project / "assets" / "robots.txt").write_text("User-agent: x\n")  # as long as before
    (project / "assets" / "css" / "site.css").write_text("body { color: red }\n")
    third = upload(project, "--to", to)
    assert third.returncode == 0, third.stderr
    later = store.objects(bucket)
    assert later["shop/robots.txt"]["Body"] == b"User-agent: x\n"
    assert later["shop/css/site.css"]["Body"] == b"body { color: red }\n"
    new = set(later) - set(objects)
    assert new == {"shop/" + json.loads(later["shop/staticfiles.json"]["Body"])["paths"][name]
                   for name in ("css/site.css", "robots.txt")}  # fmt: skip
    assert set(objects) <= set(later)  # pages of the old release still find theirs
    assert f"· {len(new) + 3} static files" in third.stderr  # the new names, two plain ones, the manifest


def test_a_bucket_that_is_not_there_is_an_error_with_an_answer(store: Store, project: Path) -> None:
    done = upload(project, "--to", f"s3://nowhere/shop?endpoint_url={store.endpoint}")
    assert done.returncode == 4
    assert done.stderr.endswith(
        "error: the static files cannot be uploaded\n"
        f"  --to s3://nowhere/shop at {store.endpoint}\n"
        "  An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: "
        "The specified bucket does not exist\n"
        "\n"
        "hint: make the bucket first, or correct its name\n"
    )
    assert (project / "collected" / "staticfiles.json").exists()  # what was collected stays


def test_without_credentials_or_a_store_it_says_so(project: Path) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = upload(project, "--to", "s3://static?endpoint_url=http://127.0.0.1:1", **none)
    assert done.returncode == 4
    assert "hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role" in done.stderr
    done = upload(project, "--to", "s3://static?endpoint_url=http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
    assert done.returncode == 4
    assert "Could not connect to the endpoint URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_bucket_is_wrong_usage(project: Path) -> None:
    done = upload(project, "--to", "s3://static?secret_key=x")
    assert done.returncode == 2
    assert "secret_key does not belong here" in done.stderr
    assert not (project / "collected").exists()
