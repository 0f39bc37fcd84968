"""Who the client is: the peer, or what trusted proxies say of it (RFC 7239, and the X-Forwarded-* customs)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The client's address and port (0 for unknown), the scheme it used, and whether the peer is trusted."""

    address: str
    port: int
    scheme: str
    is_trusted: bool


class Proxies:
    """The peers whose forwarding headers are believed: networks in CIDR form, `unix` for Unix sockets."""

    def __init__(self, trusted: Iterable[str]) -> None:
        texts = tuple(trusted)
        self._unix = "unix" in texts
        self._networks: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(text, strict=False) for text in texts if text != "unix"
        )
        self.trusts = lru_cache(maxsize=4096)(self._trusts)
        self._direct = lru_cache(maxsize=4096)(self._make_direct)

    def _trusts(self, address: str) -> bool:
        """Return whether a peer's address is trusted; the empty one is a Unix socket's."""
        if not address:
            return self._unix
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None)
        ip = mapped or ip
        return any(ip.version == network.version and ip in network for network in self._networks)

    def client(self, peer: tuple[str, int], scheme: str, fields: Mapping[bytes, bytes]) -> Client:
        """Return the client of a request from `peer` with these header fields, names in lower case.

        Of the addresses that proxies noted, the rightmost that is not itself a trusted proxy is the client: what
        stands left of it was written by somebody nobody vouches for. All of them trusted: the leftmost.

        Beside X-Forwarded-For the Forwarded field does not count: proxies that write the one (nginx, HAProxy, Caddy and
        most others by their defaults) pass the other on as the client has sent it.
        """
        forwarded = None if b"x-forwarded-for" in fields else fields.get(b"forwarded")
        if forwarded is None and b"x-forwarded-for" not in fields and b"x-forwarded-proto" not in fields:
            return self._direct(peer, scheme)
        address, port = peer
        if not self.trusts(address):
            return self._direct(peer, scheme)
        if forwarded is not None:
            hops = parse_forwarded(forwarded.decode("latin-1"))
            addresses = [hop.get("for", "") for hop in hops]
            protos = [hop.get("proto", "") for hop in hops]
        else:
            addresses = _list(fields.get(b"x-forwarded-for"))
            protos = []
        if b"x-forwarded-proto" in fields:
            protos = _list(fields.get(b"x-forwarded-proto"))
        hop = 0
        if addresses:
            (address, port), hop = self._rightmost_untrusted(addresses, (address, port))
        if len(protos) != len(addresses):
            hop = 0  # nothing says who wrote which; Django too takes the first for the one next to the client
        if protos:
            # Who noted the client's address saw its scheme; what stands left of that anybody could have written.
            proto = protos[hop].lower()
            scheme = {"http": "http", "https": "https", "ws": "http", "wss": "https"}.get(proto, scheme)
        return Client(address=address, port=port, scheme=scheme, is_trusted=True)

    def _make_direct(self, peer: tuple[str, int], scheme: str) -> Client:
        return Client(address=peer[0], port=peer[1], scheme=scheme, is_trusted=self.trusts(peer[0]))

    def _rightmost_untrusted(
        self, addresses: list[str], peer: tuple[str, int]
    ) -> tuple[tuple[str, int], int]:
        """Return the client's address, and which of the hops noted it."""
        best, hop = peer, 0
        for hop in range(len(addresses) - 1, -1, -1):
            found = parse_node(addresses[hop])
            if found is None:
                break
            best = found
            if not self.trusts(found[0]):
                break
        return best, hop


def _list(value: bytes | None) -> list[str]:
    if value is None:
        return []
    return [item.strip() for item in value.decode("latin-1").split(",") if item.strip()]


def parse_node(text: str) -> tuple[str, int] | None:
    """Return address and port of `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80` or `2001:db8::1`; else None.

    `unknown` and obfuscated names (`_hidden`) are no addresses (RFC 7239, section 6).
    """
    text = text.strip().strip('"')
    port = "0"
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            return None
        port = rest.removeprefix(":") or "0"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host = text
    try:
        return str(ipaddress.ip_address(host)), int(port) if port.isascii() and port.isdigit() else 0
    except ValueError:
        return None


def parse_forwarded(text: str) -> list[dict[str, str]]:
    """Return the elements of a Forwarded field, names in lower case; what is malformed is left out (RFC 7239)."""
    hops = []
    for element in _split(text, ","):
        pairs = {}
        for pair in _split(element, ";"):
            name, equals, value = pair.partition("=")
            if equals:
                pairs[name.strip().lower()] = _unquoted(value.strip())
        if pairs:
            hops.append(pairs)
    return hops


def _split(text: str, separator: str) -> list[str]:
    """Split outside of quoted strings."""
    parts, start, quoted, escaped = [], 0, False, False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value.startswith('"') and value.endswith('"')):
        return value
    out, escaped = [], False
    for character in value[1:-1]:
        if not escaped and character == "\\":
            escaped = True
            continue
        escaped = False
        out.append(character)
    return "".join(out)
