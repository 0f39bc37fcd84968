"""What the kernel tells in files: where the limits of this process's cgroups stand, and the text of such a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

NO_LIMIT = 1 << 60
"""Bytes from which a limit of memory is none: cgroup v1 says so with the largest multiple of the page size."""


def read(path: str) -> str:
    """Return the text of a file; "" where there is none, or it is not for us."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def cgroup_files(membership: str, mounts: str) -> Iterator[str]:
    """Return the paths that may hold a limit for us: our cgroup's and those of all its parents.

    `membership` is the text of /proc/self/cgroup, `mounts` that of /proc/self/mountinfo (cgroups(7)). Every level
    counts: a pod's limit is often set above the container's own cgroup.
    """
    groups = dict(_groups(membership))
    for root, mount, kind, options in _cgroup_mounts(mounts):
        wanted = {"": ("cpu.max", "memory.max")} if kind == "cgroup2" else {
            "cpu": ("cpu.cfs_quota_us", "cpu.cfs_period_us"), "memory": ("memory.limit_in_bytes",),
        }  # fmt: skip
        for controller, names in wanted.items():
            if controller not in groups or (controller and controller not in options):
                continue
            # Inside a container the mount's root is often the container's own cgroup.
            path = groups[controller]
            if root != "/" and (path + "/").startswith(root + "/"):
                path = path[len(root) :]
            parts = [part for part in path.split("/") if part not in {"", ".."}]
            for depth in range(len(parts), -1, -1):
                folder = "/".join([mount.rstrip("/"), *parts[:depth]])
                yield from (f"{folder}/{name}" for name in names)


def _groups(membership: str) -> Iterator[tuple[str, str]]:
    for line in membership.splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        for controller in controllers.split(","):
            yield controller, path


def _cgroup_mounts(mounts: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """Root inside the file system, mount point, type and options of each cgroup mount; proc_pid_mountinfo(5)."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if len(left) >= 5 and right and right[0] in {"cgroup", "cgroup2"}:
            yield left[3], left[4], right[0], right[-1].split(",")
