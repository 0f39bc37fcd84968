"""The index of static files: URLs, ages, links, compressed forms, answers."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.collected import url_prefixes
from nuages.runtime.compression import compress_files, compressors
from nuages.runtime.manifest import CODINGS, Item, Manifest, listed, read_manifest, write_manifest
from nuages.runtime.media_types import is_compressible, media_type
from nuages.runtime.shelves import Listed, Live, Manner, hashed_test, scan
from nuages.runtime.static import Files
from nuages.runtime.stored import Entry, Reply


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


def files(root: Path, index: str = "", tune: Callable[[Entry, str], None] | None = None) -> Files:
    items = scan(str(root), lambda path: path == "css/a.css")
    return Files([Listed(b"/static/", str(root), items, Manner(plain_age=60, tune=tune))], index=index)


def ask(found: Files, path: bytes, **fields: str) -> Reply:
    entry = found.find(path)
    assert entry is not None
    given = {name.replace("_", "-").encode(): text.encode() for name, text in fields.items()}
    reply = found.answer(entry, "GET", given)
    if reply.descriptor >= 0:
        os.close(reply.descriptor)
    return reply


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
    for shelf in (
        Listed(b"/static/", "/etc", Manifest({}), Manner(plain_age=60)),
        Live(b"/static/", "/etc/apt/preferences.d", Manner(plain_age=60)),
    ):
        assert Files([shelf]).find(b"/static/" + path) is None
        assert Files([shelf], index="index.html").find(b"/static/" + path) is None


def test_links_out_of_the_root_are_left_out(root: Path) -> None:
    (root / "out.txt").symlink_to(root.parent / "secret.txt")
    (root / "in.txt").symlink_to(root / "ä b.txt")
    (root / "dangling").symlink_to(root / "nothing")
    (root / "up").symlink_to(root.parent)
    paths = set(scan(str(root)))
    assert "in.txt" in paths
    assert not paths & {"out.txt", "dangling", "up/secret.txt"}


def test_a_compressed_form_belongs_to_its_file(root: Path) -> None:
    assert scan(str(root))["css/a.css"].codings == {"gzip": 2}


def test_an_outdated_compressed_form_is_not_served(root: Path) -> None:
    os.utime(root / "css" / "a.css.gz", (1, 1))
    assert scan(str(root))["css/a.css"].codings == {}


def test_a_hashed_name_is_kept_for_a_year(root: Path) -> None:
    found = files(root)
    reply = ask(found, b"/static/css/a.css")
    assert b"cache-control: max-age=31536000, public, immutable\r\n" in reply.head
    assert (reply.status, reply.body) == (200, b"a {}")
    assert b"vary: Accept-Encoding\r\n" in reply.head
    coded = ask(found, b"/static/css/a.css", accept_encoding="gzip")
    assert b"content-encoding: gzip\r\n" in coded.head
    assert coded.body == b"gz"


def test_a_plain_name_is_kept_for_a_minute(root: Path) -> None:
    found = files(root)
    reply = ask(found, b"/static/large.bin")
    assert b"cache-control: max-age=60, public\r\n" in reply.head
    assert (reply.body, reply.pieces) == (b"", ((0, 100_000),))
    part = ask(found, b"/static/large.bin", range="bytes=5-9")
    assert (part.status, part.pieces) == (206, ((5, 10),))
    assert b"content-range: bytes 5-9/100000\r\n" in part.head
    beyond = ask(found, b"/static/large.bin", range="bytes=100000-")
    assert beyond.status == 416
    assert b"content-range: bytes */100000\r\n" in beyond.head
    assert b"cache-control" not in beyond.head


def test_parts_of_a_small_file_come_out_of_memory(root: Path) -> None:
    reply = ask(files(root), b"/static/css/a.css", range="bytes=0-0,2-3")
    assert reply.status == 206
    assert b"content-type: multipart/byteranges; boundary=" in reply.head
    assert b"content-length: %d\r\n" % len(reply.body) in reply.head
    assert b"\r\n\r\na\r\n--" in reply.body


def test_only_get_and_head_are_answered_with_the_file(root: Path) -> None:
    found = files(root)
    entry = found.find(b"/static/css/a.css")
    assert entry is not None
    reply = found.answer(entry, "POST", {})
    assert reply.status == 405
    assert b"allow: GET, HEAD, OPTIONS\r\n" in reply.head
    assert found.answer(entry, "OPTIONS", {}).status == 204
    assert found.answer(entry, "HEAD", {}).body == b""


def test_a_file_that_changed_since_is_sent_as_it_is_now_under_a_tag_of_its_own(root: Path) -> None:
    said: list[str] = []
    found = files(root)
    found.report = said.append
    before = ask(found, b"/static/large.bin", range="bytes=0-3")
    (root / "large.bin").write_bytes(b"new!" * 30_000)
    after = ask(found, b"/static/large.bin")
    assert (after.status, after.pieces) == (200, ((0, 120_000),))
    assert b"cache-control: no-cache\r\n" in after.head
    assert tag(before) != tag(after)
    assert said == [
        f"the static file {root}/large.bin has changed since it was listed; run nuages collect, then reload"
    ]
    (root / "large.bin").write_bytes(b"x")
    assert ask(found, b"/static/large.bin").body == b"x"
    (root / "large.bin").unlink()
    assert ask(found, b"/static/large.bin").status == 404


def tag(reply: Reply) -> bytes:
    return next(line for line in reply.head.split(b"\r\n") if line.startswith(b"etag"))


def test_a_file_that_became_a_link_out_of_the_root_is_gone(root: Path) -> None:
    found = files(root)
    assert ask(found, b"/static/large.bin").status == 200
    (root / "large.bin").unlink()
    (root / "large.bin").symlink_to(root.parent / "secret.txt")
    assert ask(found, b"/static/large.bin").status == 404


def test_a_link_that_stays_below_the_root_is_followed(root: Path) -> None:
    (root / "in.txt").symlink_to(root / "ä b.txt")
    assert ask(files(root), b"/static/in.txt").body == b"unicode"


def test_a_file_whose_time_was_lost_is_known_by_its_content(root: Path) -> None:
    os.utime(root / "large.bin", (5, 5))
    digest = hashlib.blake2b(bytes(100_000), digest_size=12).hexdigest()
    item = Item(path="large.bin", size=100_000, modified=7, etag=f'"{digest}"', media="x/y")
    found = Files([Listed(b"/", str(root), listed([item]), Manner(plain_age=60))])
    assert tag(ask(found, b"/large.bin")) == f'etag: "{digest}"'.encode()
    (root / "large.bin").write_bytes(b"1" * 100_000)
    found = Files([Listed(b"/", str(root), listed([item]), Manner(plain_age=60))])
    assert tag(ask(found, b"/large.bin")) != f'etag: "{digest}"'.encode()


def test_hidden_files_are_not_served_but_for_well_known_ones(root: Path) -> None:
    for name in (".env", ".well-known/security.txt", ".well-known/.hidden", "css/.git/config"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    live = Files([Live(b"/static/", str(root), Manner(plain_age=60))])
    for found in (files(root), live):
        assert found.find(b"/static/.well-known/security.txt") is not None
        for path in (
            b"/static/.env",
            b"/static/.well-known/.hidden",
            b"/static/css/.git/config",
            b"/static/%2eenv",
        ):
            assert found.find(path) is None, path


def test_an_index_file_stands_for_its_folder(root: Path) -> None:
    (root / "index.html").write_text("top")
    (root / "css" / "index.html").write_text("css")
    found = files(root, index="index.html")
    assert ask(found, b"/static/").body == b"top"
    assert ask(found, b"/static/css/").body == b"css"
    for path, location in (
        (b"/static", b"static/"), (b"/static/index.html", b"./"), (b"/static/css", b"css/"),
        (b"/static/css/index.html", b"./"),
    ):  # fmt: skip
        reply = ask(found, path)
        assert (reply.status, b"location: " + location + b"\r\n" in reply.head) == (302, True), path
    assert files(root).find(b"/static/css/") is None


def test_a_folder_that_is_looked_into_at_each_request_shows_every_change(root: Path) -> None:
    found = Files([Live(b"/static/", str(root), Manner(plain_age=60))])
    assert ask(found, b"/static/css/a.css").body == b"a {}"
    (root / "css" / "a.css").write_text("b {}")
    assert ask(found, b"/static/css/a.css").body == b"b {}"
    (root / "out").symlink_to(root.parent)
    for path in (b"/static/out/secret.txt", b"/static/../secret.txt", b"/static/css", b"/static//css/a.css"):
        assert found.find(path) is None, path


def test_many_spellings_of_one_path_are_one_entry(root: Path) -> None:
    found = files(root)
    assert found.find(b"/static/css/a.css") is found.find(b"/static/%63ss/a%2ecss")


def test_what_tunes_a_file_has_the_last_word_once(root: Path) -> None:
    urls: list[str] = []

    def tune(entry: Entry, url: str) -> None:
        urls.append(url)
        entry.cache_control = "no-store"

    found = files(root, tune=tune)
    assert b"cache-control: no-store\r\n" in ask(found, b"/static/css/a.css").head
    assert b"cache-control: no-store\r\n" in ask(found, b"/static/css/a.css").head
    assert urls == ["/static/css/a.css"]


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
    assert not hashed_test({})("a.0123456789ab.css")
    test = hashed_test({"a.css": "a.0123456789ab.css", "b": "b-own"})
    assert [test(path) for path in ("a.0123456789ab.css", "b-own", "old.ba9876543210.js", "a.css", "a.b.css")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    items = (
        Item(path="b/c.js", size=5, modified=6, etag='"y"', media="text/javascript", is_hashed=True),
        Item(path="ä.css", size=3, modified=4, etag='"x"', media="text/css", codings={"br": 1, "gzip": 2}),
    )
    first = write_manifest(tmp_path, reversed(items)).read_bytes()
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert tuple(manifest.values()) == items
    assert write_manifest(tmp_path, items).read_bytes() == first
    assert list(tmp_path.iterdir()) == [tmp_path / "nuages-static.json"]


@given(paths=st.sets(st.text(min_size=1, max_size=6), max_size=40), other=st.text(max_size=6))
def test_every_row_of_a_manifest_is_found_by_halves_and_no_other(paths: set[str], other: str) -> None:
    paths = {path for path in paths if not path.startswith("/") and ".." not in path.split("/")}
    items = [
        Item(path=path, size=number, modified=6, etag='"y"', media="a") for number, path in enumerate(paths)
    ]
    with tempfile.TemporaryDirectory() as folder:
        write_manifest(Path(folder), items)
        manifest = read_manifest(Path(folder))
    assert manifest is not None
    assert {path: manifest[path] for path in paths} == {item.path: item for item in items}
    assert set(manifest) == paths
    assert len(manifest) == len(paths)
    assert (other in manifest) is (other in paths)
    assert set(manifest.sample(5)) <= paths
    assert bool(manifest.sample(5)) is bool(paths)
    assert manifest.tops == {path.partition("/")[0] for path in paths}


def test_a_broken_line_of_a_manifest_is_told_and_serves_nothing(root: Path) -> None:
    items = [Item(path=f"{name}.css", size=1, modified=6, etag='"y"', media="a") for name in "abc"]
    path = write_manifest(root, items)
    path.write_text(path.read_text().replace('\n"b.css"', '\n"b.css'))
    manifest = read_manifest(root)
    assert manifest is not None
    said: list[str] = []
    found = Files([Listed(b"/static/", str(root), manifest, Manner(plain_age=60))])
    found.report = said.append
    assert found.find(b"/static/b.css") is None
    assert said[0].startswith("nuages-static.json has a line that is none: '\"b.css: [1, 6")
    assert said[0].endswith("; run nuages collect")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 1}', '{"version": 2}', '{"version": 2, "columns": []}']
)
def test_a_broken_manifest_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "nuages-static.json").write_text(text)
    with pytest.raises(ValueError):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("path", "row"), [("../a", [1, 1, "x", "y", False, None, None, None]), ("a", {}), ("a", [1]), ("a", None)]
)
def test_a_broken_row_of_a_manifest_serves_nothing(root: Path, path: str, row: object) -> None:
    said: list[str] = []
    found = Files([Listed(b"/static/", str(root), Manifest({path: row}), Manner(plain_age=60))])
    found.report = said.append
    assert found.find(b"/static/" + path.encode()) is None
    assert "nuages-static.json" in said[0]


def test_media_types_are_the_same_everywhere() -> None:
    assert media_type("a.JS") == "text/javascript; charset=utf-8"
    assert media_type("a.woff2") == "font/woff2"
    assert media_type("noending") == "application/octet-stream"
    assert is_compressible("a.svg")
    assert not is_compressible("a.png")
    assert not is_compressible("a.tar.gz")


def test_every_form_gives_the_same_bytes_again_and_can_be_read() -> None:
    zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    brotli = pytest.importorskip("brotli")
    data = b".a { margin: 0 }\n" * 500
    readers = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstd.decompress}
    known = compressors()
    assert set(known) == set(CODINGS)
    for coding, compress in known.items():
        assert compress(data) == compress(data)
        assert readers[coding](compress(data)) == data


def test_alike_files_are_compressed_once_and_what_was_made_fast_is_made_better_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "".join(f".a{number} {{ margin: {number * number}px }}\n" for number in range(400)).encode()
    for name in ("a.css", "a.0123456789ab.css", "other.css"):
        (tmp_path / name).write_bytes(data if name.startswith("a.") else data[::-1])
        os.utime(tmp_path / name, (1, 1))
    contents = {"a.css": "1", "a.0123456789ab.css": "1", "other.css": "2"}
    told: list[int] = []
    compress = gzip.compress

    def counted(data: bytes, level: int, **more: int) -> bytes:
        told.append(level)
        return compress(data, level, **more)

    monkeypatch.setattr(gzip, "compress", counted)
    said: list[str] = []
    first = compress_files(tmp_path, contents, effort="fast", report=lambda _, text: said.append(text))
    assert told == [6, 6]
    assert set(first) == set(contents)
    assert said[-1].startswith("compressing ██████████")
    fast = (tmp_path / "a.css.gz").read_bytes()
    assert fast == (tmp_path / "a.0123456789ab.css.gz").read_bytes()
    assert gzip.decompress(fast) == data

    assert compress_files(tmp_path, contents) == first
    assert told == [6, 6]
    better = compress_files(tmp_path, contents, takes_former=False)
    assert told == [6, 6, 9, 9]
    assert all(better[path][coding] <= size for path in first for coding, size in first[path].items())
    assert (tmp_path / "other.css.gz").stat().st_mtime == 1
