"""What `nuages status` shows of a server's `/-/status`: one screen, a line a worker; pure.

Root asks everybody's servers, and clients choose their paths: nothing of that reaches the terminal but what prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from nuages.runtime.log import printable

Status = Mapping[str, Any]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_OLDEST = 3  # requests in flight that are named
_NOTABLE = 1.0  # seconds after which one is
# A worker's columns: heading, and whether numbers stand right.
_COLUMNS = (
    ("WORKER", True), ("PID", True), ("STATE", False), ("AGE", True), ("REQUESTS", True), ("IN FLIGHT", True),
    ("THREADS", True), ("QUEUE", True), ("CONNS", True), ("DB", True), ("PSS", True), ("LAST REASON", False),
)  # fmt: skip


def brief(status: Status, address: str) -> list[str]:
    """Return a server as two lines, for where several run."""
    workers = [one for one in status["workers"] if one["phase"] == "ready"]
    first = f"{_name(status)}  {_state(status)}  {', '.join(status['addresses'])}"
    second = (
        f"  up {span(status['uptime'])}, {len(workers)} of {status['workers_wanted']} workers ready, "
        f"{status['requests']:,} requests; --management {address}"
    )
    return [printable(first), printable(second)]


def screen(status: Status, before: Status | None = None, *, width: int = 0) -> list[str]:
    """Return a server as lines; with what it was `before`, also rates since then. `width` cuts lines, 0: nothing."""
    lines = [
        f"{_name(status)}  {_state(status)}  up {span(status['uptime'])}, generation {status['generation']}, "
        f"nuages {status['version']}",
        f"{', '.join(status['addresses'])}",
        "",
        *_totals(status),
    ]
    if before is not None:
        lines += _rates(status, before)
    lines += _notes(status)
    rows = [_row(one, _earlier(one, before)) for one in status["workers"]]
    headings = [name for name, _ in _COLUMNS]
    if before is not None:
        headings[4] = "REQ/S"
    lines += ["", *_table([tuple(headings), *rows, _sum(status, before)])]
    lines += _oldest(status)
    return [printable(line)[: width or None] for line in lines]


def span(seconds: float) -> str:
    """Return a duration in its two largest units: `2 d 4 h`, `12 min`, `3.1 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    parts: list[str] = []
    rest = int(seconds)
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def amount(count: float) -> str:
    """Return bytes for a person: `512 B`, `48 MB`, `1.2 GB`."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Return the seconds within which that share was answered, taken as even inside a bucket; None without any.

    `counts` has one number more than `bounds`, for what took longer; there it is infinite. Inside a bucket it is what
    Prometheus' histogram_quantile tells.
    """
    total = sum(counts)
    if not total:
        return None
    below, seen, wanted = 0.0, 0, share * total
    for bound, count in zip(bounds, counts, strict=False):
        if count and seen + count >= wanted:
            return below + (bound - below) * (wanted - seen) / count
        below, seen = bound, seen + count
    return inf


def _name(status: Status) -> str:
    return f"{status['project'].rstrip('/').rpartition('/')[2] or 'server'} (pid {status['pid']})"


def _state(status: Status) -> str:
    if status["stage"] != "running":
        return str(status["stage"]).upper()
    return "ready" if status["ready"] else f"NOT READY: {status['why_not_ready']}"


def _totals(status: Status) -> list[str]:
    parts = [f"{status['requests']:,} requests", f"{status['errors']:,} errors (5xx)"]
    parts += [f"{status['static_requests']:,} static", f"{amount(status['bytes_sent'])} sent"]
    return ["since start   " + "  ".join(parts) + _quantiles(status["durations"], status["queue"])]


def _rates(status: Status, before: Status) -> list[str]:
    seconds = max(0.001, status["uptime"] - before["uptime"])

    def rate(name: str) -> float:
        return float(max(0, status[name] - before[name]) / seconds)

    parts = [f"{rate('requests'):,.0f} requests/s", f"{rate('errors'):,.1f} errors/s"]
    parts += [f"{rate('static_requests'):,.0f} static/s", f"{amount(rate('bytes_sent'))}/s"]
    times = [_minus(status[name], before[name]) for name in ("durations", "queue")]
    return [f"last {seconds:>4.1f} s   " + "  ".join(parts) + _quantiles(*times)]


def _minus(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    counts = [max(0, a - b) for a, b in zip(now["counts"], before["counts"], strict=True)]
    return {"bounds": now["bounds"], "counts": counts}


def _quantiles(durations: Mapping[str, Any], queue: Mapping[str, Any]) -> str:
    found = [(f"p{share:g}", quantile(**durations, share=share / 100)) for share in (50, 95, 99)]
    found.append(("queue p95", quantile(**queue, share=0.95)))
    most = durations["bounds"][-1]
    words = [
        f"{name} ~{_time(seconds)}" if seconds <= most else f"{name} >{most:g} s"
        for name, seconds in found
        if seconds is not None
    ]
    return "  |  " + "  ".join(words) if words else ""


def _time(seconds: float) -> str:
    if seconds < 0.01:
        return f"{1000 * seconds:.1f} ms"
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _notes(status: Status) -> list[str]:
    lines = []
    replaced = {reason: count for reason, count in status["replacements"].items() if count}
    if replaced:
        text = "  ".join(f"{reason} {count:,}" for reason, count in replaced.items())
        if last := status["last_replacement"]:
            text += f"  |  worker {last['worker']}, {span(last['age'])} ago: {last['reason']}"
        lines.append(f"replaced      {text}")
    if status["failed_reloads"]:
        lines.append(
            f"reloads       {status['failed_reloads']} FAILED: the old code goes on serving, the log says why"
        )
    if database := status["database"]:
        text = "answers" if database["up"] else f"DOES NOT ANSWER: {database['why']}"
        lines.append(f"database      {text}, asked {span(database['age'])} ago")
    return lines


def _row(worker: Status, requests: str) -> tuple[str, ...]:
    phase = worker["phase"] + ("!" if worker["due"] else "")
    memory = amount(worker["memory"]) if worker["memory"] else "-"
    reason = f"to be replaced: {worker['due']}" if worker["due"] else worker["reason"]
    return (
        str(worker["id"]), str(worker["pid"] or "-"), phase, span(worker["age"]), requests,
        str(worker["requests_in_flight"]), f"{worker['threads_busy']}/{worker['threads']}", str(worker["queued"]),
        str(worker["connections"]), str(worker["database_connections"]), memory, reason,
    )  # fmt: skip


def _earlier(worker: Status, before: Status | None) -> str:
    """How many requests a worker has answered; with what was before, how many of them a second."""
    if before is None:
        return f"{worker['requests']:,}"
    then = next((one for one in before["workers"] if one["id"] == worker["id"]), None)
    if then is None:
        return "-"
    return f"{max(0, worker['requests'] - then['requests']) / max(0.001, worker['age'] - then['age']):,.1f}"


def _sum(status: Status, before: Status | None) -> tuple[str, ...]:
    workers = status["workers"]

    def total(name: str) -> int:
        return sum(one[name] or 0 for one in workers)

    requests = f"{total('requests'):,}" if before is None else ""
    return (
        "total", "", f"{sum(one['phase'] == 'ready' for one in workers)} ready", "", requests,
        str(total("requests_in_flight")), f"{total('threads_busy')}/{total('threads')}",
        str(total("queued")), str(total("connections")), str(total("database_connections")), amount(total("memory")),
        "",
    )  # fmt: skip


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, (_, right) in zip(row, widths, _COLUMNS, strict=True)
        ).rstrip()
        for row in rows
    ]


def _oldest(status: Status) -> list[str]:
    flying = [(request, one["id"]) for one in status["workers"] for request in one["in_flight"]]
    flying = sorted((pair for pair in flying if pair[0]["age"] >= _NOTABLE), key=lambda pair: -pair[0]["age"])
    lines = [
        f"  {span(one['age']):>8}  {one['method']} {one['path']}  worker {worker}, id {one['request_id']}"
        for one, worker in flying[:_OLDEST]
    ]
    return ["", "in flight for longest", *lines] if lines else []
