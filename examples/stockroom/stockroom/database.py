"""Read DATABASE_URL: mysql://user:password@host:port/name, or sqlite:////path."""

from urllib.parse import unquote, urlsplit

ENGINES = {"mysql": "django.db.backends.mysql", "sqlite": "django.db.backends.sqlite3"}


def from_url(url):
    """Return the entry of DATABASES that a URL stands for."""
    parts = urlsplit(url)
    if parts.scheme not in ENGINES:
        raise ValueError(f"DATABASE_URL: scheme {parts.scheme!r} is none of {', '.join(ENGINES)}")
    database = {"ENGINE": ENGINES[parts.scheme], "NAME": unquote(parts.path[1:])}
    if parts.scheme == "mysql":
        database.update(
            USER=unquote(parts.username or ""),
            PASSWORD=unquote(parts.password or ""),
            HOST=parts.hostname or "",
            PORT=parts.port or "",
            OPTIONS={"charset": "utf8mb4"},
        )
    return database
