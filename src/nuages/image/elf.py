"""What an ELF file asks of the system: its libraries, where it looks for them, what could be stripped (elf(5))."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRING_TABLE, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_SYMBOLS = (".symtab", ".strtab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """One ELF file: `machine` is its e_machine, `strippable` the bytes that only debuggers and linkers read."""

    machine: int
    interpreter: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    strippable: int = 0


def parse(data: bytes) -> Elf | None:
    """Return what an ELF file says; None for anything else, a relocatable object and a file that is cut off."""
    if len(data) < 52 or data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    try:
        return _parse(data, wide=data[4] == 2, order="<" if data[5] == 1 else ">")
    except (struct.error, IndexError, ValueError):
        return None


def _parse(data: bytes, *, wide: bool, order: str) -> Elf | None:
    kind, machine = struct.unpack_from(order + "HH", data, 16)
    if kind not in (2, 3):
        return None
    if wide:
        segments, sections = struct.unpack_from(order + "QQ", data, 32)
        each, count, section_size, section_count, names = struct.unpack_from(order + "5H", data, 54)
    else:
        segments, sections = struct.unpack_from(order + "II", data, 28)
        each, count, section_size, section_count, names = struct.unpack_from(order + "5H", data, 42)
    loads: list[tuple[int, int, int]] = []
    dynamic = (0, 0)
    interpreter = ""
    for index in range(count):
        at = segments + index * each
        if wide:
            what, _, offset, address, _, size = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            what, offset, address, _, size = struct.unpack_from(order + "IIIII", data, at)
        if what == _LOAD:
            loads.append((address, size, offset))
        elif what == _DYNAMIC:
            dynamic = (offset, size)
        elif what == _INTERPRETER:
            interpreter = data[offset : offset + size].rstrip(b"\0").decode("utf-8", "replace")
    tags = _tags(data, dynamic, order + ("qQ" if wide else "iI"))
    table = next((value for tag, value in tags if tag == _STRING_TABLE), 0)
    strings = next(
        (offset + table - start for start, size, offset in loads if start <= table < start + size), 0
    )

    def texts(wanted: int) -> tuple[str, ...]:
        return tuple(_text(data, strings + value) for tag, value in tags if tag == wanted)

    return Elf(
        machine=machine,
        interpreter=interpreter,
        soname=next(iter(texts(_SONAME)), ""),
        needed=texts(_NEEDED),
        rpath=tuple(part for text in texts(_RPATH) for part in text.split(":") if part),
        runpath=tuple(part for text in texts(_RUNPATH) for part in text.split(":") if part),
        strippable=_strippable(data, wide, order, (sections, section_size, section_count, names)),
    )


def _tags(data: bytes, place: tuple[int, int], layout: str) -> list[tuple[int, int]]:
    offset, size = place
    width = struct.calcsize(layout)
    return [struct.unpack_from(layout, data, offset + at) for at in range(0, size - width + 1, width)]


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "replace")


def _strippable(data: bytes, wide: bool, order: str, table: tuple[int, int, int, int]) -> int:
    """Return the size of the sections that `strip --strip-unneeded` removes; a cut-off table counts as none."""
    start, each, count, names = table
    if not start or not count:
        return 0
    layout = order + ("IIQQQQ" if wide else "IIIIII")
    try:
        rows = [struct.unpack_from(layout, data, start + index * each) for index in range(count)]
        texts = rows[names][4]
        found = [(_text(data, texts + row[0]), row[5]) for row in rows]
    except (struct.error, IndexError, ValueError):
        return 0
    return sum(size for name, size in found if name in _SYMBOLS or name.startswith((".debug", ".zdebug")))
