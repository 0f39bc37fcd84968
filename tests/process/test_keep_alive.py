"""When connections on which nothing is asked are closed, in a real server."""

from __future__ import annotations

import time
from pathlib import Path

from tests.process.harness import held, named_pipe, serving, wait_until
from tests.process.sites import Talk, write_site

URLS = '''
from django.urls import register_converter


class Slow:
    """The first look for a view keeps the loop, which asks for it as it reads, until the named pipe is closed."""
    regex = "slow"
    looked = False

    def to_python(self, value):
        if not Slow.looked:
            Slow.looked = True
            with open(HERE.parent / "pipe", "rb") as pipe:
                pipe.read()
        return value

    def to_url(self, value):
        return value


register_converter(Slow, "slow")
urlpatterns += [path("<slow:name>/", lambda request, name: HttpResponse(name))]
'''


def test_a_request_that_has_come_by_the_end_of_the_keep_alive_time_is_answered(tmp_path: Path) -> None:
    """The loop was busy until then: it closed the connection before it read, and the kernel sent a reset."""
    project = write_site(tmp_path / "site", urls=URLS)
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--keep-alive", "1s") as server:
        server.wait_for("ready")
        busy, kept = (Talk(server.connect().socket) for _ in range(2))
        assert kept.get("/status/200/").status == 200
        busy.send("GET /slow/ HTTP/1.1\r\nHost: a\r\n\r\n")
        with held(pipe):
            kept.send("GET /status/200/ HTTP/1.1\r\nHost: a\r\n\r\n")
            until = time.monotonic() + 1.2
            wait_until(lambda: time.monotonic() > until, "the keep-alive time is over")
        assert kept.answer().status == 200
        assert busy.answer().text == "slow"
        assert kept.closed()
        assert server.stop() == 0
