"""The build context: which files of the project go in, and a folder that holds exactly those."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from nuages.errors import OutsideError

SECRETS = (
    ".env", ".env.*", "*.env", ".envs", ".envrc", ".secrets",
    "!.env.example", "!.env.sample", "!.env.template", "!.env.dist",
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
    ".netrc", ".pypirc", ".npmrc", ".pgpass", ".my.cnf", ".aws", ".azure", ".gcloud", ".kube", ".ssh", ".docker",
    "credentials.json", "client_secret*.json", "service-account*.json", "secrets.toml", "secrets.y*ml",
    ".htpasswd", "kubeconfig", "*.kdbx", "*.tfstate", "*.tfvars", ".vault_pass*", ".vault-token",
)  # fmt: skip
"""What may hold a secret, by name. A name with `!` is kept."""

_REPOSITORY = (".git", ".hg", ".svn", ".github", ".gitlab", ".circleci", ".gitignore", ".gitattributes",
               ".dockerignore", "Dockerfile", "Dockerfile.*", "*.Dockerfile", "docker-compose*.y*ml",
               "compose*.y*ml")  # fmt: skip
_MADE = ("__pycache__", "*.py[co]", ".venv", "venv", ".tox", ".nox", "node_modules", "*.egg-info", ".eggs",
         ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".coverage", "htmlcov", ".idea", ".vscode",
         ".DS_Store", "*.log", "*.pid", "*.sock", "*.swp")  # fmt: skip
_DATA = ("*.sqlite3", "*.sqlite3-*", "*.sqlite", "*.db", "dump.rdb", "*.sql.gz", "*.dump")

GROUPS = {
    "secrets": SECRETS,
    "the repository": _REPOSITORY,
    "what is made again": _MADE,
    "databases": _DATA,
}
"""Every pattern by what it is about; a name anywhere in the tree."""

_TIME, _SPAN = 1_577_836_800, 1 << 25
"""2020-01-01, and a year in seconds: a file's time follows from its content, so that the same makes the same layer, and
another is another file to docker. BuildKit takes a file of the same size and time for the one that it was given before
(moby/buildkit issue 2592)."""


def patterns(excluded: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the lines of .dockerignore: names at any depth, then the project's own patterns."""
    lines = []
    for group, names in GROUPS.items():
        lines += ["", f"# {group}"]
        lines += [f"!**/{name[1:]}" if name.startswith("!") else f"**/{name}" for name in names]
    return (*lines, *(["", "# this project's own"] if excluded else []), *excluded)


def is_left_out(path: str, excluded: Sequence[str] = ()) -> bool:
    """Return whether a path relative to the root, with `/`, stays outside; what is below such a folder does too."""
    name = path.rpartition("/")[2]
    out = False
    for names in GROUPS.values():
        for pattern in names:
            if pattern.startswith("!"):
                out = out and not fnmatch.fnmatchcase(name, pattern[1:])
            elif fnmatch.fnmatchcase(name, pattern):
                out = True
    for pattern in excluded:
        plain = pattern.removeprefix("/").removesuffix("/")
        if pattern.startswith("!"):
            out = out and not _matches(path, plain[1:])
        elif _matches(path, plain):
            out = True
    return out


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern[3:]) or fnmatch.fnmatchcase(
            path, pattern[3:]
        )
    return fnmatch.fnmatchcase(path, pattern)


def walk(root: Path, excluded: Sequence[str] = ()) -> Iterator[str]:
    """Yield the paths of files and links that go in, in a fixed order; links out of the root are left out."""
    real = root.resolve()

    def below(folder: str) -> Iterator[str]:
        with os.scandir(root / folder if folder else root) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
        for entry in names:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path == ".nuages" or is_left_out(path, excluded):
                continue
            if entry.is_symlink():
                if Path(entry.path).resolve().is_relative_to(real):
                    yield path
            elif entry.is_dir(follow_symlinks=False):
                yield from below(path)
            elif entry.is_file(follow_symlinks=False):
                yield path

    yield from below("")


def write(root: Path, target: Path, added: dict[str, bytes], excluded: Sequence[str] = ()) -> int:
    """Fill the folder `target` with the project's files and `added` ones; return how many bytes that were.

    Modes are 0644 and 0755, times those of the contents. Raises OutsideError where the disk refuses.
    """
    size = 0
    try:
        for path in walk(root, excluded):
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            source = root / path
            if source.is_symlink():
                place.symlink_to(os.readlink(source))  # noqa: PTH115 - as it is written
                continue
            shutil.copyfile(source, place)
            place.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
            size += place.stat().st_size
        for path, data in sorted(added.items()):
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            place.chmod(0o644)
            size += len(data)
        for folder, folders, names in os.walk(target):
            for name in (*folders, *names):
                seconds = _seconds(Path(folder, name))
                os.utime(Path(folder, name), (seconds, seconds), follow_symlinks=False)
            for name in folders:
                if not Path(folder, name).is_symlink():
                    Path(folder, name).chmod(0o755)
    except OSError as error:
        raise OutsideError(
            "the build context cannot be written", where=str(error.filename or target),
            why=error.strerror or str(error), hint="free some space, or set TMPDIR to a larger disk",
        ) from None  # fmt: skip
    return size


def _seconds(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return _TIME
    digest = hashlib.sha256(os.fsencode(os.readlink(path)) if path.is_symlink() else b"")  # noqa: PTH115
    if not path.is_symlink():
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return _TIME + int.from_bytes(digest.digest()[:4], "big") % _SPAN
