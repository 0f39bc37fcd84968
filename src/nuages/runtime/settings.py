"""Every run-time option, declared once; the planner and the manifests read it too."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nuages.kinds import Kind, at_least, choice, duration, file, flag, integer, size, switch, text, word_or
from nuages.options import declare
from nuages.runtime.address import Address, address, management
from nuages.runtime.bucket import media
from nuages.runtime.prefixes import path_limit, path_prefix
from nuages.runtime.xsendfile import location

NETWORK = "Network"
PROCESSES = "Processes"
REQUESTS = "Requests"
APPLICATION = "Application"
FILES = "Files"
LOGS = "Logs and management"
DEVELOPMENT = "Development"

SERVER_GROUPS = (NETWORK, PROCESSES, REQUESTS, FILES, LOGS)
"""Those that say how a server serves, not what."""


def _proxy(text: str) -> str:
    if text == "unix":
        return text
    return str(ipaddress.ip_network(text, strict=False))


proxy: Kind[str] = Kind("CIDR|unix", _proxy)


def _import_path(text: str) -> str:
    module, colon, attribute = text.partition(":")
    if not colon or not attribute or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError("it is not MODULE:NAME such as shop.wsgi:application")
    return text


LEAST_MEMORY = 16 << 20
"""Bytes. Below it each worker would be replaced as soon as it is there."""


def _memory(text: str) -> int | str:
    if text in {"auto", "off"}:
        return text
    value = size.parse(text)
    if value < LEAST_MEMORY:
        raise ValueError(f"the smallest value is {LEAST_MEMORY >> 20}M: no worker is smaller than that")
    return value


memory: Kind[int | str] = Kind("SIZE|auto|off", _memory, ("auto", "off"))


def _requests(text: str) -> int | str:
    return text if text == "auto" else integer(1).parse(text)


requests: Kind[int | str] = Kind("N|auto", _requests, ("auto",))


import_path: Kind[str] = Kind("MODULE:NAME", _import_path)


def _page(text: str) -> str:
    if not text.startswith("/") or " " in text:
        raise ValueError("it is not a path of the site, such as /books/?page=2")
    return text


page: Kind[str] = Kind("/PATH", _page)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A folder of static files under a URL of its own: `url` ends in a slash, `max_age` is in seconds."""

    url: str
    folder: str
    max_age: float | None = None

    def __str__(self) -> str:
        age = "" if self.max_age is None else f",max-age={self.max_age:g}s"
        return f"{self.url}={self.folder}{age}"


def _mapped(text: str) -> Mapped:
    url, equals, rest = text.partition("=")
    folder, comma, age = rest.partition(",max-age=")
    if not equals or not folder or not url.startswith("/") or "?" in url or "//" in url:
        raise ValueError("it is not /URL=DIR or /URL=DIR,max-age=TIME, such as /docs=build/html,max-age=7d")
    if url.strip("/") == "":
        raise ValueError("static files at the root of the site would hide its pages: name a path below it")
    max_age = duration.parse(age) if comma else None
    return Mapped(url.rstrip("/") + "/", os.path.abspath(folder), max_age)  # noqa: PTH100 - links stay as they are


