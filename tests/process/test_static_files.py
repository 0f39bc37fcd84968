"""Static files on the wire: collected, hashed, compressed, conditional, and refused where they must be."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Talk, collect, talking, write_site

from nuages.runtime.manifest import read_manifest

EXTRA = """
STATIC_ROOT = BASE.parent / "collected"
STATICFILES_DIRS = [BASE.parent / "assets"]
"""
STRICT = """
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
STATICFILES_STORAGE = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
import django
if django.VERSION >= (4, 2): del STATICFILES_STORAGE
"""
TEMPLATES = """
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [BASE.parent / "templates"]}]
"""
LARGE = os.urandom(3_000_000)


def write_assets(project: Path) -> Path:
    assets = project / "assets"
    (assets / "css").mkdir(parents=True)
    (assets / "css" / "site.css").write_text(
        "body { background: url(../pixel.png) }\n" + "/* long */\n" * 400
    )
    (assets / "pixel.png").write_bytes(b"\x89PNG....")
    (assets / "large.bin").write_bytes(LARGE)
    return assets


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_site(tmp_path_factory.mktemp("site"), settings=EXTRA)
    write_assets(project)
    done = collect(project)
    assert done.returncode == 0, done.stderr
    with serving(project, "--workers", "1") as started:
        started.wait_for("ready")
        yield started


def hashed_in(root: Path, name: str) -> str:
    return str(json.loads((root / "staticfiles.json").read_text())["paths"][name])


def hashed(server: Server, name: str) -> str:
    return hashed_in(Path(server.process.args[4]) / "collected", name)  # type: ignore[index]


def test_a_hashed_file_is_immutable_and_compressed(server: Server, talk: Talk) -> None:
    answer = talk.get(f"/static/{hashed(server, 'css/site.css')}", "Accept-Encoding: gzip\r\n")
    assert answer.status == 200
    assert answer.fields["cache-control"] == "max-age=31536000, public, immutable"
    assert answer.fields["content-encoding"] == "gzip"
    assert answer.fields["vary"] == "Accept-Encoding"
    assert answer.fields["content-type"] == "text/css; charset=utf-8"
    assert hashed(server, "pixel.png").encode() in gzip.decompress(answer.body)


def test_a_plain_file_is_kept_for_a_week_beside_hashed_names(talk: Talk) -> None:
    assert talk.get("/static/css/site.css").fields["cache-control"] == "max-age=604800, public"


def test_validators_are_honoured(talk: Talk) -> None:
    first = talk.get("/static/pixel.png")
    again = talk.get("/static/pixel.png", f"If-None-Match: W/{first.fields['etag']}\r\n")
    assert (again.status, again.body) == (304, b"")
    assert again.fields["etag"] == first.fields["etag"]
    assert (
        talk.get("/static/pixel.png", f"If-Modified-Since: {first.fields['last-modified']}\r\n").status == 304
    )


def test_a_large_file_comes_whole_and_in_parts(talk: Talk) -> None:
    whole = talk.get("/static/large.bin")
    assert whole.body == LARGE
    part = talk.get("/static/large.bin", "Range: bytes=1000000-2999999\r\n")
    assert part.status == 206
    assert part.fields["content-range"] == "bytes 1000000-2999999/3000000"
    assert part.body == LARGE[1_000_000:]
    assert talk.get("/static/large.bin", "Range: bytes=3000000-\r\n").status == 416
    assert talk.get("/").text == "hello"


def test_head_sends_no_body(talk: Talk) -> None:
    assert talk.get("/static/large.bin", method="HEAD").fields["content-length"] == str(len(LARGE))
    assert talk.get("/static/pixel.png", method="HEAD").fields["content-length"] == "8"


def test_other_methods_are_refused(talk: Talk) -> None:
    talk.send("POST /static/pixel.png HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
    answer = talk.answer()
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert talk.get("/").text == "hello"


@pytest.mark.parametrize(
    "path",
    ["/static/../pages/settings.py", "/static/%2e%2e/pages/settings.py", "/static/..%2fpages/settings.py",
     "/static/css/..;/site.css", "/static/%00", "/static//etc/passwd", "/static/css", "/static/none.css",
     "/static/css/site.css.gz"],
)  # fmt: skip
def test_nothing_else_is_served_from_the_file_system(talk: Talk, path: str) -> None:
    answer = talk.get(path)
    assert answer.status == 404
    assert b"SECRET_KEY" not in answer.body


def test_pipelined_files_and_pages_keep_their_order(talk: Talk) -> None:
    paths = ["/static/large.bin", "/", "/static/pixel.png", "/nap/?seconds=0.1", "/static/large.bin"]
    talk.send("".join(f"GET {path} HTTP/1.1\r\nHost: testserver\r\n\r\n" for path in paths))
    bodies = [talk.answer().body for _ in paths]
    assert bodies == [LARGE, b"hello", b"\x89PNG....", b"slept", LARGE]


def test_a_reader_that_stops_halfway_does_no_harm(server: Server, talk: Talk) -> None:
    with talking(server.address) as other:
        other.send("GET /static/large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        other.take(1000)
        assert talk.get("/").text == "hello"
    assert talk.get("/static/pixel.png").status == 200


def test_with_debug_files_come_from_the_finders_and_are_not_kept(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    assets = write_assets(project)
    with serving(project, "--workers", "1", "--debug", "on") as server, talking(server.address) as talk:
        assert talk.get("/static/pixel.png").fields["cache-control"] == "no-cache"
        (assets / "new.txt").write_text("made since")
        assert talk.get("/static/new.txt").text == "made since"
        assert talk.get("/static/%2e%2e/pages/settings.py").status == 404


def test_files_that_were_not_collected_are_an_error_where_pages_need_them(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA + STRICT)
    with serving(project, "--workers", "1") as server:
        assert server.wait() == 1
        assert server.error() == (
            "error: the static files are not collected\n"
            f"  {project}/collected\n"
            "  the project's storage for static files needs its manifest there: without it every page that names a "
            "static file fails\n"
            "\n"
            "hint: nuages collect"
        )


def test_files_that_were_not_collected_are_a_warning_otherwise(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    with serving(project, "--workers", "1") as server:
        assert server.get("/") == "hello"
        server.wait_for_line("nuages collect")


@pytest.mark.parametrize("storage", [STRICT, ""])
def test_pages_that_fail_for_a_file_that_nobody_has_are_told_when_files_are_collected(
    tmp_path: Path, storage: str
) -> None:
    project = write_site(tmp_path, settings=EXTRA + storage + TEMPLATES)
    write_assets(project)
    (project / "templates").mkdir()
    (project / "templates" / "base.html").write_text(
        "{% load static %}\n"
        "{% comment %}\n{% static 'css/old.css' %}\n{% endcomment %}{# {% static 'css/older.css' %} #}\n"
        "{% static 'css/site.css' %} {% static 'pixel.png?v=2' %} {% static 'css/' %}\n"
        "{% static 'css/main.css' as style %} {% static 'css/main.css' %}\n"
    )
    done = collect(project)
    assert done.returncode == 0, done.stderr
    told = f"css/main.css ({project}/templates/base.html:6); the project's storage answers"
    assert (told in done.stderr) is bool(storage)
    assert "old.css" not in done.stderr
    assert "older.css" not in done.stderr
    assert "pixel.png?v=2" not in done.stderr


def test_a_style_sheet_that_names_a_missing_file_is_an_error_with_its_line(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA + STRICT)
    assets = write_assets(project)
    (assets / "css" / "site.css").write_text("a {}\nb { background: url(gone.png) }\n")
    done = collect(project)
    assert done.returncode == 1
    assert "error: css/site.css refers to a static file that does not exist: css/gone.png" in done.stderr
    assert f"{assets}/css/site.css:2: b {{ background: url(gone.png) }}" in done.stderr
    assert not (project / "collected" / "nuages-static.json").exists()


def test_a_storage_that_we_chose_forgives_what_the_project_never_asked_for(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    assets = write_assets(project)
    (assets / "css" / "site.css").write_text(
        "b { background: url(gone.png) } i { background: url(../pixel.png) }"
    )
    (assets / "css" / "latin.css").write_bytes(b"/* \xe4 */")
    done = collect(project)
    assert done.returncode == 0, done.stderr
    assert "css/gone.png" in done.stderr
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        assert b"url(gone.png)" in (
            sheet := talk.get(f"/static/{hashed(server, 'css/site.css')}").body.replace(b'"', b"")
        )
        assert hashed(server, "pixel.png").encode() in sheet
        assert talk.get("/static/css/latin.css").status == 200


def test_collecting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    write_assets(project)
    assert collect(project).returncode == 0

    def digest() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted((project / "collected").rglob("*")) if p.is_file()}

    before = digest()
    assert collect(project).returncode == 0
    assert digest() == before


def test_what_was_compressed_fast_is_compressed_as_well_as_can_be_by_the_next_who_collects(
    tmp_path: Path,
) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    assets = write_assets(project)
    (assets / "many.css").write_text("".join(f".a{n} {{ margin: {n * n}px }}\n" for n in range(3000)))
    packed = tmp_path / "collected" / "many.css.gz"
    manifest = tmp_path / "collected" / "nuages-static.json"
    sizes = []
    for effort in ("fast", "best", "fast"):
        done = collect(project, "--effort", effort)
        assert done.returncode == 0, done.stderr
        sizes.append(packed.stat().st_size)
        assert ('"fast": true' in manifest.read_text()) == (effort == "fast")
    assert sizes[0] > sizes[1] == sizes[2]


def test_committed_files_are_used_as_they_are_when_collecting_would_lose_some(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    assets = write_assets(project)
    assert collect(project).returncode == 0
    (project / "collected" / "nuages-static.json").unlink()
    (assets / "pixel.png").unlink()  # built by a step that is not at hand here
    before = sorted((project / "collected").rglob("*"))
    done = collect(project)
    assert done.returncode == 0
    assert "is used as it is: collecting would lose 1 file of its manifest, such as pixel.png" in done.stderr
    assert sorted((project / "collected").rglob("*")) == before


def test_a_manifest_that_does_not_match_its_folder_is_an_error(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    write_assets(project)
    assert collect(project).returncode == 0
    shutil.rmtree(project / "collected" / "css")
    with serving(project, "--workers", "1") as server:
        assert server.wait() == 1
        assert server.error() == (
            "error: the collected static files are not those of their manifest\n"
            f"  {project}/collected/css\n"
            "  it is not there\n\n"
            "hint: collect them again: nuages collect"
        )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"version": 0, "columns": [], "files": {}}', "nuages-static.json is not of version 2"),
        ('{"version": 2', "Expecting ',' delimiter: line 1 column 14 (char 13)"),
    ],
)
def test_a_manifest_of_another_version_or_cut_off_is_an_error(tmp_path: Path, text: str, why: str) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    write_assets(project)
    assert collect(project).returncode == 0
    (project / "collected" / "nuages-static.json").write_text(text)
    with serving(project, "--workers", "1") as server:
        assert server.wait() == 1
        assert server.error() == (
            "error: the manifest of the collected static files cannot be read\n"
            f"  {project}/collected/nuages-static.json\n"
            f"  {why}\n\n"
            "hint: collect them again: nuages collect"
        )


def test_a_file_that_is_not_what_its_manifest_says_is_an_error_and_never_the_wrong_bytes(
    tmp_path: Path,
) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    write_assets(project)
    assert collect(project).returncode == 0
    root = project / "collected"
    listed = read_manifest(root)
    assert listed is not None
    site = root / "css" / "site.css"
    site.write_text("changed behind its back")
    hashed = root / next(path for path in listed if path.startswith("css/site.") and path != "css/site.css")
    hashed.unlink()
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        answer = talk.get("/static/css/site.css", "Accept-Encoding: gzip, br\r\n")
        assert (
            answer.text == "changed behind its back"
        )  # its compressed forms, which still lie there, are another's
        assert answer.fields["etag"] != listed["css/site.css"].etag
        assert answer.fields["cache-control"] == "no-cache"
        assert talk.get(f"/static/css/{hashed.name}").status == 404
        wait_until(lambda: len(server.found("static")) >= 2 or None, "both to be told")
        told = [event["text"] for event in server.found("static")]
        assert told == [
            f"the static file {site} has changed since it was listed; run nuages collect, then reload",
            f"the static file {hashed} is no longer there; run nuages collect, then reload",
        ]
        assert {event["level"] for event in server.found("static")} == {"error"}


def test_vite_s_manifest_is_collected_and_nothing_else_that_begins_with_a_dot(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    assets = write_assets(project)
    hidden = (".vite/deps/vue.js", "dist/.vite/deps/vue.js", ".git/manifest.json", ".v/manifest.json", ".vim/m.json",
              ".vitepress/manifest.json", ".env")  # fmt: skip
    for name in (".vite/manifest.json", "dist/.vite/manifest.json", *hidden):
        (assets / name).parent.mkdir(parents=True, exist_ok=True)
        (assets / name).write_text("{}")
    done = collect(project)
    assert done.returncode == 0, done.stderr

    collected = project / "collected"
    assert (collected / ".vite/manifest.json").read_text() == "{}"
    assert (collected / "dist/.vite/manifest.json").read_text() == "{}"
    assert [name for name in hidden if (collected / name).exists()] == []


def test_output_names_another_place(tmp_path: Path) -> None:
    project = write_site(tmp_path / "project", settings=EXTRA)
    write_assets(project)
    done = collect(project, "--output", str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "elsewhere" / "nuages-static.json").is_file()
    assert not (project / "collected").exists()


WHITENOISE = """
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware", *MIDDLEWARE]
WHITENOISE_MIMETYPES = {".bin": "application/x-own"}
WHITENOISE_CHARSET = "latin-1"
WHITENOISE_IMMUTABLE_FILE_TEST = "pixel"
WHITENOISE_MAX_AGE = 7
WHITENOISE_NO_SUCH_THING = 1


