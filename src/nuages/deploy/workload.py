"""What is to run, in no system's words yet: one project's image, settings, memory, files and processes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nuages.deploy import names, services
from nuages.deploy.memory import Memory, fit
from nuages.deploy.options import ManifestOptions
from nuages.deploy.services import Services
from nuages.errors import Origin, UsageError
from nuages.image.plan import Plan, Stated
from nuages.options import Resolved, options_of
from nuages.project.model import Variable, VariableKind
from nuages.runtime.settings import Settings

MARGIN = 5
"""Seconds between the server's last deadline and the moment when it would be killed."""

DRAIN = 5.0
"""What `--drain auto` is in Kubernetes, where endpoints learn of a pod's end later than the pod."""

SCRATCH = 256 << 20
"""Bytes of /tmp that a pod is given beside the bodies that wait there."""

_FEWEST_THREADS = 4
_PER_WORKER_CPU = 250  # thousandths of a CPU that are asked for; more is taken when it is free
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One project, decided. Durations are seconds, sizes bytes.

    `settings` are NUAGES_* variables with their texts, `variables` those of the application that are decided,
    `required` those that must be given, `state` the paths in the image that lie on the volume. `kept` is the folder
    in which all pods share hashed static files of several releases, empty where there is none.
    """

    name: str
    image: str
    port: int
    management_port: int
    user: int
    replicas: int
    workers: int
    memory: Memory
    worker_memory: int
    cpu: int
    drain: float
    grace: float
    termination: int
    scratch: int
    max_body: int
    timeout: float
    start_timeout: float
    settings: Mapping[str, str]
    variables: Mapping[str, str]
    required: tuple[Stated, ...]
    state: Mapping[str, Stated]
    volume: bool
    kept: str
    hosts: tuple[str, ...]
    proxies: tuple[str, ...]
    migrates: bool
    services: Services
    notes: tuple[str, ...] = ()
    plan: Plan = field(repr=False)

    @property
    def digest(self) -> str:
        """The image's digest without its algorithm."""
        return self.image.rpartition(":")[2]

    @property
    def version(self) -> str:
        """The image's tag where it has one, else the beginning of its digest: what a label can hold."""
        tag = self.image.partition("@")[0].rpartition("/")[2].partition(":")[2]
        return tag if _LABEL.fullmatch(tag) else self.digest[:12]


def decide(
    plan: Plan,
    settings: Resolved[Settings],
    wish: ManifestOptions,
    *,
    image: str,
    share: int = 1,
    target: str = "kubernetes",
) -> Workload:
    """Return what is to run of a project. `share` is the number of projects that `--memory` is split among.

    Raises UsageError, naming the option, for what cannot be had.
    """
    server = settings.value
    wanted = services.wanted(plan)
    variables = {**_hosts(plan, wish.host), **(wanted.database.switches if wanted.database else {})}
    state = _state(plan, wanted)
    volume = bool(state) if wish.volume is None else wish.volume
    replicas = _replicas(state, wish, volume=volume)
    workers, memory = fit(server, wish, share)
    if server.static_keep and not server.static_keep.startswith("/"):
        raise UsageError(
            "the folder of kept files has no place in the image", where="--static-keep",
            why=f"{server.static_keep} is relative, and a volume is mounted there",
            hint="--static-keep /kept",
        )  # fmt: skip
    drain = DRAIN if server.drain is None else server.drain
    proxies = _proxies(settings)
    _check_hosts(wish, proxies)
    notes = []
    if volume and target == "kubernetes":
        kept = ", ".join(state) or "the volume"
        notes.append(
            f"{kept} can be written by one pod only: 1 replica, and a rollout stops it before the next one starts; "
            "a database server and a bucket take this away, then --volume off"
        )
    if wish.ingress and not wish.tls_secret:
        notes.append(
            "the Ingress has no certificate of its own: name the Secret that yours stands in, --tls-secret NAME"
        )
    if wanted.unnamed:
        notes.append(
            f"no variable of the settings names a {wanted.unnamed} server, whose driver is installed: none is made, "
            "and what stands in the settings has to be reached from where this runs"
        )
    if wanted.database and len(state) < len(plan.state):
        first = wanted.database.variables[0]
        notes.append(
            f"{first.name} ({first.origin}) names the database: a {wanted.database.kind} server is expected, and no "
            "SQLite file is kept"
        )
    return Workload(
        name=names.label(plan.name),
        image=image,
        port=plan.port,
        management_port=plan.management_port,
        user=plan.user,
        replicas=replicas,
        workers=workers,
        memory=memory,
        worker_memory=wish.worker_memory,
        cpu=_PER_WORKER_CPU * workers,
        drain=drain,
        grace=server.grace,
        termination=_termination(wish, drain + server.grace),
        # Bodies wait here; a pod that takes more than it may is evicted, with all that it was doing.
        scratch=4 * server.max_body + SCRATCH,
        max_body=server.max_body,
        timeout=server.timeout,
        start_timeout=server.start_timeout,
        settings=_settings(settings, workers, drain, share),
        variables=variables,
        required=_required(plan, wanted, variables),
        state=state,
        services=wanted,
        volume=volume,
        kept=server.static_keep or "",
        hosts=wish.host,
        proxies=proxies,
        migrates=wish.migrations != "off" and plan.settings is not None,
        notes=tuple(notes),
        plan=plan,
    )


