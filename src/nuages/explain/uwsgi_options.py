"""uWSGI's options (2.0.31, core/uwsgi.c and plugins/python, plugins/http), and what each becomes here."""

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


def _socket(option: str, value: str, context: Context) -> Outcome:
    """`socket`, which speaks uWSGI's own protocol unless `protocol` says http."""
    place = values.place(value.split(",")[0], 3031)
    if context.get("protocol", "socket-protocol").startswith("http"):
        return keep(option, place)
    target = f"http://unix:{place.removeprefix('unix:')}" if place.startswith("unix:") else f"http://{place}"
    return keep(
        option, place, why="nuages speaks HTTP, not uWSGI's protocol",
        decision="the proxy in front speaks uWSGI's protocol: in nginx, proxy_pass "
        f"{target.replace('0.0.0.0', '127.0.0.1')} and proxy_set_header Host, X-Forwarded-For and X-Forwarded-Proto "
        "in the place of uwsgi_pass",
    )  # fmt: skip


def _http(option: str, value: str, _context: Context) -> Outcome:
    return keep(option, values.place(value.split(",")[0]))


def _https(_option: str, value: str, _context: Context) -> Outcome:
    words = value.split(",")
    pairs = [("bind", values.place(words[0], 443)), *zip(("tls-cert", "tls-key"), words[1:3], strict=False)]
    outcome = keep("bind")
    return type(outcome)(fate=outcome.fate, pairs=tuple(pairs), why="TLS 1.2 or newer, HTTP/1.1")


def _http_timeout(option: str, value: str, context: Context) -> Outcome:
    if context.get("harakiri"):
        return nothing("harakiri, which becomes --timeout, is the limit; there is no router in between")
    return values.timeout(option, value, context)


def _lifetime_limit(option: str, value: str, context: Context) -> Outcome:
    limited = values.megabytes(option, value, context)
    return limited if limited.pairs else nothing("0 means none")


def _hook(_option: str, value: str, _context: Context) -> Outcome:
    if "migrate" in value:
        return nothing("`nuages migrate` is a step of its own: once for all replicas, under a lock")
    return undecided(_HOOKS)


def _mount(option: str, value: str, context: Context) -> Outcome:
    place, equals, target = value.partition("=")
    if equals and place == "/":
        return values.application(option, target, context)
    return undecided(
        f"the application is mounted at {place}: nuages serves it at /, with FORCE_SCRIPT_NAME and a proxy that "
        "leaves the prefix in place"
    )


_BY_SUPERVISOR = "the supervisor is always there: it restarts what dies and stops in order"
_CHEAPER = (
    "the number of workers is fixed; an idle one shares its memory. Replicas come and go by an autoscaler"
)
_HOOKS = "runs at a moment of uWSGI's own life; --before-fork and --after-fork MODULE:NAME call the project's functions"
_JAIL = "belongs to the container runtime or to systemd (nuages manifests systemd)"
_ROUTING = "request routing of uWSGI's; Django's URLconf and middleware, or the proxy in front, do that"
_LOG_FORMAT = "the access log is JSON (or text on a terminal) with its own fields"
_LOG_FILE = "logs go to stdout and stderr; the container's or systemd's log keeps and rotates them"
_PROCESSES = (
    "a process beside the server, for [tool.nuages.processes]: `nuages manifests` and `nuages up --all` "
)
_TIMERS = _PROCESSES + "run it on its schedule"
_QUEUES = _PROCESSES + "run it; a task queue (Celery, django-tasks) takes the place of uWSGI's own"
_CACHE = (
    "uWSGI's cache, which uwsgi.cache_get() reads: Django's cache with Redis or memcached takes its place"
)
_MANY = "runs many applications in one uWSGI: one nuages each, in a container or a unit of its own"
_RELOAD = "`kill -HUP` or systemctl reload loads the new code beside the old; nuages up --reload while you write code"
_NO_ASYNC = "async views run on the event loop and sync views in threads: no greenlets"