def WHITENOISE_ADD_HEADERS_FUNCTION(headers, path, url):
    headers["X-Path"] = url
    if url.endswith(".css"):
        headers["Cache-Control"] = "no-store"
        del headers["Access-Control-Allow-Origin"]
"""


def write_whitenoise_site(folder: Path, settings: str) -> Path:
    """Write a site with a middleware of WhiteNoise's name, which answers nothing: the server has to."""
    (folder / "whitenoise").mkdir()
    (folder / "whitenoise" / "__init__.py").write_text("")
    (folder / "whitenoise" / "middleware.py").write_text(
        "def WhiteNoiseMiddleware(get_response):\n    return get_response\n"
    )
    return write_site(folder, settings=EXTRA + settings)


def test_whitenoise_s_settings_mean_the_same_here(tmp_path: Path) -> None:
    project = write_whitenoise_site(tmp_path, WHITENOISE)
    write_assets(project)
    assert collect(project).returncode == 0
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        large = talk.get("/static/large.bin", method="HEAD")
        assert large.fields["content-type"] == "application/x-own"
        assert large.fields["cache-control"] == "max-age=7, public"
        assert large.fields["access-control-allow-origin"] == "*"
        assert talk.get("/static/pixel.png").fields["cache-control"] == "max-age=31536000, public, immutable"
        sheet = talk.get("/static/css/site.css")
        assert sheet.fields["cache-control"] == "no-store"
        assert sheet.fields["content-type"] == "text/css; charset=latin-1"
        assert sheet.fields["x-path"] == "/static/css/site.css"
        assert "access-control-allow-origin" not in sheet.fields
        server.wait_for_line("WHITENOISE_NO_SUCH_THING")


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)


