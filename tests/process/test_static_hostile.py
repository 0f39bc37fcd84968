"""Static files and those who want others: the traversal lists of scanners, each against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.corpus.traversal import ways
from tests.process.harness import serving
from tests.process.sites import talking, write_site

SETTINGS = 'STATIC_ROOT = BASE.parent / "collected"\n'
SECRETS = (b"SECRET_KEY", b"root:", b"hidden")


@pytest.mark.parametrize("options", [(), ("--debug", "on"), ("--static-map", "/files=collected")])
def test_no_path_of_the_scanners_lists_leads_out(tmp_path: Path, options: tuple[str, ...]) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    root = project / "collected"
    for name in ("css/a.css", ".env", ".git/config", "css/.htpasswd"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("hidden" if "/." in f"/{name}" else "a {}")
    given = [option.replace("=collected", f"={root}") for option in options]
    prefix = "/files/" if "--static-map" in options else "/static/"
    hidden = (b".env", b"%2eenv", b".git/config", b"css/.htpasswd", b"x/../.env")
    corpus = [prefix.encode() + path for path in (*ways("pages/settings.py", "css"), *hidden)]
    assert len(corpus) > 1500
    if "--debug" in options:
        corpus = corpus[::7]  # Django's own page for 404 takes its time
    with serving(project, "--workers", "1", *given) as server:
        with talking(server.address) as talk:
            if "--debug" not in options:
                assert talk.get(f"{prefix}css/a.css").text == "a {}"
        for path in corpus:
            with talking(server.address) as talk:
                talk.send(b"GET ", path, b" HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\n\r\n")
                answer = talk.rest()
            assert answer.split(b" ", 2)[1] in (b"400", b"404"), (path, answer[:300])
            assert not any(secret in answer for secret in SECRETS), (path, answer[:300])
        assert server.found("worker-died") == []
