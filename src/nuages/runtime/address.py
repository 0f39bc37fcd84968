"""Places to listen: `HOST:PORT`, `[IPv6]:PORT`, `unix:PATH`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from nuages.kinds import Kind


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen: `host` and `port`, or the `path` of a Unix socket; a port of 0 takes any free one."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it: a loopback address, `localhost` or a Unix socket."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str) -> Address:
    """Return the address that `HOST:PORT`, `[IPv6]:PORT`, `:PORT`, `PORT` or `unix:PATH` names; raise ValueError."""
    text = text.strip()
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path:
            raise ValueError("unix: wants the path of a socket")
        return Address(path=path)
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(_not_an_address(text))
    if host.startswith("[") and host.endswith("]"):
        ip = ipaddress.IPv6Address(host[1:-1])
        # A socket of IPv6 alone cannot be bound to an IPv4 address that is written in this way (RFC 4291, 2.5.5.2).
        host = str(ip.ipv4_mapped or ip)
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets: [::1]:8000")
    return Address(host=host or "0.0.0.0", port=int(port))


def _not_an_address(text: str) -> str:
    _, colon, port = text.rpartition(":")
    if (port if colon else text).isdecimal():
        return "ports go from 0 to 65535"
    if not colon and re.fullmatch(r"[\w.-]+", text):
        return f"it has no port: {text}:8000"
    return "it is not HOST:PORT, [IPv6]:PORT or unix:PATH"


address: Kind[Address] = Kind("HOST:PORT|unix:PATH", parse_address)


def _management(text: str) -> str:
    if text not in {"auto", "off"}:
        parse_address(text)
    return text


management: Kind[str] = Kind("HOST:PORT|unix:PATH|off", _management, ("off",))
