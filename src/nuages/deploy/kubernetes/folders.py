"""The same documents as a folder: for kustomize, with what overlays build on, or as a Helm chart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nuages.deploy.kubernetes import config
from nuages.deploy.options import ManifestOptions
from nuages.deploy.workload import Workload
from nuages.deploy.yaml import Document, dump, without_comments

SECRET = "secret.template.yaml"

# Options that other documents are computed from: memory, the time to end, probes, policies, volumes.
_RELIED_ON = {
    f"NUAGES_{name}"
    for name in (
        "WORKERS", "DRAIN", "GRACE", "TRUSTED_PROXIES", "MAX_BODY", "TIMEOUT", "START_TIMEOUT", "STATIC_KEEP",
    )
}  # fmt: skip


def kustomize(workload: Workload, options: ManifestOptions, documents: Iterable[Document]) -> dict[str, str]:
    """Return the files of a kustomization; overlays name its folder under `resources`."""
    files = dict(_files(documents))
    kustomization: Document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        f"#The variables of the application: fill in {SECRET} outside of this folder, apply it once.": None,
        "resources": list(files),
    }
    return {
        "kustomization.yaml": dump([kustomization]),
        **files,
        SECRET: config.secret_template(workload, options),
    }


def helm(workload: Workload, options: ManifestOptions, documents: Iterable[Document]) -> dict[str, str]:
    """Return the files of a chart; what an installation may change is in `values.yaml`."""
    values: dict[str, Any] = {
        "#Another image wants a chart of its own: the Job that migrates is named by it.": None,
        "image": workload.image,
        **({} if options.autoscale or workload.volume else {"replicas": workload.replicas}),
        "# An option that is not here has a part in other documents: to change it, make the chart again.": None,
        "settings": _changeable(workload),
    }
    chart = {
        "apiVersion": "v2", "name": workload.name, "version": f"0.1.0+{workload.digest[:12]}",
        "description": f"{workload.plan.name}, served by nuages", "type": "application",
    }  # fmt: skip
    files = {"Chart.yaml": dump([chart]), "values.yaml": dump([values])}
    for name, text in _files(documents):
        files[f"templates/{name}"] = _with_values(text, workload)
    note = config.secret_template(workload, options)
    return {**files, "templates/NOTES.txt": note}


def _changeable(workload: Workload) -> dict[str, str]:
    """Return the options that an installation may change without making another document untrue."""
    return {name: text for name, text in workload.settings.items() if name not in _RELIED_ON}


def _files(documents: Iterable[Document]) -> Iterable[tuple[str, str]]:
    """Yield a file for each document, numbered in the order in which they need each other."""
    for number, document in enumerate(documents):
        plain = without_comments(document)
        yield f"{number:02}-{plain['kind'].lower()}-{plain['metadata']['name']}.yaml", dump([document])


def _with_values(text: str, workload: Workload) -> str:
    """Return a document's text as a template. Braces of its own are text for Helm too."""
    text = re.sub(r"\{\{|\}\}", lambda match: "{{ `" + match[0] + "` }}", text)
    text = text.replace(f"image: {_scalar(workload.image)}", "image: {{ .Values.image | quote }}")
    if "component: web" in text and not workload.volume:
        text = re.sub(r"^  replicas: \d+$", _replicas, text, flags=re.MULTILINE)
    # Changed values roll the pods too (Helm, «Automatically Roll Deployments»).
    digest = "{{ .Values.settings | toJson | sha256sum | trunc 16 }}"
    text = re.sub(r'^( +checksum/config: )"?(\w+)"?$', rf'\1"\2-{digest}"', text, flags=re.MULTILINE)
    for name in _changeable(workload):
        text = re.sub(
            rf"^  {name}: .*$",
            f"  {name}: {{{{ .Values.settings.{name} | quote }}}}",
            text,
            flags=re.MULTILINE,
        )
    return text


def _replicas(_: re.Match[str]) -> str:
    return "  replicas: {{ .Values.replicas }}"


def _scalar(value: str) -> str:
    return dump([{"image": value}]).removeprefix("image: ").rstrip("\n")
