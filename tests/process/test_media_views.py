"""X-Sendfile and X-Accel-Redirect: the view decides, the server sends, and nothing outside of the folders named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Talk, talking, write_site

SETTINGS = """
MEDIA_ROOT = BASE.parent / "uploads"
MEDIA_URL = "/media/"
SENDFILE_ROOT = str(BASE.parent / "sold")
SENDFILE_URL = "/internal"
"""
URLS = '''
from urllib.parse import unquote


def respond(request):
    """Answer with the fields that the query names."""
    status = int(request.GET.get("status", 200))
    response = HttpResponse("not to be seen", content_type="application/x-view", status=status)
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Cache-Control"] = "private, max-age=7"
    response["Content-Disposition"] = "attachment; filename=sold.bin"
    response["ETag"] = '"of the view"'
    response["Content-Encoding"] = "gzip"
    response.set_cookie("seen", "1")
    response.set_cookie("twice", "2")
    for name, value in request.GET.items():
        if name not in ("status", "drop"):
            response[name] = value
    if "drop" in request.GET:
        del response["Content-Type"]
    return response


@csrf_exempt
def sync(request):
    return respond(request)


@csrf_exempt
async def asynchronous_file(request):
    return respond(request)


def streamed(request):
    response = StreamingHttpResponse(iter([b"not ", b"to be seen"]))
    response["X-Accel-Redirect"] = "/internal/book.pdf"
    return response


def open_file(request):
    response = FileResponse(open(HERE / "large.bin", "rb"))
    response["X-Accel-Redirect"] = "/internal/book.pdf"
    return response


urlpatterns += [path("sync/", sync), path("async-file/", asynchronous_file), path("streamed/", streamed),
                path("open-file/", open_file)]
'''
ASGI = """
import os
from django.core.asgi import get_asgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
django = get_asgi_application()


async def application(scope, receive, send):
    await django(scope, receive, send)
