"""A WSGI application that does nothing: what is left is the server."""

from collections.abc import Callable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer as the plain view does, its headers included."""
    start_response(
        "200 OK",
        [
            ("Content-Type", "text/plain"),
            ("X-Frame-Options", "DENY"),
            ("Content-Length", "6"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ],
    )
    return [b"Nuages"]
