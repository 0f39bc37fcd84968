"""What a proxy's configuration becomes where nuages takes its place: what nginx did, who does it now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.explain import values
from nuages.explain.facts import Context, Outcome, Row, drop, keep, nothing, undecided
from nuages.explain.nginx import Directive, parse
from nuages.explain.proxy_directives import BY_REQUEST, CONVERTED, FAMILIES, HEADERS, PLAIN, seconds
from nuages.explain.scripts import Part, row
from nuages.explain.translation import checked

_STATIC = re.compile(r"(^|[/_.-])(_?static\w*)([/_.-]|$)", re.IGNORECASE)
_MEDIA = re.compile(r"(^|[/_.-])(media\w*|uploads?|protected_media)([/_.-]|$)", re.IGNORECASE)
_SOCKETS = re.compile(r"(^|/)(ws|wss|websockets?|sockets?|channels)(/|$)", re.IGNORECASE)
_PASSING = ("proxy_pass", "uwsgi_pass", "fastcgi_pass", "grpc_pass", "scgi_pass")
_FOLDERS = ("alias", "root")

_FILES = (
    "the files of STATIC_URL are collected, hashed, compressed, and answered before Django sees the request"
)
_ITSELF = "nuages answers the clients itself: nothing stands between them and the workers"
_SAME_PORT = "pages and WebSockets are answered on one port"
_OTHER = (
    "another program answers here: what shares paths out (an Ingress, a Gateway, this proxy) goes on doing so"
)
_ROOT_FILE = (
    "a file at the root of the site: a view answers it, or WHITENOISE_ROOT where MIDDLEWARE has WhiteNoise"
)
_ACME = "certificates are fetched by what is in front (an Ingress, Caddy, a balancer), or by certbot's DNS challenge"
_FRONT_END = (
    "a front end that answers every path with its index.html: a view with TemplateView does, behind all other URLs, or "
    "it stays with whoever serves the front end"
)
_NO_BODY = (
    "nginx refused bodies above 1 MB, as nothing says otherwise; here 1 GB may come: --max-body 1M keeps that"
)
_OTHER_NAMES = "names that ALLOWED_HOSTS does not have are answered 400"
_TEMPLATE = "{{ and {% are a template's: explain what it becomes"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a directive stands: the location, "" outside of one, and what the whole file's site is passed to."""

    path: str = ""
    is_exact: bool = False
    is_pattern: bool = False
    has_files: bool = False
    is_static: bool = False
    is_media: bool = False
    is_internal: bool = False
    max_age: str = ""
    upgrades: bool = False
    main: str = ""


def read(text: str, path: str) -> list[Part]:
    """Return the rows of nginx.conf, or of a file that it includes; raises ValueError where it is not nginx's."""
    if re.search(r"\{\{|\{%", text):
        raise ValueError(_TEMPLATE)
    found = parse(text)
    top = Directive("", (), 1, found)
    rows = list(_rows(found, path, _Place(main=_main(top))))
    passes = next(top.all(*_PASSING), None)
    if passes and next(top.all("client_max_body_size"), None) is None:
        rows.append(row(Origin(path, passes.line), "client_max_body_size", "", undecided(_NO_BODY)))
    return [Part(name="", items=tuple(rows), starts="nginx")]


def _main(top: Directive) -> str:
    """Return what the site's pages are passed to: by `location /`, else by the first that passes."""
    locations = list(top.all("location"))
    at_root = [
        each for each in locations if each.words and (each.words[-1] == "/" or each.words[-1].startswith("@"))
    ]
    for each in (*at_root, *locations):
        if passed := each.first(*_PASSING):
            return _target(passed)
    return ""


def _target(passed: Directive) -> str:
    """Return the host, socket or upstream that a directive passes to."""
    word = "".join(passed.words[:1])
    return re.sub(r"^\w+://", "", word).partition("/")[0] if "unix:" not in word else word.rstrip("/")


