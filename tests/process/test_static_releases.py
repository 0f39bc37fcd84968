"""Files of several releases at one server (--static-keep), further folders (--static-map), and ten thousand files."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.browser import looking_at, needed
from tests.process.harness import Server, serving
from tests.process.sites import collect, talking, write_site

from nuages.runtime.collected import _items
from nuages.runtime.manifest import Item, write_manifest
from nuages.runtime.shelves import Listed, Manner
from nuages.runtime.static import Files

SETTINGS = 'STATIC_ROOT = BASE.parent / "collected"\nSTATICFILES_DIRS = [BASE.parent / "assets"]\n'
MANY = 10_000
START_SECONDS = 0.03


PAGES = """
from django.templatetags.static import static
RELEASE = (HERE.parent / "assets" / "site.css").read_text()
PAGE = '''<!doctype html><p id="text">text</p><script type="module">
const now = async () => { try { return await (await fetch("/release/")).text() } catch { return "nobody" } };
while (["nobody", %(release)r].includes(await now())) await new Promise(done => setTimeout(done, 20));
const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: %(sheet)r });
const outcome = await new Promise(done => { sheet.onload = sheet.onerror = done; document.head.append(sheet) });
const module = await import(%(script)r).catch(() => ({ text: "no script" }));
const colour = getComputedStyle(document.getElementById("text")).color.replaceAll(/[^0-9,]/g, "");
await fetch(`/seen/${outcome.type}/${colour}/${module.text}/`);
</script>'''


def page(request):
    names = {"release": RELEASE, "sheet": static("site.css"), "script": static("late.js")}
    return HttpResponse(PAGE % names)


urlpatterns += [
    path("page/", page), path("release/", lambda request: HttpResponse(RELEASE)),
    path("seen/<path:what>", lambda request, what: HttpResponse(what)),
]
"""


def release(folder: Path, text: str) -> Path:
    """Return a project with one style sheet and one script, collected."""
    project = write_site(folder, settings=SETTINGS, urls=PAGES)
    (project / "assets").mkdir()
    (project / "assets" / "site.css").write_text(text)
    (project / "assets" / "late.js").write_text(f'export const text = "{folder.name}"')
    done = collect(project)
    assert done.returncode == 0, done.stderr
    return project


def hashed(project: Path) -> str:
    return str(json.loads((project / "collected" / "staticfiles.json").read_text())["paths"]["site.css"])


@contextlib.contextmanager
def running(project: Path, keep: Path, *options: str) -> Iterator[Server]:
    with serving(project, "--workers", "1", "--static-keep", str(keep), *options) as server:
        server.wait_for("ready")
        yield server


def text_of(server: Server, name: str) -> str:
    with talking(server.address) as talk:
        answer = talk.get(f"/static/{name}")
        assert answer.status == 200, name
        assert answer.fields["cache-control"] == "max-age=31536000, public, immutable"
        return answer.text


def test_pages_of_both_releases_find_their_files_at_both_servers(tmp_path: Path) -> None:
    old, new = release(tmp_path / "old", "a { color: red }"), release(tmp_path / "new", "a { color: blue }")
    assert hashed(old) != hashed(new)
    with running(old, tmp_path / "kept") as first:
        assert text_of(first, hashed(old)) == "a { color: red }"
        with running(new, tmp_path / "kept") as second:
            for server in (first, second):
                assert text_of(server, hashed(old)) == "a { color: red }"
                assert text_of(server, hashed(new)) == "a { color: blue }"
    with running(new, tmp_path / "kept") as alone:
        assert text_of(alone, hashed(old)) == "a { color: red }"
        assert "kept in" not in alone.said


def test_where_the_disk_of_the_releases_is_full_the_own_one_is_served_and_no_part_of_a_file_is_left(
    tmp_path: Path, small_disk: Path
) -> None:
    project = release(tmp_path / "site", "a { color: red }\n")
    large = project / "assets" / "large.bin"
    large.write_bytes(bytes(300_000))
    assert collect(project).returncode == 0
    with running(project, small_disk) as server:
        warned = server.wait_for("warning")["text"]
        assert warned.startswith(
            f"--static-keep {small_disk} is full: pages in a rolling update may lack files"
        )
        assert text_of(server, hashed(project)) == "a { color: red }\n"
    assert not list(small_disk.rglob("*large*"))
    assert not list((small_disk / ".nuages").glob("*.json"))


@pytest.mark.long
@needed
def test_a_page_that_is_open_in_a_browser_finds_its_files_after_its_release_has_gone(tmp_path: Path) -> None:
    old = release(tmp_path / "old", "p { color: rgb(1, 2, 3) }")
    new = release(tmp_path / "new", "p { color: rgb(7, 8, 9) }")
    with contextlib.ExitStack() as browser:
        with running(old, tmp_path / "kept") as first:
            address = first.address
            browser.enter_context(looking_at(f"http://{address}/page/", tmp_path / "profile"))
            first.wait_for_request(path="/release/")  # the page's script runs
        with running(new, tmp_path / "kept", "--bind", address) as second:
            second.wait_for_request(path="/seen/load/1,2,3/old/", status=200)


def test_further_folders_are_served_with_an_age_of_their_own(tmp_path: Path) -> None:
    project = write_site(tmp_path / "site", settings=SETTINGS)
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "page.html").write_text("docs")
    options = ("--static-map", f"/docs={docs},max-age=2h", "--static-map", f"/more/of/it/={docs}")
    with serving(project, "--workers", "1", *options) as server, talking(server.address) as talk:
        server.wait_for("ready")
        answer = talk.get("/docs/page.html")
        assert (answer.text, answer.fields["cache-control"]) == ("docs", "max-age=7200, public")
        assert talk.get("/more/of/it/page.html").fields["cache-control"] == "max-age=60, public"
        assert talk.get("/docs/none.html").status == 404
        assert talk.get("/").text == "hello"


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    with serving(project, "--static-map", f"/docs={tmp_path}/none") as server:
        assert server.wait() == 1
        assert server.error() == (
            "error: a folder of static files does not exist\n"
            f"  --static-map /docs/={tmp_path}/none\n  there is no {tmp_path}/none\n\n"
            "hint: name a folder that exists, or take the option away"
        )


def test_ten_thousand_files_are_listed_in_no_time_and_none_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    facts = (tmp_path / "a.css").stat()
    items = [
        Item(path=f"app{number % 50}/some/folder/file{number}.{number:012x}.js", size=4, modified=int(facts.st_mtime),
             etag=f'"{number:024x}"', media="text/javascript; charset=utf-8", is_hashed=True,
             codings={"br": 3, "zstd": 3, "gzip": 3})
        for number in range(MANY)
    ]  # fmt: skip
    for number in range(50):
        (tmp_path / f"app{number}").mkdir()  # and no file in them: who looked for one would miss it
    write_manifest(tmp_path, items)
    took = []
    for _ in range(5):
        begun = time.process_time()
        manifest = _items(tmp_path, {}, lambda *_: None)
        files = Files([Listed(b"/static/", str(tmp_path), manifest, Manner(plain_age=60))])
        took.append(time.process_time() - begun)
    assert len(manifest) == MANY
    assert files.find(b"/static/" + items[77].path.encode()) is not None
    assert min(took) < START_SECONDS
