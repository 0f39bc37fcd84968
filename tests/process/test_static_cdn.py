"""As the origin behind a caching proxy, as CloudFront and other CDNs are: what is kept, coded, revalidated and cut."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Iterator

import pytest
from tests.process.fronts import nginx, running, talking_through
from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Talk, talking, write_site

SETTINGS = 'STATIC_ROOT = BASE.parent / "collected"\nWHITENOISE_MAX_AGE = 1\n'
LARGE = hashlib.shake_128(b"large").digest(3_000_000)
SHEET = b"".join(b".a%d { margin: 0 }\n" % number for number in range(2000))
CONFIG = nginx("""\
    proxy_cache_path {folder}/cache keys_zone=static:1m use_temp_path=off;
    server {{
        listen unix:{folder}/socket;
        location / {{
            proxy_pass http://{server};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host testserver;
            proxy_cache static;
            proxy_cache_revalidate on;
            add_header X-Cache $upstream_cache_status always;
        }}
        location /static/large.bin {{
            slice 1m;
            proxy_pass http://{server};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host testserver;
            proxy_set_header Range $slice_range;
            proxy_cache static;
            proxy_cache_key $uri$slice_range;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    project = write_site(tmp_path_factory.mktemp("site"), settings=SETTINGS)
    root = project / "collected"
    root.mkdir()
    (root / "sheet.css").write_bytes(SHEET)
    (root / "sheet.css.gz").write_bytes(gzip.compress(SHEET))
    (root / "large.bin").write_bytes(LARGE)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        with (
            tempfile.TemporaryDirectory(prefix="front-") as folder,
            running("nginx", CONFIG.format(folder=folder, server=server.address), folder),
        ):
            yield server, f"{folder}/socket"


@pytest.fixture
def talk(site: tuple[Server, str]) -> Iterator[Talk]:
    with talking_through(site[1]) as opened:
        yield opened


def test_each_coding_is_kept_by_itself(talk: Talk) -> None:
    def both_are_kept() -> bool:  # for a second, so that they are asked for again where that was not enough
        coded = talk.get("/static/sheet.css?vary", "Accept-Encoding: gzip\r\n")
        assert (coded.fields["content-encoding"], gzip.decompress(coded.body)) == ("gzip", SHEET)
        plain = talk.get("/static/sheet.css?vary")
        assert plain.body == SHEET
        assert "content-encoding" not in plain.fields
        assert coded.fields["etag"] != plain.fields["etag"]
        return (coded.fields["x-cache"], plain.fields["x-cache"]) == ("HIT", "HIT")

    wait_until(both_are_kept, "both come out of the cache")


def test_what_is_too_old_is_asked_for_again_by_its_tag(talk: Talk) -> None:
    talk.get("/static/sheet.css?again")

    def revalidated() -> bool | None:
        return talk.get("/static/sheet.css?again").fields["x-cache"] == "REVALIDATED" or None

    wait_until(revalidated, "the cache to ask the origin, which answers 304")
    assert talk.get("/static/sheet.css?again").body == SHEET


def test_a_client_of_the_cache_is_answered_304(talk: Talk) -> None:
    first = talk.get("/static/sheet.css?client")
    again = talk.get("/static/sheet.css?client", f"If-None-Match: {first.fields['etag']}\r\n")
    assert (again.status, again.body) == (304, b"")


def test_a_range_is_cut_out_of_what_the_cache_has(talk: Talk) -> None:
    def is_kept() -> bool:
        part = talk.get("/static/sheet.css?range", "Range: bytes=5-9\r\n")
        assert part.body == SHEET[5:10]
        return part.fields["x-cache"] == "HIT"

    wait_until(is_kept, "it comes out of the cache")


def test_slices_are_fetched_by_ranges_and_fit_together(talk: Talk) -> None:
    assert talk.get("/static/large.bin").body == LARGE
    part = talk.get("/static/large.bin", "Range: bytes=1000000-2500000\r\n")
    assert (part.status, part.body) == (206, LARGE[1_000_000:2_500_001])
    assert part.fields["content-range"] == "bytes 1000000-2500000/3000000"


def test_an_error_is_not_kept_as_a_file_is(site: tuple[Server, str]) -> None:
    for name, header in (("412", 'If-Match: "x"\r\n'), ("406", "Accept-Encoding: identity;q=0\r\n")):
        path = f"/static/large.bin?{name}" if name == "406" else f"/static/sheet.css?{name}"
        with talking(site[0].address) as origin:
            answer = origin.get(path, header)
        assert answer.status == int(name)
        assert "max-age" not in answer.fields.get("cache-control", "")
        with talking_through(site[1]) as first:
            first.get(path, header)
        with talking_through(site[1]) as second:
            assert second.get(path).status == 200
