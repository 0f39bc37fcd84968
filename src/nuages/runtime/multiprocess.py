"""The metrics of a project that uses prometheus_client: kept in files by its processes, cleaned and told by us.

With $PROMETHEUS_MULTIPROC_DIR every process that imports prometheus_client writes a file for each type of metric,
`counter_PID.db`, `gauge_MODE_PID.db` …; its collector adds up those of all. Whose process has ended stays for good
there, one more with each replacement. Here they become one, so that totals never go back and files stay few: both
for /-/metrics and for a view of the project's own. The format is that of prometheus_client/mmap_dict.py: an int of
the bytes used, padding, then entries of a length, a JSON key, padding to 8 bytes, a value and a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from nuages.runtime.container import container, is_gone
from nuages.runtime.exposition import Family, Labels, Sample, number

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_LOCK = "lock"  # a file in a folder of ours
# In the place of a process's number, before that of their supervisor: what those have left that are gone.
_ENDED = "ended"
_LENGTH, _VALUE, _FIRST = struct.Struct("i"), struct.Struct("dd"), 8
# How values of several processes become one, by what a file's name begins with; others are each process's own.
_KEPT = {
    "counter": "sum", "histogram": "sum", "summary": "sum", "gauge_sum": "sum", "gauge_min": "min",
    "gauge_max": "max", "gauge_mostrecent": "mostrecent",
}  # fmt: skip
_LIVE = {f"gauge_live{way}": way for way in ("sum", "min", "max", "mostrecent")}
# What prometheus_client calls its files (values.py, Gauge._MULTIPROC_MODES), and we those that we have not written to
# their end: the folder may have the user's own too.
_NAME = re.compile(
    r"(counter|histogram|summary|gauge_(?:live)?(?:all|sum|min|max|mostrecent))_(.+)\.(?:db|new)"
)

Values = dict[str, tuple[float, float]]


def prepare(environ: MutableMapping[str, str], folder: Path, pid: int) -> ProjectMetrics | None:
    """Make the folder ready and name it in `environ`; return None where the project has no prometheus_client.

    One that the user has named is taken as it is, else one in `folder`. Raises OSError when it cannot be made.
    """
    given = environ.get(VARIABLE)
    if not given:
        # Empty is unset, as Compose files have it; to prometheus_client it is the folder that the worker runs in.
        environ.pop(VARIABLE, None)
        if importlib.util.find_spec("prometheus_client") is None:
            return None
        folder.mkdir(mode=0o700, exist_ok=True)
        _remove_dead(folder)
        place, lock = _make(folder, f"{pid}-{container()}")
        environ[VARIABLE] = str(place)
        return ProjectMetrics(place, pid=pid, lock=lock)
    place = Path(given)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _, owner, file in (*_files(place), *_files(place, ".new")):
        # Another server that lives may share the folder: what it has kept is counted in its totals.
        server = owner.removeprefix(_ENDED).partition("-")[0]
        if server in {"", str(pid)} or (server.isdecimal() and not _is_alive(int(server))):
            file.unlink(missing_ok=True)
    return ProjectMetrics(place, pid=pid)


class ProjectMetrics:
    """The files of one server's processes. Nothing that becomes of the folder is an error here.

    The supervisor calls it from its loop: `on_trouble` is told of the first failure, and serving goes on. `lock` is the
    descriptor by which a folder of ours is held.
    """

    def __init__(self, place: Path, *, pid: int, lock: int | None = None) -> None:
        self.place, self._pid, self._lock = place, pid, lock
        self._kept: dict[str, Path] = {}  # by prefix: what those had that have ended
        self._taken = 0
        self.on_trouble: Callable[[OSError], None] = lambda _: None

    def forget(self, pid: int) -> None:
        """Take over what a process has left that has ended."""
        for prefix, owner, file in self._files():
            if owner == str(pid):
                try:
                    self._take_over(prefix, file)
                except OSError as error:
                    # A full disk, a folder that is read-only by now: then it stays as it is.
                    self._tell(error)

    def _take_over(self, prefix: str, file: Path) -> None:
        way = _KEPT.get(prefix)
        if not way:
            file.unlink(missing_ok=True)
            return
        kept = self._kept.get(prefix)
        self._taken += 1
        new = self.place / f"{prefix}_{_ENDED}{self._pid}-{self._taken}.db"
        written = new.with_suffix(".new")
        written.write_bytes(_to_bytes(_merged(way, [_values(one) for one in (kept, file) if one])))
        # Under a new name: a collector that has listed the old files finds all of them or fails. If it found this in
        # the place of one of them, it would count twice, and Prometheus take what follows for a counter begun anew.
        file.unlink(missing_ok=True)
        if kept:
            kept.unlink(missing_ok=True)
        written.replace(new)
        self._kept[prefix] = new

    def families(self) -> list[Family]:
        """Return what all processes tell, added up as prometheus_client does it."""
        found: dict[str, _Metric] = {}
        for prefix, files in self._by_prefix().items():
            kind = prefix.partition("_")[0]
            way = _KEPT.get(prefix) or _LIVE.get(prefix)
            values: list[tuple[Labels, Values]]
            if way:
                values = [((), _merged(way, [_values(file) for file in files.values()]))]
            else:  # a series for each process
                values = [((("pid", owner),), _values(file)) for owner, file in files.items()]
            for more, entries in values:
                for key, (value, _) in entries.items():
                    try:
                        metric, name, labels, text = json.loads(key)
                    except ValueError:  # broken
                        continue
                    one = found.setdefault(metric, _Metric(metric, kind, text))
                    one.samples[name, (*sorted(labels.items()), *more)] = value
        return [one.family() for _, one in sorted(found.items())]

    def _by_prefix(self) -> dict[str, dict[str, Path]]:
        found: dict[str, dict[str, Path]] = {}
        for prefix, owner, file in self._files():
            found.setdefault(prefix, {})[owner] = file
        return found

    def _files(self) -> list[tuple[str, str, Path]]:
        try:
            return _files(self.place)
        except OSError as error:
            self._tell(error)
            return []

    def _tell(self, error: OSError) -> None:
        tell, self.on_trouble = self.on_trouble, lambda _: None
        tell(error)

    def close(self) -> None:
        """Remove a folder of ours with all that is in it."""
        if self._lock is not None:
            _remove(self.place)
            os.close(self._lock)


@dataclass(slots=True)
class _Metric:
    name: str
    kind: str
    help: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def family(self) -> Family:
        samples = self._histogram() if self.kind == "histogram" else self.samples.items()
        told = [Sample(name.removeprefix(self.name), labels, value) for (name, labels), value in samples]
        return Family(self.name, self.kind, self.help, tuple(told))

    def _histogram(self) -> Iterator[tuple[tuple[str, Labels], float]]:
        """The files have each bucket for itself, and no count: one bucket holds those before it too when told."""
        buckets: dict[Labels, dict[float, float]] = {}
        sums: dict[Labels, float] = {}
        for (_, labels), value in self.samples.items():
            bound = next((float(text) for label, text in labels if label == "le"), None)
            rest = tuple(pair for pair in labels if pair[0] != "le")
            if bound is None:
                sums[rest] = value
            else:
                buckets.setdefault(rest, {})[bound] = value
        for labels, counts in buckets.items():
            total = 0.0
            for bound in sorted(counts):
                total += counts[bound]
                yield (f"{self.name}_bucket", (*labels, ("le", number(bound)))), total
            yield (f"{self.name}_sum", labels), sums.get(labels, 0.0)
            yield (f"{self.name}_count", labels), total


def _merged(way: str, several: Iterable[Values]) -> Values:
    whole: Values = {}
    known: dict[str, str] = {}  # keys by what they name: behind it new code may have another help
    for values in several:
        for given, (value, time) in values.items():
            # Only the end of the labels reads so: inside of a text quotes are escaped.
            key = known.setdefault(given.rpartition('}, "')[0] or given, given)
            if key in whole:
                before, then = whole[key]
                if way == "mostrecent":
                    value, time = (value, time) if time > then else (before, then)
                else:
                    value = {"sum": value + before, "min": min(value, before), "max": max(value, before)}[way]
            whole[key] = value, time
    return whole


def _values(file: Path) -> Values:
    """Return a file's entries; of one that is just being made, or is broken, those that are whole."""
    found: Values = {}
    with contextlib.suppress(OSError, struct.error, UnicodeDecodeError):
        data = file.read_bytes()
        (used,) = _LENGTH.unpack_from(data, 0)
        at = _FIRST
        while at < used:
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
            key = data[at : at + length].decode()
            at += _padded(length)
            if length <= 0 or not key.startswith("["):
                break
            found[key] = _VALUE.unpack_from(data, at)
            at += _VALUE.size
    return found


