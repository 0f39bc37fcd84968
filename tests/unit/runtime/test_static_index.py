"""The index of static files: URLs, ages, links, compressed forms, answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.manifest import Item, read_manifest, write_manifest
from nuages.runtime.media_types import is_compressible, media_type
from nuages.runtime.static import Ages, Files, hashed_names, index, scan, url_prefixes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "css").mkdir(parents=True)
    (root / "css" / "a.css").write_text("a {}")
    (root / "css" / "a.css.gz").write_bytes(b"gz")
    (root / "ä b.txt").write_text("unicode")
    (root / "large.bin").write_bytes(bytes(100_000))
    (tmp_path / "secret.txt").write_text("secret")
    return root


def files(root: Path) -> Files:
    items = scan(str(root))
    return Files(index(items, str(root), ("/static/",), Ages(hashed=frozenset({"css/a.css"}), plain=60)))


def test_files_are_found_by_their_url(root: Path) -> None:
    found = files(root)
    for path in (b"/static/css/a.css", b"/static/%C3%A4%20b.txt", b"/static/css/%61.css"):
        assert found.find(path) is not None
    for path in (
        b"/static/", b"/static/css", b"/static/css/", b"/static/none.css", b"/css/a.css", b"/static//css/a.css",
        b"/static/../secret.txt", b"/static/%2e%2e/secret.txt", b"/static/..%2fsecret.txt",
        b"/static/css/../../secret.txt", b"/static/css/a.css%00", b"/static/css/a.css.gz", b"/static\\css\\a.css",
        b"/static/%252e%252e/secret.txt", b"/static/\xc0\xae\xc0\xae/secret.txt", b"/static/css/..;/a.css",
    ):  # fmt: skip
        assert found.find(path) is None, path


@given(st.binary(max_size=60))
def test_no_path_leads_out_of_the_index(path: bytes) -> None:
    found = Files({b"/static/a": None}, prefixes=(b"/static/",))  # type: ignore[dict-item]
    assert found.find(b"/static/" + path) is None


def test_links_out_of_the_root_are_left_out(root: Path) -> None:
    (root / "out.txt").symlink_to(root.parent / "secret.txt")
    (root / "in.txt").symlink_to(root / "ä b.txt")
    (root / "dangling").symlink_to(root / "nothing")
    (root / "up").symlink_to(root.parent)
    paths = {item.path for item in scan(str(root))}
    assert "in.txt" in paths
    assert not paths & {"out.txt", "dangling", "up/secret.txt"}


def test_a_compressed_form_belongs_to_its_file(root: Path) -> None:
    item = next(item for item in scan(str(root)) if item.path == "css/a.css")
    assert item.codings == {"gzip": 2}


def test_an_outdated_compressed_form_is_not_served(root: Path) -> None:
    os.utime(root / "css" / "a.css.gz", (1, 1))
    item = next(item for item in scan(str(root)) if item.path == "css/a.css")
    assert item.codings == {}


def test_a_hashed_name_is_kept_for_a_year(root: Path) -> None:
    found = files(root)
    entry = found.find(b"/static/css/a.css")
    assert entry is not None
    reply = found.answer(entry, "GET", {})
    assert b"cache-control: max-age=31536000, public, immutable\r\n" in reply.head
    assert (reply.status, reply.body) == (200, b"a {}")
    assert b"vary: Accept-Encoding\r\n" in reply.head
    coded = found.answer(entry, "GET", {b"accept-encoding": b"gzip"})
    assert b"content-encoding: gzip\r\n" in coded.head
    assert coded.body == b"gz"


def test_a_plain_name_is_kept_for_a_minute(root: Path) -> None:
    found = files(root)
    entry = found.find(b"/static/large.bin")
    assert entry is not None
    reply = found.answer(entry, "GET", {})
    assert b"cache-control: max-age=60, public\r\n" in reply.head
    assert (reply.body, reply.start, reply.stop) == (None, 0, 100_000)
    part = found.answer(entry, "GET", {b"range": b"bytes=5-9"})
    assert (part.status, part.start, part.stop) == (206, 5, 10)
    assert b"content-range: bytes 5-9/100000\r\n" in part.head
    beyond = found.answer(entry, "GET", {b"range": b"bytes=100000-"})
    assert beyond.status == 416
    assert b"content-range: bytes */100000\r\n" in beyond.head


def test_only_get_and_head_are_allowed(root: Path) -> None:
    found = files(root)
    entry = found.find(b"/static/css/a.css")
    assert entry is not None
    reply = found.answer(entry, "POST", {})
    assert reply.status == 405
    assert b"allow: GET, HEAD\r\n" in reply.head
    assert found.answer(entry, "HEAD", {}).body == b""


def test_a_file_that_changed_since_is_not_sent_under_the_old_length(root: Path) -> None:
    found = files(root)
    entry = found.find(b"/static/css/a.css")
    assert entry is not None
    (root / "css" / "a.css").write_text("something longer")
    assert found.answer(entry, "GET", {}).status == 404


@pytest.mark.parametrize(
    ("url", "script", "prefixes"),
    [
        ("/static/", None, ("/static/",)),
        ("static/", None, ("/static/",)),
        ("/static", "", ("/static/",)),
        ("https://cdn.example/assets/", None, ("/assets/",)),
        ("//cdn.example/assets/", None, ("/assets/",)),
        ("https://cdn.example/", None, ()),
        ("/", None, ()),
        (None, None, ()),
        ("/app/static/", "/app", ("/app/static/", "/static/")),
    ],
)
def test_the_url_of_static_files_may_be_written_in_many_ways(
    url: str | None, script: str | None, prefixes: tuple[str, ...]
) -> None:
    assert url_prefixes(url, script) == prefixes


def test_names_carry_a_hash_only_by_the_manifest() -> None:
    assert hashed_names({}, ["a.0123456789ab.css"]) == frozenset()
    assert hashed_names({"a.css": "a.0123456789ab.css"}, ["a.css", "old.ba9876543210.js", "a.b.css"]) == {
        "a.0123456789ab.css",
        "old.ba9876543210.js",
    }


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    items = (
        Item(path="ä.css", size=3, modified=4, etag='"x"', codings={"br": 1}),
        Item(path="b/c.js", size=5, modified=6, etag='"y"'),
    )
    first = write_manifest(tmp_path, reversed(items)).read_bytes()
    assert read_manifest(tmp_path) == tuple(sorted(items, key=lambda item: item.path))
    assert write_manifest(tmp_path, items).read_bytes() == first
    assert list(tmp_path.iterdir()) == [tmp_path / "nuages-static.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2}', '{"version": 1}', '{"version": 1, "files": {"a": {}}}',
     '{"version": 1, "files": {"../a": {"size": 1, "modified": 1, "etag": "x", "codings": {}}}}'],
)  # fmt: skip
def test_a_broken_manifest_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "nuages-static.json").write_text(text)
    with pytest.raises(ValueError):
        read_manifest(tmp_path)


def test_media_types_are_the_same_everywhere() -> None:
    assert media_type("a.JS") == "text/javascript; charset=utf-8"
    assert media_type("a.woff2") == "font/woff2"
    assert media_type("noending") == "application/octet-stream"
    assert is_compressible("a.svg")
    assert not is_compressible("a.png")
    assert not is_compressible("a.tar.gz")