def test_a_full_disk_is_an_error_and_nothing_half_written_is_served(tmp_path: Path, small_disk: Path) -> None:
    project = write_site(
        tmp_path / "site", settings=EXTRA.replace('BASE.parent / "collected"', repr(str(small_disk)))
    )
    write_assets(project)
    done = collect(project)
    assert done.returncode == 4, done.stderr
    assert done.stderr.endswith(
        "error: the static files cannot be written\n"
        f"  {small_disk}/large.bin\n"
        "  No space left on device\n\n"
        "hint: free some space and run it again\n"
    )
    assert not list(small_disk.rglob("*large*"))
    assert not list(small_disk.rglob(".*"))
    with serving(project, "--workers", "1") as server:
        assert server.wait() == 1
        assert server.error() == (
            "error: the static files are not collected to the end\n"
            f"  {small_disk}/nuages-static.unfinished\n"
            "  collecting them was broken off, or goes on just now: what lies there may be half of them\n\n"
            "hint: collect them again: nuages collect"
        )
    enlarge(small_disk)
    done = collect(project)
    assert done.returncode == 0, done.stderr
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        assert talk.get("/static/pixel.png").status == 200
        for name in ("large.bin", hashed_in(small_disk, "large.bin")):
            assert talk.get(f"/static/{name}").body == LARGE


