"""Ways out of a folder as public scanners try them: dots and slashes, plain, encoded once and twice, overlong, cut off.

The parts are those of DotDotPwn's engine, of the lists «LFI» and «traversal» of SecLists and of Nuclei's templates;
they are put together here, each dot with each slash.
"""

from __future__ import annotations

from collections.abc import Iterator

DOTS = (
    "..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%25252e%25252e", "%c0%ae%c0%ae", "%c0%2e%c0%2e",
    "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae", "%u002e%u002e", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e",
    "%e2%80%a4%e2%80%a4", "0x2e0x2e", "..%00", "..%01", "..%0d%0a", "..%20", "..%09", "..;", "..;x=y", "....", "...",
    "%2e%2e%3b", ".%00.", "..%ff", "\u2025",
)  # fmt: skip
SLASHES = (
    "/", "//", "/./", "%2f", "%2F", "%252f", "%25252f", "\\", "%5c", "%255c", "\\/", "%c0%af", "%c1%9c", "%c0%5c",
    "%e0%80%af", "%ef%bc%8f", "%u2215", "%u2216", "%25c0%25af", ";/", "%3b/", "%00/",
)  # fmt: skip
ENDS = (
    "%00",
    "%00.png",
    "%2500.png",
    "%20",
    ".",
    "/",
    "/.",
    "/..",
    "::$DATA",
    "%3f.png",
    "%23.png",
    "~",
    ";.png",
    "%0a",
)
STARTS = (
    "/",
    "//",
    "%2f",
    "%252f",
    "\\",
    "%5c",
    "\\\\",
    "file://",
    "file:/",
    "/./",
    "./",
    "~/",
    "http://a/",
    "..%2f",
    "c:/",
)


def ways(outside: str, inside: str) -> Iterator[bytes]:
    """Yield relative targets that would lead to `outside`, a path below the folder above, or to a file in `/etc`.

    `inside` is a folder that is there: some ways lead through it.
    """
    for dots in DOTS:
        for slash in SLASHES:
            yield _bytes(dots + slash + outside.replace("/", slash))
            yield _bytes(f"{inside}/" + (dots + slash) * 2 + outside)
            yield _bytes((dots + slash) * 8 + f"etc{slash}passwd")
    for end in ENDS:
        yield _bytes(f"../{outside}{end}")
        yield _bytes(f"%2e%2e%2f{outside}{end}")
        yield _bytes(f"../../../../../../etc/passwd{end}")
    for start in STARTS:
        yield _bytes(f"{start}etc/passwd")
        yield _bytes(f"{start}../{outside}")


def _bytes(text: str) -> bytes:
    return text.encode()
