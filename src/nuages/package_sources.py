"""Where this machine takes packages from, for a build: as secrets that no layer keeps, and folders to mount."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nuages.environment import indexes
from nuages.errors import UsageError

_NPM = re.compile(
    r"(@[\w-]+:)?(registry|cafile|ca|strict-ssl|proxy|https-proxy)\s*=|//.*(_auth|_authToken|username|_password)="
)
"""What of a .npmrc says where packages come from and how they are reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """This machine's package sources as build secrets (ids and files), the folders that they name, and the folders that
    are left out because the engine mounts none."""

    secrets: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def sources(environ: Mapping[str, str], folder: Path, *, mounts: bool = True) -> Sources:
    """Return where packages come from on this machine. Raises UsageError for a default index in a folder that the
    engine cannot mount: the public one in its place could have packages of the same names."""
    pip = indexes.read(environ)
    values = {**indexes.uv_variables(pip, environ)}
    values.update({name: text for name, text in environ.items() if re.match(r"UV_.*(INDEX|LINKS)", name)})
    # What limits releases on this machine is no part of the project: its image is the same from any machine.
    values.pop("UV_CONSTRAINT", None)
    for option in ("index-url", "extra-index-url", "find-links", "trusted-host", "timeout"):
        if option in pip:
            values[f"PIP_{option.replace('-', '_').upper()}"] = pip[option].text
    left_out: tuple[str, ...] = ()
    if not mounts:
        values, left_out = _without_folders(values)
    secrets = []
    certificates = values.get("SSL_CERT_FILE") or environ.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        secrets.append(("ca", certificates))
        values.update(SSL_CERT_FILE="/run/secrets/ca", PIP_CERT="/run/secrets/ca")
    if values:
        lines = [f"export {name}={shlex.quote(text)}\n" for name, text in sorted(values.items())]
        secrets.insert(0, ("packages", _private(folder / "packages", lines)))
    npm = Path(
        environ.get("NPM_CONFIG_USERCONFIG") or Path(environ.get("HOME") or "~", ".npmrc")
    ).expanduser()
    if npm.is_file():
        lines = [
            f"{line}\n" for line in npm.read_text("utf-8", "replace").splitlines() if _NPM.match(line.strip())
        ]
        if lines:
            secrets.append(("npmrc", _private(folder / "npmrc", lines)))
    words = " ".join(values.values()).replace(",", " ").split()
    # The pages of an index on this disk name files beside it, hence its parent.
    places = [str(Path(word.removeprefix("file://")).parent) for word in words if word.startswith("file://")]
    places += [word for word in words if word.startswith("/")]
    volumes = [place for place in dict.fromkeys(places) if Path(place).is_dir() and place != "/"]
    return Sources(secrets=tuple(secrets), volumes=tuple(volumes), left_out=left_out)


def _without_folders(values: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables without the sources that are folders of this machine, and those folders."""
    kept, left_out = dict(values), []
    for name, text in values.items():
        if not re.search(r"INDEX|LINKS", name):
            continue
        words = re.split(r"[,\s]+", text)
        own = [word for word in words if word.startswith(("/", "file://"))]
        if own and name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
            raise UsageError(
                "docker cannot reach this machine's package index", where=f"the default index: {own[0]}",
                why="it is a folder, and docker mounts none into a build",
                hint="--builder podman mounts it, and so does buildah",
            )  # fmt: skip
        left_out += own
        if own:
            kept[name] = ("," if "," in text else " ").join(word for word in words if word not in own)
    return {name: text for name, text in kept.items() if text}, tuple(dict.fromkeys(left_out))


def _private(path: Path, lines: Sequence[str]) -> str:
    path.touch(mode=0o600)
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)