def test_what_was_collected_before_a_disk_was_full_is_served_until_it_is_collected_again(
    tmp_path: Path, small_disk: Path
) -> None:
    project = write_site(
        tmp_path / "site", settings=EXTRA.replace('BASE.parent / "collected"', repr(str(small_disk)))
    )
    assets = write_assets(project)
    large = assets / "large.bin"
    large.unlink()
    done = collect(project)
    assert done.returncode == 0, done.stderr
    old = {name: hashed_in(small_disk, name) for name in ("css/site.css", "pixel.png")}
    before = {path: path.read_bytes() for path in small_disk.rglob("*") if path.is_file()}
    (assets / "css" / "site.css").write_text("body { background: url(../large.bin) }\n")
    os.utime(assets / "css" / "site.css", (0, 0))  # only what is large is new to collectstatic
    large.write_bytes(LARGE)
    assert collect(project).returncode == 4
    after = {path: path.read_bytes() for path in small_disk.rglob("*") if path.is_file()}
    assert after == {**before, small_disk / "nuages-static.unfinished": b""}
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        server.wait_for_line(
            f"collecting static files to {small_disk} was broken off, or goes on just now: what was collected before "
            "is served; nuages collect collects the rest"
        )
        for name in old.values():
            assert talk.get(f"/static/{name}").status == 200
        assert old["pixel.png"] in talk.get(f"/static/{old['css/site.css']}").text
        enlarge(small_disk)
        assert collect(project).returncode == 0
        assert not (small_disk / "nuages-static.unfinished").exists()
        assert old["pixel.png"] in talk.get(f"/static/{old['css/site.css']}").text
    new = hashed_in(small_disk, "css/site.css")
    assert new != old["css/site.css"]
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        assert hashed_in(small_disk, "large.bin") in talk.get(f"/static/{new}").text
        assert talk.get(f"/static/{old['css/site.css']}").status == 200  # of the release before


