"""The servers and their command lines, as values: `{python}`, `{bin}`, `{site}`, `{port}` … are filled in (Stage)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

HANDLER = "handler"
WSGI = "measured.wsgi:application"
ASGI = "measured.asgi:application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One way to run the project: a command line with places to fill in, and variables and files beside it.

    `files` are written before it starts, by path; in their texts, `@place@` is filled in.
    """

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def command(self, places: Mapping[str, object]) -> list[str]:
        """Return the command line with its places filled in."""
        return [word.format_map(places) for word in self.argv]

    def written(self, places: Mapping[str, object]) -> dict[str, str]:
        """Return the files with their places filled in."""
        filled = dict(self.files)
        for path, text in self.files.items():
            for name, value in places.items():
                text = text.replace(f"@{name}@", str(value))
            filled[path] = text
        return {path.format_map(places): text for path, text in filled.items()}

    def extended(self, name: str, *more: str, **environ: str) -> Server:
        """Return this server under another name with more options and variables."""
        return dataclasses.replace(
            self, name=name, argv=(*self.argv, *more), environ={**self.environ, **environ}
        )

    @property
    def is_handler(self) -> bool:
        """Whether this is Django's own handler in a loop, which is no server but the limit of all."""
        return self.name == HANDLER


def _peer(name: str, command: str, application: str, **environ: str) -> Server:
    # The project stands on the path of every peer, whatever it does with its working directory.
    return Server(
        name=name, argv=(*command.split(), application), environ={"PYTHONPATH": "{site}", **environ}
    )


handler = Server(name=HANDLER, argv=("{python}", "{site}/handler.py"))

_NUAGES = (
    "{python} -m nuages serve {site} --bind 127.0.0.1:{port} --workers {workers} --access-log off"
    " --management off"
)
nuages = Server(name="nuages", argv=(*_NUAGES.split(),))
nuages_1 = nuages.extended("nuages-1", "--threads", "1")

_GRANIAN = (
    "{bin}/granian --host 127.0.0.1 --port {port} --workers {workers} --no-access-log --log-level warning"
)
granian = _peer("granian", f"{_GRANIAN} --interface wsgi", WSGI)
granian_1 = _peer("granian-1", f"{_GRANIAN} --blocking-threads 1 --interface wsgi", WSGI)
granian_4 = _peer("granian-4", f"{_GRANIAN} --blocking-threads 4 --interface wsgi", WSGI)
granian_asgi = _peer("granian-asgi", f"{_GRANIAN} --interface asginl", ASGI)

# uWSGI's own HTTP socket closes each connection and does not say so: the header keeps clients from reusing it.
_UWSGI = (
    "{bin}/uwsgi --master --need-app --die-on-term --disable-logging --home {prefix} --chdir {site} --listen 128 "
    "--processes {workers} --http-socket 127.0.0.1:{port}"
)
uwsgi = Server(name="uwsgi", argv=(*_UWSGI.split(), "--add-header", "Connection: close", "--module", WSGI))
uwsgi_4 = Server(
    name="uwsgi-4",
    argv=(*_UWSGI.split(), "--threads", "4", "--add-header", "Connection: close", "--module", WSGI),
)

_GUNICORN = "{bin}/gunicorn --bind 127.0.0.1:{port} --workers {workers} --keep-alive 75 --log-level warning"
gunicorn = _peer("gunicorn", f"{_GUNICORN} --worker-class gthread --threads 4", WSGI)
gunicorn_preload = _peer(
    "gunicorn-preload", f"{_GUNICORN} --preload --worker-class gthread --threads 4", WSGI
)
# Nobody's default, but what its users write who want the memory to stay shared (gc.freeze, «Avoid copy-on-write»).
gunicorn_freeze = dataclasses.replace(
    _peer("gunicorn-freeze", f"{_GUNICORN} --preload --worker-class sync --config {{data}}/freeze.py", WSGI),
    files={
        "{data}/freeze.py": "import gc\n\ngc.disable()\n\n\ndef when_ready(server):\n    gc.freeze()\n\n\n"
        "def post_fork(server, worker):\n    gc.enable()\n"
    },
)
gunicorn_sync = _peer("gunicorn-sync", f"{_GUNICORN} --worker-class sync", WSGI)

_UVICORN = (
    "{bin}/uvicorn --host 127.0.0.1 --port {port} --workers {workers} --no-access-log --log-level warning "
    "--lifespan off --timeout-keep-alive 75"
)
uvicorn = _peer("uvicorn", _UVICORN, ASGI)

waitress = _peer("waitress", "{bin}/waitress-serve --listen 127.0.0.1:{port} --channel-timeout 120", WSGI)

# One process; gzip_static and sendfile on, as its documentation has it for static files.
_NGINX = """\
daemon off;
master_process off;
pid @data@/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
    types { text/css css; text/plain txt; }
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    gzip_static on;
    client_body_temp_path @data@/nginx-1; proxy_temp_path @data@/nginx-2; fastcgi_temp_path @data@/nginx-3;
    uwsgi_temp_path @data@/nginx-4; scgi_temp_path @data@/nginx-5;
    server {
        listen 127.0.0.1:@port@ backlog=2048;
        location /static/ { alias @data@/static/; expires 7d; }
    }
}
"""
nginx = Server(
    name="nginx",
    argv=("nginx", "-p", "{data}", "-c", "{data}/nginx.conf"),
    files={"{data}/nginx.conf": _NGINX},
)

KNOWN = {
    server.name: server
    for server in (
        handler, nuages, nuages_1, granian, granian_1, granian_4, granian_asgi, uwsgi, uwsgi_4, gunicorn,
        gunicorn_preload, gunicorn_freeze, gunicorn_sync, uvicorn, waitress, nginx,
    )
}  # fmt: skip
