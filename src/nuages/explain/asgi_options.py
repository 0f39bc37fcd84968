"""Options of uvicorn (0.54), daphne (4.2), hypercorn (0.18) and granian (2.8), and what each becomes here."""

from __future__ import annotations

from nuages.explain import values
from nuages.explain.facts import (
    Context,
    Fact,
    Outcome,
    decide,
    dropped,
    itself,
    keep,
    kept,
    nothing,
    undecided,
)


def _application(option: str, value: str, context: Context) -> Outcome:
    return values.application(option, value, context)


def _granian_workers_memory(option: str, value: str, context: Context) -> Outcome:
    return values.megabytes(option, value, context)


def _static_folder(option: str, value: str, context: Context) -> Outcome:
    """A folder, whose URL is the route that was given as the first, second … as well (granian: /static without one)."""
    folders, routes = (context.lists.get(f"static-path-{part}", ()) for part in ("mount", "route"))
    at = list(folders).index(value) if value in folders else 0
    route = routes[at] if at < len(routes) else "/static"
    return values.mapped(option, f"{route}={value}", context)


def _granian_log(option: str, value: str, _context: Context) -> Outcome:
    if value.lower() in values.TRUE:
        return nothing("requests are logged on stdout, as JSON where it is no terminal")
    return keep(option, "off")


def _granian_keep_alive(_option: str, value: str, _context: Context) -> Outcome:
    if value.lower() in values.TRUE:
        return nothing("connections are kept alive, for 75 s")
    return undecided(_NO_KEEP_ALIVE)


def _factory(_option: str, _value: str, _context: Context) -> Outcome:
    return nothing("see the application: nuages imports an object and calls nothing")


_NO_KEEP_ALIVE = "--keep-alive 1s is the least that makes sense: clients ask several things in a row"
_RELOAD = "kill -HUP loads the new code beside the old; nuages up --reload while you write code"
_ENGINE = "uvloop and httptools"
_LIFESPAN = "lifespan is asked for where the project's ASGI application is not Django's alone"
_LOG_CONFIG = "events are JSON (or text on a terminal); the project's own loggers are Django's LOGGING"
_LOG_FORMAT = "the access log is JSON (or text on a terminal) with its own fields"
_LOG_LEVEL = "events of the server are always written; the project's levels are Django's LOGGING"
_LOG_FILE = "logs go to stdout and stderr; the container's or systemd's log keeps and rotates them"
_TLS = "TLS 1.2 or newer with --tls-cert; client certificates and ciphers belong to the proxy in front"
_KEY_PASSWORD = "the key must not be encrypted: --tls-key; its file's mode protects it"
_HTTP2 = "HTTP/1.1 and WebSockets; HTTP/2 and HTTP/3 belong to the proxy in front"
_WEBSOCKETS = "uvicorn's values: messages up to 16 MB, a ping every 20 s"
_BACKLOG = "2048 may wait, as far as net.core.somaxconn lets them"
_PREFIX = "a prefix is FORCE_SCRIPT_NAME of Django's settings"
_SERVER = "answers carry no Server header that could be set; the proxy in front adds and removes headers"
_SYSTEMD = "a socket that systemd hands over is taken as it is"
_PIDFILE = "systemd and container runtimes know the process; `nuages status` finds it"
_USER = "nuages changes no user: USER of the image, User= of the unit or securityContext says who runs it"
_METRICS = "/-/metrics for Prometheus on the management address, and `nuages status`"
_ITSELF_SAYS = "says something about the server itself"
_RUNTIME = "an inner part of granian's that has no counterpart"

