"""The access log of a real server: a line for each request, soon, and none lost at the end."""

from __future__ import annotations

from pathlib import Path

from tests.process.harness import serving


def test_a_request_is_logged_with_its_identity_and_without_its_query(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        exchange = server.begin("/pid/?token=secret", headers="X-Request-ID: abc-123\r\n")
        response = exchange.answer()
        assert response.getheader("X-Request-ID") == "abc-123"
        line = server.wait_for_request(request_id="abc-123")
        assert (line["method"], line["path"], line["status"]) == ("GET", "/pid/?…", 200)
        assert line["bytes"] == len(response.text)  # type: ignore[attr-defined]
        assert line["client"] == "127.0.0.1"
        assert line["route"] == "pid/"
        assert 0 <= line["queued_ms"] <= line["duration_ms"]
        assert server.stop() == 0
    assert "secret" not in "\n".join(server.requests.all()) + server.said


def test_no_line_is_lost_when_the_server_ends(project: Path) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        for _ in range(20):
            server.get("/")
        assert server.stop() == 0
        assert len(server.requests.objects()) == 20


def test_the_access_log_as_text_and_off(project: Path) -> None:
    with serving(project, "--workers", "1", "--access-log", "text") as server:
        server.wait_for_line("ready to serve at http://127.0.0.1:")
        server.stop()
    with serving(project, "--workers", "1", "--access-log", "off") as server:
        server.wait_for("ready")
        server.get("/")
        assert server.stop() == 0
        assert server.requests.all() == []
