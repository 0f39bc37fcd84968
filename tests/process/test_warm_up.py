"""`--warmup-url`: what a worker loads with its first request is loaded before it serves."""

from __future__ import annotations

from pathlib import Path

from tests.process.harness import held, named_pipe, serving, write_project

SETTINGS = """
ALLOWED_HOSTS = ["shop.example"]
SECURE_SSL_REDIRECT = True
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
"""
URLS = """
seen = []


def warm(request):
    seen.append(f"{request.get_host()} {request.scheme}")
    return HttpResponse("warm")


def told(request):
    return HttpResponse(", ".join(seen))


def broken(request):
    raise RuntimeError("the cache is empty")


urlpatterns += [path("warm/", warm), path("told/", told), path("broken/", broken)]
"""


def test_every_worker_has_answered_it_before_it_is_ready(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=URLS)
    with serving(project, "--workers", "2", "--warmup-url", "/warm/", "--warmup-url", "/?again") as server:
        server.wait_for("worker-ready", count=2)
        for _ in range(8):
            assert server.get("/told/") == "localhost https"
        assert server.stop() == 0
    warmed = [line for line in server.requests.objects() if line["path"] == "/warm/"]
    assert [line["status"] for line in warmed] == [200, 200]


def test_it_comes_by_https_to_a_name_that_the_project_answers_to(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=URLS, settings=SETTINGS)
    with serving(project, "--workers", "1", "--warmup-url", "/warm/") as server:
        server.wait_for("ready")
        assert server.wait_for_request(path="/warm/")["status"] == 200
        assert server.found("warm-up") == []


def test_what_goes_wrong_is_said_and_keeps_nobody_from_serving(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=URLS)
    with serving(project, "--workers", "1", "--warmup-url", "/broken/") as server:
        server.wait_for("ready")
        assert server.wait_for("warm-up")["text"] == "/broken/ answers 500"
        assert server.get("/") == "hello"


def test_it_takes_no_longer_than_five_seconds(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=URLS)
    pipe = named_pipe(project)
    options = ("--warmup-url", f"/hold/?pipe={pipe}", "--warmup-url", "/warm/", "--grace", "1s")
    with serving(project, "--workers", "1", *options) as server, held(pipe):
        seconds = server.wait_for("worker-ready")["seconds"]
        assert 5 <= seconds < 15
        assert "has not answered within the 5 s" in server.wait_for("warm-up")["text"]
        assert server.get("/") == "hello"
