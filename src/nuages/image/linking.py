"""Which shared libraries of an image are missing, by the rules of the dynamic linker (ld.so(8))."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from nuages.image.elf import Elf

_FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")
_TRIPLETS = {62: "x86_64-linux-gnu", 183: "aarch64-linux-gnu", 3: "i386-linux-gnu", 40: "arm-linux-gnueabihf"}
"""Debian's multiarch folders by e_machine (its multiarch specification)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A library that a file needs and that is nowhere it is looked for."""

    path: str
    library: str


def missing(
    files: Mapping[str, Elf], resolve: Callable[[str], str | None], configured: Iterable[str] = ()
) -> tuple[Missing, ...]:
    """Return what no file of the image can be loaded with, in order.

    `files` are the ELF files by absolute path. `resolve` follows the links of a path to a file, None where there is
    none. `configured` are the folders of ld.so.conf. Files for another machine than most are let alone: nothing here
    loads them. So is a library that lies beside others of the same site-packages: whoever loads it has loaded that.
    """
    machine = _usual(files.values())
    folders = (*configured, *(f"{place}/{_TRIPLETS[machine]}" for place in ("/lib", "/usr/lib")
                              if machine in _TRIPLETS), *_FOLDERS)  # fmt: skip
    beside = {(_packages(path), posixpath.basename(path)) for path in files if _packages(path)}
    beside |= {(_packages(path), elf.soname) for path, elf in files.items() if _packages(path)}
    found = []
    for path, elf in sorted(files.items()):
        if elf.machine != machine:
            continue
        for library in elf.needed:
            if library.startswith("libc.musl-") or (_packages(path), library) in beside:
                continue
            if not any(resolve(place) for place in _places(path, elf, library, folders)):
                found.append(Missing(path=path, library=library))
        if elf.interpreter and resolve(elf.interpreter) is None:
            found.append(Missing(path=path, library=elf.interpreter))
    return tuple(found)


def _places(path: str, elf: Elf, library: str, folders: Iterable[str]) -> Iterator[str]:
    if "/" in library:
        yield library
        return
    own = posixpath.dirname(path)
    for folder in (*(() if elf.runpath else elf.rpath), *elf.runpath):
        plain = folder.replace("${ORIGIN}", own).replace("$ORIGIN", own)
        yield posixpath.normpath(posixpath.join(plain, library))
    for folder in folders:
        yield f"{folder}/{library}"


def _usual(files: Iterable[Elf]) -> int:
    count: dict[int, int] = {}
    for each in files:
        count[each.machine] = count.get(each.machine, 0) + 1
    return max(count, key=lambda machine: count[machine], default=0)


def _packages(path: str) -> str:
    """Return the site-packages folder that a path lies in, nothing where it lies in none."""
    for name in ("/site-packages/", "/dist-packages/"):
        if name in path:
            return path[: path.index(name) + len(name)]
    return ""
