"""The request as ASGI describes it (asgi.readthedocs.io, HTTP connection scope)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from nuages.runtime.exchange import Exchange


def build_scope(exchange: Exchange) -> dict[str, Any]:
    """Return the scope of a request."""
    connection, request, client = exchange.connection, exchange.request, exchange.client
    path = request.path.decode("latin-1")
    ssl_header = b"" if client.is_trusted else exchange.hub.ssl_header
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.version,
        "server": connection.server,
        "client": (client.address, client.port) if client.address else None,
        "scheme": client.scheme,
        "root_path": "",
        "method": request.method,
        "path": unquote(path) if "%" in path else path,
        "raw_path": request.path,
        "query_string": request.query,
        "headers": [pair for pair in request.headers if b"_" not in pair[0] and pair[0] != ssl_header],
        "state": connection.app_state.copy(),
        "nuages.exchange": exchange,
    }


class Scope(Mapping[str, Any]):
    """The same for a request that a thread answers; few look at it, so it is made when somebody does."""

    __slots__ = ("_exchange", "_values")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._values: dict[str, Any] | None = None

    def _all(self) -> dict[str, Any]:
        if self._values is None:
            self._values = build_scope(self._exchange)
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
