"""This very installation of nuages as a wheel, and it with its dependencies as folders beside an environment."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nuages
from nuages.environment.compatibility import SERVER
from nuages.environment.failures import Context, explain
from nuages.environment.home import (
    Home,
    Report,
    complete,
    digest_of,
    disk,
    is_complete,
    locked,
    start_over,
    write,
)
from nuages.environment.interpreters import Interpreter, dotted
from nuages.environment.locks.graph import applies
from nuages.environment.uv import Uv
from nuages.project.model import normalized

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip archive can say: the same files make the same bytes."""

REQUIREMENTS = Path(__file__).with_name("runtime-requirements.txt")
COMPRESSORS = Path(__file__).with_name("compressor-requirements.txt")
COMPRESSORS_FOLDER = ".compressors"
"""Beside the runtime, and attached to no environment: only collecting static files looks there."""
POINTER = "nuages-runtime.pth"


def package_files(package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (path inside the wheel, content) of the package's files in order; bytecode is not part of it."""
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".pyo"}:
            yield f"{package.name}/{path.relative_to(package).as_posix()}", path.read_bytes()


def installed_package() -> Path:
    """Return the folder that this nuages runs from, installed or in a work tree."""
    return Path(nuages.__file__).parent


def wheel_name(version: str = nuages.__version__) -> str:
    """Return the wheel's file name (binary distribution format, PyPA)."""
    return f"nuages-{version}-py3-none-any.whl"


def wheel(files: Mapping[str, bytes], version: str = nuages.__version__) -> bytes:
    """Return a wheel of the files; the same files make the same bytes. It names no dependencies: they lie beside."""
    info = f"nuages-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: nuages\nVersion: {version}\nRequires-Python: >=3.10\n"
    every = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: nuages\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[console_scripts]\nnuages = nuages.__main__:main\n",
    }
    record = "".join(
        f"{name},sha256={_record_hash(data)},{len(data)}\n" for name, data in sorted(every.items())
    )
    every[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(every):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, every[name])
    return stream.getvalue()


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What goes beside an environment: our package's files and the hashed requirements of the server."""

    files: Mapping[str, bytes]
    requirements: str

    @property
    def digest(self) -> str:
        """The digest of all of it."""
        parts = [part for name, data in sorted(self.files.items()) for part in (name, data)]
        return digest_of(self.requirements, *parts)


def read() -> Bundle:
    """Return the bundle of this installation."""
    return Bundle(
        files=dict(package_files(installed_package())), requirements=REQUIREMENTS.read_text(encoding="utf-8")
    )


def digest_for(bundle: Bundle, interpreter: Interpreter) -> str:
    """Return the digest of the bundle as it is installed for one Python."""
    return digest_of(bundle.digest, interpreter.abi, interpreter.platform)


def install(home: Home, bundle: Bundle, interpreter: Interpreter, uv: Uv, report: Report) -> Path:
    """Return the folder that holds one folder for each distribution of the runtime; make it if need be."""
    digest = digest_for(bundle, interpreter)
    folder = home.runtime(digest)
    if is_complete(folder):
        return folder
    with locked(folder.with_name(f"{digest}.lock"), report, "the runtime"):
        if is_complete(folder):
            return folder
        report(
            "runtime",
            f"installing nuages {nuages.__version__} and its server for Python {dotted(interpreter.series)}",
        )
        start_over(folder)
        with disk(folder):
            everything = folder / ".all"
            archive = folder / wheel_name()
            archive.write_bytes(wheel(bundle.files))
            write(folder / "requirements.txt", "\n".join(_lines(bundle.requirements, interpreter)) + "\n")
        target = ["--python", interpreter.path, "--target", str(everything), "--no-deps"]
        for what in (["--require-hashes", "-r", str(folder / "requirements.txt")], [str(archive)]):
            outcome = uv.run(["pip", "install", *target, *what])
            if outcome.code:
                context = Context(
                    where="the server that nuages brings along",
                    python=dotted(interpreter.series),
                    home=str(home.root),
                )
                raise explain(outcome.text, context)
        _install_compressors(folder, interpreter, uv, report)
        with disk(folder):
            _split(everything, folder)
            complete(folder, nuages=nuages.__version__, python=dotted(interpreter.series))
    return folder


def _install_compressors(folder: Path, interpreter: Interpreter, uv: Uv, report: Report) -> None:
    """Install what compresses static files better than gzip; without it they are served all the same."""
    requirements = folder / "compressors.txt"
    with disk(folder):
        write(requirements, "\n".join(_lines(COMPRESSORS.read_text(encoding="utf-8"), interpreter)) + "\n")
    target = ["--python", interpreter.path, "--target", str(folder / COMPRESSORS_FOLDER), "--no-deps"]
    if uv.run(["pip", "install", *target, "--require-hashes", "-r", str(requirements)]).code:
        report("warning", "brotli and zstd cannot be installed: static files are compressed with gzip only")


def _lines(requirements: str, interpreter: Interpreter) -> Iterator[str]:
    """Yield the requirement lines that hold for this Python, without their markers."""
    text = requirements.replace("\\\n", " ")
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        head, *hashes = re.split(r"\s+(?=--hash)", line)
        name, _, marker = head.partition(";")
        if applies(marker.strip(), interpreter.markers):
            yield " ".join([name.strip(), *hashes])


def _split(everything: Path, folder: Path) -> None:
    """Move each distribution of one target folder into a folder of its own, by its RECORD."""
    for info in sorted(everything.glob("*.dist-info")):
        own = folder / normalized(info.name.partition("-")[0])
        own.mkdir()
        names = [line.rsplit(",", 2)[0].strip('"') for line in (info / "RECORD").read_text().splitlines()]
        for name in names:
            source = everything / name
            if not source.is_file() or not source.resolve().is_relative_to(everything.resolve()):
                continue
            target = own / name
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
    shutil.rmtree(everything)


def attach(site_packages: Path, runtime: Path) -> None:
    """Let an environment find the runtime behind its own packages: site reads `.pth` files (docs of `site`)."""
    folders = sorted(path for path in runtime.iterdir() if path.is_dir() and not path.name.startswith("."))
    write(site_packages / POINTER, "".join(f"{line}\n" for line in (*folders, nuages.STARTER)))


def ahead(installed: Mapping[str, str], runtime: Path) -> dict[str, str]:
    """Return the distributions of the project that lie outside what our server works with, with their versions.

    `installed` maps the normalized names in the project's environment to versions. Only those that the runtime
    brings itself are named: ours then stand in front of them, in the server process alone.
    """
    from packaging.specifiers import SpecifierSet

    found = {
        name: installed[name]
        for name, specifier in SERVER.items()
        if name in installed
        and (runtime / name).is_dir()
        and not SpecifierSet(specifier).contains(installed[name], prereleases=True)
    }
    if found and "uvicorn" in installed and (runtime / "uvicorn").is_dir():
        # Ours were locked with our uvicorn; an older one may not know them.
        found["uvicorn"] = installed["uvicorn"]
    return found


def installed_versions(site_packages: Path) -> dict[str, str]:
    """Return the distributions of a site-packages folder by normalized name, read from the folders' names."""
    found = {}
    for info in site_packages.glob("*.dist-info"):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        found[normalized(name)] = version
    return found