def _rows(directives: Sequence[Directive], path: str, place: _Place) -> Iterator[Row]:
    for each in directives:
        origin = Origin(path, each.line)
        if each.block is None:
            yield row(origin, each.name, " ".join(each.words), checked(_outcome(each, place)))
        elif each.name == "location":
            yield from _location(each, path, place)
        elif each.name in {"http", "server", "stream", "events"}:
            yield from _rows(each.block, path, place)
        elif each.name == "upstream":
            yield row(origin, each.name, " ".join(each.words), nothing(_ITSELF))
        else:
            said = PLAIN.get(each.name, BY_REQUEST)
            is_upgrade = each.name == "map" and each.words[:1] == ("$http_upgrade",)
            yield row(origin, each.name, " ".join(each.words), nothing(_SAME_PORT) if is_upgrade else said)


def _location(location: Directive, path: str, outer: _Place) -> Iterator[Row]:
    sign, url = location.words[0] if len(location.words) > 1 else "", "".join(location.words[-1:])
    folder = location.first(*_FOLDERS)
    is_served = folder is not None and location.first(*_PASSING) is None
    is_static = bool(_STATIC.search(url)) or (sign in {"~", "~*"} and "css" in url)
    headers = [" ".join(each.words).lower() for each in location.all("proxy_set_header")]
    place = _Place(
        path=url, is_exact=sign == "=" or "." in url.rpartition("/")[2],
        is_pattern=sign in {"~", "~*"} or url.startswith("@"),
        has_files=is_served, is_static=is_served and is_static,
        is_media=is_served and bool(_MEDIA.search(url)), is_internal=location.first("internal") is not None,
        upgrades=bool(_SOCKETS.search(url)) or (url != "/" and any(each.startswith("upgrade ") for each in headers)),
        max_age=_max_age(location), main=outer.main,
    )  # fmt: skip
    if not location.block:
        said = nothing(_FILES) if _STATIC.search(url) else undecided(_ROOT_FILE)
        yield row(Origin(path, location.line), "location", url, said)
    yield from _rows(location.block or (), path, place)


def _max_age(location: Directive) -> str:
    expires = location.first("expires")
    try:
        said = seconds("", " ".join(expires.words) if expires else "", Context(server="nginx"))
    except ValueError:
        return ""
    return f",max-age={said.pairs[0][1]}" if said.pairs else ""


def _outcome(directive: Directive, place: _Place) -> Outcome:
    """Return what becomes of one directive, which has no block."""
    name, words = directive.name, directive.words
    decide = _BY_PLACE.get(name)
    if decide is not None:
        return decide(directive, place)
    if name in CONVERTED:
        option, convert = CONVERTED[name]
        try:
            return convert(option, " ".join(words).strip(), Context(server="nginx"))
        except ValueError as error:
            return undecided(str(error))
    if name in PLAIN:
        return PLAIN[name]
    if name.endswith("_temp_path"):
        return FAMILIES["client_body_"]
    family = next((said for beginning, said in FAMILIES.items() if name.startswith(beginning)), None)
    return family or undecided("nothing here does it: it stays with what is in front")


def _passes(directive: Directive, place: _Place) -> Outcome:
    if directive.name in {"fastcgi_pass", "grpc_pass", "scgi_pass"}:
        return undecided(_OTHER)
    if place.upgrades:
        return nothing(_SAME_PORT)
    return nothing(_ITSELF) if _target(directive) == place.main else undecided(_OTHER)


def _folder(directive: Directive, place: _Place) -> Outcome:
    folder = "".join(directive.words[:1]).rstrip("/")
    if not place.path:
        return drop("only what STATIC_URL, MEDIA_URL and --static-map name is served")
    if place.is_internal:
        whole = folder if directive.name == "alias" else folder + place.path.rstrip("/")
        return keep("sendfile", f"{place.path.rstrip('/')}={whole}")
    if ".well-known" in place.path or "acme" in place.path:
        return undecided(_ACME)
    if place.is_static:
        return nothing(_FILES)
    if place.is_media:
        return keep("media", "on", why="MEDIA_ROOT is served at MEDIA_URL")
    if place.is_exact:
        return undecided(_ROOT_FILE)
    if place.path == "/":
        return undecided(_FRONT_END)
    if place.is_pattern:
        return undecided("files by a pattern: --static-map /URL=DIR serves those of a folder")
    whole = folder if directive.name == "alias" else folder + place.path.rstrip("/")
    return keep("static-map", f"{place.path.rstrip('/')}={whole}{place.max_age}")


