"""What stands between clients and a server: nginx and HAProxy with kept and shared connections, a network that is far.

Neither proxy tries again what failed: a connection that the server closes under a request is an error that clients see.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import DEADLINE, wait_until
from tests.process.sites import Talk

ROOT = Path(__file__).resolve().parents[2]
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
FAR_SECONDS = 0.040  # there and back: 20 ms each way


def nginx(http: str) -> str:
    """Return a configuration of nginx for `running`, to be formatted with its `folder`: one process, this in `http`."""
    return (
        "daemon off; master_process off; pid {folder}/pid; error_log stderr crit;\n"
        "events {{ worker_connections 1024; }}\n"
        "http {{\n"
        "    access_log off;\n"
        "    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;\n"
        "    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;\n"
        f"{http}}}}}\n"
    )


NGINX = nginx("""\
    keepalive_requests 1000000;
    upstream nuages {{ server {server}; keepalive 16; keepalive_requests 1000000; }}
    server {{
        listen unix:{folder}/socket;
        location / {{
            proxy_pass http://nuages;
            proxy_http_version 1.1;
            proxy_next_upstream off;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }}
    }}
""")
HAPROXY = """\
global
    maxconn 1024
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
    http-reuse always
    retries 0
frontend front
    bind unix@{folder}/socket
    default_backend back
backend back
    server nuages {server}
"""
FRONTS = ("direct", "nginx", "haproxy", "far")


@contextlib.contextmanager
def running(program: str, configuration: str, folder: str) -> Iterator[None]:
    """Run nginx or HAProxy with a configuration that makes it listen at `folder`/socket; skip where it is absent."""
    found = shutil.which(program, path=PATH)
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install nginx haproxy")
    file = Path(folder) / "proxy.conf"
    file.write_text(configuration)
    options = ["-p", folder, "-c"] if program == "nginx" else ["-db", "-f"]
    process = subprocess.Popen([found, *options, str(file)], stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: connects(f"{folder}/socket"), f"{program} listens")
        yield
    finally:
        process.kill()
        process.wait()


def connects(path: str) -> bool:
    """Return whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
    return True


@contextlib.contextmanager
def talking_through(path: str) -> Iterator[Talk]:
    """Talk to the proxy that listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(path)
        yield Talk(sock)


@contextlib.contextmanager
def front(name: str, server: str) -> Iterator[str]:
    """Return the address at which a server is reached directly, through a proxy, or from afar."""
    if name == "direct":
        yield server
    elif name == "far":
        with _far(server) as address:
            yield address
    else:
        # A short path: the address of a Unix socket has 107 bytes.
        with tempfile.TemporaryDirectory(prefix="front-") as folder:
            text = (NGINX if name == "nginx" else HAPROXY).format(folder=folder, server=server)
            with running(name, text, folder):
                yield f"{folder}/socket"


@contextlib.contextmanager
def _far(server: str) -> Iterator[str]:
    """Delay everything, ends of connections too; netem would, but not every kernel has it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "benchmarks.latency",
        str(port),
        server.rpartition(":")[2],
        str(FAR_SECONDS),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()
