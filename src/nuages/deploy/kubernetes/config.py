"""What pods are given: options, the template of their secrets, an account without rights, a volume."""

from __future__ import annotations

import hashlib
import json

from nuages.deploy.kubernetes import pod
from nuages.deploy.kubernetes.workloads import WEB
from nuages.deploy.options import ManifestOptions
from nuages.deploy.workload import Workload
from nuages.deploy.yaml import Document, dump


def account(workload: Workload, options: ManifestOptions) -> Document:
    """Return the ServiceAccount: it may do nothing, and no token is mounted."""
    wave = {"argocd.argoproj.io/sync-wave": "-2"} if options.migrations == "argo" else {}
    return {
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": pod.metadata(workload, options, workload.name, WEB, **wave),
        "automountServiceAccountToken": False,
    }  # fmt: skip


def settings(workload: Workload, options: ManifestOptions) -> Document:
    """Return the ConfigMap with the server's options."""
    wave = {"argocd.argoproj.io/sync-wave": "-2"} if options.migrations == "argo" else {}
    data = {**workload.variables, **workload.settings}
    if workload.migrates:
        data["NUAGES_READY_MIGRATIONS"] = "on"
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": pod.metadata(workload, options, pod.config_name(workload), WEB, **wave),
        "data": dict(sorted(data.items())),
    }  # fmt: skip


def digest(document: Document) -> str:
    """Return a digest of a ConfigMap's data, for the pods' template."""
    return hashlib.sha256(json.dumps(document["data"], sort_keys=True).encode()).hexdigest()[:16]


def secret(workload: Workload, options: ManifestOptions) -> Document:
    """Return the template of the Secret, without values."""
    data: dict[str, object] = {}
    for stated in workload.required:
        data[f"#{stated.origin}"] = None
        data[stated.value] = ""
    return {
        "apiVersion": "v1", "kind": "Secret",
        "metadata": pod.metadata(workload, options, pod.secret_name(workload), WEB),
        "stringData": data,
    }  # fmt: skip


def secret_template(workload: Workload, options: ManifestOptions) -> str:
    """Return the Secret's template as comments: applied as it stands, it would empty the one that is there."""
    text = dump([secret(workload, options)])
    lines = [
        f"The variables that the application needs stand in the Secret {pod.secret_name(workload)}. Make it once:",
        *text.splitlines(),
    ]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def claim(workload: Workload, options: ManifestOptions) -> Document:
    """Return the claim of the volume that the application's files lie on."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": pod.size(options.volume_size)}},
    }
    if options.storage_class:
        spec["storageClassName"] = options.storage_class
    kept = "\n".join(f"{path} → {stated.value}  {stated.origin}" for path, stated in workload.state.items())
    return {
        f"#{kept}": None,
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": pod.metadata(workload, options, pod.claim_name(workload), WEB), "spec": spec,
    }  # fmt: skip


def kept_claim(workload: Workload, options: ManifestOptions) -> Document:
    """Return the claim of the folder in which all pods share hashed static files (`--static-keep`)."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": pod.size(1 << 30)}}}
    if options.storage_class:
        spec["storageClassName"] = options.storage_class
    return {
        "#A page of one release may ask a pod of another for its files, while and after a rollout.": None,
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": pod.metadata(workload, options, pod.kept_name(workload), WEB), "spec": spec,
    }  # fmt: skip