UVICORN: tuple[Fact, ...] = (
    kept("app", _application, "app"),
    kept("host", values.host_and_port),
    kept("port", values.host_and_port),
    kept("uds", values.unix_socket),
    itself("fd", _SYSTEMD),
    dropped("reload", _RELOAD, is_switch=True),
    dropped("reload-dir reload-include reload-exclude reload-delay", _RELOAD),
    kept("workers", values.workers, "workers"),
    itself("loop http", _ENGINE),
    dropped("http2", _HTTP2, is_switch=True),
    itself("ws ws-max-size ws-max-queue ws-ping-interval ws-ping-timeout ws-per-message-deflate", _WEBSOCKETS),
    itself("lifespan", _LIFESPAN),
    itself("interface",
           "WSGI and ASGI are told apart, and both are served: sync views by the one, async by the other"),
    decide("env-file", "sets variables: EnvironmentFile= of a unit, a Secret or `nuages up --env-file` does so"),
    dropped("log-config", _LOG_CONFIG),
    dropped("log-level", _LOG_LEVEL),
    itself("access-log", "requests are logged on stdout, as JSON where it is no terminal", is_switch=True),
    kept("no-access-log", values.off_when_set, "access-log", is_switch=True),
    dropped("use-colors no-use-colors", "the log is JSON, and text on a terminal", is_switch=True),
    itself("proxy-headers", "X-Forwarded-* of --trusted-proxies are believed", is_switch=True),
    dropped("no-proxy-headers", "only --trusted-proxies are believed: by default this machine and Unix sockets",
            is_switch=True),
    dropped("server-header no-server-header date-header no-date-header", _SERVER, is_switch=True),
    kept("forwarded-allow-ips", values.proxies),
    dropped("root-path", _PREFIX),
    itself("limit-concurrency", "sync views wait in a bounded queue, beyond it clients get 503 with Retry-After"),
    itself("backlog", _BACKLOG),
    kept("limit-max-requests", values.requests),
    itself("limit-max-requests-jitter", "each worker draws its own limit, give or take a tenth, anew each time"),
    kept("timeout-keep-alive", values.keep_alive),
    kept("timeout-graceful-shutdown", values.seconds),
    itself("timeout-worker-healthcheck", "a worker whose loop stands still is replaced (--stall-timeout 30s)"),
    kept("ssl-keyfile", values.file),
    kept("ssl-certfile", values.file),
    dropped("ssl-keyfile-password", _KEY_PASSWORD),
    dropped("ssl-version ssl-cert-reqs ssl-ca-certs ssl-ciphers", _TLS),
    decide("header", "a header of every answer: Django's middleware or the proxy in front adds it"),
    kept("app-dir", values.folder, "project"),
    itself("h11-max-incomplete-event-size", "a request's head may have 64 KB"),
    itself("reset-contextvars", "each request runs in a copy of its thread's context", is_switch=True),
    kept("factory", _factory, "app", is_switch=True),
    dropped("version help", _ITSELF_SAYS, is_switch=True),
)  # fmt: skip

DAPHNE: tuple[Fact, ...] = (
    kept("app application", _application, "app"),
    kept("port p", values.host_and_port),
    kept("bind b", values.host_and_port, "bind"),
    kept("unix-socket u", values.unix_socket, "bind"),
    itself("fd", _SYSTEMD),
    decide("endpoint e", "a description for Twisted: nuages takes --bind HOST:PORT, and --tls-cert FILE for ssl:"),
    dropped("websocket-timeout", "a WebSocket stays open as long as its client and its consumer want"),
    itself("websocket-connect-timeout", "a client has 15 s for a request's head (--header-timeout)"),
    dropped("verbosity v", _LOG_LEVEL),
    kept("http-timeout t", values.timeout),
    kept("access-log", values.access_log, "access-log"),
    dropped("log-fmt", _LOG_FORMAT),
    itself("ping-interval ping-timeout websocket-max-message-size websocket-max-frame-size", _WEBSOCKETS),
    itself("application-close-timeout", "an async view is cancelled when its client leaves (Django 5.0)"),
    dropped("root-path", _PREFIX),
    itself("proxy-headers",
           "X-Forwarded-* of --trusted-proxies are believed: by default this machine and Unix sockets",
           is_switch=True),
    dropped("proxy-headers-host proxy-headers-port", "X-Forwarded-For and Forwarded are read, no other header"),
    dropped("server-name s", _SERVER),
    dropped("no-server-name", _SERVER, is_switch=True),
    dropped("help h", _ITSELF_SAYS, is_switch=True),
)  # fmt: skip

