"""A Compose file: the project, its migrations and other processes, and the servers that they need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nuages.deploy import services, yaml
from nuages.deploy.options import ManifestOptions
from nuages.deploy.processes import chosen
from nuages.deploy.services import Place
from nuages.deploy.workload import MARGIN, Workload
from nuages.errors import UsageError
from nuages.project.model import Process, ProcessRole, VariableKind

_SUBNET = "172.30.{}.0/24"
_PASSWORD = "${DB_PASSWORD:?write it into .env}"
_PLACES = {
    "PostgreSQL": Place(
        scheme="postgres", host="db", port="5432", user="app", password=_PASSWORD, name="app"
    ),
    "MariaDB": Place(scheme="mysql", host="db", port="3306", user="app", password=_PASSWORD, name="app"),
}
_REDIS = "redis://redis:6379"
_READY = "import urllib.request as u; u.urlopen('http://127.0.0.1:{}/-/ready', timeout=3)"


def compose(workloads: Sequence[Workload], options: ManifestOptions) -> str:
    """Return the Compose file (compose-spec) of one project or of several."""
    prefixed = len(workloads) > 1
    subnet = _SUBNET.format(sum(workloads[0].name.encode()) % 256)
    parts: dict[str, Any] = {}
    volumes: dict[str, Any] = {}
    for workload in workloads:
        prefix = f"{workload.name}-" if prefixed else ""
        parts |= _project(workload, options, prefix, volumes, subnet)
    fronted = [workload for workload in workloads if workload.hosts]
    if fronted:
        parts["caddy"] = _caddy(fronted, volumes, prefixed=prefixed)
    document: dict[str, Any] = {
        "#Made by `nuages manifests compose`. Variables without a value stand in .env beside it; passwords of letters\n"
        "and digits, for they become parts of addresses. Start it with: docker compose up": None,
        "name": workloads[0].name,
        "services": parts,
    }  # fmt: skip
    if fronted:
        document["networks"] = {"default": {"ipam": {"config": [{"subnet": subnet}]}}}
    if volumes:
        document["volumes"] = volumes
    return yaml.dump([document])


def _project(
    workload: Workload, options: ManifestOptions, prefix: str, volumes: dict[str, Any], subnet: str
) -> dict[str, Any]:
    wanted = workload.services
    place = _PLACES[wanted.database.kind] if wanted.database else None
    if place and prefix:
        place = replace(place, host=f"{prefix}db")
    redis = _REDIS.replace("redis:6379", f"{prefix}redis:6379") if wanted.redis else ""
    environment = _environment(workload, place, redis, subnet)
    needs: dict[str, Any] = {}
    found: dict[str, Any] = {}
    if wanted.database:
        found[f"{prefix}db"] = _database(wanted.database.kind, f"{prefix}db", volumes)
        needs[f"{prefix}db"] = {"condition": "service_healthy"}
    if redis:
        found[f"{prefix}redis"] = {
            "image": "valkey/valkey:8", "healthcheck": _check(["valkey-cli", "ping"]), "restart": "unless-stopped",
        }  # fmt: skip
        needs[f"{prefix}redis"] = {"condition": "service_healthy"}
    shared = _container(workload, environment, f"{prefix}data", volumes)
    if workload.migrates:
        found[f"{prefix}migrate"] = {
            **shared, "command": ["migrate"], "restart": "no", **({"depends_on": dict(needs)} if needs else {}),
        }  # fmt: skip
        needs[f"{prefix}migrate"] = {"condition": "service_completed_successfully"}
    found[f"{prefix}web"] = _web(workload, shared, needs)
    for one in chosen(workload.plan.processes, options.process):
        found[f"{prefix}{one.name}"] = _process(one, shared, needs)
    if wanted.bucket:
        found[f"{prefix}s3"] = {
            "#An S3 of this machine's own, for trying: docker compose --profile s3 up": None,
            "image": "chrislusf/seaweedfs:latest", "profiles": ["s3"], "command": ["server", "-s3", "-dir=/data"],
            "volumes": [f"{prefix}s3:/data"],
        }  # fmt: skip
        volumes[f"{prefix}s3"] = None
    return found


def _container(
    workload: Workload, environment: dict[str, str], data: str, volumes: dict[str, Any]
) -> dict[str, Any]:
    """Return what all containers of the image share: nothing to write but /tmp and the volume, and no rights."""
    found: dict[str, Any] = {
        "image": workload.image,
        "environment": environment,
        "read_only": True,
        "#Uploads wait in /tmp: on the disk, not in memory.": None,
        "volumes": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{workload.memory.limit >> 20}m",
    }
    if workload.volume:
        found["volumes"].append(f"{data}:/data")
        volumes[data] = None
    if workload.kept and not (workload.volume and workload.kept.startswith("/data/")):
        raise UsageError(
            "the kept static files have no place", where="--static-keep",
            why="a new volume of Compose belongs to root, and the image's user could not write into it; only what the "
            "image has of its own under /data is taken over",
            hint="--static-keep /data/static for a project with a volume, or leave it away: Compose rolls nothing",
        )  # fmt: skip
    return found


def _web(workload: Workload, shared: dict[str, Any], needs: dict[str, Any]) -> dict[str, Any]:
    check = ["python", "-c", _READY.format(workload.management_port)]
    return {
        **shared,
        **({} if workload.hosts else {"ports": [f"{workload.port}:{workload.port}"]}),
        **({"depends_on": dict(needs)} if needs else {}),
        "healthcheck": {**_check(check), "start_period": f"{workload.start_timeout:g}s"},
        "stop_grace_period": f"{workload.termination}s",
        "restart": "unless-stopped",
    }


def _process(one: Process, shared: dict[str, Any], needs: dict[str, Any]) -> dict[str, Any]:
    words = [word.replace("$", "$$") for word in one.command]
    found = {
        f"#{one.origin}": None, **shared, "entrypoint": [], "command": words,
        **({"depends_on": dict(needs)} if needs else {}),
    }  # fmt: skip
    if one.directory != ".":
        found["working_dir"] = f"/app/{one.directory}"
    if one.role is ProcessRole.SCHEDULED:
        return {
            f"#{one.origin}: Compose has no schedule; let cron run it: {one.schedule}  docker compose run --rm": None,
            **found, "profiles": ["scheduled"], "restart": "no",
        }  # fmt: skip
    if one.stop_signal != "SIGTERM":
        found["stop_signal"] = one.stop_signal
    if one.probe:
        found["healthcheck"] = {**_check(list(one.probe)), "interval": "30s", "start_period": "60s"}
    return {
        **found,
        "stop_grace_period": f"{math.ceil(one.grace_seconds) + MARGIN}s",
        "restart": "unless-stopped",
    }


def _check(words: list[str]) -> dict[str, Any]:
    return {
        "test": ["CMD", *[word.replace("$", "$$") for word in words]], "interval": "5s", "timeout": "5s",
        "retries": 5,
    }  # fmt: skip


def _database(kind: str, volume: str, volumes: dict[str, Any]) -> dict[str, Any]:
    volumes[volume] = None
    if kind == "MariaDB":
        return {
            "image": "mariadb:11",
            "environment": {
                "MARIADB_DATABASE": "app", "MARIADB_USER": "app", "MARIADB_PASSWORD": _PASSWORD,
                "MARIADB_RANDOM_ROOT_PASSWORD": "yes",
            },
            "volumes": [f"{volume}:/var/lib/mysql"],
            "healthcheck": _check(["healthcheck.sh", "--connect", "--innodb_initialized"]),
            "stop_grace_period": "1m", "restart": "unless-stopped",
        }  # fmt: skip
    return {
        "image": "postgres:17",
        "environment": {"POSTGRES_DB": "app", "POSTGRES_USER": "app", "POSTGRES_PASSWORD": _PASSWORD},
        "volumes": [f"{volume}:/var/lib/postgresql/data"],
        "healthcheck": _check(["pg_isready", "-q", "-U", "app", "-d", "app"]),
        "stop_grace_period": "1m", "restart": "unless-stopped",
    }  # fmt: skip


def _caddy(workloads: Sequence[Workload], volumes: dict[str, Any], *, prefixed: bool) -> dict[str, Any]:
    """Return Caddy in front: it gets certificates, speaks HTTP/2 and 3, and hands on to the projects."""
    lines = []
    for workload in workloads:
        web = f"{workload.name}-web" if prefixed else "web"
        lines.append(f"{', '.join(workload.hosts)} {{\n  reverse_proxy {web}:{workload.port}\n}}\n")
    volumes["caddy"] = None
    return {
        "image": "caddy:2",
        "command": ["sh", "-c", 'printf %s "$$CADDYFILE" | caddy run --adapter caddyfile --config -'],
        "environment": {"CADDYFILE": "".join(lines)},
        "ports": ["80:80", "443:443", "443:443/udp"],
        "volumes": ["caddy:/data"],
        "restart": "unless-stopped",
    }


def _environment(workload: Workload, place: Place | None, redis: str, subnet: str) -> dict[str, str]:
    """Return the variables: where the other servers are, what .env must say, and the server's options."""
    found: dict[str, str] = {}
    for variable in workload.plan.variables:
        text = services.value(variable, place, redis)
        is_own = variable.name in workload.plan.own  # it may say where its own compose file has a server
        if text is None and not is_own and variable.name in {stated.value for stated in workload.required}:
            local = "localhost" if variable.is_one_host else "localhost,127.0.0.1"
            is_hosts = variable.kind is VariableKind.HOSTS
            text = local if is_hosts else f"${{{variable.name}:?write it into .env}}"
        if text is not None and (is_own or variable.name not in workload.plan.environ):
            found[variable.name] = text
    proxies = {"NUAGES_TRUSTED_PROXIES": subnet} if workload.hosts and not workload.proxies else {}
    return dict(sorted({**found, **workload.variables, **workload.settings, **proxies}.items()))