mapped: Kind[Mapped] = Kind("/URL=DIR[,max-age=TIME]", _mapped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `nuages serve`. Durations are seconds, sizes bytes."""

    bind: tuple[Address, ...] = declare(
        address,
        default=(Address(host="127.0.0.1", port=8000),),
        help="where to listen; repeatable",
        group=NETWORK,
        short="b",
        repeatable=True,
        aliases={"PORT": lambda port: f"0.0.0.0:{port}"},
    )
    tls_cert: str | None = declare(
        file, default=None, default_text="", group=NETWORK,
        help="serve HTTPS on every TCP address with this certificate, its chain behind it, in PEM",
    )  # fmt: skip
    tls_key: str | None = declare(
        file, default=None, default_text="in the certificate's file", group=NETWORK,
        help="the certificate's private key, in PEM and not encrypted",
    )  # fmt: skip
    trusted_proxies: tuple[str, ...] = declare(
        proxy,
        default=("127.0.0.0/8", "::1/128", "unix"),
        help="peers whose Forwarded and X-Forwarded-* headers are believed; repeatable",
        group=NETWORK,
        repeatable=True,
    )
    keep_alive: float = declare(
        duration, default=75.0, default_text="75s", group=NETWORK, rare=True,
        help="how long an idle connection stays open; longer than the balancer in front",
    )  # fmt: skip
    header_timeout: float = declare(
        at_least(0.1), default=15.0, default_text="15s", group=NETWORK, rare=True,
        help="how long a client may take to send a request's head",
    )  # fmt: skip
    body_timeout: float = declare(
        at_least(0.1), default=15.0, default_text="15s", rare=True, group=NETWORK,
        help="how long a client may stall in a request's body; fewer than 500 bytes a second is stalling",
    )  # fmt: skip

    settings: str | None = declare(
        text("MODULE"), default=None, default_text="found in the project", group=APPLICATION,
        help="the settings module", aliases={"DJANGO_SETTINGS_MODULE": str},
    )  # fmt: skip
    app: tuple[str, ...] = declare(
        import_path, default=(), default_text="found in the project", group=APPLICATION, repeatable=True,
        help="the application to serve; two, one WSGI and one ASGI, for sync and async views",
    )  # fmt: skip
    fill_settings: bool = declare(
        switch, default=True, group=APPLICATION,
        help="fill in what the settings leave unset, in memory; each line is printed",
    )  # fmt: skip
    local_hosts: bool = declare(
        switch, default=False, default_text="off; on under `nuages up`", group=APPLICATION, rare=True,
        help="fill an empty ALLOWED_HOSTS with the names of the bind addresses",
    )  # fmt: skip
    debug: bool | None = declare(
        switch, default=None, default_text="as the settings say, which must be off", group=APPLICATION,
        help="override DEBUG for this run",
    )  # fmt: skip
    reload: bool = declare(
        flag, default=False, default_text="", group=DEVELOPMENT,
        help="load the new code when code or templates change; up collects changed style sheets and scripts too",
    )  # fmt: skip

    workers: int | None = declare(
        word_or("auto", integer(1, 1024)), default=None, default_text="auto", group=PROCESSES, short="w",
        help="worker processes; auto: by the CPU and memory this container may use",
        aliases={"WEB_CONCURRENCY": str},
    )  # fmt: skip
    preload: str = declare(
        choice("auto", "on", "off"), default="auto", group=PROCESSES,
        help="load the project once and fork the workers from it; auto: where that is safe",
    )  # fmt: skip
    before_fork: str | None = declare(
        import_path, default=None, default_text="", rare=True, group=PROCESSES,
        help="called once, without arguments, when the project is loaded and before workers are forked from it",
    )  # fmt: skip
    after_fork: str | None = declare(
        import_path, default=None, default_text="", rare=True, group=PROCESSES,
        help="called without arguments in every worker before it serves",
    )  # fmt: skip
    warmup_url: tuple[str, ...] = declare(
        page, default=(), default_text="", rare=True, group=PROCESSES, repeatable=True,
        help="requested inside every worker before it serves, for at most 5 s together; repeatable",
    )  # fmt: skip
    threads: int = declare(
        integer(1, 4096), default=64, group=PROCESSES,
        help="the most threads a worker takes for sync views; it uses as few as it can",
    )  # fmt: skip
    grace: float = declare(
        duration, default=30.0, default_text="30s", group=PROCESSES,
        help="how long requests in flight may take to finish when stopping",
    )  # fmt: skip
    drain: float | None = declare(
        word_or("auto", duration), default=None, default_text="auto", group=PROCESSES,
        help="how long to go on accepting after SIGTERM; auto: 5s in Kubernetes, else 0s",
    )  # fmt: skip
    stall_timeout: float | None = declare(
        word_or("off", at_least(1)), default=30.0, default_text="30s", rare=True, group=PROCESSES,
        help="how long a worker's event loop may stand still before the worker is replaced",
    )  # fmt: skip
    recycle_requests: int | str | None = declare(
        word_or("off", requests), default="auto", group=PROCESSES, rare=True,
        help="replace a worker after so many requests, give or take a tenth, static files not counted; "
        "auto: 10000, but not in its first minute",
    )  # fmt: skip
    recycle_age: float | None = declare(
        word_or("off", duration), default=None, default_text="off", rare=True, group=PROCESSES,
        help="replace a worker after so long, give or take a tenth",
    )  # fmt: skip
    recycle_memory: int | str = declare(
        memory, default="auto", group=PROCESSES, rare=True,
        help="replace a worker that takes so much memory (PSS); auto: 80 % of its share of the cgroup's limit",
    )  # fmt: skip
    memory_guard: str = declare(
        choice("auto", "on", "off"), default="auto", group=PROCESSES, rare=True,
        help="end who takes the last of the memory; auto: where the kernel would end the whole container for it",
    )  # fmt: skip
    recycle_linger: float = declare(
        duration, default=3600.0, default_text="1h", rare=True, group=PROCESSES,
        help="how long a replaced worker lives on for WebSockets, uploads and answers that have begun",
    )  # fmt: skip
    start_timeout: float = declare(
        at_least(0.1), default=120.0, default_text="2m", group=PROCESSES, rare=True,
        help="how long a worker may take to get ready",
    )  # fmt: skip

    timeout: float = declare(
        at_least(0.1), default=30.0, default_text="30s", group=REQUESTS,
        help="how long a sync view may take to begin its response",
    )  # fmt: skip
    timeout_path: tuple[str, ...] = declare(
        path_limit, default=(), default_text="none", rare=True, group=REQUESTS, repeatable=True,
        help="the same for one path and all below it, such as /reports/=5m; the longest path counts; repeatable",
    )  # fmt: skip
    stuck_timeout: float | None = declare(
        word_or("off", duration), default=60.0, default_text="1m", rare=True, group=REQUESTS,
        help="how long a view that is late may keep its thread beyond that before its worker is replaced",
    )  # fmt: skip
    max_body: int = declare(
        size, default=1 << 30, default_text="1G", group=REQUESTS, help="the largest request body"
    )

    buffer_requests: bool = declare(
        switch, default=True, group=REQUESTS,
        help="store a request's body before a thread is taken; off: sync views read it while it comes, slow or not",
    )  # fmt: skip
    unbuffered: tuple[str, ...] = declare(
        path_prefix, default=(), group=REQUESTS, rare=True, repeatable=True,
        help="where views read the body while it comes: this path and all below it; repeatable",
    )  # fmt: skip

    gzip: bool = declare(
        switch, default=False, rare=True, group=REQUESTS,
        help="compress text that views answer, from 1 KB on; read about BREACH in docs/static.md first",
    )  # fmt: skip

    static_root: str | None = declare(
        text("DIR"), default=None, default_text="staticfiles beside manage.py", group=FILES,
        help="where collected static files lie when STATIC_ROOT is unset",
    )  # fmt: skip
    static_root_always: bool = declare(
        switch, default=False, rare=True, group=FILES,
        default_text="off; on under `nuages up` where STATIC_ROOT cannot be written",
        help="use --static-root also where the settings set STATIC_ROOT",
    )  # fmt: skip
    static_max_age: float | None = declare(
        word_or("auto", duration), default=None, default_text="auto", rare=True, group=FILES,
        help="how long browsers may keep static files whose names carry no hash",
    )  # fmt: skip
    static_keep: str | None = declare(
        word_or("off", text("DIR")), default=None, default_text="off", rare=True, group=FILES,
        help="a folder that all servers of a rolling update share: hashed files of earlier and later releases",
    )  # fmt: skip
    static_map: tuple[Mapped, ...] = declare(
        mapped, default=(), rare=True, group=FILES, repeatable=True,
        help="serve a folder's files under a URL, listed at start; repeatable",
    )  # fmt: skip

    media: str | None = declare(
        media, default=None, default_text="off; auto under `nuages up`", group=FILES,
        help="serve MEDIA_ROOT; auto: where uploads are local and no view serves them; or keep them in a bucket",
    )  # fmt: skip
    media_max_age: float = declare(
        duration, default=0.0, default_text="0s", rare=True, group=FILES,
        help="how long browsers may keep media without asking whether it has changed",
    )  # fmt: skip
    sendfile: tuple[str, ...] = declare(
        location, default=(), default_text="MEDIA_ROOT", rare=True, group=FILES, repeatable=True,
        help="a folder that views may send from by X-Sendfile, and by X-Accel-Redirect below /URI; repeatable",
    )  # fmt: skip

    access_log: str = declare(
        choice("auto", "json", "text", "off"), default="auto", group=LOGS,
        help="auto: text on a terminal, else JSON",
    )  # fmt: skip
    management: str = declare(
        management, default="auto", group=LOGS,
        default_text="auto, a Unix socket in the runtime directory",
        help="where health checks, metrics and status are answered",
    )  # fmt: skip
    health_path: str | None = declare(
        word_or("off", path_prefix), default=None, default_text="off", group=LOGS,
        help="answer health checks on this path of the main address too, before Django and its ALLOWED_HOSTS",
    )  # fmt: skip
    ready_database: bool = declare(
        switch, default=False, group=LOGS,
        help="ready only while the default database answers; asked by a worker every 5 s",
    )  # fmt: skip
    ready_migrations: bool = declare(
        switch, default=False, rare=True, group=LOGS,
        help="ready only when the default database has every migration of this code; Kubernetes' manifests set it",
    )  # fmt: skip


def to_json(settings: Settings) -> dict[str, Any]:
    """Return the settings as values that JSON has."""
    return dataclasses.asdict(settings)


def from_json(values: Mapping[str, Any]) -> Settings:
    """Return the settings that `to_json` described."""
    restored: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    restored["bind"] = tuple(Address(**place) for place in values["bind"])
    restored["static_map"] = tuple(Mapped(**place) for place in values["static_map"])
    return Settings(**restored)


def in_kubernetes(environ: dict[str, str] | os._Environ[str]) -> bool:
    """Return whether the kubelet started this process: it always sets this variable."""
    return "KUBERNETES_SERVICE_HOST" in environ
