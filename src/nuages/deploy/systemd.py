"""Units for systemd: a socket that refuses nobody while the service restarts, the service, and other processes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

from nuages.deploy.options import ManifestOptions
from nuages.deploy.processes import chosen
from nuages.deploy.workload import MARGIN, Workload
from nuages.project.model import Process, ProcessRole
from nuages.project.schedule import Schedule, parse

_PROGRAM = "/usr/local/bin/nuages"
_PROJECTS = "/srv"
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_WATCHDOG = 30
_LONGEST_USER = 31

_HARDENING = (
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("CapabilityBoundingSet", ""),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("UMask", "0027"),
)


def systemd(workloads: Sequence[Workload], options: ManifestOptions) -> dict[str, str]:
    """Return the units of each project, by file name."""
    found: dict[str, str] = {}
    for number, workload in enumerate(workloads):
        # One address each; a balancer in front knows them by their ports.
        found |= _units(workload, options, port=workload.port + number)
    return found


def _units(workload: Workload, options: ManifestOptions, *, port: int) -> dict[str, str]:
    name = workload.name
    found = {f"{name}.socket": _socket(workload, port), f"{name}.service": _service(workload, port)}
    for one in chosen(workload.plan.processes, options.process):
        unit = f"{name}-{one.name}"
        found[f"{unit}.service"] = _process(workload, one)
        if one.role is ProcessRole.SCHEDULED:
            found[f"{unit}.timer"] = _timer(workload, one)
    return found


def _socket(workload: Workload, port: int) -> str:
    return _unit(
        ("", [
            "The address is systemd's: connections wait here while the service restarts. A proxy on this machine can",
            f"have a Unix socket instead: ListenStream=/run/{workload.name}.sock",
        ]),
        ("Unit", [("Description", f"{workload.plan.name}, the address")]),
        ("Socket", [("ListenStream", f"127.0.0.1:{port}"), ("Backlog", "2048"), ("NoDelay", "yes")]),
        ("Install", [("WantedBy", "sockets.target")]),
    )  # fmt: skip


def _service(workload: Workload, port: int) -> str:
    settings = {name: text for name, text in workload.settings.items() if name != "NUAGES_DRAIN"}
    return _unit(
        ("", [
            f"Installs what the lock in {_PROJECTS}/{workload.name} says, migrates, collects and serves.",
            f"New code: systemctl reload {workload.name}. A new lock, migrations or static files: systemctl restart,",
            f"while connections wait in the socket. No request is lost. Variables: /etc/{workload.name}.env",
            *_variables(workload),
        ]),
        ("Unit", [
            ("Description", workload.plan.name), ("Requires", f"{workload.name}.socket"),
            ("After", f"network-online.target {workload.name}.socket"), ("Wants", "network-online.target"),
        ]),
        ("Service", [
            ("Type", "notify"),
            ("NotifyAccess", "main"),
            *_place(workload),
            *(("Environment", _quoted(f"{key}={text}")) for key, text in {**workload.variables, **settings}.items()),
            ("ExecStart", f"{_PROGRAM} up {_PROJECTS}/{workload.name} --bind 127.0.0.1:{port} --migrate on"),
            ("ExecReload", "/bin/kill -HUP $MAINPID"),
            ("KillMode", "mixed"),
            ("TimeoutStartSec", "15min"),
            ("TimeoutStopSec", f"{math.ceil(workload.grace) + MARGIN}s"),
            ("WatchdogSec", f"{_WATCHDOG}s"),
            ("Restart", "on-failure"),
            ("RestartSec", "1s"),
            ("MemoryMax", f"{workload.memory.limit >> 20}M"),
            ("OOMPolicy", "continue"),  # a worker that is killed is replaced; «stop», the default, ends all of them
            *_HARDENING,
        ]),
        ("Install", [("WantedBy", "multi-user.target")]),
    )  # fmt: skip


def _variables(workload: Workload) -> list[str]:
    return [f"  {stated.value}=…    {stated.origin}" for stated in workload.required]


def _place(workload: Workload) -> list[tuple[str, str]]:
    """Return who runs it and where it may write: a lasting user where the project's folder is written to.

    All units of a project have one user, a dynamic one too: they share its state directory (systemd.exec(5),
    `DynamicUser=`).
    """
    user = _user(workload)
    found = [
        ("EnvironmentFile", f"-/etc/{workload.name}.env"),
        ("WorkingDirectory", f"{_PROJECTS}/{workload.name}"),
        ("StateDirectory", workload.name),
        ("RuntimeDirectory", workload.name),
        ("Environment", f"NUAGES_HOME=/var/lib/{workload.name} XDG_RUNTIME_DIR=/run/{workload.name}"),
    ]
    written = "its files" if workload.volume else _collects(workload)
    if not written:
        return [("DynamicUser", "yes"), ("User", user), *found]
    folder = f"{_PROJECTS}/{workload.name}"
    return [
        ("#", f"adduser --system --group {user}; chown -R {user} {folder}, for it writes {written} there"),
        ("User", user), *found, ("ReadWritePaths", folder),
    ]  # fmt: skip


def _user(workload: Workload) -> str:
    """Return the name of its user: at most 31 characters (utmp(5), which systemd keeps to)."""
    name = workload.name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return name if len(name) <= _LONGEST_USER else f"{name[: _LONGEST_USER - 7].rstrip('-')}-{digest}"


def _collects(workload: Workload) -> str:
    """Return what is written to the project's folder though it keeps nothing there: STATIC_ROOT lies in it."""
    root, is_ours = workload.plan.static_root, "NUAGES_STATIC_ROOT" in workload.plan.environ
    if root is None:
        return "static files, for all that can be read," if is_ours else ""
    return f"static files ({root.origin})" if not is_ours and root.value.startswith("/app/") else ""


