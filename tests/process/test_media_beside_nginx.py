"""X-Accel-Redirect as nginx answers it and as we do: the same view behind both, every difference with its reason."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from tests.process.fronts import nginx, running, talking_through
from tests.process.harness import serving
from tests.process.sites import Answer, Talk, talking, write_site

URLS = '''
@csrf_exempt
def send(request):
    """Answer with the fields that the query names; "-" takes one away."""
    response = HttpResponse("not to be seen", status=int(request.GET.get("status", 200)))
    response.set_cookie("seen", "1")
    response.set_cookie("twice", "2")
    for name, value in request.GET.items():
        if value == "-":
            del response[name]
        elif name != "status":
            response[name] = value
    return response


urlpatterns += [path("send/", send)]
'''
CONFIG = nginx("""\
    types {{ application/pdf pdf; text/plain txt; }}
    server {{
        listen unix:{folder}/socket;
        location / {{
            proxy_pass http://{server};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host testserver;
        }}
        location /theirs/ {{ internal; alias {sold}/; }}
    }}
""")
BOOK = b"%PDF-1.7 " + bytes(range(256)) * 400
# What either of them says of the file or of the view; Date, Server, Connection and the like are each one's own.
COMPARED = (
    "content-type", "content-length", "content-range", "content-disposition", "cache-control", "expires", "set-cookie",
    "accept-ranges", "content-encoding", "last-modified", "location",
    "x-accel-redirect", "x-accel-limit-rate", "x-accel-buffering", "x-accel-expires", "x-accel-charset",
)  # fmt: skip
KEPT = {"x-frame-options": "SAMEORIGIN", "content-language": "fr", "vary": "Cookie"}
"""Fields of the view that nginx drops and we do not: security fields are among them."""
# What differs on purpose or does no harm, and why.
OF_A_PART = {"accept-ranges": "nginx says it of whole files only"}
OF_AN_ERROR = {"has etag": "a tag of the file helps the client, which has asked for it"}
NO_FILE = dict.fromkeys(("status", "body", *COMPARED), "no file for us")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request. `uri` follows the internal prefix; `differs` maps what differs to why."""

    title: str
    uri: str = "book.pdf"
    fields: dict[str, str] = field(default_factory=dict)
    headers: str = ""
    method: str = "GET"
    body: bytes = b""
    differs: dict[str, str] = field(default_factory=dict)