HYPERCORN: tuple[Fact, ...] = (
    kept("app application application-path", _application, "app"),
    kept("access-logfile access-log accesslog", values.access_log),
    dropped("access-logformat access-log-format", _LOG_FORMAT),
    itself("backlog", _BACKLOG),
    kept("bind b", values.bind, "bind"),
    kept("insecure-bind", values.bind, "bind",
         why="with --tls-cert every TCP address speaks TLS: the redirect to HTTPS is the proxy's"),
    dropped("quic-bind", _HTTP2),
    kept("certfile", values.file, "tls-cert"),
    kept("keyfile", values.file, "tls-key"),
    dropped("keyfile-password", _KEY_PASSWORD),
    dropped("ca-certs cert-reqs verify-mode verify-flags ciphers", _TLS),
    dropped("alpn-protocols alt-svc-headers h2-max-concurrent-streams h2-max-header-list-size "
            "h2-max-inbound-frame-size", _HTTP2),
    itself("h11-max-incomplete-size", "a request's head may have 64 KB"),
    dropped("h11-pass-raw-headers include-date-header include-server-header", _SERVER, is_switch=True),
    itself("keep-alive-max-requests", "a connection is kept as long as its client uses it"),
    itself("max-app-queue-size", "a body is read as fast as an async view takes it, and stored whole for a sync one"),
    itself("ssl-handshake-timeout startup-timeout shutdown-timeout",
           "--start-timeout and --grace limit the start and the end"),
    kept("wsgi-max-body-size", values.size, "max-body"),
    dropped("config c", "the file is read here too, where it lies beside this one"),
    dropped("daemon D", "it stays in the foreground: the container runtime or systemd watches it", is_switch=True),
    dropped("debug", "set DEBUG in Django's settings while you write code", is_switch=True),
    dropped("error-log error-logfile errorlog log-file", _LOG_FILE),
    kept("graceful-timeout", values.seconds),
    itself("read-timeout", "a client that stalls is answered 408 (--header-timeout, --body-timeout)"),
    kept("max-requests", values.requests),
    itself(
        "max-requests-jitter",
        "each worker draws its own limit, give or take a tenth; hypercorn 0.18 reads --max-requests in its place",
    ),
    dropped("group g user u umask m", _USER),
    itself("worker-class k", _ENGINE),
    kept("keep-alive keep-alive-timeout", values.keep_alive, "keep-alive"),
    dropped("log-config logconfig logconfig-dict logger-class", _LOG_CONFIG),
    dropped("log-level loglevel", _LOG_LEVEL),
    dropped("pid p pid-path", _PIDFILE),
    dropped("reload use-reloader", _RELOAD, is_switch=True),
    dropped("root-path", _PREFIX),
    dropped("server-name server-names", "Django's ALLOWED_HOSTS says which hosts are served"),
    dropped("statsd-host statsd-prefix dogstatsd-tags", _METRICS),
    itself("websocket-ping-interval websocket-max-message-size", _WEBSOCKETS),
    kept("workers w", values.workers, "workers"),
    dropped("help h", _ITSELF_SAYS, is_switch=True),
)  # fmt: skip

_HYPERCORN_FILE = """
access-log-format accesslog alpn-protocols alt-svc-headers application-path backlog bind ca-certs cert-reqs certfile
ciphers daemon debug dogstatsd-tags errorlog graceful-timeout group h11-max-incomplete-size h11-pass-raw-headers
h2-max-concurrent-streams h2-max-header-list-size h2-max-inbound-frame-size include-date-header include-server-header
insecure-bind keep-alive-max-requests keep-alive-timeout keyfile keyfile-password logconfig logconfig-dict logger-class
loglevel max-app-queue-size max-requests max-requests-jitter pid-path quic-bind read-timeout root-path server-names
shutdown-timeout ssl-handshake-timeout startup-timeout statsd-host statsd-prefix umask use-reloader user verify-flags
verify-mode websocket-max-message-size websocket-ping-interval worker-class workers wsgi-max-body-size
"""
HYPERCORN_FILE = frozenset(_HYPERCORN_FILE.split())
"""What hypercorn reads from a file (hypercorn/config.py); flags have other names in part, which do nothing there."""

