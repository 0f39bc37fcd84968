"""gunicorn's settings (27.0, gunicorn/config.py), by the names of its configuration file and command line."""

from __future__ import annotations

from nuages.explain import values
from nuages.explain.facts import Context, Fact, Outcome, decide, dropped, itself, kept, nothing, undecided


def _worker_class(_option: str, value: str, _context: Context) -> Outcome:
    if value in {"gevent", "eventlet"} or "gevent" in value.lower() or "eventlet" in value.lower():
        return undecided(
            f"{value} patches the standard library; here sync views run in real threads and async views on the event "
            "loop: take monkey patches (psycogreen too) out of the project"
        )
    if "uvicorn" in value.lower() or value == "asgi":
        return nothing("nuages is built on uvicorn; sync views run in threads of its own")
    if value in {"sync", "gthread"} or value.rpartition(".")[2] in {"SyncWorker", "ThreadWorker"}:
        return nothing("sync views run in threads, async views on the event loop")
    return undecided(
        f"{value} is a worker of its own: what it adds belongs into Django's middleware or the project"
    )


def _preload(_option: str, value: str, _context: Context) -> Outcome:
    if value.lower() in values.TRUE:
        return nothing(
            "the project is loaded once and forked where that is safe; HUP loads new code all the same"
        )
    return nothing(
        "the project is loaded once and forked where that is safe, else by each worker; --preload off never"
    )


_LOG_FILE = "logs go to stdout and stderr; the container's or systemd's log keeps and rotates them"
_SYSLOG = "logs go to stdout and stderr; journald or the container's log driver sends them on"
_LOG_CONFIG = "events are JSON (or text on a terminal); the project's own loggers are Django's LOGGING"
_STATSD = "/-/metrics for Prometheus on the management address, and `nuages status`"
_HTTP = "bad requests are refused as RFC 9112 has it; nothing loosens that"
_HTTP2 = "HTTP/1.1 and WebSockets; HTTP/2 belongs to the proxy in front"
_TLS = "TLS 1.2 or newer with --tls-cert; client certificates and ciphers belong to the proxy in front"
_BEFORE = (
    "a function of gunicorn's arbiter: --before-fork MODULE:NAME is called once, before workers are forked"
)
_AFTER = "runs in each worker: --after-fork MODULE:NAME is called without arguments, before it serves"
_END = "runs when a worker ends: here atexit does, in the worker; metrics of ended workers are kept by themselves"
_WATCHING = "runs at an event of gunicorn's; here the log tells it (worker-retires, worker-died, timeout …)"
_REQUEST = "runs around each request: Django's middleware does that"
_DIRTY = "a pool of processes for slow work: a process in [tool.nuages.processes], or a task queue"
_RELOAD = "kill -HUP loads the new code beside the old; nuages up --reload while you write code"

_HOOKS = """
on_starting on_reload when_ready pre_fork post_fork post_worker_init worker_int worker_abort pre_exec pre_request
post_request child_exit worker_exit nworkers_changed on_exit ssl_context on_dirty_starting dirty_post_fork
dirty_worker_init dirty_worker_exit
"""
HOOKS = frozenset(_HOOKS.split())

