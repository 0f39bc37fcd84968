"""Who the client is, by what trusted and untrusted peers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.proxies import Client, Proxies, parse_forwarded, parse_node

PROXIES = Proxies(("127.0.0.0/8", "::1/128", "10.0.0.0/8", "unix"))


def client(peer: str, **headers: str) -> Client:
    fields = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
    return PROXIES.client((peer, 4711), "http", fields)


@pytest.mark.parametrize(
    ("peer", "headers", "address", "scheme"),
    [
        ("127.0.0.1", {}, "127.0.0.1", "http"),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.9"}, "203.0.113.9", "http"),
        ("::1", {"x_forwarded_for": "203.0.113.9"}, "203.0.113.9", "http"),
        ("::ffff:127.0.0.1", {"x_forwarded_for": "203.0.113.9"}, "203.0.113.9", "http"),
        ("", {"x_forwarded_for": "203.0.113.9"}, "203.0.113.9", "http"),
        ("192.0.2.1", {"x_forwarded_for": "203.0.113.9", "x_forwarded_proto": "https"}, "192.0.2.1", "http"),
        ("127.0.0.1", {"x_forwarded_for": "1.1.1.1, 203.0.113.9"}, "203.0.113.9", "http"),
        ("127.0.0.1", {"x_forwarded_for": "1.1.1.1, 203.0.113.9, 10.0.0.7"}, "203.0.113.9", "http"),
        ("127.0.0.1", {"x_forwarded_for": "10.0.0.1, 10.0.0.2"}, "10.0.0.1", "http"),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.9:5050"}, "203.0.113.9", "http"),
        ("127.0.0.1", {"x_forwarded_for": "[2001:db8::1]:5050"}, "2001:db8::1", "http"),
        ("127.0.0.1", {"x_forwarded_for": "2001:db8::1"}, "2001:db8::1", "http"),
        ("127.0.0.1", {"x_forwarded_for": "unknown"}, "127.0.0.1", "http"),
        ("127.0.0.1", {"x_forwarded_for": "1.1.1.1, garbage, 10.0.0.2"}, "10.0.0.2", "http"),
        ("127.0.0.1", {"x_forwarded_for": ""}, "127.0.0.1", "http"),
        ("127.0.0.1", {"x_forwarded_proto": "https"}, "127.0.0.1", "https"),
        ("127.0.0.1", {"x_forwarded_proto": "HTTPS"}, "127.0.0.1", "https"),
        ("127.0.0.1", {"x_forwarded_proto": "https, http"}, "127.0.0.1", "https"),
        ("127.0.0.1", {"x_forwarded_proto": "gopher"}, "127.0.0.1", "http"),
        ("127.0.0.1", {"x_forwarded_proto": "wss"}, "127.0.0.1", "https"),
        ("127.0.0.1", {"forwarded": "for=203.0.113.9;proto=https"}, "203.0.113.9", "https"),
        ("127.0.0.1", {"forwarded": 'For="[2001:db8::1]:80";Proto=https'}, "2001:db8::1", "https"),
        ("127.0.0.1", {"forwarded": "for=1.1.1.1, for=203.0.113.9, for=10.1.1.1"}, "203.0.113.9", "http"),
        ("127.0.0.1", {"forwarded": "for=_hidden;proto=https"}, "127.0.0.1", "https"),
        ("127.0.0.1", {"forwarded": "for=1.1.1.1", "x_forwarded_for": "2.2.2.2"}, "2.2.2.2", "http"),
        (
            "127.0.0.1",
            {"forwarded": "for=1.1.1.1;proto=https", "x_forwarded_for": "2.2.2.2"},
            "2.2.2.2",
            "http",
        ),
        (
            "127.0.0.1",
            {"forwarded": "for=1.1.1.1;proto=https", "x_forwarded_proto": "http"},
            "1.1.1.1",
            "http",
        ),
        ("127.0.0.1", {"forwarded": "proto=https, for=203.0.113.9;proto=http"}, "203.0.113.9", "http"),
        (
            "127.0.0.1",
            {"forwarded": "for=1.1.1.1;proto=http, for=203.0.113.9;proto=https"},
            "203.0.113.9",
            "https",
        ),
        (
            "127.0.0.1",
            {"x_forwarded_for": "1.1.1.1, 203.0.113.9", "x_forwarded_proto": "https, http"},
            "203.0.113.9",
            "http",
        ),
        ("not an address", {"x_forwarded_for": "203.0.113.9"}, "not an address", "http"),
    ],
)
def test_the_rightmost_untrusted_address_is_the_client(
    peer: str, headers: dict[str, str], address: str, scheme: str
) -> None:
    found = client(peer, **headers)
    assert (found.address, found.scheme) == (address, scheme)


def test_a_unix_socket_is_trusted_only_when_said() -> None:
    assert not Proxies(("127.0.0.0/8",)).trusts("")
    assert Proxies(("unix",)).trusts("")


def test_quoted_commas_do_not_separate() -> None:
    assert parse_forwarded('for="a,b";x="c;d", for=e') == [{"for": "a,b", "x": "c;d"}, {"for": "e"}]
    assert parse_forwarded('for="a\\"b"') == [{"for": 'a"b'}]


@given(st.text(max_size=80))
def test_any_text_is_parsed_without_an_error(text: str) -> None:
    parse_forwarded(text)
    parse_node(text)


@given(st.lists(st.ip_addresses().map(str), max_size=5))
def test_an_untrusted_peer_is_its_own_word(addresses: list[str]) -> None:
    assert client("192.0.2.1", x_forwarded_for=", ".join(addresses)).address == "192.0.2.1"
