"""Clients that read a file slowly, in a process of their own: `python -m benchmarks.slow_readers PORT PATH COUNT`.

Each reads 25 KB twice a second, with a small window, as behind a slow line. It says on stdout when all have begun, and
at the end how many bytes they got and how many were cut off. It ends with its stdin.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time

READ_BYTES = 25_000
PAUSE_SECONDS = 0.5
WINDOW_BYTES = 64 << 10
BATCHES = 10  # the clients read in turns, not all at once


def main(port: int, path: str, count: int) -> None:
    """Read until stdin ends."""
    # Who measures beside them, on the same core, is not to wait for them: it would measure its own waiting.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    clients = []
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    for _ in range(count):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
        client.settimeout(30)
        client.connect(("127.0.0.1", port))
        client.sendall(request)
        clients.append(client)
    for client in clients:
        client.recv(1, socket.MSG_PEEK)
        client.setblocking(False)
    print("begun", flush=True)
    taken = cut = 0
    began = time.monotonic()
    turn = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for client in clients[turn % BATCHES :: BATCHES]:
            try:
                data = client.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            taken += len(data)
            cut += not data
        turn += 1
        time.sleep(max(0.0, began + turn * PAUSE_SECONDS / BATCHES - time.monotonic()))
    print(json.dumps({"bytes": taken, "cut": cut, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
