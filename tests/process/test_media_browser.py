"""Uploads in a real browser: what somebody uploaded runs no script, and pictures are still shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.browser import looking_at, needed
from tests.process.harness import serving
from tests.process.sites import write_site

SETTINGS = """
MEDIA_ROOT = BASE.parent / "uploads"
MEDIA_URL = "/media/"
X_FRAME_OPTIONS = "SAMEORIGIN"
"""
URLS = """
def page(request, name):
    return HttpResponse((HERE.parent / "shown" / name).read_bytes())


urlpatterns += [path("shown/<str:name>", page)]
"""
SCRIPT = "fetch('/ran' + location.pathname)"
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>{SCRIPT}</script></svg>'
EVIL: dict[str, str] = {
    "evil.html": f'<!doctype html><script>{SCRIPT}</script><img src=x onerror="{SCRIPT}">',
    "evil.svg": SVG,
    "evil.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><script>{SCRIPT}</script></html>',
    "evil.xml": f'<x:script xmlns:x="http://www.w3.org/1999/xhtml">{SCRIPT}</x:script>',
    "evil.txt": f"<!doctype html><script>{SCRIPT}</script>",
    "evil.png": f"<!doctype html><script>{SCRIPT}</script>",
    "evil": f"<!doctype html><script>{SCRIPT}</script>",
}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001"
    "f61738550000000049454e44ae426082"
)

# How a page opens what was uploaded; the site's own script is opened in the same way, after all the others.
WAYS = {
    "frame": "document.body.append(Object.assign(document.createElement('iframe'), {{src: '{url}'}}))",
    "object": "document.body.append(Object.assign(document.createElement('object'), {{data: '{url}'}}))",
    "window": "open('{url}')",
}
PAGE = "<!doctype html><body><script>onload = () => {{ {script} }}</script>{body}"

pytestmark = [pytest.mark.long, needed]


def test_what_was_uploaded_runs_no_script_and_pictures_are_shown(tmp_path: Path) -> None:
    project = write_site(tmp_path / "site", settings=SETTINGS, urls=URLS)
    uploads, shown = project / "uploads", project / "shown"
    shown.mkdir()
    for way, opening in WAYS.items():
        (uploads / way).mkdir(parents=True)
        for name, text in EVIL.items():
            (uploads / way / name).write_text(text)
        (shown / f"{way}-control.html").write_text(f"<!doctype html><script>{SCRIPT}</script>")
        first = "; ".join(opening.format(url=f"/media/{way}/{name}") for name in EVIL)
        last = opening.format(url=f"/shown/{way}-control.html")
        (shown / f"{way}.html").write_text(PAGE.format(script=f"{first}; {last}", body=""))
    (uploads / "pixel.png").write_bytes(PIXEL)
    (uploads / "picture.svg").write_text(SVG)
    (shown / "picture.html").write_text(
        PAGE.format(
            script="fetch(`/widths/${a.naturalWidth}/${b.naturalWidth}`)",
            body="<img id=a src=/media/pixel.png><img id=b src=/media/picture.svg>",
        )
    )
    with serving(project, "--workers", "1", "--media", "on") as server:
        server.wait_for("ready")
        site = f"http://{server.address}/shown"
        for way in WAYS:
            with looking_at(f"{site}/{way}.html", tmp_path / way):
                for name in EVIL:
                    server.wait_for_request(path=f"/media/{way}/{name}", status=200)
                # That a script would have told is seen by the one of the site's own page.
                server.wait_for_request(path=f"/ran/shown/{way}-control.html")
        with looking_at(f"{site}/picture.html", tmp_path / "picture"):
            server.wait_for_request(path="/widths/1/9")
        assert server.get("/") == "hello"
        server.wait_for_request(path="/")
        paths = [one["path"] for one in server.requests.objects()]
        ran = [path for path in paths if path.startswith("/ran/")]
        assert ran == [f"/ran/shown/{way}-control.html" for way in WAYS]
