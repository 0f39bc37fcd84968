"""Operations on known values: operators, methods of text, lists, dicts and paths, a few functions; never I/O.

Everything is bounded, so that hostile source can neither fill the memory nor take long.
"""

from __future__ import annotations

import ast
import operator
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from nuages.project.values import UNKNOWN, EnvironPath, Missing, copied, is_known

MAX_SIZE = 20_000

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_TEXT = frozenset(
    """capitalize casefold count encode endswith find isalnum isalpha isdigit isidentifier islower isnumeric isspace
    isupper join lower lstrip partition removeprefix removesuffix replace rfind rpartition rsplit rstrip split
    splitlines startswith strip swapcase title upper zfill format""".split()  # noqa: SIM905 - one word per name
)
_LIST = frozenset(
    ("append", "extend", "insert", "remove", "index", "copy", "count", "pop", "reverse", "sort")
)
_DICT = frozenset(("get", "items", "keys", "values", "update", "setdefault", "copy", "pop"))
_SET = frozenset(("add", "update", "union", "difference", "copy", "discard"))
_PATH = frozenset(("joinpath", "with_name", "with_suffix", "as_posix", "relative_to", "is_absolute", "match"))
_SAME_PATH = frozenset(("resolve", "absolute", "expanduser"))


def binary(kind: ast.operator, left: Any, right: Any) -> Any:
    """Return what an operator makes of two known values, else UNKNOWN."""
    if isinstance(left, EnvironPath) and isinstance(kind, ast.Sub) and isinstance(right, int):
        path = left.path
        for _ in range(min(right, 64)):
            path = path.parent
        return EnvironPath(path)
    if isinstance(left, EnvironPath):
        left = str(left.path)
    if isinstance(left, list) and isinstance(right, list) and isinstance(kind, ast.Add):
        return bounded([*left, *right])
    if isinstance(left, tuple) and isinstance(right, tuple) and isinstance(kind, ast.Add):
        return bounded((*left, *right))
    function = _BINARY.get(type(kind))
    if function is None or not _is_plain(left) or not _is_plain(right):
        return UNKNOWN
    if isinstance(kind, ast.Mult) and _is_large(left, right):
        return UNKNOWN
    if isinstance(kind, ast.Mod) and isinstance(left, (str, bytes)) and not _is_small_format(left):
        return UNKNOWN
    return bounded(function(left, right))


def _is_plain(value: Any) -> bool:
    return is_known(value) and not isinstance(value, Missing)


def _is_large(left: Any, right: Any) -> bool:
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, (str, bytes, list, tuple)):
            return isinstance(count, int) and len(sequence) * count > MAX_SIZE
    return any(isinstance(one, int) and one.bit_length() > 256 for one in (left, right))


def _is_small_format(template: str | bytes) -> bool:
    # A width such as in `"%999999999d"` would fill the memory.
    text = template if isinstance(template, str) else template.decode("latin-1")
    return len(text) < MAX_SIZE and not re.search(r"[%:][^a-zA-Z%{}]*\d{4,}|%[-+ #0]*\*", text)


def bounded(value: Any) -> Any:
    """Return the value, or UNKNOWN when it is too large to keep, counted with all its parts."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, (str, bytes, list, tuple, dict, set)) and len(one) > MAX_SIZE:
            return UNKNOWN
        if isinstance(one, (list, tuple, set)):
            waiting.extend(one)
        elif isinstance(one, dict):
            waiting.extend(one.values())
        count += 1
        if count > MAX_SIZE:
            return UNKNOWN
    return value


def compare(kind: ast.cmpop, left: Any, right: Any) -> Any:
    """Return what a comparison says of two values, else UNKNOWN; an unset variable's None is None."""
    left = None if isinstance(left, Missing) else left
    right = None if isinstance(right, Missing) else right
    if isinstance(kind, (ast.In, ast.NotIn)):
        if isinstance(right, dict):
            return compare(kind, left, list(right))
        if isinstance(right, (list, tuple, set)) and is_known(left) and not is_known(right):
            # Found among the known parts is found; not found says nothing.
            known = [item for item in right if is_known(item)]
            return isinstance(kind, ast.In) if left in known else UNKNOWN
    if not is_known(left) or not is_known(right):
        return UNKNOWN
    if isinstance(kind, (ast.Is, ast.IsNot)) and left is not None and right is not None:
        is_same = left == right and type(left) is type(right)
        return is_same if isinstance(kind, ast.Is) else not is_same
    return bool(_COMPARE[type(kind)](left, right))


def attribute(owner: Any, name: str) -> Any:
    """Return a known attribute of a path, else UNKNOWN."""
    if isinstance(owner, PurePosixPath):
        if name in {"name", "stem", "suffix", "parent"}:
            return getattr(owner, name)
        if name == "parents":
            return tuple(owner.parents)
    if isinstance(owner, EnvironPath) and name == "root":
        return str(owner.path)
    return UNKNOWN


