"""Which Python a project has been run with, where nothing says which one it wants: a wish, and no demand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nuages.errors import Origin
from nuages.project import container_file
from nuages.project.model import Fact
from nuages.project.python import SERVED
from nuages.project.tree import Tree

_HEAD = 12  # lines: pip-tools and uv write what they did above the first requirement
_COMPILED = re.compile(
    r"#.*(?:pip-compile with python |\s--python-version[ =]|\s(?:--python|-p)[ =])(3\.\d+)\b", re.IGNORECASE
)
_IMAGE = re.compile(r"(?:^|/)python:(3\.\d+)(?![\d])")
_NAMED = re.compile(
    r"\bpython(3\.\d+)(?!\d)"
)  # a package, a command, a folder of libraries, a tag of uv's images


def find(tree: Tree, folders: tuple[str, ...], files: Iterable[str]) -> Fact[str] | None:
    """Return the series, as `==3.12.*`, that the requirements files were compiled with, else that of the own image.

    pip-tools names its Python in the first line of what it writes, uv one that it was asked for: what follows was
    chosen for it. An image of another system is of the one Python that its commands name. None for one that nuages does
    not serve.
    """
    found = [*_compiled(tree, files), *_image(tree, folders)]
    return next((Fact(f"=={one.value}.*", one.origin) for one in found if one.value in SERVED), None)


def _compiled(tree: Tree, files: Iterable[str]) -> Iterator[Fact[str]]:
    for path in files:
        for number, line in enumerate((tree.text(path) or "").splitlines()[:_HEAD], 1):
            # With --universal it is the oldest of several («uv pip compile --help»).
            if (match := _COMPILED.match(line)) and "--universal" not in line:
                yield Fact(match[1], Origin(path, number))


def _image(tree: Tree, folders: tuple[str, ...]) -> Iterator[Fact[str]]:
    for path, _, chain in container_file.nearest(tree, folders):
        base = chain[0][0] if chain else ""
        if match := _IMAGE.search(base) or _NAMED.search(base):
            origin = tree.line_of(path, rf"^FROM\s.*{re.escape(base)}")
            if origin.line is None:
                origin = tree.line_of(path, r"^FROM\s.*\bpython:")
            yield Fact(match[1], origin)
            return
        named = [
            Fact(match[1], Origin(path, each.line))
            for _, _, instructions in chain
            for each in instructions
            for match in _NAMED.finditer(each.text)
        ]
        if len({one.value for one in named}) == 1:
            yield named[0]
        return
