"""Certificates made on the spot by the `openssl` program, signed by themselves, for localhost and 127.0.0.1."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

# `openssl req` makes none whose time is over.
_CONFIGURATION = """\
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


@dataclass(frozen=True)
class Pair:
    """The PEM files of a certificate and its key."""

    certificate: Path
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """The options that serve with them."""
        return ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))

    def trusting(self) -> ssl.SSLContext:
        """Return a client's context that believes this certificate alone."""
        return ssl.create_default_context(cafile=str(self.certificate))


def make(folder: Path, *, name: str = "localhost", begins: str = "", ends: str = "20991231000000Z") -> Pair:
    """Make a key and a certificate in a folder that is made for them; the times as YYYYMMDDHHMMSSZ."""
    folder.mkdir(parents=True)
    (folder / "index.txt").touch()
    (folder / "openssl.cnf").write_text(_CONFIGURATION.format(folder=folder))
    pair = Pair(folder / "certificate.pem", folder / "key.pem")
    _openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
        "-keyout", str(pair.key), "-out", str(folder / "request.pem"),
    )  # fmt: skip
    _openssl(
        "ca", "-config", str(folder / "openssl.cnf"), "-batch", "-selfsign", "-notext", "-keyfile", str(pair.key),
        "-in", str(folder / "request.pem"), "-out", str(pair.certificate),
        "-startdate", begins or "20200101000000Z", "-enddate", ends,
    )  # fmt: skip
    return pair


def encrypt(key: Path) -> Path:
    """Return a copy of a key that wants a password."""
    path = key.with_name("encrypted.pem")
    _openssl("pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(path))
    return path


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