def has_method(owner: Any, name: str) -> bool:
    """Return whether `call_method` knows a method."""
    if isinstance(owner, str):
        return name in _TEXT
    if isinstance(owner, list):
        return name in _LIST
    if isinstance(owner, dict):
        return name in _DICT
    if isinstance(owner, set):
        return name in _SET
    if isinstance(owner, PurePosixPath):
        return name in _PATH or name in _SAME_PATH
    if isinstance(owner, EnvironPath):
        return name == "path"
    return isinstance(owner, bytes) and name == "decode"


def call_method(owner: Any, name: str, arguments: list[Any], keywords: Mapping[str, Any]) -> Any:
    """Return what a method of a known value returns; lists and dicts are changed in place.

    Raises what the method raises for known arguments.
    """
    if isinstance(owner, PurePosixPath) and name in _SAME_PATH:
        return owner
    if isinstance(owner, EnvironPath):
        return EnvironPath(_joined(owner.path, arguments))
    if isinstance(owner, (list, dict, set)):
        return _change(owner, name, arguments, keywords)
    if not all(map(_is_plain, arguments)) or not all(map(_is_plain, keywords.values())):
        return UNKNOWN
    if name == "format" and not _is_small_format(owner):
        return UNKNOWN
    if name == "zfill" and (not arguments or not isinstance(arguments[0], int) or arguments[0] > MAX_SIZE):
        return UNKNOWN
    return bounded(getattr(owner, name)(*arguments, **keywords))


def _joined(path: PurePosixPath, parts: list[Any]) -> PurePosixPath:
    return path.joinpath(*[str(part) for part in parts if isinstance(part, (str, PurePosixPath))])


def _change(owner: Any, name: str, arguments: list[Any], keywords: Mapping[str, Any]) -> Any:
    if len(owner) > MAX_SIZE:
        return UNKNOWN
    # A copy, so that nothing can hold itself.
    arguments = [copied(bounded(argument)) for argument in arguments]
    if name == "extend" or (name == "update" and isinstance(owner, set)):
        if arguments and isinstance(arguments[0], (list, tuple, set)):
            items = list(arguments[0])[:MAX_SIZE]
            return owner.extend(items) if isinstance(owner, list) else owner.update(items)
        if isinstance(owner, list):
            owner.append(UNKNOWN)
        return None
    if name == "update":
        if arguments and isinstance(arguments[0], dict):
            owner.update(arguments[0])
        owner.update(keywords)
        return None
    if name in {"sort", "index", "remove", "count"} and not (
        is_known(owner) and all(map(is_known, arguments))
    ):
        return UNKNOWN
    if name == "insert" and (len(arguments) != 2 or not isinstance(arguments[0], int)):
        owner.append(UNKNOWN)
        return None
    result = getattr(owner, name)(*arguments)
    return list(result) if name in {"items", "keys", "values"} else result


def text_path(name: str, arguments: list[Any]) -> Any:
    """Return what a pure function of os.path says (`join`, `dirname`, `abspath` …), else UNKNOWN."""
    if not arguments or not all(isinstance(one, (str, PurePosixPath, EnvironPath)) for one in arguments):
        return UNKNOWN
    texts = [str(one.path) if isinstance(one, EnvironPath) else str(one) for one in arguments]
    if name == "join":
        return posixpath.join(*texts)
    if name in {"abspath", "realpath", "normpath"}:
        return posixpath.normpath(texts[0])
    if name in {"dirname", "basename"}:
        return getattr(posixpath, name)(texts[0])
    return UNKNOWN


def builtin(name: str, arguments: list[Any]) -> Any:
    """Return what a builtin function makes of known arguments, else UNKNOWN; raises what it raises."""
    if not arguments:
        return {"list": [], "dict": {}, "set": set(), "tuple": (), "str": "", "bool": False, "int": 0}.get(
            name, UNKNOWN
        )
    first = arguments[0]
    if name in {"list", "tuple", "set"}:
        if isinstance(first, (list, tuple, set, dict, str)):
            return {"list": list, "tuple": tuple, "set": set}[name](first)
        return UNKNOWN
    if name == "dict":
        return dict(first) if isinstance(first, dict) else UNKNOWN
    if name == "len":
        return len(first) if isinstance(first, (list, tuple, set, dict, str)) else UNKNOWN
    if not is_known(first):
        return UNKNOWN
    if name == "str":
        return (
            str(first.path)
            if isinstance(first, EnvironPath)
            else str(None if isinstance(first, Missing) else first)
        )
    if name in {"int", "float", "bool", "any", "all", "sorted", "min", "max"} and len(arguments) == 1:
        if isinstance(first, str) and len(first) > 4000:
            return UNKNOWN
        functions: dict[str, Callable[[Any], Any]] = {
            "int": int, "float": float, "bool": bool, "any": any, "all": all, "sorted": sorted, "min": min, "max": max,
        }  # fmt: skip
        return functions[name](first)
    if name == "range" and all(isinstance(one, int) for one in arguments) and len(range(*arguments)) <= 1000:
        return list(range(*arguments))
    return UNKNOWN
