"""What all pods of an application share: labels, security, environment, volumes, and the container itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nuages.deploy import names
from nuages.deploy.options import ManifestOptions
from nuages.deploy.workload import Workload

DATA = "/data"
"""Where the image keeps what the project writes."""

_MIB = 1 << 20


def labels(workload: Workload, component: str) -> dict[str, str]:
    """Return the labels that select a component's pods; a Deployment's can never be changed."""
    return {**common_labels(workload), "app.kubernetes.io/component": component}


def common_labels(workload: Workload) -> dict[str, str]:
    """Return the labels that select all pods of the application."""
    return {"app.kubernetes.io/name": workload.name, "app.kubernetes.io/instance": workload.name}


def all_labels(workload: Workload, component: str) -> dict[str, str]:
    """Return the recommended labels (Kubernetes, «Recommended Labels»): more than what selects, and free to change."""
    more = {"app.kubernetes.io/version": workload.version, "app.kubernetes.io/managed-by": "nuages"}
    return {**labels(workload, component), **more}


def metadata(
    workload: Workload, options: ManifestOptions, name: str, component: str, **annotations: str
) -> dict[str, Any]:
    """Return an object's metadata with all labels."""
    found: dict[str, Any] = {"name": name}
    if options.namespace:
        found["namespace"] = options.namespace
    found["labels"] = all_labels(workload, component)
    if annotations:
        found["annotations"] = dict(annotations)
    return found


def config_name(workload: Workload) -> str:
    """Return the name of the ConfigMap with the server's options."""
    return names.joined(workload.name, "settings")


def secret_name(workload: Workload) -> str:
    """Return the name of the Secret that the application's own variables stand in."""
    return names.joined(workload.name, "env")


def claim_name(workload: Workload) -> str:
    """Return the name of the claim of the volume."""
    return names.joined(workload.name, "data")


def kept_name(workload: Workload) -> str:
    """Return the name of the claim of the static files that releases share."""
    return names.joined(workload.name, "static")


def size(size: int) -> str:
    """Return bytes as a quantity: whole Mi, or Gi."""
    mib = -(-size // _MIB)
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"


def pod(
    workload: Workload,
    options: ManifestOptions,
    container: Mapping[str, Any],
    *,
    grace: int,
    restart: str = "Always",
    spread: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a pod's spec under the restricted Pod Security profile, with a read-only root file system."""
    security: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": workload.user,
        "runAsGroup": workload.user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if workload.volume or workload.kept:
        security |= {"fsGroup": workload.user, "fsGroupChangePolicy": "OnRootMismatch"}
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {"sizeLimit": size(workload.scratch)}}]
    if workload.volume:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": claim_name(workload)}})
    if workload.kept:
        volumes.append({"name": "static", "persistentVolumeClaim": {"claimName": kept_name(workload)}})
    spec: dict[str, Any] = {
        "serviceAccountName": workload.name,
        "automountServiceAccountToken": False,
        "# Without it each Service of the namespace adds variables, which may have the names of options.": None,
        "enableServiceLinks": False,
        "securityContext": security,
        "terminationGracePeriodSeconds": grace,
    }
    if restart != "Always":
        spec["restartPolicy"] = restart
    if options.image_pull_secret:
        spec["imagePullSecrets"] = [{"name": options.image_pull_secret}]
    if workload.volume:
        spec["affinity"] = _together(workload)
    if spread:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(spread)},
            }
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ]  # fmt: skip
    folders = [stated.value for path, stated in workload.state.items() if path.endswith("/")]
    if workload.volume and folders:
        spec["#A fresh volume is empty, and the image's links to its folders would lead nowhere."] = None
        spec["initContainers"] = [_making(workload, folders, container["resources"])]
    return {**spec, "containers": [dict(container)], "volumes": volumes}


def _making(workload: Workload, folders: Sequence[str], resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container that makes the volume's folders; `resources` are those of the one that waits for it."""
    code = "import os, sys; [os.makedirs(folder, exist_ok=True) for folder in sys.argv[1:]]"
    words = command(["python", "-c", code, *folders])
    return _container(workload, "make-folders", {"command": words, "resources": resources})


def _together(workload: Workload) -> dict[str, Any]:
    """Return the affinity of pods that mount one volume to each other.

    A `ReadWriteOnce` volume is attached to one node; a pod elsewhere would wait for it for ever. The first one finds
    nobody and may go anywhere, since it matches its own term (Kubernetes, «Assigning Pods to Nodes»).
    """
    term = {
        "labelSelector": {"matchLabels": common_labels(workload)}, "topologyKey": "kubernetes.io/hostname",
    }  # fmt: skip
    return {
        "#The volume is attached to one node: all that mount it run there.": None,
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]},
    }


def container(workload: Workload, name: str, **fields: Any) -> dict[str, Any]:
    """Return a container of the image; `fields` are its command, ports, probes and resources."""
    required = [
        {
            f"#{stated.origin}": None, "name": stated.value,
            "valueFrom": {"secretKeyRef": {"name": secret_name(workload), "key": stated.value}},
        }
        for stated in workload.required
    ]  # fmt: skip
    environ: dict[str, Any] = {"env": required} if required else {}
    environ["envFrom"] = [
        {"configMapRef": {"name": config_name(workload)}},
        {
            "# Whatever else of the application's variables stands there.": None,
            "secretRef": {"name": secret_name(workload), "optional": True},
        },
    ]
    return _container(workload, name, {**fields, **environ})


def _container(workload: Workload, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]
    if workload.volume:
        mounts.append({"name": "data", "mountPath": DATA})
    if workload.kept:
        mounts.append({"name": "static", "mountPath": workload.kept})
    return {
        "name": name,
        "image": workload.image,
        **fields,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def command(words: Sequence[str]) -> list[str]:
    """Return a command line as Kubernetes takes it: it would replace $(NAME) in it."""
    return [word.replace("$(", "$$(") for word in words]