def _to_bytes(values: Values) -> bytes:
    data = bytearray(_FIRST)
    for key, value in values.items():
        text = key.encode()
        data += _LENGTH.pack(len(text)) + text.ljust(_padded(len(text))) + _VALUE.pack(*value)
    _LENGTH.pack_into(data, 0, len(data))
    return bytes(data)


def _padded(length: int) -> int:
    return length + 8 - (length + _LENGTH.size) % 8


def _files(place: Path, suffix: str = ".db") -> list[tuple[str, str, Path]]:
    """Return the files of prometheus_client and ours, by name: what each begins with, whose it is, where it lies.

    Raises OSError when the folder cannot be read.
    """
    found = [(_NAME.fullmatch(file.name), file) for file in sorted(place.iterdir()) if file.suffix == suffix]
    return [(name[1], name[2], file) for name, file in found if name]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        # Somebody else's; or no number of a process, so no file of one that is gone.
        return True
    return True


def _make(folder: Path, name: str) -> tuple[Path, int]:
    """Make a server's folder and hold it; return it and the lock's descriptor. Raises OSError.

    A lock ends with its process and is seen from other containers that share the folder (flock(2)); their numbers of
    processes mean nothing here. Until it is held the folder has another name, so that nobody takes it for a dead one's.
    """
    place, begun = folder / f"{name}.metrics", folder / f"{name}.begun"
    for left in (place, begun):
        _remove(left)
    begun.mkdir(mode=0o700)
    lock = os.open(begun / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        begun.rename(place)
    except OSError:  # somebody has put a folder into what was left there
        os.close(lock)
        raise
    return place, lock


def _remove_dead(folder: Path) -> None:
    """Remove what servers left behind that were killed, in whatever container."""
    for place in folder.glob("*.metrics"):
        with contextlib.suppress(OSError):
            lock = os.open(place / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(place)
            finally:
                os.close(lock)
    for begun in folder.glob("*.begun"):
        with contextlib.suppress(OSError):
            if is_gone(begun.stem, begun.stat().st_mtime):
                _remove(begun)


def _remove(place: Path) -> None:
    with contextlib.suppress(OSError):
        # The lock last: without it, nobody would end this.
        for file in sorted(place.iterdir(), key=lambda file: file.name == _LOCK):
            file.unlink(missing_ok=True)
        place.rmdir()
