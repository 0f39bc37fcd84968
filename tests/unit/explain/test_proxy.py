"""nginx.conf: how it is read, and what becomes of directives by the place where they stand."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nuages.errors import ProjectError
from nuages.explain import conclusion
from nuages.explain.facts import Fate, Row
from nuages.explain.nginx import parse
from nuages.explain.proxy_directives import PLAIN
from nuages.explain.reading import read
from nuages.explain.recognition import recognised
from nuages.explain.translation import OPTIONS


def rows(text: str) -> list[Row]:
    (part,) = read(text, "nginx.conf", lambda _: None).parts
    return [item for item in part.items if isinstance(item, Row)]


def becomes(text: str, name: str = "") -> tuple[tuple[str, str], ...] | Fate:
    """Return the options, else the fate, of the last directive of this name in a server's block."""
    body = f"server {{ client_max_body_size 1g; location / {{ proxy_pass http://shop; }} {text} }}"
    found = [row for row in rows(body) if not name or row.name == name][-1]
    for option, value in found.outcome.pairs:
        OPTIONS[option].kind.parse(value)
    return found.outcome.pairs or found.outcome.fate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("client_max_body_size 25m;", (("max-body", "25M"),)),
        ("client_max_body_size 0;", Fate.ITSELF),
        ("client_max_body_size big;", Fate.DECIDE),
        ("client_header_timeout 1m;", (("header-timeout", "1m"),)),
        ("keepalive_timeout 0;", Fate.DROPPED),
        ("keepalive_timeout 30 20;", (("keep-alive", "30s"),)),
        ("proxy_read_timeout 600;", (("timeout", "10m"),)),
        ("location /r/ { proxy_read_timeout 600; }", (("timeout-path", "/r=10m"),)),
        ("location /ws/ { proxy_read_timeout 600; }", Fate.ITSELF),
        ("location /live/ { proxy_set_header Upgrade $http_upgrade; proxy_pass http://live; }", Fate.ITSELF),
        ("location /x/ { proxy_pass http://shop/x/; }", Fate.ITSELF),
        ("location /x/ { proxy_pass http://other; }", Fate.DECIDE),
        ("location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }", Fate.DECIDE),
        ("location /static/ { alias /a/; }", Fate.ITSELF),
        ("location ~* \\.(css|js)$ { root /a; }", Fate.ITSELF),
        ("location ~* \\.pdf$ { root /a; }", Fate.DECIDE),
        ("location /media { root /a; }", (("media", "on"),)),
        ("location /files/ { alias /a/b/; }", (("static-map", "/files=/a/b"),)),
        ("location /files/ { root /a; }", (("static-map", "/files=/a/files"),)),
        ("location /files/ { expires 1w; alias /a/b/; }", (("static-map", "/files=/a/b,max-age=7d"),)),
        ("location /files/ { internal; root /a; }", (("sendfile", "/files=/a/files"),)),
        ("location = /robots.txt { alias /a/robots.txt; }", Fate.DECIDE),
        ("location /robots.txt { alias /a/robots.txt; }", Fate.DECIDE),
        ("location /.well-known/acme-challenge/ { root /a; }", Fate.DECIDE),
        ("location /app { root /a; try_files $uri /index.html; }", Fate.DECIDE),
        ("location = /up { return 200 ok; }", (("health-path", "/up"),)),
        ("return 444;", Fate.ITSELF),
        ("return 301 https://$host$request_uri;", Fate.DECIDE),
        ("ssl_certificate /a.pem;", (("tls-cert", "/a.pem"),)),
        ("ssl_ciphers HIGH;", Fate.DROPPED),
        ("set_real_ip_from 10.0.0.0/8;", (("trusted-proxies", "10.0.0.0/8"),)),
        ("add_header x-frame-options DENY;", Fate.ITSELF),
        ("add_header Content-Security-Policy \"default-src 'self'\";", Fate.DECIDE),
        ("expires 1h;", Fate.DECIDE),
        ("limit_req zone=a;", Fate.DECIDE),
        ("proxy_cache a;", Fate.DECIDE),
        ("proxy_buffering off;", Fate.ITSELF),
        ("auth_basic a;", Fate.DECIDE),
        ("perl_set $a b;", Fate.DECIDE),
        ("if ($a = b) { return 403; }", Fate.DECIDE),
    ],
)  # fmt: skip
def test_a_directive_becomes_what_its_name_and_its_place_say(
    text: str, expected: tuple[tuple[str, str], ...] | Fate
) -> None:
    assert becomes(text) == expected


