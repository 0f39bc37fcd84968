"""TLS for the listening sockets: certificate and key from PEM files, which can be read again while serving.

At least TLS 1.2, HTTP/1.1 by ALPN (RFC 7301). Whatever is wrong with the files is told before anything is served.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from nuages.errors import Origin, UsageError

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----\s*(Proc-Type: 4,ENCRYPTED)?")  # RFC 7468; RFC 1421


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The PEM files: the certificate with its chain, and its key, which may be the same file; who named them."""

    certificate: str
    key: str
    certificate_origin: str = "--tls-cert"
    key_origin: str = "--tls-key"


def files_of(
    certificate: str | None, key: str | None, origins: Mapping[str, Origin] | None = None
) -> Files | None:
    """Return the files that the two options name, None without TLS; raises UsageError for a key alone."""
    origins = origins or {}
    if certificate is None:
        if key is None:
            return None
        raise UsageError(
            "there is a TLS key and no certificate", where=f"the key is given by {origins.get('tls_key', '--tls-key')}",
            why="TLS takes both", hint="--tls-cert FILE, the certificate followed by its chain, in PEM",
        )  # fmt: skip
    origin = str(origins.get("tls_cert", "--tls-cert"))
    return Files(
        certificate=certificate, key=key or certificate, certificate_origin=origin,
        key_origin=str(origins.get("tls_key", "--tls-key")) if key else origin,
    )  # fmt: skip


def check(
    certificate: str | None,
    key: str | None,
    origins: Mapping[str, Origin],
    say: Callable[[str, str, str], object],
) -> None:
    """Raise UsageError for files that no worker could use; say, as `Log.event`, that their time is over."""
    files = files_of(certificate, key, origins)
    if files:
        Tls(files)
        if text := doubt(files, datetime.now(timezone.utc)):
            say("warning", "tls", text)


class Tls:
    """What the TLS connections of one process share. Raises UsageError where the files are not fit."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.context = _context()
        load(self.context, files)

    def reload(self) -> None:
        """Give the handshakes to come what the files hold now; raises UsageError and leaves all as it was."""
        # A failure half-way would leave the certificate without its key.
        load(_context(), self.files)
        load(self.context, self.files)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | getattr(ssl, "OP_NO_RENEGOTIATION", 0)
    context.set_alpn_protocols(["http/1.1"])
    return context


def load(context: ssl.SSLContext, files: Files) -> None:
    """Load certificate and key into a context; raises UsageError that says which file is wrong, and how."""
    certificate = _read(files.certificate, "certificate", files.certificate_origin)
    key = _read(files.key, "key", files.key_origin)
    if not _CERTIFICATE.search(certificate):
        raise UsageError(
            f"there is no certificate in {files.certificate}", where=f"given by {files.certificate_origin}",
            why="no line says -----BEGIN CERTIFICATE-----, so it is not PEM, or something else",
            hint="from DER: openssl x509 -inform der -in CERTIFICATE -out CERTIFICATE.pem",
        )  # fmt: skip
    found = _KEY.search(key)
    if not found:
        raise UsageError(
            f"there is no private key in {files.key}", where=f"given by {files.key_origin}",
            why="no line says -----BEGIN PRIVATE KEY-----",
            hint="--tls-key FILE, unless the key stands in the certificate's file",
        )  # fmt: skip
    if found[2] or b"ENCRYPTED" in found[1]:
        raise _encrypted(files)
    try:
        # OpenSSL would ask at the terminal for a password.
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except _PasswordError:
        raise _encrypted(files) from None
    except ssl.SSLError as error:
        raise _refused(files, error) from None
    except OSError as error:  # it was there a moment ago
        raise _unreadable(files.key, "key", files.key_origin, error) from None


class _PasswordError(Exception):
    pass


def _no_password() -> str:
    raise _PasswordError


def _read(path: str, what: str, origin: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(path, what, origin, error) from None


def _unreadable(path: str, what: str, origin: str, error: OSError) -> UsageError:
    why = f"{error.strerror}: this is user {os.getuid()}"
    hint = f"name a file in PEM: {'--tls-cert' if what == 'certificate' else '--tls-key'} FILE"
    if isinstance(error, PermissionError):
        try:
            facts = Path(path).stat()
            why += f", the file is user {facts.st_uid}'s, with mode {stat.S_IMODE(facts.st_mode):04o}"
        except OSError:
            why += ", and a folder above the file is closed to it"
        hint = f"let user {os.getuid()} read it: a group of both and mode 0640; in Kubernetes fsGroup and defaultMode"
    elif isinstance(error, FileNotFoundError):
        why = "there is no file of this name"
    return UsageError(f"the TLS {what} {path} cannot be read", where=f"given by {origin}", why=why, hint=hint)


def _encrypted(files: Files) -> UsageError:
    return UsageError(
        f"the TLS key {files.key} is encrypted", where=f"given by {files.key_origin}",
        why="a server starts without anybody who could type its password",
        hint=f"openssl pkey -in {files.key} -out KEY.pem, readable by the server alone",
    )  # fmt: skip


def _refused(files: Files, error: ssl.SSLError) -> UsageError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return UsageError(
            "the TLS key does not belong to the certificate",
            where=f"{files.certificate} and {files.key}\ngiven by {files.certificate_origin} and {files.key_origin}",
            why="their public keys differ",
            hint="the server's own certificate stands first in its file, those that signed it behind",
        )  # fmt: skip
    return UsageError(
        "the TLS certificate or its key cannot be used",
        where=f"{files.certificate} and {files.key}\ngiven by {files.certificate_origin} and {files.key_origin}",
        why=f"OpenSSL says: {(error.reason or str(error)).lower().replace('_', ' ')}",
        hint="openssl x509 -text -in CERTIFICATE and openssl pkey -text -in KEY show what they are",
    )  # fmt: skip


def doubt(files: Files, now: datetime) -> str:
    """Say that the certificate has ended or has not begun, for a warning; empty when all is well."""
    found = _CERTIFICATE.search(_read(files.certificate, "certificate", files.certificate_origin))
    try:
        begins, ends = validity(ssl.PEM_cert_to_DER_cert(found[0].decode("ascii"))) if found else (now, now)
    except (ValueError, IndexError):
        return ""
    if now > ends:
        return f"the TLS certificate {files.certificate} has expired: it ended {ends:%Y-%m-%d %H:%M} UTC"
    if now < begins:
        return f"the TLS certificate {files.certificate} is not valid before {begins:%Y-%m-%d %H:%M} UTC"
    return ""


def validity(der: bytes) -> tuple[datetime, datetime]:
    """Return when a certificate begins and ends; raises ValueError or IndexError for what is none.

    Certificate, tbsCertificate and validity of RFC 5280, section 4.1; `ssl` shows them for a peer's only.
    """
    (_, certificate), *_ = _elements(der)
    (_, signed), *_ = _elements(certificate)
    fields = _elements(signed)
    if fields[0][0] == 0xA0:  # the version, which the first one leaves out
        del fields[0]
    _serial, _algorithm, _issuer, (_, period) = fields[:4]
    begins, ends = (_time(tag, text) for tag, text in _elements(period))
    return begins, ends


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each element (X.690, section 8.1)."""
    found, at = [], 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size], "big")
            at += size
        found.append((tag, der[at : at + length]))
        at += length
    return found


def _time(tag: int, text: bytes) -> datetime:
    """Return a UTCTime (tag 0x17, years 1950 to 2049) or a GeneralizedTime; RFC 5280, section 4.1.2.5."""
    digits = text.decode("ascii")
    if tag == 0x17:
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
