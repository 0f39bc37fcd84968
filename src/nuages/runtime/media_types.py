"""The media type of a file by its name: one table, the same on every machine (RFC 9512, RFC 9239, IANA's registry)."""

from __future__ import annotations

import mimetypes

_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".cjs": "text/javascript",
    ".css": "text/css",
    ".csv": "text/csv",
    ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
}
_BUILT_IN = mimetypes.MimeTypes()
_TEXT = {
    "application/json",
    "application/manifest+json",
    "application/xml",
    "application/yaml",
    "image/svg+xml",
}
_DENSE = ("image/", "audio/", "video/", "font/woff")


def bare_type(name: str) -> str:
    """Return the media type of a file name without parameters."""
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot >= 0 else ""
    if suffix in _TYPES:
        return _TYPES[suffix]
    for table in _BUILT_IN.types_map[::-1]:
        if suffix in table:
            return table[suffix]
    return "application/octet-stream"


def media_type(name: str) -> str:
    """Return the Content-Type of a file name; text is UTF-8."""
    found = bare_type(name)
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def is_compressible(name: str) -> bool:
    """Return whether compressing a file of this name can pay; media and archives are compressed already."""
    found = bare_type(name)
    if found in _TEXT or found in {"image/bmp", "image/x-icon"}:
        return True
    if found.startswith(_DENSE) or found in {"application/zip", "application/gzip", "application/pdf"}:
        return False
    return not name.lower().endswith((".7z", ".br", ".bz2", ".gz", ".rar", ".tgz", ".xz", ".zst"))
