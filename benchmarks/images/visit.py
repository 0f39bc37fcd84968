"""A visitor behind a proxy that ends TLS: one address, its redirects on the same host, what came last."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

_HOPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The last answer: `chain` has the status of each on the way, `302->200`; `path` is where it came from."""

    chain: str
    status: int
    path: str
    text: str


def visit(port: int, host: str, path: str) -> Answer:
    """GET a path of the server on a port of loopback, under the host name that it knows."""
    statuses = []
    for _ in range(_HOPS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(
            "GET", path, headers={"Host": host, "X-Forwarded-Proto": "https", "Accept": "text/html,*/*"}
        )
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        statuses.append(answer.status)
        place = urlsplit(answer.getheader("Location", ""))
        if answer.status not in {301, 302, 307, 308} or (place.hostname or host) != host.partition(":")[0]:
            break
        path = urljoin(path, place.path + (f"?{place.query}" if place.query else ""))
    return Answer(chain="->".join(map(str, statuses)), status=statuses[-1], path=path, text=text)
