"""Django's own handler called in a loop, with no server: the limit. `handler.py PATH SECONDS COOKIE`, prints JSON."""

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

WARM_UP_SECONDS = 0.3


def environ(path: str, cookie: str) -> dict[str, Any]:
    """Return what a WSGI server makes of a small GET request (PEP 3333)."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_COOKIE": cookie,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def main(path: str, seconds: float, cookie: str) -> None:
    """Answer requests for so many seconds and print how many and with how much CPU."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "measured.settings")
    sys.path.insert(0, str(Path(__file__).parent))
    from measured.wsgi import application

    statuses: set[str] = set()
    times: list[float] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        statuses.add(status)

    def loop(seconds: float) -> None:
        clock = time.monotonic
        end = clock() + seconds
        while (begin := clock()) < end:
            response = application(environ(path, cookie), start_response)
            for _ in response:
                pass
            response.close()
            times.append(clock() - begin)

    loop(WARM_UP_SECONDS)
    times.clear()
    began, cpu = time.monotonic(), time.process_time()
    loop(seconds)
    cpu, wall = time.process_time() - cpu, time.monotonic() - began
    times.sort()
    answer = {"requests": len(times), "cpu": cpu, "seconds": wall, "ok": statuses == {"200 OK"}}
    json.dump({**answer, "p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
