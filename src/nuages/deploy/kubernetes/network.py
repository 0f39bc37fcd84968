"""How it is reached, by whom, and how many at least: Service, routes, policy, budget, autoscaler, monitor."""

from __future__ import annotations

import math
from typing import Any

from nuages.deploy import names
from nuages.deploy.kubernetes import pod
from nuages.deploy.kubernetes.workloads import WEB
from nuages.deploy.options import ManifestOptions
from nuages.deploy.workload import MARGIN, Workload
from nuages.deploy.yaml import Document

_PORT = 80
_NGINX_SECONDS = 60


def service(workload: Workload, options: ManifestOptions) -> Document:
    """Return the Service of the server."""
    return {
        "apiVersion": "v1", "kind": "Service",
        "metadata": pod.metadata(workload, options, workload.name, WEB),
        "spec": {
            "selector": pod.labels(workload, WEB),
            "ports": [{"name": "http", "port": _PORT, "targetPort": "http"}],
        },
    }  # fmt: skip


def ingress(workload: Workload, options: ManifestOptions) -> Document:
    """Return the Ingress for each host name."""
    backend = {"service": {"name": workload.name, "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    metadata = pod.metadata(workload, options, workload.name, WEB, **_of_nginx(workload, options))
    spec: dict[str, Any] = {"ingressClassName": options.ingress}
    if options.tls_secret:
        spec["tls"] = [{"hosts": list(workload.hosts), "secretName": options.tls_secret}]
    spec["rules"] = [{"host": host, "http": {"paths": paths}} for host in workload.hosts]
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec,
    }  # fmt: skip


def _of_nginx(workload: Workload, options: ManifestOptions) -> dict[str, str]:
    """Return what ingress-nginx has to be told, whose own limits are lower than ours: 1 MB and 60 s.

    Source: ingress-nginx, «Annotations»: «Custom max body size», «Custom timeouts» (whole seconds).
    """
    if "nginx" not in (options.ingress or ""):
        return {}
    longest = math.ceil(workload.timeout) + MARGIN
    return {
        "nginx.ingress.kubernetes.io/proxy-body-size": str(workload.max_body),
        **(
            {"nginx.ingress.kubernetes.io/proxy-read-timeout": str(longest)}
            if longest > _NGINX_SECONDS
            else {}
        ),
    }


def route(workload: Workload, options: ManifestOptions) -> Document:
    """Return the HTTPRoute at the Gateway (Gateway API, v1)."""
    namespace, _, name = (options.gateway or "").rpartition("/")
    parent = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": pod.metadata(workload, options, workload.name, WEB),
        "spec": {
            "parentRefs": [parent], "hostnames": list(workload.hosts),
            "rules": [{"backendRefs": [{"name": workload.name, "port": _PORT}]}],
        },
    }  # fmt: skip


def policy(workload: Workload, options: ManifestOptions) -> Document:
    """Return who may reach the pods: proxies alone where some are trusted; the management port stays inside.

    The kubelet's probes come from the pod's own node, which is always let in (Kubernetes, «Network Policies»).
    """
    http: dict[str, Any] = {"ports": [{"port": "http"}]}
    if workload.proxies:
        http = {
            "#Their X-Forwarded-* is believed, so nobody else may send any (--trusted-proxies).": None,
            "from": [{"ipBlock": {"cidr": _network(each)}} for each in workload.proxies],
            "ports": [{"port": "http"}],
        }
    monitors: list[dict[str, Any]] = [{"podSelector": {}}]
    if options.service_monitor:
        monitors = [
            {
                "namespaceSelector": {},
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
            }
        ]
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": pod.metadata(workload, options, workload.name, WEB),
        "spec": {
            "podSelector": {"matchLabels": pod.labels(workload, WEB)},
            "policyTypes": ["Ingress"],
            "ingress": [http, {"from": monitors, "ports": [{"port": "management"}]}],
        },
    }  # fmt: skip


def closed(workload: Workload, options: ManifestOptions) -> Document:
    """Return the policy under which nobody reaches what no other policy opens: migrations, workers, schedulers."""
    return {
        "#What no other policy opens is closed: nobody has to reach a migration, a worker or a scheduler.": None,
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": pod.metadata(workload, options, names.joined(workload.name, "closed"), WEB),
        "spec": {"podSelector": {"matchLabels": pod.common_labels(workload)}, "policyTypes": ["Ingress"]},
    }  # fmt: skip


def _network(text: str) -> str:
    return text if "/" in text else f"{text}/{128 if ':' in text else 32}"


def budget(workload: Workload, options: ManifestOptions) -> Document:
    """Return the PodDisruptionBudget: a node that is emptied takes one pod at a time."""
    return {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": pod.metadata(workload, options, workload.name, WEB),
        "spec": {
            "maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": pod.labels(workload, WEB)},
        },
    }  # fmt: skip


def autoscaler(workload: Workload, options: ManifestOptions) -> Document:
    """Return the HorizontalPodAutoscaler, by CPU: Python gives memory back late, and would never scale down."""
    least, most = options.autoscale or (1, 1)
    target = {"type": "Utilization", "averageUtilization": 200}
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": pod.metadata(workload, options, workload.name, WEB),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicas": least, "maxReplicas": most,
            "#Of the CPU that is asked for, a quarter for each worker: half of what the workers can use.": None,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }  # fmt: skip


def monitor(workload: Workload, options: ManifestOptions) -> tuple[Document, Document]:
    """Return a headless Service of the management port and the ServiceMonitor of the Prometheus operator."""
    name = names.joined(workload.name, "metrics")
    selector = pod.labels(workload, "metrics")
    return (
        {
            "apiVersion": "v1", "kind": "Service",
            "metadata": pod.metadata(workload, options, name, "metrics"),
            "spec": {
                "clusterIP": "None", "selector": pod.labels(workload, WEB),
                "ports": [{"name": "metrics", "port": workload.management_port, "targetPort": "management"}],
            },
        },
        {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
            "metadata": pod.metadata(workload, options, workload.name, WEB),
            "spec": {
                "selector": {"matchLabels": selector},
                "endpoints": [{"port": "metrics", "path": "/-/metrics"}],
            },
        },
    )  # fmt: skip
