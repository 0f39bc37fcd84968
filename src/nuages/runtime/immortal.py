"""Keep what a loaded project is made of for good, so that using it does not write to its memory.

A worker shares memory with its zygote for as long as neither writes to it, and CPython writes to every object that it
uses: it counts references. Since Python 3.12 an object can be immortal: its count says so, and is left alone (PEP
683, «Avoiding Copy-on-Write»). The interpreter makes its own constants so; what it has no function for before 3.15
(PyUnstable_SetImmortal), is done here: functions, classes, constants, containers and plain instances get that count.
The collector takes such objects as they are (gcmodule.c, `update_refs`: «might have become immortal»).

An immortal object is never destroyed. So what has a destructor, or is made by a library's C code and may hold
something open, stays as it is, and so do an instance that a weak reference leads to, for somebody may wait for its end
(weakref.finalize, WeakSet, the receivers of Django's signals), and everything that a worker makes.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import re
import sys
import types
import weakref
from typing import Any

# The count of an object that is immortal, its lower half on 64 bits: _Py_IMMORTAL_REFCNT in Include/object.h, since
# 3.14 _Py_IMMORTAL_INITIAL_REFCNT in refcount.h. Releases that are not known here may keep it elsewhere.
_COUNTS = {(3, 12): 0xFFFFFFFF, (3, 13): 0xFFFFFFFF, (3, 14): 0xC0000000}
_KINDS = frozenset(
    map(id, (
        object, type, str, bytes, int, float, complex, tuple, frozenset, dict, list, set, property, staticmethod,
        classmethod, types.CodeType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CellType,
        types.ModuleType, types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType,
        types.MemberDescriptorType, types.ClassMethodDescriptorType, types.MappingProxyType, types.GenericAlias,
        functools.partial, re.Pattern,
    ))
)  # fmt: skip
_SIMPLE = frozenset(map(id, (str, int, float, bytes, tuple, frozenset, dict)))
_AT_ONCE = 1000  # objects and their referents
_ALL, _UNWATCHED = 1, 2  # objects of a type that stay: all, or those that no weak reference leads to
_HEAP, _IMMUTABLE = 1 << 9, 1 << 8  # Py_TPFLAGS_HEAPTYPE, Py_TPFLAGS_IMMUTABLETYPE


def is_possible() -> bool:
    """Return whether this interpreter knows immortal objects, and counts where we know it to."""
    known = (
        sys.implementation.name == "cpython"
        and sys.version_info[:2] in _COUNTS
        and sys.maxsize > 1 << 32
        and sys.byteorder == "little"
        and getattr(sys, "_is_gil_enabled", lambda: True)()
        and not hasattr(sys, "gettotalrefcount")  # a debug build checks its sums
    )
    return known and _counts_where_we_look()


def _counts_where_we_look() -> bool:
    probe = object()
    count = ctypes.c_uint32.from_address(id(probe))
    before = count.value
    held = [probe] * 5
    return count.value - before == len(held)


def keep() -> int:
    """Make what can be immortal so, and return how many objects that were; call `is_possible` before.

    A heavy project's 400,000 objects take 0.2 s.
    """
    # All of this process's memory as 32-bit words: a ctypes object for each count would take three times as long.
    words = memoryview((ctypes.c_uint32 * (1 << 60)).from_address(0)).cast("B").cast("I")
    immortal = _COUNTS[sys.version_info[:2]]
    kinds: dict[int, int] = {}  # by id: a metaclass may forbid to hash its classes
    weak = weakref.getweakrefcount
    kept = 0
    codes: list[types.CodeType] = []
    objects = gc.get_objects()
    # Piece by piece, for in a reload the old code is in memory too: the lists shrink as they are gone through.
    while objects:
        holders: list[Any] = []
        for one in objects[-_AT_ONCE:]:
            kind = type(one)
            stays = kinds.get(id(kind))
            if stays is None:
                stays = kinds[id(kind)] = may_stay(kind) and (_ALL if _is_basic(kind) else _UNWATCHED)
            if stays and (stays is _ALL or not weak(one)):
                words[id(one) >> 2] = immortal
                kept += 1
                if kind is types.FunctionType:
                    codes.append(one.__code__)
                elif kind is not tuple:
                    holders.append(one)
        del objects[-_AT_ONCE:]
        # The collector knows containers only, and not those that hold nothing but what it does not know.
        for one in gc.get_referents(*holders):
            if id(type(one)) in _SIMPLE:
                words[id(one) >> 2] = immortal
                kept += 1
        kept += _keep_codes(codes, words, immortal)
    return kept


def _keep_codes(codes: list[types.CodeType], words: memoryview, immortal: int) -> int:
    """Take code from a list, and make it, what it names and its constants immortal; return how many objects."""
    kept = 0
    while codes:
        code = codes.pop()
        if words[id(code) >> 2] != immortal:
            words[id(code) >> 2] = immortal
            kept += 1 + len(code.co_consts)
            for name in code.co_names:
                words[id(name) >> 2] = immortal
            for one in code.co_consts:
                if type(one) is types.CodeType:
                    codes.append(one)
                else:
                    words[id(one) >> 2] = immortal
    return kept


def may_stay(kind: type) -> bool:
    """Return whether objects of a type may stay for good."""
    try:
        return _is_basic(kind) or all(map(_is_plain, kind.__mro__))
    except Exception:  # noqa: BLE001 - a metaclass of the project's answers for its classes
        return False


def _is_basic(kind: type) -> bool:
    return id(kind) in _KINDS or issubclass(kind, type)


def _is_plain(kind: type) -> bool:
    """Whether a class is one of those above, or written in Python, and has no destructor."""
    if id(kind) in _KINDS:
        return True
    flags = kind.__flags__
    module = sys.modules.get(kind.__module__)
    return (
        bool(flags & _HEAP)
        and not flags & _IMMUTABLE
        and "__del__" not in vars(kind)
        and str(getattr(module, "__file__", "")).endswith(".py")
    )
