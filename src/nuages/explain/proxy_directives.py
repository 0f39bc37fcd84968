"""Directives of nginx (1.30, nginx.org «Alphabetical index of directives») that mean the same wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nuages.explain import values
from nuages.explain.facts import Context, Convert, Outcome, drop, keep, nothing, undecided
from nuages.explain.quantities import duration, in_seconds

_UNITS = {"y": 365 * 86400, "M": 30 * 86400, "w": 7 * 86400}


def _size(option: str, text: str, context: Context) -> Outcome:
    """A size with nginx's units: `10m`. 0 is no limit."""
    match = re.fullmatch(r"(\d+)([kKmMgG]?)", text)
    if match is None:
        raise ValueError(f"{text[:40]} is no size")
    power = {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()]
    return values.size(option, str(int(match[1][:18]) << power), context)


def seconds(option: str, text: str, _context: Context) -> Outcome:
    """A time with nginx's units; of two, as keepalive_timeout has them, the first. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,9})([yMw])", text.split()[0] if text else "")
    length = int(found[1]) * _UNITS[found[2]] if found else in_seconds(text.split()[0] if text else "")
    return keep(option, duration(length)) if length > 0 else drop("0 switches it off; here it is on")


def _keep_alive(option: str, text: str, context: Context) -> Outcome:
    said = seconds(option, text, context)
    if not said.pairs:
        return said
    advice = "better left out: 75s, which is longer than what usually stands in front keeps a connection"
    return keep(option, said.pairs[0][1], advice=advice)


CONVERTED: Mapping[str, tuple[str, Convert]] = {
    "client_max_body_size": ("max-body", _size),
    "client_header_timeout": ("header-timeout", seconds),
    "client_body_timeout": ("body-timeout", seconds),
    "keepalive_timeout": ("keep-alive", _keep_alive),
    "ssl_certificate": ("tls-cert", values.file),
    "ssl_certificate_key": ("tls-key", values.file),
    "set_real_ip_from": ("trusted-proxies", lambda option, text, _: keep(option, text.rstrip(":"))),
}

_PROXYING = nothing("it is about passing requests on, and nothing passes them on here")
_PROCESSES = drop(
    "it is about nginx's own processes; --workers auto counts the CPUs that the container may use"
)
_SENDING = nothing("files are sent without holding a view's thread")
_LOGS = drop(
    "logs go to stdout and stderr, as JSON or as text on a terminal; the container's log keeps and rotates them"
)
_COMPRESSING = nothing(
    "static files are compressed when they are collected (gzip, brotli, zstd); pages with --gzip on: docs/static.md "
    "says what that risks"
)
_BODIES = nothing("bodies above 1 MB go to a nameless file in TMPDIR")
_TLS = drop(
    "TLS 1.2 or newer with --tls-cert; ciphers, client certificates and HTTP/2 belong to what is in front"
)
_ACCESS = undecided("who may see a page: login_required and its like in the project, or what is in front")
_RATES = undecided("nuages limits no rates: what is in front does, or django-ratelimit")
_CACHE = undecided("nuages keeps no answers: Django's cache middleware or a CDN does")
BY_REQUEST = undecided("nginx decided this by request: a middleware or a view does, or what is in front")

PLAIN: Mapping[str, Outcome] = {
    name: outcome
    for names, outcome in (
        ("user pid daemon master_process lock_file load_module env use multi_accept accept_mutex accept_mutex_delay "
         "timer_resolution pcre_jit thread_pool server_names_hash_bucket_size server_names_hash_max_size "
         "types_hash_max_size types_hash_bucket_size variables_hash_max_size", _PROCESSES),
        ("sendfile sendfile_max_chunk tcp_nopush tcp_nodelay aio directio output_buffers", _SENDING),
        ("access_log error_log log_format log_not_found log_subrequest rewrite_log", _LOGS),
        ("etag if_modified_since max_ranges", nothing("validators, conditions and ranges are RFC 9110's")),
        ("allow deny satisfy limit_except", _ACCESS),
        ("default_type types charset charset_types override_charset", nothing("types go by the file's name")),
        ("index", nothing("`/` is Django's, and folders have no page of their own")),
        ("ip_hash least_conn hash random keepalive zone",
         nothing("workers share one listening socket, and take connections evenly")),
        ("error_page recursive_error_pages",
         drop("404.html and 500.html are the project's templates; while no pod is ready what is in front answers")),
        ("real_ip_header real_ip_recursive",
         nothing("--trusted-proxies says whose X-Forwarded-For and Forwarded are believed")),
        ("client_header_buffer_size large_client_header_buffers", nothing("a head may have 64 KB")),
        ("sub_filter ssi", undecided("nothing edits what views answer")),
        ("listen",
         nothing("nuages listens where --bind says, its image on 0.0.0.0:8000; what is in front has ports 80 and 443")),
        ("server_name", nothing("ALLOWED_HOSTS of the settings says which names are answered")),
        ("server_tokens", nothing("answers have no Server field")),
        ("internal", nothing("views name files by X-Accel-Redirect or X-Sendfile: docs/media.md")),
        ("autoindex", undecided("folders are not listed: a view does")),
        ("rewrite", undecided("urls.py says which path is whose; RedirectView sends clients elsewhere")),
        ("if map geo split_clients", BY_REQUEST),
        ("set break", drop("it is about nginx's own variables and rewriting")),
        ("resolver resolver_timeout", drop("the system's resolver is used")),
        ("stub_status", nothing("/-/metrics for Prometheus on the management address, and `nuages status`")),
        ("keepalive_requests", nothing("a connection may have as many requests as it likes")),
        ("send_timeout reset_timedout_connection", nothing("who takes nothing of an answer for long is let go")),
        ("underscores_in_headers", nothing("names with underscores never take the place of those with dashes")),
        ("ignore_invalid_headers", nothing("bad requests are refused as RFC 9112 has it")),
        ("merge_slashes", nothing("paths reach Django as they are")),
        ("absolute_redirect port_in_redirect", drop("Django writes its redirects")),
        ("server", nothing("replicas are behind a Service or a balancer")),
        ("http2 http3 ssl", _TLS),
        ("chunked_transfer_encoding postpone_output", _PROXYING),
    )
    for name in names.split()
}  # fmt: skip

FAMILIES: Mapping[str, Outcome] = {
    "proxy_cache": _CACHE, "fastcgi_cache": _CACHE, "uwsgi_cache": _CACHE, "proxy_store": _CACHE,
    "proxy_no_cache": _CACHE, "proxy_": _PROXYING, "uwsgi_": _PROXYING, "scgi_": _PROXYING,
    "fastcgi_": undecided("another program answers here: what shares paths out goes on doing so"),
    "gzip": _COMPRESSING, "gunzip": _COMPRESSING, "brotli": _COMPRESSING, "zstd": _COMPRESSING,
    "client_body_": _BODIES, "ssl_": _TLS, "quic": _TLS, "auth_": _ACCESS, "limit_": _RATES, "worker_": _PROCESSES,
    "open_file_cache": _SENDING, "http2_": _TLS,
}  # fmt: skip
"""By how a name begins; the first that fits counts."""

_DJANGO = "in Django's settings: "
HEADERS: Mapping[str, Outcome] = {
    "x-frame-options": nothing(_DJANGO + "X_FRAME_OPTIONS, which is DENY unless it says otherwise"),
    "x-content-type-options": nothing(
        _DJANGO + "SECURE_CONTENT_TYPE_NOSNIFF, which is on unless it says otherwise"
    ),
    "x-xss-protection": drop("no browser reads it any more"),
    "referrer-policy": nothing(_DJANGO + "SECURE_REFERRER_POLICY, same-origin unless it says otherwise"),
    "cross-origin-opener-policy": nothing(_DJANGO + "SECURE_CROSS_ORIGIN_OPENER_POLICY"),
    "strict-transport-security": undecided(
        _DJANGO + "SECURE_HSTS_SECONDS, SECURE_HSTS_INCLUDE_SUBDOMAINS, SECURE_HSTS_PRELOAD"
    ),
    "content-security-policy": undecided(_DJANGO + "SECURE_CSP since Django 6.0, before that django-csp"),
    "access-control-": undecided("django-cors-headers answers for other origins"),
    "vary": nothing("Vary stands on what differs"),
}
