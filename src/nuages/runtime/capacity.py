"""How many workers fit here: by the CPUs and the memory that this container may use, and why that many.

`decide` is pure; `read_facts` reads the kernel's files. cgroup v2: Documentation/admin-guide/cgroup-v2.rst
(cpu.max, memory.max); v1: cpu.cfs_quota_us, cpu.cfs_period_us, memory.limit_in_bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from nuages.runtime.kernel import NO_LIMIT, cgroup_files, read
from nuages.runtime.memory import proportional, resident

UNLIMITED_MOST = 4  # workers, where nothing limits the CPU: the machine is somebody else's too
HEAVY_BYTES = 400 << 20  # a worker that needs more is rare: where so much fits, nothing has to be measured
SUPERVISOR_BYTES = 20 << 20
USABLE = 0.85  # of a memory limit; the page cache and a peak need the rest
GROWTH = 1.3  # of a worker that has just got ready, until it has answered every kind of request


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the kernel grants. `quota` is in CPUs, `memory` in bytes; None where nothing limits it."""

    cpus: int
    machine_cpus: int
    quota: float | None = None
    quota_origin: str = ""
    memory: int | None = None
    memory_origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """A number of workers and the reason for it, as text; `upto` is how many it may become when one is measured."""

    workers: int
    reason: str
    upto: int = 0


def decide(facts: Facts, *, measured_bytes: int | None = None) -> Capacity:
    """Return how many workers fit. Where memory may be what limits them, that is one until one has been measured.

    `measured_bytes` is what a worker takes that has just got ready.
    """
    count, reason = _by_cpu(facts)
    if facts.memory is None:
        return Capacity(workers=count, reason=reason)
    weight = HEAVY_BYTES if measured_bytes is None else max(1, int(measured_bytes * GROWTH))
    room = max(1, int((facts.memory * USABLE - SUPERVISOR_BYTES) // weight))
    if room >= count:
        return Capacity(workers=count, reason=reason)
    limit = f"{facts.memory >> 20} MB of memory by {facts.memory_origin}"
    if measured_bytes is None:
        return Capacity(workers=1, reason=f"{limit}; more when the first has been measured", upto=count)
    return Capacity(
        workers=room, reason=f"{limit}, {measured_bytes >> 20} MB measured for each and room to grow"
    )


def _by_cpu(facts: Facts) -> tuple[int, str]:
    available = min(facts.cpus, facts.quota) if facts.quota is not None else facts.cpus
    count = max(1, math.ceil(available))
    if facts.quota is not None and facts.quota < facts.cpus:
        return count, f"{facts.quota:g} CPUs by {facts.quota_origin}"
    if facts.cpus < facts.machine_cpus:
        return count, f"{_cpus(facts.cpus)} of {facts.machine_cpus} by the CPU affinity"
    if count > UNLIMITED_MOST:
        return UNLIMITED_MOST, f"nothing limits the CPU: {UNLIMITED_MOST} of {facts.machine_cpus} CPUs"
    return count, f"{_cpus(count)}, as the machine has"


def facts_from(files: Mapping[str, str], *, cpus: int, machine_cpus: int) -> Facts:
    """Return the facts that the texts of the kernel's files tell; keys are paths as `cgroup_files` gives them."""
    quota, quota_origin, memory, memory_origin = None, "", None, ""
    for path, text in files.items():
        name = path.rpartition("/")[2]
        found_quota = _quota(name, text, files.get(path.replace("cfs_quota_us", "cfs_period_us"), ""))
        if found_quota is not None and (quota is None or found_quota < quota):
            quota, quota_origin = found_quota, path
        found_memory = _memory(name, text)
        if found_memory is not None and (memory is None or found_memory < memory):
            memory, memory_origin = found_memory, path
    return Facts(
        cpus=cpus, machine_cpus=machine_cpus, quota=quota, quota_origin=quota_origin,
        memory=memory, memory_origin=memory_origin,
    )  # fmt: skip


def _quota(name: str, text: str, period_text: str) -> float | None:
    """CPUs, from `cpu.max` («200000 100000» or «max 100000») or `cpu.cfs_quota_us` («-1»: none)."""
    words = text.split()
    if name == "cpu.cfs_quota_us":
        words += period_text.split() or ["100000"]
    elif name != "cpu.max":
        return None
    if len(words) != 2 or not all(word.isdigit() for word in words) or not int(words[0]) or not int(words[1]):
        return None
    return int(words[0]) / int(words[1])


def _memory(name: str, text: str) -> int | None:
    """Bytes, from `memory.max` («max»: none) or `memory.limit_in_bytes` (huge: none)."""
    text = text.strip()
    if name not in {"memory.max", "memory.limit_in_bytes"} or not text.isdigit():
        return None
    return int(text) if int(text) < NO_LIMIT else None


def read_facts() -> Facts:
    """Return what the kernel grants this process now."""
    machine = os.cpu_count() or 1
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    paths = cgroup_files(read("/proc/self/cgroup"), read("/proc/self/mountinfo"))
    files = {path: text for path in dict.fromkeys(paths) if (text := read(path))}
    return facts_from(files, cpus=cpus, machine_cpus=machine)


def measure(pid: int) -> int:
    """Return the bytes that are a process's own share of the memory, or its resident size where that is not told."""
    for weigh in (proportional, resident):
        if (found := weigh(pid)) is not None:
            return found
    return HEAVY_BYTES


def _cpus(count: int) -> str:
    return f"{count} CPU" + ("" if count == 1 else "s")