def _timeout(directive: Directive, place: _Place) -> Outcome:
    if place.upgrades:
        return nothing("WebSockets and event streams last as long as they like")
    text = " ".join(directive.words)
    try:
        said = values.timeout("timeout", text, Context(server="nginx"))
    except ValueError as error:
        return undecided(str(error))
    if place.path in {"", "/"} or place.is_pattern or not said.pairs:
        return said
    return keep("timeout-path", f"{place.path.rstrip('/') or '/'}={said.pairs[0][1]}")


def _returns(directive: Directive, place: _Place) -> Outcome:
    code, rest = "".join(directive.words[:1]), " ".join(directive.words[1:])
    if code == "444" or (not rest and code in {"400", "403", "404", "421"} and not place.path):
        return nothing(_OTHER_NAMES)
    if re.search(r"https://\S*\$request_uri", code + rest):
        return undecided(
            "SECURE_SSL_REDIRECT = True in the settings does, SECURE_SSL_HOST for one host, or what is in front"
        )
    if code == "200" and place.is_exact:
        return keep("health-path", place.path)
    if code == "204" or code.startswith("2"):
        return undecided("a fixed answer: a view's")
    return undecided("a redirect or a refusal: RedirectView in urls.py, or what is in front")


def _caches(_directive: Directive, place: _Place) -> Outcome:
    if place.is_static:
        return nothing(
            "a year for names with a hash, and immutable; a week or 60 s for others: --static-max-age"
        )
    if place.is_media:
        return nothing("browsers ask whether an upload has changed; --media-max-age lets them keep it")
    if place.has_files:
        return nothing("of more folders --static-map /URL=DIR,max-age=TIME says how long they are kept")
    return undecided("the views say how long their answers may be kept: cache_control, never_cache")


def _header(directive: Directive, place: _Place) -> Outcome:
    name = "".join(directive.words[:1]).lower()
    if name in {"cache-control", "expires", "pragma"}:
        return _caches(directive, place)
    if name == "access-control-allow-origin" and place.is_static:
        return nothing("static files have it: they are for all origins")
    found = next((said for beginning, said in HEADERS.items() if name.startswith(beginning)), None)
    return found or undecided("a middleware adds it, or what is in front")


def _includes(directive: Directive, _place: _Place) -> Outcome:
    name = "".join(directive.words[:1]).rpartition("/")[2]
    if name == "mime.types":
        return PLAIN["types"]
    if name in {"proxy_params", "uwsgi_params", "fastcgi_params", "fastcgi.conf", "scgi_params"}:
        return FAMILIES["proxy_"]
    return drop("the file is not read here: explain it as well, if it has lines of your own")


def _tries(directive: Directive, place: _Place) -> Outcome:
    if any(word.endswith(".html") for word in directive.words) and place.path == "/" and not place.main:
        return undecided(_FRONT_END)
    if any(word.startswith("@") for word in directive.words):
        return nothing("files are looked for first, and Django answers what is none")
    if place.is_static or place.is_media:
        return nothing("what is not there is 404")
    return (
        undecided(_FRONT_END)
        if any(word.endswith(".html") for word in directive.words)
        else nothing("what is not there is Django's")
    )


_BY_PLACE: Mapping[str, Callable[[Directive, _Place], Outcome]] = {
    **dict.fromkeys(_PASSING, _passes), **dict.fromkeys(_FOLDERS, _folder),
    "proxy_read_timeout": _timeout, "uwsgi_read_timeout": _timeout, "return": _returns, "expires": _caches,
    "include": _includes, "add_header": _header, "more_set_headers": _header, "try_files": _tries,
}  # fmt: skip