GRANIAN: tuple[Fact, ...] = (
    kept("app", _application, "app"),
    kept("host", values.host_and_port),
    kept("port", values.host_and_port),
    kept("uds", values.unix_socket),
    itself("uds-permissions", "a Unix socket is open to who may enter its folder (mode 666)"),
    itself("interface",
           "WSGI and ASGI are told apart, and both are served: sync views by the one, async by the other"),
    itself("http", "HTTP/1.1 and WebSockets; HTTP/2 belongs to the proxy in front"),
    itself("ws", "WebSockets are served, through the project's ASGI application", is_switch=True),
    dropped("no-ws", "WebSockets are served only where the project has an ASGI application of its own for them",
            is_switch=True),
    kept("workers", values.workers, "workers"),
    kept("blocking-threads", values.threads, "threads"),
    itself("blocking-threads-idle-timeout",
           "threads are used last-in first-out and kept, with their database connections"),
    dropped("runtime-threads runtime-blocking-threads runtime-mode task-impl respawn-interval", _RUNTIME),
    itself("loop", _ENGINE),
    itself("backlog", _BACKLOG),
    itself("backpressure", "sync views wait in a bounded queue, beyond it clients get 503 with Retry-After"),
    itself("http1-buffer-size", "a request's head may have 64 KB"),
    kept("http1-header-read-timeout", values.milliseconds, "header-timeout"),
    kept("http1-keep-alive", _granian_keep_alive, "keep-alive", is_switch=True),
    decide("no-http1-keep-alive", _NO_KEEP_ALIVE, is_switch=True),
    itself("http1-pipeline-flush", "pipelined requests are answered in order", is_switch=True),
    dropped("no-http1-pipeline-flush http2-adaptive-window no-http2-adaptive-window", _HTTP2, is_switch=True),
    dropped("http2-initial-connection-window-size http2-initial-stream-window-size http2-keep-alive-interval "
            "http2-keep-alive-timeout http2-max-concurrent-streams http2-max-frame-size http2-max-headers-size "
            "http2-max-send-buffer-size", _HTTP2),
    dropped("log no-log", "events go to stderr", is_switch=True),
    dropped("log-level", _LOG_LEVEL),
    dropped("log-config", _LOG_CONFIG),
    kept("access-log log-access", _granian_log, "access-log", is_switch=True),
    kept("no-access-log", values.off_when_set, "access-log", is_switch=True),
    dropped("access-log-fmt", _LOG_FORMAT),
    kept("ssl-certificate", values.file, "tls-cert"),
    kept("ssl-keyfile", values.file, "tls-key"),
    dropped("ssl-keyfile-password", _KEY_PASSWORD),
    dropped("ssl-protocol-min ssl-ca ssl-crl", _TLS),
    dropped("ssl-client-verify no-ssl-client-verify", _TLS, is_switch=True),
    dropped("url-path-prefix", _PREFIX),
    itself("respawn-failed-workers", "a worker that dies is replaced", is_switch=True),
    dropped("no-respawn-failed-workers", "a worker that dies is always replaced", is_switch=True),
    dropped("rss-sample-interval rss-samples", "memory is looked at by itself"),
    kept("workers-lifetime", values.age, "recycle-age"),
    kept("workers-max-rss", _granian_workers_memory, "recycle-memory"),
    kept("workers-kill-timeout", values.seconds, "grace"),
    kept("factory", _factory, "app", is_switch=True),
    dropped("no-factory", "nuages imports an object and calls nothing", is_switch=True),
    kept("working-dir", values.folder, "project"),
    decide("env-files", "sets variables: EnvironmentFile= of a unit, a Secret or `nuages up --env-file` does so"),
    itself("static-path-route", "see static-path-mount"),
    kept("static-path-mount", _static_folder, "static-map"),
    dropped("static-path-dir-to-file", "static files are files: no listing and no index page"),
    kept("static-path-expires", values.expires, "static-max-age"),
    itself("metrics", _METRICS, is_switch=True),
    dropped("no-metrics", _METRICS, is_switch=True),
    dropped("metrics-scrape-interval metrics-address metrics-port", _METRICS + "; --management HOST:PORT"),
    dropped("reload no-reload reload-ignore-worker-failure no-reload-ignore-worker-failure", _RELOAD, is_switch=True),
    dropped("reload-paths reload-ignore-dirs reload-ignore-patterns reload-ignore-paths reload-tick", _RELOAD),
    dropped("process-name", "processes are named after nuages and what they do"),
    dropped("pid-file", _PIDFILE),
    dropped("version help", _ITSELF_SAYS, is_switch=True),
)  # fmt: skip
