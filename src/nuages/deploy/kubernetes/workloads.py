"""What runs: the Deployment of the server, the Job that migrates, and the project's other processes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from nuages.deploy import names
from nuages.deploy.kubernetes import pod
from nuages.deploy.memory import BASE_MEMORY, Memory
from nuages.deploy.options import ManifestOptions
from nuages.deploy.workload import MARGIN, SCRATCH, Workload
from nuages.deploy.yaml import Document, without_comments
from nuages.project.model import Process, ProcessRole

WEB = "web"
_MIGRATION_SECONDS = 3600
_KEPT_SECONDS = 24 * 3600
_PROCESS_CPU = 100


def deployment(workload: Workload, options: ManifestOptions, config: str) -> Document:
    """Return the server's Deployment; `config` is a digest of its ConfigMap, so that a changed option rolls."""
    ready = {"httpGet": {"path": "/-/ready", "port": "management"}}
    fields: dict[str, Any] = {
        "ports": [
            {"name": "http", "containerPort": workload.port},
            {"name": "management", "containerPort": workload.management_port},
        ],
        "startupProbe": {
            "httpGet": {"path": "/-/startup", "port": "management"},
            "periodSeconds": 2,
            "failureThreshold": math.ceil(workload.start_timeout / 2) + 5,
        },
        "#The supervisor answers this one: never Django, never the database, which would end every pod at once.": None,
        "livenessProbe": {
            "httpGet": {"path": "/-/live", "port": "management"},
            "periodSeconds": 10, "timeoutSeconds": 3, "failureThreshold": 6,
        },
        "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 2},
        "resources": resources(workload.cpu, workload.memory),
    }  # fmt: skip
    selector = pod.labels(workload, WEB)
    spec: dict[str, Any] = {}
    if options.autoscale is None:
        spec["replicas"] = workload.replicas
    spec["selector"] = {"matchLabels": selector}
    if workload.volume:
        spec[
            "#Two pods must not write the same files: the old one ends first, and nobody serves in between."
        ] = None
        spec["strategy"] = {"type": "Recreate"}
    else:
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    spec["progressDeadlineSeconds"] = int(workload.start_timeout) + 480
    spec["template"] = {
        "metadata": {
            "labels": pod.all_labels(workload, WEB),
            "annotations": {"checksum/config": config},
        },
        "spec": {
            f"#{_period(workload)}": None,
            **pod.pod(
                workload, options, pod.container(workload, WEB, **fields), grace=workload.termination,
                spread=None if workload.volume else selector,
            ),
        },
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": pod.metadata(workload, options, workload.name, WEB), "spec": spec,
    }  # fmt: skip


def _period(workload: Workload) -> str:
    return (
        f"After SIGTERM the server goes on for {workload.drain:g} s, while endpoints and balancers learn of it, and\n"
        f"finishes requests for at most {workload.grace:g} s: no preStop is needed."
    )


def resources(cpu: int, memory: Memory) -> dict[str, Any]:
    """Return requests and limits; no limit of the CPU, which would only slow down what could run.

    /tmp has a limit of its own; what is asked for keeps pods off nodes whose disks are full.
    """
    return {
        "requests": {
            "cpu": f"{cpu}m",
            "memory": pod.size(memory.request),
            "ephemeral-storage": pod.size(SCRATCH),
        },
        "limits": {"memory": pod.size(memory.limit)},
    }


def migration(workload: Workload, options: ManifestOptions) -> Document:
    """Return the Job that migrates. Its template can never be changed, so its name tells what it runs."""
    memory = Memory(request=workload.worker_memory, limit=BASE_MEMORY + 2 * workload.worker_memory)
    fields = {"args": ["migrate"], "resources": resources(_PROCESS_CPU, memory)}
    template = {
        "metadata": {"labels": pod.all_labels(workload, "migrate")},
        "spec": pod.pod(
            workload, options, pod.container(workload, "migrate", **fields), grace=30, restart="Never"
        ),
    }
    spec = {
        "backoffLimit": 3,
        "activeDeadlineSeconds": _MIGRATION_SECONDS,
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "template": template,
    }
    text = json.dumps(without_comments(template), sort_keys=True)
    rest = hashlib.sha256(text.encode()).hexdigest()[:6]
    name = names.joined(workload.name, "migrate", workload.digest[:10], rest)
    hooks = _hooks(options)
    return {
        "#Applies the migrations once; the new pods get ready when nothing is left to apply.": None,
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": pod.metadata(workload, options, name, "migrate", **hooks), "spec": spec,
    }  # fmt: skip


def _hooks(options: ManifestOptions) -> dict[str, str]:
    if options.migrations == "helm":
        # Not pre-install: what it needs is made by the installation itself.
        return {
            "helm.sh/hook": "post-install,pre-upgrade",
            "helm.sh/hook-delete-policy": "before-hook-creation",
        }
    if options.migrations == "argo":
        return {
            "argocd.argoproj.io/hook": "Sync", "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
            "argocd.argoproj.io/sync-wave": "-1",
        }  # fmt: skip
    return {}


def process(workload: Workload, options: ManifestOptions, one: Process, config: str) -> Document:
    """Return the Deployment or CronJob of one of the project's other processes."""
    name = names.joined(workload.name, one.name)
    grace = math.ceil(one.grace_seconds) + MARGIN
    fields: dict[str, Any] = {"command": pod.command(one.command)}
    if one.directory != ".":
        fields["workingDir"] = f"/app/{one.directory}"
    memory = Memory(request=workload.worker_memory, limit=2 * workload.worker_memory)
    fields["resources"] = resources(_PROCESS_CPU, memory)
    if one.probe and one.role is not ProcessRole.SCHEDULED:
        fields["livenessProbe"] = {
            "exec": {"command": pod.command(one.probe)},
            "initialDelaySeconds": 60, "periodSeconds": 30, "timeoutSeconds": 5, "failureThreshold": 4,
        }  # fmt: skip
    if one.stop_signal != "SIGTERM":
        send = f"import os, signal; os.kill(1, signal.{one.stop_signal})"
        fields["lifecycle"] = {"preStop": {"exec": {"command": ["python", "-c", send]}}}
    selector = pod.labels(workload, one.name)
    labels = pod.all_labels(workload, one.name)
    restart = "Never" if one.role is ProcessRole.SCHEDULED else "Always"
    template = {
        "metadata": {"labels": labels, "annotations": {"checksum/config": config}},
        "spec": pod.pod(
            workload, options, pod.container(workload, one.name, **fields), grace=grace, restart=restart
        ),
    }
    if one.role is ProcessRole.SCHEDULED:
        return _cron_job(workload, options, one, name, template)
    strategy = {"type": "Recreate"} if one.is_single or workload.volume else {"type": "RollingUpdate"}
    return {
        f"#{one.origin}": None,
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": pod.metadata(workload, options, name, one.name),
        "spec": {
            "replicas": 1, "selector": {"matchLabels": selector}, "strategy": strategy, "template": template,
        },
    }  # fmt: skip


def _cron_job(
    workload: Workload, options: ManifestOptions, one: Process, name: str, template: Mapping[str, Any]
) -> Document:
    # The names of its Jobs are eleven characters longer (Kubernetes, «CronJob», Job name limits).
    short = (
        name if len(name) <= 52 else names.joined(workload.name[:20].rstrip("-"), one.name)[:52].rstrip("-")
    )
    return {
        f"#{one.origin}": None,
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": pod.metadata(workload, options, short, one.name),
        "spec": {
            "schedule": one.schedule, "timeZone": "Etc/UTC", "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 300, "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": dict(template)}},
        },
    }  # fmt: skip
