"""What is wrong with a built image, and what of it could go: read from its layers, nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nuages.image.archive import Entry, Image
from nuages.image.contents import Contents, merge, owners
from nuages.image.leaks import AWS, by_name, in_words, is_public
from nuages.image.linking import missing

_TOOLS = re.compile(
    r"(usr/(local/)?bin/((.*-linux-gnu-)?(gcc|g\+\+|cpp|cc|c\+\+|clang|ld|as|gdb|strace)(-[\d.]+)?|make|cmake|git"
    r"|pkg-config|pkgconf|rustc|cargo|node|npm|uv|pipenv|poetry|pdm))$"
)
_TESTS = re.compile(r"(^|[/_.-])(tests?|testing|testdata|conftest|fixtures?|samples?|examples?|e2e)([/_.-])")

_ABOUT = 200_000
"""What is smaller than this, in bytes, is not worth a line."""

_UNREAD = (
    (
        r"(^|/)(site|dist)-packages/.*\.po$",
        "message catalogues' sources (.po): Django reads the compiled ones",
    ),
    (
        r"(^|/)(site|dist)-packages/.*\.(c|cc|cpp|h|hpp|pyx|pxd|pyi|a)$",
        "C sources, headers and stubs of packages",
    ),
    (r"(^|/)(site|dist)-packages/[^/]+/(.*/)?tests/", "tests of packages"),
    (r"^(root|tmp|home/[^/]+)/\.cache/|^var/cache/|^var/lib/apt/lists/", "caches of installers"),
    (r"^usr/share/(doc|man|info)/(?!.*/copyright$)", "documentation"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to mend in an image. `severity` is `error`, `warning` or `note`."""

    id: str
    severity: str
    what: str
    where: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What could go, and how many bytes that are."""

    what: str
    size: int
    examples: tuple[str, ...] = ()


def audit(image: Image) -> tuple[Finding, ...]:
    """Return what is wrong with an image, errors first."""
    contents = merge(image)
    found = [
        *_secrets(image, contents),
        *_libraries(contents),
        *_writable(contents),
        *_setuid(contents),
        *_tools(contents),
        *_user(image),
    ]
    return tuple(sorted(found, key=lambda each: ("error", "warning", "note").index(each.severity)))


def _secrets(image: Image, contents: Contents) -> Iterator[Finding]:
    whose = owners(contents)
    for number, layer in enumerate(image.layers):
        for path, entry in layer.entries.items():
            if is_public(path) or whose.get(path, "/").endswith("(Debian)"):
                continue
            leaks = (*entry.leaks, *(["a file that is named as secrets are"] if by_name(path) else []))
            if entry.kind == "folder" or not leaks:
                continue
            gone = (
                ""
                if contents.layers.get(path) == number
                else ", deleted or replaced later: it is in the layer"
            )
            # Tokens in tests are samples, nearly always.
            severe = by_name(path) or not (_TESTS.search(path) or set(leaks) == {AWS})
            own = f" {path.removeprefix('app/')}" if path.startswith("app/") else ""
            yield Finding(
                id="I001", severity="error" if severe else "warning",
                what=f"there may be a secret in the image: {', '.join(leaks)}",
                where=f"/{path} (layer {number + 1}{gone})",
                hint=f"leave it out: --exclude{own}, and give it at run time; "
                "a secret that was pushed is to be changed",
            )  # fmt: skip
    words = [(f"environment: {line.partition('=')[0]}", line) for line in _config(image, "Env")]
    words += [(f"history, layer {index + 1}", layer.created_by) for index, layer in enumerate(image.layers)]
    for where, line in words:
        for leak in in_words(line):
            yield Finding(
                id="I001", severity="error", what=f"there may be a secret in the image: {leak}", where=where,
                hint="give it at run time, or to the build as a secret: RUN --mount=type=secret",
            )  # fmt: skip


def _config(image: Image, name: str) -> list[str]:
    return list((image.config.get("config") or {}).get(name) or ())


def _libraries(contents: Contents) -> Iterator[Finding]:
    files = {f"/{path}": entry.elf for path, entry in contents.entries.items() if entry.elf is not None}
    for each in missing(files, contents.resolve, tuple(_configured(contents))):
        # Modules of Python itself that no server loads: python:slim itself has _tkinter without Tk.
        optional = "/lib-dynload/" in each.path
        yield Finding(
            id="I002", severity="note" if optional else "error",
            what=f"a shared library is missing: {each.library}", where=each.path,
            hint="add the Debian package that has it: --apt PACKAGE (apt-file search names it)",
        )  # fmt: skip


def _configured(contents: Contents) -> Iterator[str]:
    for path, text in contents.texts.items():
        if path.startswith("etc/ld.so.conf"):
            yield from (line.strip() for line in text.splitlines() if line.startswith("/"))


def _writable(contents: Contents) -> Iterator[Finding]:
    for path, entry in contents.entries.items():
        sticky = entry.kind == "folder" and entry.mode & 0o1000
        if entry.mode & 0o002 and not sticky and entry.kind in {"file", "folder"}:
            yield Finding(
                id="I003", severity="error", what="everybody may write this", where=f"/{path} ({entry.mode:04o})",
                hint=f"chmod o-w /{path}",
            )  # fmt: skip


def _setuid(contents: Contents) -> Iterator[Finding]:
    for path, entry in contents.entries.items():
        if entry.kind == "file" and entry.mode & 0o6000:
            yield Finding(
                id="I004", severity="warning", what="a program runs as its owner, whoever starts it",
                where=f"/{path} ({entry.mode:04o})", hint=f"chmod a-s /{path}",
            )  # fmt: skip


def _tools(contents: Contents) -> Iterator[Finding]:
    tools = [path for path in contents.entries if _TOOLS.match(path)]
    headers = {
        name.rpartition("/")[2].removesuffix(".list").partition(":")[0]
        for name in contents.texts
        if name.startswith("var/lib/dpkg/info/") and re.search(r"-dev(:[^/]+)?\.list$", name)
    }
    if found := [*(f"/{path}" for path in sorted(tools)), *sorted(headers)]:
        yield Finding(
            id="I005", severity="warning", what="development tools are left in the image",
            where=", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else ""),
            hint="install them in the build stage only",
        )  # fmt: skip


def _user(image: Image) -> Iterator[Finding]:
    user = str((image.config.get("config") or {}).get("User") or "")
    if user.partition(":")[0] in {"", "0", "root"}:
        yield Finding(
            id="I006", severity="error", what="the image runs as root", where=f"USER {user}".rstrip(),
            hint="USER 65532:65532",
        )  # fmt: skip
    elif not user.partition(":")[0].isdigit():
        yield Finding(
            id="I006", severity="warning", what="Kubernetes cannot see that the image does not run as root",
            where=f"USER {user}", hint="name the user by its number (runAsNonRoot)",
        )  # fmt: skip


def savings(contents: Contents) -> tuple[Saving, ...]:
    """Return what could go, the largest first."""
    files = {path: entry for path, entry in contents.entries.items() if entry.size}
    found = [_saving(what, _sizes(files.items(), pattern)) for pattern, what in _UNREAD]
    found.append(
        _saving(
            "symbols that only debuggers read: strip --strip-unneeded",
            {
                path: entry.elf.strippable
                for path, entry in files.items()
                if entry.elf and entry.elf.strippable
            },
        )
    )
    found.append(_saving("files that a later layer replaces or deletes", dict(contents.hidden)))
    return tuple(sorted((each for each in found if each.size >= _ABOUT), key=lambda each: -each.size))


def _sizes(files: Iterable[tuple[str, Entry]], pattern: str) -> dict[str, int]:
    return {path: entry.size for path, entry in files if re.search(pattern, path)}


def _saving(what: str, sizes: dict[str, int]) -> Saving:
    largest = sorted(sizes, key=lambda path: -sizes[path])[:3]
    return Saving(what=what, size=sum(sizes.values()), examples=tuple(f"/{path}" for path in largest))
