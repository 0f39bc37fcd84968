"""The shared library that the dynamic linker did not find, and the Debian package that its name tells."""

from __future__ import annotations

import re

_ABSENT = re.compile(r"((lib[\w.+-]+?)\.so(?:\.(\d+))?[\d.]*): cannot open shared object file")
"""What the dynamic linker says of a library that it does not find (ld.so(8))."""


def absent(text: str) -> tuple[str, str]:
    """Return the library that a text says is not there, and its package; ("", "") for any other text.

    The package is called after the soname (Debian Policy, 8.1): libvoikko.so.1 is in libvoikko1, libicuuc.so.76 in one
    that is not; where a package was renamed for its 64-bit time, it provides the former name.
    """
    match = _ABSENT.search(text)
    if match is None:
        return "", ""
    dash = "-" if match[2][-1].isdigit() and match[3] else ""
    return match[1], f"{match[2]}{dash}{match[3] or ''}".lower().replace("_", "-")
