"""Keep what a loaded project is made of for good, so that using it does not write to its memory.

A worker shares memory with its zygote for as long as neither writes to it, and CPython writes to every object that it
uses: it counts references. Since Python 3.12 an object can be immortal: its count says so, and is left alone (PEP
683, «Avoiding Copy-on-Write»). The interpreter makes its own constants so; what it has no function for before 3.15
(PyUnstable_SetImmortal), is done here: functions, classes, constants, containers and plain instances get the count of
None. The collector takes such objects as they are (gcmodule.c, `update_refs`: «might have become immortal»).

An immortal object is never destroyed. So what has a destructor, or is made by a library's C code and may hold
something open, stays as it is, and so does everything that a worker makes.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import re
import sys
import types
from typing import Any

# What None's count looks like, its lower half on 64 bits (Include/cpython/object.h, refcount.h): releases that are
# not known here may keep it elsewhere.
_COUNTS = {(3, 12): 0xFFFFFFFF, (3, 13): 0xFFFFFFFF, (3, 14): 0xC0000000}
_KINDS = frozenset(
    {
        object, type, str, bytes, int, float, complex, tuple, frozenset, dict, list, set, property, staticmethod,
        classmethod, types.CodeType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CellType,
        types.ModuleType, types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType,
        types.MemberDescriptorType, types.ClassMethodDescriptorType, types.MappingProxyType, types.GenericAlias,
        functools.partial, re.Pattern,
    }
)  # fmt: skip
_OF_CODE = (
    "co_consts", "co_names", "co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable",
)  # fmt: skip
_HEAP, _IMMUTABLE = 1 << 9, 1 << 8  # Py_TPFLAGS_HEAPTYPE, Py_TPFLAGS_IMMUTABLETYPE
_AT_ONCE = 512  # objects whose referents are in one list


def is_possible() -> bool:
    """Return whether this interpreter knows immortal objects, and counts where we know it to."""
    usual = (
        sys.implementation.name == "cpython"
        and sys.maxsize > 1 << 32
        and sys.byteorder == "little"
        and getattr(sys, "_is_gil_enabled", lambda: True)()
        and not hasattr(sys, "gettotalrefcount")  # a debug build checks its sums
    )
    if not usual or sys.version_info[:2] not in _COUNTS:
        return False
    probe = object()
    counts = ctypes.c_uint32.from_address
    return (
        counts(id(None)).value == _COUNTS[sys.version_info[:2]]
        and counts(id(probe)).value == sys.getrefcount(probe) - 1
    )


def keep() -> int:
    """Make what can be immortal so, and return how many objects that were; call `is_possible` before.

    Nothing else may run in this process meanwhile. 300,000 objects take 0.3 s.
    """
    # All of this process's memory as 32-bit words: a ctypes object for each count would take three times as long.
    words = memoryview((ctypes.c_uint32 * (1 << 60)).from_address(0)).cast("B").cast("I")
    immortal = words[id(None) >> 2]
    kinds, kept = Kinds(), 0
    objects = gc.get_objects()
    for start in range(0, len(objects), _AT_ONCE):
        found: list[Any] = objects[start : start + _AT_ONCE]
        while found:
            new: list[Any] = []
            for one in found:
                place = id(one) >> 2
                if words[place] != immortal and kinds[type(one)]:
                    words[place] = immortal
                    new.append(one)
            kept += len(new)
            found = gc.get_referents(*new)
            for one in new:
                if type(one) is types.CodeType:  # the collector does not know what code has
                    found += [getattr(one, name) for name in _OF_CODE]
    return kept


class Kinds(dict[type, bool]):
    """Whether objects of a type may stay for good: True or False by type, decided when it is first asked for."""

    def __missing__(self, kind: type) -> bool:
        self[kind] = kind in _KINDS or issubclass(kind, type) or all(map(_is_plain, kind.__mro__))
        return self[kind]


def _is_plain(kind: type) -> bool:
    """Whether a class is one of those above, or written in Python, and has no destructor."""
    if kind in _KINDS:
        return True
    flags = kind.__flags__
    module = sys.modules.get(kind.__module__)
    return (
        bool(flags & _HEAP)
        and not flags & _IMMUTABLE
        and "__del__" not in vars(kind)
        and str(getattr(module, "__file__", "")).endswith(".py")
    )