def test_a_limit_of_bodies_that_nobody_wrote_down_is_told_where_something_is_passed_on() -> None:
    (last,) = [
        row for row in rows("server { location / { proxy_pass http://a; } }") if "max_body" in row.name
    ]
    assert "1 MB" in last.outcome.why
    assert not [
        row for row in rows("server { listen 80; location /static/ { root /a; } }") if "max_body" in row.name
    ]


def test_words_may_be_quoted_and_escaped_and_have_variables_in_them() -> None:
    (made,) = parse("""a "b # c" 'd;\n{' ${e}f g\\;h "" # i; j\n k;""")
    assert (made.name, made.words, made.line) == ("a", ("b # c", "d;\n{", "${e}f", "g\\;h", "", "k"), 1)
    outer, after = parse("# a\nb {\n c d;\n e { f; }\n}\ng;")
    assert [(one.name, one.line) for one in (*(outer.block or ()), after)] == [("c", 3), ("e", 4), ("g", 6)]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("server {\n listen 80;\n", 2, "it ends inside what began on line 2"),
        ("server {\n listen 80;\n}\n}\n", 4, "an unexpected } on line 4"),
        ("server {\n listen 'a;\n}\n", 2, "a quote that nothing ends on line 2"),
        ("server {\n listen {{ port }};\n}\n", None, "a template"),
    ],
)
def test_what_nginx_would_not_read_is_an_error_with_its_line(text: str, line: int | None, why: str) -> None:
    with pytest.raises(ProjectError, match=r"is not nginx's") as caught:
        read(text, "nginx.conf", lambda _: None)
    assert why in caught.value.why
    assert str(caught.value.where) == (f"nginx.conf:{line}" if line else "nginx.conf")


@pytest.mark.parametrize("name", ["shop.conf", "default.conf.template", "nginx.conf.erb", "site"])
def test_it_is_recognised_by_its_lines_whatever_its_name(name: str) -> None:
    assert recognised("server {\n  listen 80;\n}\n", name) == "nginx.conf"
    assert (
        recognised("upstream a { server b; }\nlocation / {\n proxy_pass http://a;\n}", name) == "nginx.conf"
    )


def test_every_reason_for_a_name_is_one_line_of_a_decision_or_a_row() -> None:
    assert all(one.why and (one.decision == one.why) == (one.fate is Fate.DECIDE) for one in PLAIN.values())


WORDS = st.sampled_from(
    ["server", "location", "/", "/static/", "=", "alias", "return", "expires", "proxy_read_timeout",
     "keepalive_timeout", "client_max_body_size", "set_real_ip_from", "$a", "${b}", "'", '"', "\\", "{", "}", ";",
     "\n", "#", "-1", "1y", "9" * 30],
)  # fmt: skip


@given(st.lists(WORDS).map(" ".join))
@example("server { listen 80 ; expires ; return ; keepalive_timeout ; location { } if { } }")
@example("server { listen 80 ; location = { alias ; } location / { try_files ; include ; add_header ; } }")
@example("server { location /a,max-age=x/ { alias /b; } set_real_ip_from nobody; } ")
@example("server { listen 80 ; expires " + "9" * 30 + "y ; }")
def test_a_file_is_explained_or_refused_and_nothing_else(text: str) -> None:
    try:
        found = read(f"server {{ listen 80; }}\n{text}", "nginx.conf", lambda _: None)
    except ProjectError:
        return
    conclusion.explained(found.parts)
