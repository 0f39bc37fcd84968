"""Where this machine takes packages from: pip's configuration, read as pip reads it and put into uv's words.

Sources: pip's user guide, «Configuration» (files, sections, precedence), and uv's reference, «Environment variables».
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from nuages.errors import Origin, UsageError

_SECTIONS = ("global", "install")
"""Those that matter to an installation, the weaker first."""

_TRUE = {"1", "true", "yes", "on", "y", "t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of pip's configuration as text, and who gave it."""

    text: str
    origin: Origin

    @property
    def words(self) -> tuple[str, ...]:
        """The parts of a value that is a list; pip separates them by white space."""
        return tuple(self.text.split())


def configuration_files(
    environ: Mapping[str, str], prefix: Path, platform: str = sys.platform
) -> tuple[Path, ...]:
    """Return the files that pip would read, the weaker first, whether they exist or not.

    `PIP_CONFIG_FILE=/dev/null` turns all of them off; any other value comes after them.
    """
    own = environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return ()
    home = Path(environ.get("HOME") or "~").expanduser()
    system = [
        Path(folder) / "pip" / "pip.conf" for folder in _folders(environ, "XDG_CONFIG_DIRS", "/etc/xdg")
    ]
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    if platform == "darwin":
        system = [Path("/Library/Application Support/pip/pip.conf")]
        support = home / "Library" / "Application Support" / "pip"
        user = support / "pip.conf" if support.is_dir() else user
    files = [*system, Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user, prefix / "pip.conf"]
    return (*files, Path(own)) if own else tuple(files)


def _folders(environ: Mapping[str, str], name: str, default: str) -> list[str]:
    # XDG lists the strongest first; what is read later wins here.
    return list(reversed([part for part in (environ.get(name) or default).split(":") if part]))


def effective(files: Iterable[tuple[str, str]], environ: Mapping[str, str]) -> dict[str, Value]:
    """Return the values that hold for `pip install`, keyed by option name such as `extra-index-url`.

    `files` are (place, text) pairs, the weaker first. A section for the command beats `[global]` of every file, a
    PIP_* variable beats both, and an empty value is no value, as in pip. Raises UsageError for a file that pip
    could not read either.
    """
    sections: dict[str, dict[str, Value]] = {name: {} for name in _SECTIONS}
    for place, text in files:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise UsageError(
                "pip's configuration cannot be read", where=place, why=str(error).replace("\n", " "),
                hint=f"correct {place}, or run with PIP_CONFIG_FILE={os.devnull}",
            ) from None  # fmt: skip
        for section in _SECTIONS:
            if not parser.has_section(section):
                continue
            for key, value in parser.items(section):
                if value.strip():
                    sections[section][_option(key)] = Value(text=value.strip(), origin=Origin(place))
    merged = {key: value for section in _SECTIONS for key, value in sections[section].items()}
    for name, text in environ.items():
        if name.startswith("PIP_") and text.strip():
            merged[_option(name[4:])] = Value(text=text.strip(), origin=Origin(name))
    return merged


def _option(key: str) -> str:
    name = key.strip().lower().replace("_", "-").removeprefix("--")
    return {"default-timeout": "timeout", "pypi-url": "index-url"}.get(name, name)


def read(environ: Mapping[str, str], prefix: Path | None = None) -> dict[str, Value]:
    """Return pip's configuration on this machine; files that are not there or not readable count as empty."""
    found = []
    for path in configuration_files(environ, prefix or Path(sys.prefix)):
        try:
            found.append((str(path), path.read_text(encoding="utf-8", errors="replace")))
        except OSError:
            continue
    return effective(found, environ)


def uv_variables(pip: Mapping[str, Value], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make uv take packages from where pip would; those the user set for uv win.

    pip holds all indexes equal and takes the best version of any, hence `unsafe-best-match`.
    """
    found: dict[str, str] = {}
    if "index-url" in pip and "UV_INDEX_URL" not in environ:
        found["UV_DEFAULT_INDEX"] = pip["index-url"].text
    if "extra-index-url" in pip and "UV_EXTRA_INDEX_URL" not in environ:
        found["UV_INDEX"] = " ".join(pip["extra-index-url"].words)
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "find-links" in pip:
        found["UV_FIND_LINKS"] = ",".join(_place(word) for word in pip["find-links"].words)
    if "no-index" in pip and pip["no-index"].text.lower() in _TRUE:
        found["UV_NO_INDEX"] = "1"
    if "trusted-host" in pip:
        found["UV_INSECURE_HOST"] = " ".join(pip["trusted-host"].words)
    for option, variable in _SAME.items():
        if option in pip:
            found[variable] = (
                str(Path(pip[option].text).expanduser()) if option in _PATHS else pip[option].text
            )
    if "proxy" in pip:
        address = pip["proxy"].text
        address = address if "://" in address else f"http://{address}"
        found.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), address))
    if "pre" in pip and pip["pre"].text.lower() in _TRUE:
        found["UV_PRERELEASE"] = "allow"
    found.update(_formats(pip))
    kept = {name: text for name, text in found.items() if not (name.startswith("UV_") and environ.get(name))}
    if "UV_INDEX" not in kept:
        kept.pop("UV_INDEX_STRATEGY", None)
    return kept


_SAME = {
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "constraint": "UV_CONSTRAINT",
}
_PATHS = {"cert", "client-cert"}


def _place(word: str) -> str:
    return word if re.match(r"[a-z][a-z0-9+.-]*://", word) else str(Path(word).expanduser().absolute())


def _formats(pip: Mapping[str, Value]) -> dict[str, str]:
    """Put `no-binary` and `only-binary` into uv's words, which name «all» by a variable of its own."""
    found = {}
    for option, every, some in (
        ("no-binary", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE"),
        ("only-binary", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE"),
    ):
        if option not in pip:
            continue
        names = re.split(r"[,\s]+", pip[option].text)
        # `:none:` empties what was listed before it (pip's documentation of --no-binary).
        if ":none:" in names:
            names = names[len(names) - names[::-1].index(":none:") :]
        if ":all:" in names:
            found[every] = "1"
        elif names:
            found[some] = " ".join(names)
    return found


def decider(pip: Mapping[str, Value], environ: Mapping[str, str]) -> Origin | None:
    """Return who says on this machine where packages come from, or None where nobody says anything."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if environ.get(name):
            return Origin(name)
    for option in ("index-url", "no-index", "extra-index-url", "find-links"):
        if option in pip:
            return pip[option].origin
    return None


def default_url(pip: Mapping[str, Value], environ: Mapping[str, str]) -> str:
    """Return the address that the machine's default index is given by; "" for the installers' own default."""
    given = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    return given or (pip["index-url"].text if "index-url" in pip else "")


def masked(url: str) -> str:
    """Return the URL without its password and user name, for messages."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))