"""
BOOK = b"%PDF-1.7 " + os.urandom(100_000)
LARGE = os.urandom(2_000_000)


def write_sold(folder: Path) -> Path:
    project = write_site(folder, settings=SETTINGS, urls=URLS)
    (project / "pages" / "asgi.py").write_text(ASGI)
    (project / "sold" / "deep").mkdir(parents=True)
    (project / "sold" / "book.pdf").write_bytes(BOOK)
    (project / "sold" / "large.bin").write_bytes(LARGE)
    (project / "sold" / "deep" / ".kept").write_bytes(b"hidden, but meant")
    (project / "sold" / "日本 50%.txt").write_bytes(b"unicode")
    (project / "sold" / "été.txt").write_bytes(b"summer")
    (project / "sold" / "out").symlink_to(project / "pages" / "settings.py")
    (project / "uploads").mkdir()
    (project / "uploads" / "mine.png").write_bytes(b"\x89PNG")
    (project / "more").mkdir()
    (project / "more" / "one.csv").write_bytes(b"a,b")
    for one in (project / "sold").iterdir():
        if one.is_file() and not one.is_symlink():
            os.utime(one, (1_700_000_000, 1_700_000_000))
    return project


@pytest.fixture(scope="module", params=["sync", "async-file", "bridge"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    """A server, and the path of the view: sync in a thread, async on the loop, sync inside an ASGI application."""
    project = write_sold(tmp_path_factory.mktemp("site"))
    app = "pages.asgi:application" if request.param == "bridge" else "pages.wsgi:application"
    more = ("--workers", "1", "--sendfile", f"/more={project / 'more'}")
    with serving(project, *more, app=app) as server:
        server.wait_for("ready")
        yield server, "/sync/" if request.param == "bridge" else f"/{request.param}/"


@pytest.fixture
def talk(site: tuple[Server, str]) -> Iterator[Talk]:
    with talking(site[0].address) as opened:
        yield opened


def folder(site: tuple[Server, str]) -> Path:
    return Path(site[0].process.args[4])  # type: ignore[index]


def test_the_file_stands_for_the_body_and_the_views_own_fields_stay(
    site: tuple[Server, str], talk: Talk
) -> None:
    answer = talk.get(f"{site[1]}?X-Accel-Redirect=/internal/book.pdf")
    assert (answer.status, answer.body) == (200, BOOK)
    fields = answer.fields
    assert fields["content-type"] == "application/x-view"
    assert fields["content-disposition"] == "attachment; filename=sold.bin"
    assert fields["cache-control"] == "private, max-age=7"
    assert fields["x-frame-options"] == "SAMEORIGIN"
    assert fields["accept-ranges"] == "bytes"
    assert fields["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert fields["etag"] not in ('"of the view"', "")
    assert "content-encoding" not in fields
    assert not [name for name in fields if name in ("x-accel-redirect", "x-sendfile")]
    cookies = [value.partition(";")[0] for name, value in answer.all if name.lower() == "set-cookie"]
    assert cookies == ["seen=1", "twice=2"]
    assert (
        len([name for name, _ in answer.all if name.lower() in ("etag", "content-type", "content-length")])
        == 3
    )
    assert talk.get("/").text == "hello"  # and the connection goes on
    line = site[0].wait_for_request(path=f"{site[1]}?…", status=200, bytes=len(BOOK))
    assert line["route"] == site[1].strip("/") + "/"


def test_without_a_type_of_the_views_it_is_the_files(site: tuple[Server, str], talk: Talk) -> None:
    answer = talk.get(f"{site[1]}?X-Accel-Redirect=/internal/book.pdf&drop=1")
    assert answer.fields["content-type"] == "application/pdf"


def test_paths_and_uris_reach_every_folder_that_was_named(site: tuple[Server, str], talk: Talk) -> None:
    root = folder(site)
    for query, body in (
        (f"X-Sendfile={root}/sold/book.pdf", BOOK), (f"X-Sendfile={root}/sold//deep/.kept", b"hidden, but meant"),
        (f"X-Sendfile={root}/uploads/mine.png", b"\x89PNG"), (f"X-Sendfile={root}/more/one.csv", b"a,b"),
        ("X-Accel-Redirect=/media/mine.png", b"\x89PNG"), ("X-Accel-Redirect=/more/one.csv", b"a,b"),
        ("X-Accel-Redirect=/internal/deep/.kept?size=1", b"hidden, but meant"),
        # as django-sendfile2 and its like write them: quoted for nginx, and as they are for Apache
        ("X-Accel-Redirect=/internal/%25E6%2597%25A5%25E6%259C%25AC%252050%2525.txt", b"unicode"),
        (f"X-Sendfile={root}/sold/%E6%97%A5%E6%9C%AC 50%25.txt".replace(" ", "+"), b"unicode"),
        (f"X-Sendfile={root}/sold/%C3%A9t%C3%A9.txt", b"summer"),
        ("X-Accel-Redirect=/internal/%C3%A9t%C3%A9.txt", b"summer"),
    ):  # fmt: skip
        answer = talk.get(f"{site[1]}?{query}")
        assert (answer.status, answer.body) == (200, body), query


def test_conditions_and_ranges_are_those_of_the_file(site: tuple[Server, str], talk: Talk) -> None:
    path = f"{site[1]}?X-Accel-Redirect=/internal/large.bin"
    whole = talk.get(path)
    assert whole.body == LARGE
    tag = whole.fields["etag"]
    same = talk.get(path, f"If-None-Match: {tag}\r\n")
    assert (same.status, same.fields["etag"], same.fields["cache-control"]) == (
        304,
        tag,
        "private, max-age=7",
    )
    assert "content-disposition" not in same.fields
    assert talk.get(path, "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n").status == 304
    part = talk.get(path, "Range: bytes=1000000-\r\n")
    assert (part.status, part.body) == (206, LARGE[1_000_000:])
    assert part.fields["content-range"] == "bytes 1000000-1999999/2000000"
    assert part.fields["x-frame-options"] == "SAMEORIGIN"
    several = talk.get(path, "Range: bytes=0-1,10-11\r\n")
    assert several.fields["content-type"].startswith("multipart/byteranges")
    assert several.body.count(b"Content-Type: application/x-view") == 2
    assert talk.get(path, 'Range: bytes=0-1\r\nIf-Range: "other"\r\n').status == 200
    assert talk.get(path, "Range: bytes=9000000-\r\n").status == 416
    assert talk.get(path, 'If-Match: "other"\r\n').status == 412
    head = talk.get(path, method="HEAD")
    assert (head.status, head.fields["content-length"]) == (200, "2000000")
    refused = talk.get(f"{path}&Accept-Ranges=none", "Range: bytes=0-1\r\n")
    assert (refused.status, refused.fields["accept-ranges"], refused.body) == (200, "none", LARGE)
    assert talk.get("/").text == "hello"


def test_a_post_is_answered_with_the_whole_file(site: tuple[Server, str], talk: Talk) -> None:
    talk.send(
        f"POST {site[1]}?X-Accel-Redirect=/internal/book.pdf HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        "Range: bytes=0-1\r\nIf-None-Match: *\r\n\r\nabc"
    )
    answer = talk.answer()
    assert (answer.status, answer.body) == (200, BOOK)


@pytest.mark.parametrize(
    "named",
    ["X-Accel-Redirect=/internal/none.pdf", "X-Accel-Redirect=/internal/", "X-Accel-Redirect=/internal/deep",
     "X-Accel-Redirect=/internal/../pages/settings.py", "X-Accel-Redirect=/internal/%252e%252e/pages/settings.py",
     "X-Accel-Redirect=/internal/..%252fpages%252fsettings.py", "X-Accel-Redirect=/internal/out",
     "X-Accel-Redirect=/internal/book.pdf%2500", "X-Accel-Redirect=/internal/deep/..%255c..%255cpages",
     "X-Accel-Redirect=/internal/%25ff%25fe", "X-Sendfile={root}/sold/../pages/settings.py",
     "X-Sendfile={root}/sold/out", "X-Sendfile={root}/sold/none"],
)  # fmt: skip
def test_what_leads_out_of_its_folder_or_is_not_there_is_404(
    site: tuple[Server, str], talk: Talk, named: str
) -> None:
    answer = talk.get(f"{site[1]}?{named.format(root=folder(site))}")
    assert answer.status == 404
    assert b"SECRET_KEY" not in answer.body
    assert "set-cookie" not in answer.fields
    assert talk.get("/").text == "hello"


@pytest.mark.parametrize(
    ("field", "value"),
    [("X-Accel-Redirect", "/elsewhere/book.pdf"), ("X-Accel-Redirect", "@backend"), ("X-Sendfile", "/etc/passwd"),
     ("X-Accel-Redirect", "/internals/book.pdf"), ("X-Sendfile", "{root}/sold-not/x"), ("X-Sendfile", "sold/book.pdf")],
)  # fmt: skip
def test_what_no_folder_holds_is_passed_on_for_a_proxy_in_front_and_said(
    site: tuple[Server, str], talk: Talk, field: str, value: str
) -> None:
    value = value.format(root=folder(site))
    answer = talk.get(f"{site[1]}?{field}={value}")
    assert (answer.status, answer.text, answer.fields[field.lower()]) == (200, "not to be seen", value)
    said = [seen["text"] for seen in site[0].found("sendfile")]
    wait_until(
        lambda: any(f"{field}: {value}," in seen["text"] for seen in site[0].found("sendfile")), str(said)
    )


def test_only_a_200_is_handed_over(site: tuple[Server, str], talk: Talk) -> None:
    answer = talk.get(f"{site[1]}?X-Accel-Redirect=/internal/book.pdf&status=403")
    assert (answer.status, answer.text) == (403, "not to be seen")


def test_streams_and_open_files_give_way_to_the_file_named(site: tuple[Server, str], talk: Talk) -> None:
    assert talk.get("/streamed/").body == BOOK
    assert talk.get("/open-file/").body == BOOK


def test_pipelined_answers_keep_their_order(site: tuple[Server, str], talk: Talk) -> None:
    named = f"{site[1]}?X-Accel-Redirect=/internal/large.bin"
    paths = [named, "/", named, f"{site[1]}?X-Accel-Redirect=/internal/none", "/"]
    talk.send("".join(f"GET {path} HTTP/1.1\r\nHost: testserver\r\n\r\n" for path in paths))
    assert [talk.answer().body for _ in paths] == [LARGE, b"hello", LARGE, b"404 Not Found\n", b"hello"]


def test_a_slow_or_lost_client_holds_no_thread(site: tuple[Server, str]) -> None:
    server = site[0]
    (folder(site) / "sold" / "huge.bin").write_bytes(bytes(30_000_000))
    with talking(server.address) as slow:
        slow.send(f"GET {site[1]}?X-Accel-Redirect=/internal/huge.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        slow.take(1000)
        assert server.get("/") == "hello"

    def ended() -> bool:
        lines = [one for one in server.requests.objects() if one.get("path") == f"{site[1]}?…"]
        return any(200_000 < one["bytes"] < 30_000_000 and one["status"] == 200 for one in lines)

    wait_until(ended, "the access log's line of the answer that was cut off")