UWSGI: tuple[Fact, ...] = (
    # Where it listens
    kept("socket s uwsgi-socket", _socket),
    kept("http-socket http11-socket", _http),
    kept("http httprouter", _http),
    kept("https https-socket", _https),
    itself("protocol socket-protocol", "nuages speaks HTTP/1.1 and WebSockets"),
    itself("shared-socket undeferred-shared-socket", "sockets are bound once and inherited by the workers"),
    dropped("https2 ssl-* sni sni-*", "TLS 1.2 or newer with --tls-cert; more of TLS belongs to the proxy in front"),
    itself("chmod-socket C chmod", "a Unix socket is open to who may enter its folder (mode 666)"),
    dropped("chown-socket", "the socket belongs to who starts nuages; the folder's mode says who may connect"),
    itself("vacuum", "a Unix socket is removed at the end", is_switch=True),
    itself("listen l", "2048 may wait, as far as net.core.somaxconn lets them"),
    itself("http-keepalive so-keepalive", "connections are kept alive, for 75 s"),
    kept("http-timeout", _http_timeout),
    dropped("socket-timeout z socket-send-timeout socket-write-timeout so-send-timeout so-write-timeout "
            "http-connect-timeout",
            "there is no router in between; slow clients hold no thread, and --body-timeout ends those "
            "that stall"),
    itself("http-headers-timeout", "a client has 15 s for a request's head (--header-timeout)"),
    itself("http-auto-chunked http-chunked-input chunked-input-limit chunked-input-timeout http-raw-body",
           "chunked bodies are read and written"),
    itself("http-websockets", "WebSockets are served, through the project's ASGI application", is_switch=True),
    dropped("http-auto-gzip", "compresses answers that ask for it by a header; --gzip does so for all text, see "
            "docs/static.md on BREACH", is_switch=True),
    dropped("http-to-https", "SECURE_SSL_REDIRECT, or the proxy in front, redirects"),
    itself("http-buffer-size buffer-size b max-vars v", "a request's head may have 64 KB"),
    dropped("http-processes http-workers http-* fastrouter* rawrouter* httprouter-*",
            "there is no router in front of the workers: each accepts by itself"),
    itself("thunder-lock", "no thundering herd: a connection wakes one worker", is_switch=True),
    itself("reuse-port", "the socket is inherited and shared; SO_REUSEPORT would lose queued connections",
           is_switch=True),
    itself("tcp-nodelay", "always on", is_switch=True),
    dropped("tcp-fast-open* tcp-fastopen* freebind no-defer-accept socket-sndbuf socket-rcvbuf so-*",
            "the kernel's own values serve well"),
    dropped("enable-proxy-protocol http-enable-proxy-protocol puwsgi-socket suwsgi-socket raw-socket "
            "scgi-* fastcgi-* map-socket",
            "nuages speaks HTTP only; the client's address comes by X-Forwarded-For from --trusted-proxies"),
    # Processes
    itself("master M", _BY_SUPERVISOR, is_switch=True),
    kept("processes workers p", values.workers),
    kept("threads", values.threads, "threads"),
    itself("enable-threads T", "threads always run", is_switch=True),
    itself("threads-stacksize thread-stacksize threads-stack-size thread-stack-size no-threads-wait",
           "the system's own size serves well"),
    itself("single-interpreter i", "there is one interpreter in a worker", is_switch=True),
    itself("need-app", "code that does not load ends the start with status 3 and the reason", is_switch=True),
    itself("no-default-app", "there is one application", is_switch=True),
    itself("lazy-apps lazy",
           "the project is loaded once and forked where that is safe, else by each worker; --preload off "
           "is lazy-apps", is_switch=True),
    itself("die-on-term", "SIGTERM stops, after the requests in flight (--grace 30s)", is_switch=True),
    itself("exit-on-reload no-orphans hook-master-start", _BY_SUPERVISOR, is_switch=True),
    kept("worker-reload-mercy reload-mercy", values.seconds, "grace",
         why="for a server that stops; a replaced worker has longer"),
    dropped("mule-reload-mercy", "there are no mules"),
    kept("max-requests R", values.requests),
    itself("max-requests-delta",
           "each worker draws its own limit, give or take a tenth. uWSGI knows it since 2.0.29 (April "
           "2025): before, a line in a file did nothing and nobody was told"),
    kept("max-worker-lifetime", values.age),
    itself("max-worker-lifetime-delta min-worker-lifetime",
           "ages differ by a tenth, and one worker is replaced at a time"),
    kept("reload-on-rss evil-reload-on-rss", _lifetime_limit),
    dropped("limit-as",
            "counts reserved addresses, not memory; the container's limit counts, and in Kubernetes who takes "
            "the last of it is ended alone (--memory-guard)"),
    dropped("reload-on-as evil-reload-on-as",
            "counts reserved addresses, not memory; --recycle-memory auto looks at what a worker takes of "
            "the container's limit"),
    itself("never-swap ksm", "workers share what was loaded once"),
    itself("reload-on-exception reload-on-exception-*",
           "an error of a view is answered 500 and logged; its worker goes on"),
    kept("harakiri t", values.timeout),
    itself("harakiri-verbose", "a view that is late has its stack in the log", is_switch=True),
    itself("harakiri-*", "a late view is answered 504; its worker is replaced when it stays stuck (--stuck-timeout)"),
    dropped("cheaper cheap idle die-on-idle cheaper-*", _CHEAPER),
    itself("auto-procname", "processes are named", is_switch=True),
    dropped("procname procname-*", "processes are named after nuages and what they do"),
    dropped("cpu-affinity", "the kernel's scheduler and the cgroup place the workers"),
    dropped("uid gid immediate-uid immediate-gid add-gid",
            "nuages changes no user: USER of the image, User= of the unit or securityContext says who runs "
            "it"),
    itself("no-initgroups cap jail* ns* namespace* cgroup* unshare* chroot pivot-root setns*", _JAIL),
    dropped("umask", "set it where it is started (UMask= of a unit); uploads follow FILE_UPLOAD_PERMISSIONS"),
    dropped("daemonize d daemonize2",
            "it stays in the foreground: the container runtime or systemd watches it. " + _LOG_FILE),
    dropped("pidfile pidfile2 safe-pidfile safe-pidfile2",
            "systemd and container runtimes know the process; `nuages status` finds it"),
    dropped("master-fifo", "signals do that: SIGHUP, SIGTERM, SIGTTIN, SIGTTOU"),
    dropped("touch-reload touch-workers-reload touch-chain-reload fs-reload fs-* touch-*", _RELOAD),
    dropped("py-autoreload py-auto-reload python-autoreload python-auto-reload py-auto-reload-ignore", _RELOAD),
    dropped("stop reload pause suspend resume st connect-and-read extract", "signals do that: SIGTERM, SIGHUP"),
    # The application
    kept("module w wsgi", values.application),
    kept("wsgi-file file", values.application),
    kept("callable", values.callable_name, "app"),
    kept("mount", _mount, "app"),
    itself("manage-script-name", "the application is served at /; a prefix is FORCE_SCRIPT_NAME", is_switch=True),
    kept("chdir chdir2", values.folder, "project"),
    dropped("home H virtualenv venv pyhome",
            "the environment whose `nuages` is started is taken: ENV/bin/nuages serve"),
    itself("pythonpath pp python-path",
           "the folders that manage.py and the project need are found; others: PYTHONPATH"),
    kept("env", values.variable, "settings"),
    decide("envdir early-envdir unenv", "sets variables from files: EnvironmentFile= of a unit, a Secret or "
           "`nuages up --env-file` does so"),
    dropped("plugin plugins plugins-dir plugin-dir need-plugin need-plugins autoload",
            "there are no plug-ins: it is Python only"),
    itself("py-call-osafterfork py-call-uwsgi-fork-hooks", "Python's own fork hooks run", is_switch=True),
    dropped("optimize O", "set PYTHONOPTIMIZE in the environment"),
    decide("import pyimport py-import python-import shared-import shared-* spooler-import spooler-py*",
           "imports a module of the project beside the application: import it in an AppConfig.ready()"),
    decide("pyrun python-worker-override worker-exec* binary-path",
           "runs another program in the place of workers: a process in [tool.nuages.processes]"),
    dropped("py-tracebacker", "SIGUSR1 writes the stacks of all threads into the log"),
    dropped("post-pymodule-alias pymodule-alias pyargv py-* pyshell* python-* profiler pecan paste "
            "paste-logger ini-paste* eval web3 wsgi-lite",
            "a way to load code that nuages does not have; it imports the project's application"),
    itself("wsgi-accept-buffer* wsgi-disable-file-wrapper wsgi-env-behavior wsgi-env-behaviour wsgi-strict",
           "WSGI as PEP 3333 has it"),
    decide("gevent gevent-* async asyncio ugreen* greenlet loop", _NO_ASYNC),
    # Requests and files
    kept("limit-post", values.size, "max-body"),
    itself("post-buffering post-buffering-bufsize body-read-warning",
           "a body is stored whole before a thread is taken"),
    kept("static-map static-map2", values.mapped, "static-map"),
    kept("static-expires static-expires-uri static-expires-path-info", values.expires, "static-max-age"),
    itself("static-gzip* http-gzip", "collected files have gzip, brotli and zstd forms, each where it is smaller"),
    dropped("check-static static-index static-safe static-skip-ext static-check check-static-docroot "
            "static-cache-paths* static-*",
            "static files are an index of what was collected, not a look into folders"),
    dropped("mime-file mimefile", "the types of Python's mimetypes, which the project may add to"),
    itself("offload-threads offload-thread disable-sendfile honour-range file-serve-mode fileserve-mode",
           "files are sent without holding a worker's thread"),
    decide("add-header del-header rem-header response-header* collect-header pull-header",
           "answers get headers from Django's middleware or from the proxy in front"),
    decide("route* error-route* response-route* final-route* error-page* log-req-route router-list "
           "routers-list", _ROUTING),
    itself("ignore-sigpipe ignore-write-errors disable-write-exception write-errors-* catch-exceptions",
           "clients that leave are no error"),
    itself("websocket* websockets*", "uvicorn's values: messages up to 16 MB, a ping every 20 s"),
    # Logs and numbers
    kept("disable-logging L", values.off_when_set, "access-log", is_switch=True),
    dropped("logto logto2 logger req-logger logger-req log-maxsize log-backupname log-reopen log-truncate "
            "logfile-ch* log-socket log-syslog rsyslog* touch-logr*", _LOG_FILE),
    dropped("log-format logformat log-date logdate log-prefix log-encoder log-req-encoder log-micros "
            "log-format-strftime logformat-strftime log-route log-filter log-drain", _LOG_FORMAT),
    itself("log-x-forwarded-for", "the client is who --trusted-proxies say it is, in the log too", is_switch=True),
    dropped("log-master log-master-* threaded-logger log-4xx log-5xx log-slow log-big log-zero log-ioerror "
            "log-sendfile log-* logger*", "the access log has every request, with its status, time and size"),
    itself("memory-report m", "`nuages status` and /-/metrics show the memory of each worker"),
    itself("stats stats-server", "`nuages status`, and /-/metrics for Prometheus on the management address"),
    dropped("stats-* carbon* metric* metrics* enable-metrics snmp* alarm* *-alarm lq-alarm segfault-alarm "
            "backlog-alarm listen-queue-alarm",
            "/-/metrics on the management address is for Prometheus, which keeps, sums and alarms"),
    dropped("show-config dump-options print print-* version help h usage strict iprint cflags",
            "says something about uWSGI itself; nuages refuses unknown options always"),
    # Beside the server
    decide("spooler Q spooler-* queue* sharedarea A", _QUEUES),
    decide("mule mules farm mule-*", _QUEUES),
    decide("cron cron2 unique-cron legion-cron unique-legion-cron cron-* timer rbtimer signal-timer "
           "signal-rbtimer", _TIMERS),
    decide("attach-daemon attach-daemon2 smart-attach-daemon smart-attach-daemon2 legion-attach-daemon "
           "legion-smart-* attach-control-daemon daemons-*", _PROCESSES + "run it"),
    decide("cache cache2 cache-* load-file-in-cache* add-cache-item check-cache", _CACHE),
    decide("emperor* vassal* imperial-* zerg* vhost vhost-host subscribe* subscription* fastrouter-sub* "
           "legion* unsubscribe-* early-emperor", _MANY),
    kept("hook-* exec-*", _hook, "before-fork"),
    decide("call-* mount-* umount-* after-request-* before-request-* master-as-root refork* "
           "re-fork*", _HOOKS),
    dropped("if-* ifenv ifdir ifexists ifplugin endif end-if for for-* endfor end-for set S set-ph "
            "set-placeholder include inherit ini config fallback-config inject-* whitelist end-whitelist "
            "blacklist end-blacklist get", "how uWSGI reads its files"),
    dropped("yaml y yml json j js xml x xmlconfig", "another file of uWSGI's: nuages explain it as well"),
    dropped("wait-* reload-os-env rpc-max locks lock-engine ftok flock* signal* signals-* backtrace-* "
            "use-abort skip-* heartbeat resolve notify-socket privileged-* unprivileged-* persistent-* "
            "sharedarea-* mountpoint-* check-* clock* prio weight auto-weight max-fd max-apps limit-nproc "
            "force-* safe-fd fd-safe close-on-exec* honour-stdin no-* remap-modifier allowed-modifiers "
            "binary-append-data binsh build-plugin command-mode config-py declare-option declare-option2 "
            "dlopen dot-h exception-handler exit file-write https-* jid-file jidfile libjail loop-list "
            "loops-list mem-collector-freq mode multicast* not-alarm-log not-log-alarm pcre-jit "
            "plugin-list plugins-list propagate-touch pump py python raw-modifier* reload-on-fd "
            "shutdown-sockets start-unsubscribed test udp unique-cron-legion upload-progress worker-mount "
            "xslt-* forkbomb-delay brutal-* drop-after-* cgi-mode abstract-socket reaper ignore-script-name",
            "an inner part of uWSGI that has no counterpart"),
)  # fmt: skip
