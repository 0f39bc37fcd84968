"""Which mappings of a process are nothing but pages of files, by the text of its smaps."""

from __future__ import annotations

from nuages.runtime.mappings import of_files

CLEAN = "Anonymous:             0 kB\nSwap:                  0 kB\n"


def entry(span: str, rights: str, path: str, anonymous: int, swapped: int = 0) -> str:
    return (
        f"{span} {rights} 00001000 fe:00 1234   {path}\n"
        f"Size:                 16 kB\nRss:                  16 kB\nAnonymous:      {anonymous:8d} kB\n"
        f"Swap:           {swapped:8d} kB\nSwapPss:               0 kB\nVmFlags: rd ex mr mw me\n"
    )


def test_code_and_constants_of_libraries_are_found() -> None:
    text = entry("7f0000001000-7f0000003000", "r-xp", "/lib/libz.so.1", 0)
    text += entry("7f0000003000-7f0000004000", "r--p", "/lib/libz.so.1", 0)
    assert list(of_files(text.splitlines())) == [
        (0x7F0000001000, 0x7F0000003000),
        (0x7F0000003000, 0x7F0000004000),
    ]


def test_what_was_or_may_be_written_to_stays() -> None:
    text = entry("7f0000001000-7f0000002000", "r--p", "/lib/libz.so.1", 4)  # relocated, then read-only
    text += entry("7f0000001000-7f0000002000", "r--p", "/lib/libz.so.1", 0, swapped=4)
    text += entry("7f0000002000-7f0000003000", "rw-p", "/lib/libz.so.1", 0)
    text += entry("7f0000003000-7f0000004000", "r--s", "/memfd:board (deleted)", 0)
    text += f"7f0000005000-7f0000006000 r--p 00000000 00:00 0 \n{CLEAN}"
    text += f"7f0000006000-7f0000007000 r-xp 00000000 00:00 0 [vdso]\n{CLEAN}"
    assert list(of_files(text.splitlines())) == []


def test_a_mapping_takes_nothing_from_the_one_before_it() -> None:
    text = "7f0000001000-7f0000002000 r-xp 00000000 fe:00 12 /lib/a.so\nRss: 4 kB\n"
    text += f"7f0000002000-7f0000003000 rw-p 00000000 00:00 0 [heap]\n{CLEAN}"
    assert list(of_files(text.splitlines())) == []