def _process(workload: Workload, one: Process) -> str:
    words = " ".join(_quoted(word) for word in one.command)
    scheduled = one.role is ProcessRole.SCHEDULED
    service = [
        ("Type", "oneshot" if scheduled else "exec"),
        *_place(workload),
        ("ExecStart", f"{_PROGRAM} run {_PROJECTS}/{workload.name} -- {words}"),
        ("KillSignal", one.stop_signal),
        ("KillMode", "mixed"),
        ("TimeoutStopSec", f"{math.ceil(one.grace_seconds) + MARGIN}s"),
        *([] if scheduled else [("Restart", "always"), ("RestartSec", "1s")]),
        *_HARDENING,
    ]
    return _unit(
        ("", [str(one.origin)]),
        ("Unit", [
            ("Description", f"{workload.plan.name}: {one.name}"),
            ("After", f"network-online.target {workload.name}.service"), ("Wants", "network-online.target"),
        ]),
        ("Service", service),
        *([] if scheduled else [("Install", [("WantedBy", "multi-user.target")])]),
    )  # fmt: skip


def _timer(workload: Workload, one: Process) -> str:
    calendars = [("OnCalendar", each) for each in calendar(parse(one.schedule))]
    return _unit(
        ("", [f"{one.origin}: {one.schedule}"]),
        ("Unit", [("Description", f"{workload.plan.name}: {one.name}, when")]),
        ("Timer", [*calendars, ("Persistent", "no")]),
        ("Install", [("WantedBy", "timers.target")]),
    )


def calendar(schedule: Schedule) -> list[str]:
    """Return a cron schedule as systemd.time(7) writes calendar events; two where either day fits."""
    time = f"{_numbers(schedule.hours, 24)}:{_numbers(schedule.minutes, 60)}:00 UTC"
    months = "*" if len(schedule.months) == 12 else _numbers(schedule.months, 12)
    every_day, every_weekday = len(schedule.days) == 31, len(schedule.weekdays) == 7
    weekdays = ",".join(_WEEKDAYS[day] for day in sorted(schedule.weekdays))
    by_date = f"*-{months}-{'*' if every_day else _numbers(schedule.days, 31)} {time}"
    by_weekday = f"{weekdays} *-{months}-* {time}"
    if every_weekday:
        return [by_date]
    if every_day:
        return [by_weekday]
    return [by_date, by_weekday] if schedule.by_either_day else [f"{weekdays} {by_date}"]


def _numbers(found: Iterable[int], every: int) -> str:
    numbers = sorted(found)
    return "*" if len(numbers) == every else ",".join(f"{number:02}" for number in numbers)


def _quoted(word: str) -> str:
    """Return a word of a command line (systemd.service(5), «Command lines»)."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and all(character.isalnum() or character in "-_./=:,@+%$" for character in word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unit(*sections: tuple[str, Sequence[str] | Sequence[tuple[str, str]]]) -> str:
    lines: list[str] = []
    for name, rows in sections:
        if name:
            lines += ["", f"[{name}]"]
        for row in rows:
            if isinstance(row, str):
                lines.append(f"# {row}")
            else:
                lines.append(f"# {row[1]}" if row[0] == "#" else f"{row[0]}={row[1]}")
    return "\n".join(lines).lstrip("\n") + "\n"


def stream(units: Mapping[str, str]) -> str:
    """Return all units as one text, each below the name of its file."""
    return "\n".join(f"# /etc/systemd/system/{name}\n{text}" for name, text in units.items())
