"""MEDIA_ROOT on the wire: what was just uploaded, safely, in parts, live, and nothing else of the file system."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.corpus import traversal
from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Talk, talking, write_site

SETTINGS = """
MEDIA_ROOT = BASE.parent / "uploads"
MEDIA_URL = "/media/"
"""
URLS = """
from django.core.files.storage import default_storage


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    return HttpResponse(default_storage.url(default_storage.save(file.name, file)))


urlpatterns += [path("upload/", upload)]
"""
LARGE = os.urandom(1_500_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_site(tmp_path_factory.mktemp("site"), settings=SETTINGS, urls=URLS)
    uploads = project / "uploads"
    (uploads / "deep" / "er").mkdir(parents=True)
    (uploads / "pixel.png").write_bytes(b"\x89PNG....")
    (uploads / "page.html").write_text("<script>alert(1)</script>")
    (uploads / "large.bin").write_bytes(LARGE)
    (uploads / "deep" / "er" / "été 100%.txt").write_text("deep")
    (uploads / ".htpasswd").write_text("hidden")
    (uploads / "out").symlink_to(project / "pages" / "settings.py")
    (uploads / "folder").symlink_to(project / "pages")
    (uploads / "inside.png").symlink_to("pixel.png")
    (project / "uploads-other").mkdir()
    (project / "uploads-other" / "secret").write_text("SECRET_KEY")
    for path in uploads.iterdir():
        if not path.is_symlink():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    with serving(project, "--workers", "1", "--media", "on") as started:
        started.wait_for("ready")
        yield started


@pytest.fixture
def uploads(server: Server) -> Path:
    return Path(server.process.args[4]) / "uploads"  # type: ignore[index]


def send(talk: Talk, name: str, content: bytes) -> str:
    body = (
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        + content + b"\r\n--b--\r\n"
    )  # fmt: skip
    talk.send(
        "POST /upload/ HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(body)}\r\n\r\n", body,
    )  # fmt: skip
    answer = talk.answer()
    assert answer.status == 200, answer.text
    return answer.text


def test_an_upload_is_there_at_once_and_its_change_and_end_are_seen_at_once(
    talk: Talk, uploads: Path
) -> None:
    url = send(talk, "new.txt", b"one")
    first = talk.get(url)
    assert (first.status, first.body, first.fields["content-type"]) == (
        200,
        b"one",
        "text/plain; charset=utf-8",
    )
    assert first.fields["cache-control"] == "no-cache"
    path = uploads / url.rpartition("/")[2]
    path.write_bytes(b"two")
    again = talk.get(url, f"If-None-Match: {first.fields['etag']}\r\n")
    if again.status == 304:  # within the same tick of the kernel's clock: the tag was weak, and said so
        assert first.fields["etag"].startswith("W/")
    else:
        assert (again.status, again.body) == (200, b"two")
    assert talk.get(url).body == b"two"
    path.unlink()
    gone = talk.get(url)
    assert (gone.status, gone.fields["cache-control"]) == (404, "no-store")


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [("a.png", True), ("a.jpg", True), ("a.webp", True), ("a.mp4", True), ("a.mp3", True), ("a.txt", True),
     ("a.html", False), ("a.HTM", False), ("a.xhtml", False), ("a.svg", False), ("a.SVGZ", False), ("a.xml", False),
     ("a.xsl", False), ("a.js", False), ("a.mjs", False), ("a.css", False), ("a.json", False), ("a.wasm", False),
     ("a.swf", False), ("a.mht", False), ("a.rss", False), ("a.unknown", False), ("a", False), ("a.png.html", False),
     ("a.zip", False), ("a.exe", False), ("a.hta", False), ("a.vtt", False), ("a.mathml", False)],
)  # fmt: skip
def test_whatever_a_browser_could_run_is_a_download(
    talk: Talk, uploads: Path, name: str, is_shown: bool
) -> None:
    (uploads / name).write_bytes(b"<script>alert(1)</script>")
    for method in ("GET", "HEAD"):
        answer = talk.get(f"/media/{name}", method=method)
        assert answer.status == 200
        assert answer.fields["x-content-type-options"] == "nosniff"
        assert answer.fields["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.fields.get("content-disposition") == (None if is_shown else "attachment")


def test_every_answer_out_of_a_file_is_as_safe(talk: Talk) -> None:
    tag = talk.get("/media/page.html").fields["etag"]
    for extra, status in (
        (f"If-None-Match: {tag}\r\n", 304), ("Range: bytes=0-3\r\n", 206), ("Range: bytes=0-1,4-5\r\n", 206),
        ("Range: bytes=900-\r\n", 416), ('If-Match: "x"\r\n', 412),
    ):  # fmt: skip
        answer = talk.get("/media/page.html", extra)
        assert answer.status == status
        assert answer.fields["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.fields["content-disposition"] == "attachment"


def test_names_are_decoded_once(talk: Talk) -> None:
    assert talk.get("/media/deep/er/%C3%A9t%C3%A9%20100%25.txt").body == b"deep"
    assert talk.get("/m%65dia/deep/er/%C3%A9t%C3%A9%20100%25.txt").body == b"deep"
    assert talk.get("/media/deep/er/%25C3%25A9t%25C3%25A9%20100%2525.txt").status == 404


def test_parts_and_validators(talk: Talk) -> None:
    whole = talk.get("/media/large.bin")
    assert whole.body == LARGE
    assert whole.fields["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    tag = whole.fields["etag"]
    assert tag.startswith('"')
    part = talk.get("/media/large.bin", f"Range: bytes=700000-\r\nIf-Range: {tag}\r\n")
    assert (part.status, part.body) == (206, LARGE[700_000:])
    assert part.fields["content-range"] == "bytes 700000-1499999/1500000"
    assert talk.get("/media/large.bin", 'Range: bytes=7-\r\nIf-Range: "other"\r\n').body == LARGE
    assert talk.get("/media/large.bin", "Range: bytes=-5\r\n").body == LARGE[-5:]
    assert talk.get("/media/large.bin", f'If-None-Match: "x", W/{tag}\r\n').status == 304
    assert talk.get("/media/large.bin", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n").status == 304
    assert talk.get("/media/large.bin", method="HEAD").fields["content-length"] == "1500000"
    assert talk.get("/media/inside.png").body == b"\x89PNG...."


def test_other_methods_are_refused(talk: Talk) -> None:
    talk.send("POST /media/pixel.png HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
    answer = talk.answer()
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert talk.get("/").text == "hello"


@pytest.mark.parametrize("outside", ["pages/settings.py", "uploads-other/secret"])
def test_no_way_out_that_scanners_know_leads_out(server: Server, outside: str) -> None:
    tried = 0
    with contextlib.ExitStack() as stack:
        talk = stack.enter_context(talking(server.address))
        for way in traversal.ways(outside, "deep"):
            talk.send(b"GET /media/", way, b" HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = talk.answer()
            tried += 1
            assert answer.status in (400, 404), f"{way!r}: {answer.status} {answer.body[:100]!r}"
            for secret in (b"SECRET_KEY", b"root:"):
                assert secret not in answer.body, way
            if answer.fields.get("connection") == "close":
                talk = stack.enter_context(talking(server.address))
    assert tried > 1_900


@pytest.mark.parametrize(
    "path", ["out", "folder/settings.py", "folder", "deep", "deep/", "", ".htpasswd", "large.bin/"]
)
def test_links_out_folders_and_dotfiles_are_not_there(talk: Talk, path: str) -> None:
    assert talk.get(f"/media/{path}").status == 404


def replace(path: Path) -> None:
    other = path.with_suffix(".other")
    other.write_bytes(os.urandom(path.stat().st_size))
    other.replace(path)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


@pytest.mark.parametrize(
    ("change", "is_whole"),
    [(Path.unlink, True), (replace, True), (overwrite, False), (lambda path: os.truncate(path, 100), False)],
    ids=["deleted", "replaced", "overwritten", "truncated"],
)  # fmt: skip
def test_a_file_that_changes_while_it_is_sent_is_sent_as_it_was_or_not_to_its_end(
    server: Server, uploads: Path, change: object, is_whole: bool
) -> None:
    content = os.urandom(16_000_000)
    path = uploads / "changing.bin"
    path.write_bytes(content)
    with talking(server.address) as talk:
        talk.send("GET /media/changing.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        while talk.line():
            pass  # the head
        came = talk.take(1000)  # the rest waits for us, for it is more than sockets hold
        time.sleep(0.05)  # another tick of the clock that files have their time from
        change(path)  # type: ignore[operator]
        rest = bytearray(came + talk.take(len(talk._left)))
        with contextlib.suppress(ConnectionResetError):
            while len(rest) < len(content) and (block := talk.socket.recv(1 << 20)):
                rest += block
    came = bytes(rest)
    if is_whole:
        assert came == content
    else:
        assert 100_000 < len(came) < len(content)
        assert content.startswith(came)  # no byte of another state
    path.unlink(missing_ok=True)


def test_a_client_that_leaves_is_in_the_log_and_keeps_no_file_open(server: Server, uploads: Path) -> None:
    (uploads / "left.bin").write_bytes(bytes(30_000_000))
    worker = server.workers()[0]
    with talking(server.address) as talk:
        talk.send("GET /media/left.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        talk.take(1000)
    seen = server.wait_for_request(path="/media/left.bin")
    assert seen["status"] == 200
    assert seen["bytes"] < 30_000_000

    def closed() -> bool:
        names = [one.readlink().name for one in Path(f"/proc/{worker}/fd").iterdir() if one.is_symlink()]
        return "left.bin" not in names

    wait_until(closed, "the file is closed")


def test_neither_loop_nor_views_wait_for_a_disk_that_hangs(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    (project / "uploads").mkdir()
    held = project / "uploads" / "held.txt"
    held.write_text("held")
    (project / "uploads" / "free.txt").write_text("free")
    with serving(project, "--workers", "1", "--threads", "1", "--media", "on", "--timeout", "2s") as server:
        server.wait_for("ready")
        with hanging(held):
            waiting = [server.begin("/media/held.txt") for _ in range(3)]
            for _ in range(20):
                assert server.get("/") == "hello"
                assert server.get("/media/free.txt") == "free"
            assert [one.answer().status for one in waiting] == [504] * 3
            # All threads for media hang now, and no others.
            more = [server.begin("/media/held.txt") for _ in range(3)]
            late = server.begin("/media/free.txt")
            for _ in range(20):
                assert server.get("/") == "hello"
        assert late.answer().text == "free"
        assert {one.answer().status for one in more} == {200}
        assert server.get("/media/held.txt") == "held"
        server.wait_for("media", level="error")
        assert server.stop() == 0


@contextlib.contextmanager
def hanging(path: Path) -> Iterator[None]:
    """Let every open(2) of a file wait until the block ends, as for a file server that is gone (fanotify(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, os.O_RDONLY)
    if descriptor < 0 or libc.fanotify_mark(
        descriptor, FAN_MARK_ADD, ctypes.c_uint64(FAN_OPEN_PERM), -1, bytes(path)
    ):
        pytest.skip("needs fanotify's permission events, which only root may ask for")
    try:
        yield
    finally:
        os.close(descriptor)


FAN_CLOEXEC, FAN_CLASS_CONTENT, FAN_MARK_ADD, FAN_OPEN_PERM = 0x1, 0x4, 0x1, 0x10000
