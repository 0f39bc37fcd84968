"""The memory that workers are given, and the workers that fit the memory there is."""

from __future__ import annotations

from dataclasses import dataclass

from nuages.deploy.options import ManifestOptions
from nuages.errors import UsageError
from nuages.runtime.settings import Settings

BASE_MEMORY = 64 << 20
"""Bytes of the supervisor and the loaded project that workers are forked from."""

_WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes: what is asked for, and where the line is; the line leaves room for one worker's replacement."""

    request: int
    limit: int


def fit(server: Settings, wish: ManifestOptions, share: int) -> tuple[int, Memory]:
    """Return the workers and their memory; one worker's room is kept free for its replacement.

    `share` is the number of projects that `--memory` is split among. Raises UsageError where it is too little.
    """
    workers = server.workers or _WORKERS
    if wish.memory is None:
        need = BASE_MEMORY + workers * wish.worker_memory
        return workers, Memory(request=_rounded(need), limit=_rounded(need + wish.worker_memory))
    limit = wish.memory // share
    most = (limit - BASE_MEMORY) // wish.worker_memory - 1
    if most < 1 and limit < BASE_MEMORY // 2 + wish.worker_memory // 2:
        raise UsageError(
            "the memory is too little", where="--memory",
            why=f"{limit >> 20}M for each project, and a worker takes {wish.worker_memory >> 20}M "
            f"beside {BASE_MEMORY >> 20}M for what they share",
            hint=f"--memory {(share * (BASE_MEMORY + 2 * wish.worker_memory)) >> 20}M, or the --worker-memory that "
            "`nuages status` shows",
        )  # fmt: skip
    workers = max(1, min(workers, most))
    need = BASE_MEMORY + workers * wish.worker_memory
    return workers, Memory(request=min(limit, _rounded(need)), limit=limit)


def _rounded(size: int) -> int:
    step = 16 << 20
    return -(-size // step) * step
