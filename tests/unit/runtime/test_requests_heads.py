"""Request heads and response heads, as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.proxies import Client
from nuages.runtime.request import BadRequestError, Request, request_id
from nuages.runtime.response import BadHeaderError, Head, render
from nuages.runtime.wsgi import build_environ

HOST = (b"host", b"shop.example")


def request(
    target: bytes = b"/", *headers: tuple[bytes, bytes], method: str = "GET", version: str = "1.1"
) -> Request:
    return Request(method, target, version, [HOST, *headers], keep_alive=True)


def head(status: str = "200 OK", *headers: tuple[str, str], **changes: object) -> Head:
    facts: dict[str, object] = {
        "method": "GET", "version": "1.1", "keep_alive": True, "size": 5, "defaults": [], "request_id": "id",
    }  # fmt: skip
    return render(status, list(headers), **{**facts, **changes})  # type: ignore[arg-type]


def test_path_and_query_are_parted_at_the_first_question_mark() -> None:
    found = request(b"/a%20b?c=d?e")
    assert (found.path, found.query) == (b"/a%20b", b"c=d?e")


@pytest.mark.parametrize("target", [b"/a#b", b"a", b"*", b"http://", b"ftp://host/", b"http://u:p@h/"])
def test_other_targets_are_refused(target: bytes) -> None:
    with pytest.raises(BadRequestError):
        request(target)


def test_repeated_fields_are_joined_and_cookies_with_semicolons() -> None:
    found = request(b"/", (b"x", b"1"), (b"x", b"2"), (b"cookie", b"a=1"), (b"cookie", b"b=2"))
    assert found.fields[b"x"] == b"1,2"
    assert found.fields[b"cookie"] == b"a=1; b=2"


@given(st.binary(max_size=200))
def test_any_request_id_is_safe_to_log_and_send(given_id: bytes) -> None:
    found = request_id({b"x-request-id": given_id, b"traceparent": given_id})
    assert found.isascii()
    assert found.isprintable()
    assert 0 < len(found) <= 128


def environ(found: Request, **client: object) -> dict[str, object]:
    facts: dict[str, object] = {
        "address": "192.0.2.1",
        "port": 5,
        "scheme": "http",
        "is_trusted": False,
        **client,
    }
    return build_environ(
        found, client=Client(**facts), server=("127.0.0.1", 80), size=7,  # type: ignore[arg-type]
        ssl_header="HTTP_X_FORWARDED_PROTO",
    )  # fmt: skip


def test_the_environ_is_what_pep_3333_says() -> None:
    found = environ(
        request(b"/%C3%A4?q=%20", (b"content-type", b"text/plain"), (b"x-y", b"z"), (b"x_y", b"evil"))
    )
    assert found["PATH_INFO"] == "/\xc3\xa4"
    assert found["QUERY_STRING"] == "q=%20"
    assert found["CONTENT_TYPE"] == "text/plain"
    assert found["HTTP_X_Y"] == "z"
    assert found["HTTP_HOST"] == "shop.example"
    assert found["REMOTE_ADDR"] == "192.0.2.1"
    assert found["SCRIPT_NAME"] == ""


def test_the_header_that_says_https_is_only_taken_from_a_trusted_peer() -> None:
    sent = request(b"/", (b"x-forwarded-proto", b"https"))
    assert "HTTP_X_FORWARDED_PROTO" not in environ(sent)
    assert environ(sent, is_trusted=True)["HTTP_X_FORWARDED_PROTO"] == "https"


def test_a_chunked_body_gets_its_length() -> None:
    found = environ(request(b"/", (b"transfer-encoding", b"chunked"), method="POST"))
    assert found["CONTENT_LENGTH"] == "7"
    assert "HTTP_TRANSFER_ENCODING" not in found


def test_a_response_of_known_size_gets_its_length() -> None:
    assert b"\r\nContent-Length: 5\r\n" in head().data
    assert head().length == 5


def test_a_response_of_unknown_size_is_chunked_or_closes() -> None:
    assert head(size=None).chunked
    old = head(size=None, version="1.0")
    assert (old.chunked, old.keep_alive) == (False, False)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_bodiless_status_has_no_length(status: str) -> None:
    found = head(status, ("Content-Length", "5"))
    assert b"content-length" not in found.data.lower()
    assert not found.has_body


def test_the_application_may_close_but_not_frame() -> None:
    found = head(
        "200 OK", ("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Keep-Alive", "timeout=5")
    )
    assert not found.keep_alive
    assert b"chunked" not in found.data
    assert b"Keep-Alive" not in found.data


def test_a_field_that_the_application_set_is_not_doubled() -> None:
    found = head("200 OK", ("Date", "then"), ("X-Request-Id", "own"), defaults=[(b"date", b"now")])
    assert b"now" not in found.data
    assert found.data.lower().count(b"x-request-id") == 1


@given(
    st.text(alphabet=st.characters(codec="latin-1"), max_size=30),
    st.text(alphabet=st.characters(codec="latin-1")),
)
def test_no_field_can_break_the_head_apart(name: str, value: str) -> None:
    try:
        found = head("200 OK", (name, value))
    except (BadHeaderError, ValueError):
        return
    assert found.data.count(b"\r\n\r\n") == 1
    assert found.data.endswith(b"\r\n\r\n")