ROWS = (
    Row(title="a file"),
    Row(title="HEAD", method="HEAD"),
    Row(title="POST", method="POST", body=b"a=1"),
    Row(title="a part", headers="Range: bytes=5-9\r\n", differs=OF_A_PART),
    Row(title="an open part", headers="Range: bytes=100-\r\n", differs=OF_A_PART),
    Row(title="the last part", headers="Range: bytes=-7\r\n", differs=OF_A_PART),
    Row(title="two parts", headers="Range: bytes=0-3,10-19\r\n", differs=OF_A_PART),
    Row(title="no such part", headers="Range: bytes=9999999-\r\n", differs=OF_AN_ERROR),
    Row(title="its tag is known", headers="If-None-Match: {etag}\r\n"),
    Row(title="another tag is known", headers='If-None-Match: "other"\r\n'),
    Row(title="its time is known", headers="If-Modified-Since: {modified}\r\n"),
    Row(title="a part of it as it is", headers="Range: bytes=5-9\r\nIf-Range: {etag}\r\n", differs=OF_A_PART),
    Row(title="a part of it as it was", headers='Range: bytes=5-9\r\nIf-Range: "other"\r\n'),
    Row(title="only as it is", headers="If-Match: {etag}\r\n"),
    Row(title="only as it was", headers='If-Match: "other"\r\n', differs=OF_AN_ERROR),
    Row(title="not changed since", headers="If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT\r\n",
        differs=OF_AN_ERROR),
    Row(title="a type", fields={"Content-Type": "image/png"}),
    Row(title="a type with a charset", fields={"Content-Type": "text/csv; charset=latin-1"}),
    Row(title="no type", fields={"Content-Type": "-"}),
    Row(title="a disposition", fields={"Content-Disposition": 'attachment; filename="a b.pdf"'}),
    Row(title="a disposition and a part", fields={"Content-Disposition": "attachment"}, headers="Range: bytes=0-1\r\n",
        differs=OF_A_PART),
    Row(title="an age", fields={"Cache-Control": "private, max-age=7"}),
    Row(title="an end", fields={"Expires": "Thu, 01 Jan 2032 00:00:00 GMT"}),
    Row(title="ranges refused", fields={"Accept-Ranges": "none"}, headers="Range: bytes=5-9\r\n",
        differs=dict.fromkeys(("status", "body", "content-length", "content-range"), "we refuse")),
    Row(title="a tag of the view's", fields={"ETag": '"view"'}, headers='If-None-Match: "view"\r\n'),
    Row(title="a time of the view's", fields={"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}),
    Row(title="a coding of the view's", fields={"Content-Encoding": "gzip"}),
    Row(title="a rate", fields={"X-Accel-Limit-Rate": "100000000"}),
    Row(title="buffering", fields={"X-Accel-Buffering": "no"}),
    Row(title="an age for nginx", fields={"X-Accel-Expires": "60"}),
    Row(title="a charset for nginx", fields={"X-Accel-Charset": "utf-8"}),
    Row(title="a file that is not there", uri="none.pdf"),
    Row(title="a folder", uri="deep/", differs={"status": "404; nginx: 403, which says that there is one"}),
    Row(title="a folder without its slash", uri="deep", differs=NO_FILE),
    Row(title="a name with a space, encoded", uri="a%20b.txt"),
    Row(title="a name with a space", uri="a b.txt"),
    Row(title="a name with a plus", uri="a+b.txt"),
    Row(title="Unicode, encoded", uri="%E6%97%A5%E6%9C%AC.txt"),
    Row(title="a percent, encoded", uri="50%25.txt"),
    Row(title="a question mark, encoded", uri="who%3F.txt"),
    Row(title="with a query", uri="book.pdf?a=1"),
    Row(title="slashes doubled", uri="deep//kept.txt"),
    Row(title="a dot in between", uri="deep/./kept.txt"),
    Row(title="back and forth", uri="deep/../book.pdf"),
    Row(title="out of the folder", uri="../pages/settings.py"),
    Row(title="out of the folder, encoded", uri="%2e%2e/pages/settings.py"),
    Row(title="a link out of the folder", uri="out.txt", differs=NO_FILE),
    Row(title="with status 404", fields={"status": "404"}, differs=NO_FILE),
    Row(title="with status 201", fields={"status": "201"}, differs=NO_FILE),
    Row(title="with status 302", fields={"status": "302", "Location": "/elsewhere/"}, differs=NO_FILE),
)  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Yield the address of nuages and the socket of the nginx in front of it."""
    project = write_site(tmp_path_factory.mktemp("site"), urls=URLS)
    sold = project / "sold"
    (sold / "deep").mkdir(parents=True)
    for name, data in (
        ("book.pdf", BOOK), ("a b.txt", b"space"), ("a+b.txt", b"plus"), ("日本.txt", b"unicode"), ("50%.txt", b"half"),
        ("who?.txt", b"who"), ("deep/kept.txt", b"kept"),
    ):  # fmt: skip
        (sold / name).write_bytes(data)
        os.utime(sold / name, (1_700_000_000, 1_700_000_000))
    (sold / "out.txt").symlink_to(project / "pages" / "settings.py")
    with serving(project, "--workers", "1", "--sendfile", f"/ours={sold}") as server:
        server.wait_for("ready")
        with (
            tempfile.TemporaryDirectory(prefix="front-") as folder,
            running("nginx", CONFIG.format(folder=folder, server=server.address, sold=sold), folder),
        ):
            yield server.address, f"{folder}/socket"


def _ask(talk: Talk, prefix: str, row: Row, known: dict[str, str]) -> Answer:
    fields = {"X-Accel-Redirect": f"/{prefix}/{row.uri}", **row.fields}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    length = f"Content-Length: {len(row.body)}\r\n" if row.body else ""
    talk.send(
        f"{row.method} /send/?{query} HTTP/1.1\r\nHost: testserver\r\n{row.headers.format(**known)}{length}\r\n"
    )
    talk.send(row.body)
    return talk.answer(row.method)


def _facts(answer: Answer) -> dict[str, object]:
    """Return what is compared of an answer."""
    body, boundary = answer.body, ""
    found = re.search("boundary=(.+)", answer.fields.get("content-type", ""))
    if found:
        boundary = found[1]
        body = body.replace(boundary.encode(), b"B").strip()  # nginx begins with an empty line
    facts: dict[str, object] = {"status": answer.status, "has etag": "etag" in answer.fields}
    if answer.status < 400:
        facts["body"] = body
        for name in COMPARED:
            values = [
                text.replace(boundary, "B") if boundary else text
                for key, text in answer.all
                if key.lower() == name
            ]
            facts[name] = values
        if boundary:
            del facts["content-length"]
    return facts


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_view_s_file_is_answered_as_behind_nginx(both: tuple[str, str], row: Row) -> None:
    with talking(both[0]) as ours, talking_through(both[1]) as theirs:
        facts = []
        for talk, prefix in ((ours, "ours"), (theirs, "theirs")):
            first = _ask(talk, prefix, ROWS[0], {})
            known = {"etag": first.fields["etag"], "modified": first.fields["last-modified"]}
            facts.append(_facts(_ask(talk, prefix, row, known)))
    mine, nginx = facts
    different = {name for name in mine.keys() | nginx.keys() if mine.get(name) != nginx.get(name)}
    seen = {name: (mine.get(name), nginx.get(name)) for name in different}
    if row.differs is NO_FILE:
        assert "status" in different or "body" in different, seen
    else:
        assert different == row.differs.keys(), seen


def test_fields_of_the_view_that_nginx_drops_are_kept(both: tuple[str, str]) -> None:
    row = Row(title="", fields=KEPT)
    with talking(both[0]) as ours, talking_through(both[1]) as theirs:
        mine, nginx = _ask(ours, "ours", row, {}), _ask(theirs, "theirs", row, {})
    assert (mine.status, mine.body) == (nginx.status, nginx.body) == (200, BOOK)
    assert {name: mine.fields.get(name) for name in KEPT} == KEPT
    assert not KEPT.keys() & nginx.fields.keys()