def test_a_disk_that_is_full_while_compressing_leaves_no_part_of_a_form(
    tmp_path: Path, small_disk: Path
) -> None:
    project = write_site(
        tmp_path / "site", settings=EXTRA.replace('BASE.parent / "collected"', repr(str(small_disk)))
    )
    assets = write_assets(project)
    (assets / "large.bin").unlink()
    (assets / "words.txt").write_text("".join(f"{os.urandom(24).hex()}\n" for _ in range(1500)))
    done = collect(project)
    assert done.returncode == 4, done.stderr
    assert "No space left on device" in done.stderr
    assert not [path for path in small_disk.rglob(".*") if path.is_file()]
    assert (small_disk / "nuages-static.unfinished").exists()


def test_every_form_is_made_where_its_compressor_is_there(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=EXTRA)
    write_assets(project)
    assert collect(project).returncode == 0
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        for coding in ("gzip", "br", "zstd"):
            answer = talk.get("/static/css/site.css", f"Accept-Encoding: {coding}\r\n")
            assert answer.fields["content-encoding"] == coding
            assert answer.fields["etag"].endswith(f'-{coding}"')


MORE_WHITENOISE = """
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware", *MIDDLEWARE]
WHITENOISE_ROOT = BASE.parent / "public"
WHITENOISE_INDEX_FILE = True
WHITENOISE_MAX_AGE = None
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_STATIC_PREFIX = "/files/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["css"]
"""


def test_the_rest_of_whitenoise_s_settings_means_the_same_too(tmp_path: Path) -> None:
    project = write_whitenoise_site(tmp_path, MORE_WHITENOISE)
    assets = write_assets(project)
    (project / "public" / "docs").mkdir(parents=True)
    (project / "public" / "robots.txt").write_text("robots")
    (project / "public" / "docs" / "index.html").write_text("docs")
    assert collect(project).returncode == 0
    assert not list((project / "collected" / "css").glob("*.gz"))
    (assets / "later.txt").write_text("not collected")
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        answer = talk.get("/files/pixel.png")
        assert answer.status == 200
        assert not {"cache-control", "access-control-allow-origin"} & set(answer.fields)
        assert talk.get("/static/pixel.png").status == 404
        assert talk.get("/files/later.txt").text == "not collected"
        assert talk.get("/robots.txt").text == "robots"
        assert talk.get("/docs/").text == "docs"
        for path, location in (("/docs", "docs/"), ("/docs/index.html", "./")):
            redirect = talk.get(path)
            assert (redirect.status, redirect.fields["location"]) == (302, location)
        assert talk.get("/").text == "hello"


def test_files_are_looked_for_at_each_request_where_whitenoise_would(tmp_path: Path) -> None:
    settings = """
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware", *MIDDLEWARE]
WHITENOISE_AUTOREFRESH = True
"""
    project = write_whitenoise_site(tmp_path, settings)
    (project / "collected").mkdir()
    (project / "collected" / "a.txt").write_text("first")
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        assert talk.get("/static/a.txt").text == "first"
        (project / "collected" / "a.txt").write_text("second one")
        assert talk.get("/static/a.txt").text == "second one"
        (project / "collected" / "b.txt").write_text("new")
        assert talk.get("/static/b.txt").text == "new"
        assert talk.get("/static/%2e%2e/pages/settings.py").status == 404