def pinned(image: str | None) -> str:
    """Return an image that is named by its digest; raises UsageError for any other."""
    if image is None or not _DIGEST.fullmatch(image):
        raise UsageError(
            "the image has no digest" if image else "no image is named", where="--image",
            why=f"{image} may be another image tomorrow" if image else "the documents say what to run",
            hint="--image NAME@sha256:…, where `nuages build --push` prints the digest",
        )  # fmt: skip
    return image


def _state(plan: Plan, wanted: Services) -> dict[str, Stated]:
    """Return what is kept on a volume: no SQLite file where a variable names a server instead."""
    folders_only = wanted.database is not None
    return {path: stated for path, stated in plan.state.items() if path.endswith("/") or not folders_only}


def _replicas(state: Mapping[str, Stated], wish: ManifestOptions, *, volume: bool) -> int:
    most = wish.autoscale[1] if wish.autoscale else wish.replicas or 1
    if volume and most > 1:
        named = "--autoscale" if wish.autoscale else "--replicas"
        kept = "\n".join(f"{path}  {stated.origin}" for path, stated in state.items())
        raise UsageError(
            "files on a volume allow one replica only", where=f"{named}, and what the project writes",
            why=f"a second pod would write the same files, or wait for the volume for ever:\n{kept}".rstrip("\n:"),
            hint="keep them in a database server and a bucket and say --volume off, or --replicas 1",
        )  # fmt: skip
    return wish.replicas or (1 if volume else 2)


def _termination(wish: ManifestOptions, needed: float) -> int:
    least = math.ceil(needed) + MARGIN
    if wish.termination_grace is None:
        return least
    if wish.termination_grace < least:
        raise UsageError(
            "requests would be cut off at the end", where="--termination-grace, --drain and --grace",
            why=f"draining and finishing take up to {needed:g} s, and the pod would be killed after "
            f"{wish.termination_grace:g} s",
            hint=f"--termination-grace {least}s, or a shorter --grace",
        )  # fmt: skip
    return math.ceil(wish.termination_grace)


def _proxies(settings: Resolved[Settings]) -> tuple[str, ...]:
    """Return the networks that somebody said are proxies; the default means this machine only."""
    if str(settings.origins["trusted_proxies"]) == "default":
        return ()
    return tuple(one for one in settings.value.trusted_proxies if one != "unix")