GUNICORN: tuple[Fact, ...] = (
    dropped("config c", "the file is read here too, where it lies beside this one"),
    kept("wsgi-app app", values.application, "app"),
    kept("bind b", values.bind, "bind"),
    itself("backlog", "2048 may wait, as far as net.core.somaxconn lets them"),
    kept("workers w", values.workers, "workers"),
    kept("worker-class k", _worker_class, "threads"),
    kept("threads", values.threads, "threads"),
    itself("worker-connections",
           "a worker takes what its file descriptors allow; beyond its queue of sync views clients get 503"),
    kept("max-requests", values.requests),
    itself("max-requests-jitter", "each worker draws its own limit, give or take a tenth, anew each time"),
    kept("timeout t", values.worker_silence, "timeout"),
    kept("graceful-timeout", values.seconds),
    kept("keepalive keep-alive", values.keep_alive),
    itself("limit-request-line", "a request's target may have 16 KB"),
    itself("limit-request-fields limit-request-field-size", "a request's head may have 64 KB"),
    dropped("reload", _RELOAD, is_switch=True),
    dropped("reload-engine reload-extra-files reload-extra-file", _RELOAD),
    dropped("spew check-config print-config", "says something about gunicorn itself", is_switch=True),
    kept("preload-app preload", _preload, "preload", is_switch=True),
    itself("sendfile no-sendfile", "files are sent without holding a view's thread", is_switch=True),
    itself("reuse-port", "the socket is inherited and shared; SO_REUSEPORT would lose queued connections",
           is_switch=True),
    kept("chdir", values.folder, "project"),
    dropped("daemon D", "it stays in the foreground: the container runtime or systemd watches it", is_switch=True),
    kept("raw-env env e", values.variable, "settings"),
    dropped("pidfile pid p", "systemd and container runtimes know the process; `nuages status` finds it"),
    itself("worker-tmp-dir", "there is no heartbeat file: workers report over a socket and shared memory"),
    dropped("user u group g initgroups",
            "nuages changes no user: USER of the image, User= of the unit or securityContext does"),
    dropped("umask m", "set it where it is started (UMask= of a unit)"),
    itself("tmp-upload-dir", "bodies above 1 MB go to a nameless file in TMPDIR"),
    itself("secure-scheme-headers", "X-Forwarded-Proto and Forwarded of --trusted-proxies are believed"),
    kept("forwarded-allow-ips", values.proxies),
    kept("accesslog access-logfile", values.access_log, "access-log"),
    dropped("disable-redirect-access-to-syslog capture-output", _SYSLOG, is_switch=True),
    dropped("access-log-format access-logformat",
            "the access log is JSON (or text on a terminal) with its own fields"),
    dropped("errorlog error-logfile log-file", _LOG_FILE),
    dropped("loglevel log-level",
            "events of the server are always written; the project's levels are Django's LOGGING"),
    dropped("logger-class logconfig log-config logconfig-dict logconfig-json log-config-json", _LOG_CONFIG),
    dropped("syslog-addr log-syslog-to syslog-prefix log-syslog-prefix syslog-facility log-syslog-facility", _SYSLOG),
    dropped("syslog log-syslog", _SYSLOG, is_switch=True),
    itself("enable-stdio-inheritance R", "output of the project goes to stdout and stderr", is_switch=True),
    dropped("statsd-host dogstatsd-tags statsd-prefix", _STATSD),
    dropped("enable-backlog-metric", _STATSD, is_switch=True),
    dropped("proc-name name n default-proc-name", "processes are named after nuages and what they do"),
    itself("pythonpath", "the folders that manage.py and the project need are found; others: PYTHONPATH"),
    decide("paste paster raw-paste-global-conf paste-global",
           "PasteDeploy puts WSGI middlewares around the application: do so in a module of the project, "
           "and name the result with --app"),
    decide("on-starting when-ready pre-fork", _BEFORE),
    decide("post-fork post-worker-init", _AFTER),
    decide("worker-exit child-exit on-exit", _END),
    dropped("on-reload nworkers-changed worker-int worker-abort pre-exec", _WATCHING),
    decide("pre-request post-request", _REQUEST),
    dropped("ssl-context", _TLS),
    dropped("proxy-protocol proxy-allow-ips proxy-allow-from",
            "nuages speaks HTTP only; the client's address comes by X-Forwarded-For from --trusted-proxies"),
    decide("protocol uwsgi-allow-ips uwsgi-allow-from",
           "nuages speaks HTTP only: a proxy that speaks uWSGI's protocol needs proxy_pass in the place of "
           "uwsgi_pass"),
    kept("keyfile", values.file, "tls-key"),
    kept("certfile", values.file, "tls-cert"),
    dropped("ssl-version cert-reqs ca-certs ciphers", _TLS),
    dropped("suppress-ragged-eofs do-handshake-on-connect", _TLS, is_switch=True),
    dropped("http-protocols http2-cleartext http2-max-concurrent-streams http2-initial-window-size "
            "http2-max-frame-size http2-max-header-list-size", _HTTP2),
    dropped("permit-obsolete-folding strip-header-spaces permit-unconventional-http-method "
            "permit-unconventional-http-version casefold-http-method", _HTTP, is_switch=True),
    dropped("forwarder-headers", "SCRIPT_NAME comes from FORCE_SCRIPT_NAME, never from a header"),
    itself("header-map", "header names with underscores never take the place of those with dashes"),
    itself("asgi-loop http-parser", "uvloop and httptools"),
    itself("asgi-lifespan", "lifespan is asked for where the project's ASGI application is not Django's alone"),
    itself("asgi-disconnect-grace-period", "an async view is cancelled when its client leaves (Django 5.0)"),
    itself("websocket-max-message-size", "messages up to 16 MB"),
    dropped("root-path", "a prefix is FORCE_SCRIPT_NAME of Django's settings"),
    decide("dirty-apps dirty-app dirty-workers dirty-timeout dirty-threads dirty-graceful-timeout on-dirty-starting "
           "dirty-post-fork dirty-worker-init dirty-worker-exit", _DIRTY),
    itself("control-socket control-socket-mode", "`nuages status` asks a socket in the runtime directory"),
    itself("control-socket-disable no-control-socket", "`nuages status` asks a socket in the runtime directory",
           is_switch=True),
    dropped("version v help h", "says something about gunicorn itself", is_switch=True),
)  # fmt: skip