def _hosts(plan: Plan, hosts: tuple[str, ...]) -> dict[str, str]:
    """Return the variables that hold host names and origins, where `--host` says which."""
    if not hosts:
        return {}
    found = {}
    for variable in plan.variables:
        if variable.kind is VariableKind.HOSTS and "HOST" in variable.name:
            found[variable.name] = hosts[0] if variable.is_one_host else ",".join(hosts)
        elif re.search(r"CSRF.*(TRUSTED|ORIGIN)", variable.name):
            found[variable.name] = ",".join(f"https://{host}" for host in hosts)
    return found


def _required(plan: Plan, wanted: Services, known: Mapping[str, str]) -> tuple[Stated, ...]:
    """Return the variables that somebody has to give: those without a default, the key, the site's names, and where the
    database is.

    A key that has a default has one that everybody can read; with no names every request is answered 400.
    """
    found = {stated.value: stated for stated in plan.required if stated.value not in known}
    keys = [variable for variable in plan.variables if re.fullmatch(r"(DJANGO_)?SECRET_KEY", variable.name)]
    own = {name for name in plan.own if plan.environ[name].value}
    hosts = [one for one in plan.variables if one.name not in {*known, *own} and _holds_no_host(one)]
    for variable in (*keys, *hosts, *(wanted.database.variables if wanted.database else ())):
        found.setdefault(variable.name, Stated(value=variable.name, origin=str(variable.origin)))
    return tuple(found.values())


def _holds_no_host(variable: Variable) -> bool:
    """Return whether a variable is what ALLOWED_HOSTS is made of, and its default names nobody."""
    nothing = (variable.default or "").strip("'\"[]() ") == ""
    return variable.kind is VariableKind.HOSTS and "ALLOWED_HOST" in variable.name and nothing


def _check_hosts(wish: ManifestOptions, proxies: tuple[str, ...]) -> None:
    for host in wish.host:
        if not names.is_host(host):
            raise UsageError(
                f"{host!r} is no host name", where="--host",
                why="host names are lower-case letters, digits and - between dots (RFC 1123)",
                hint="--host shop.example.com",
            )  # fmt: skip
    outer = "--ingress" if wish.ingress else "--gateway" if wish.gateway else ""
    if wish.tls_secret and not wish.ingress:
        raise UsageError(
            "there is no Ingress for the certificate", where="--tls-secret",
            why="a Gateway has its own, in its listener" if wish.gateway else "nothing else is given one",
            hint="--ingress CLASS, or leave --tls-secret out",
        )  # fmt: skip
    if not outer:
        return
    if not wish.host:
        raise UsageError(
            "there is no host name",
            where=outer,
            why="a route is made for each host name",
            hint="--host shop.example.com",
        )
    if not proxies:
        raise UsageError(
            "the addresses of the proxy in front are not known", where=outer,
            why="who may say X-Forwarded-* is not guessed: a wrong guess lets clients choose their address",
            hint="--trusted-proxies CIDR, the network that the controller's pods live in",
        )  # fmt: skip


def _settings(settings: Resolved[Settings], workers: int, drain: float, share: int) -> dict[str, str]:
    """Return the run-time options that somebody set, and those that the documents rely on.

    Projects that share a machine share the threads too: each one's stack and database connections count.
    """
    found = {
        "NUAGES_WORKERS": str(workers),
        "NUAGES_DRAIN": f"{drain:g}s",
        "NUAGES_GRACE": f"{settings.value.grace:g}s",
    }
    if share > 1 and settings.origins["threads"] == Origin("default"):
        found["NUAGES_THREADS"] = str(max(_FEWEST_THREADS, settings.value.threads // share))
    for option in options_of(Settings):
        if settings.origins[option.field] == Origin("default") or option.name in _ELSEWHERE:
            continue
        value = getattr(settings.value, option.field)
        found.setdefault(option.variable, option.kind.choices[0] if value is None else _text(value))
    return dict(sorted(found.items()))


DECIDED = frozenset(
    {"bind", "management", "static-root", "static-root-always", "tls-cert", "tls-key", "local-hosts"}
)
"""What the image says itself, or what the documents decide: their ports, folders and certificates."""

_ELSEWHERE = DECIDED | {"app", "settings", "workers"}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:g}s" if isinstance(value, float) else str(value)
