"""All documents of a workload, in the order in which they need each other."""

from __future__ import annotations

from nuages.deploy.kubernetes import config, network, workloads
from nuages.deploy.options import ManifestOptions
from nuages.deploy.processes import chosen
from nuages.deploy.workload import Workload
from nuages.deploy.yaml import Document


def documents(workload: Workload, options: ManifestOptions) -> list[Document]:
    """Return the documents. Raises UsageError for a `--process` that the project does not have."""
    settings = config.settings(workload, options)
    digest = config.digest(settings)
    found: list[Document] = [config.account(workload, options), settings]
    if workload.volume:
        found.append(config.claim(workload, options))
    if workload.kept:
        found.append(config.kept_claim(workload, options))
    if workload.migrates:
        found.append(workloads.migration(workload, options))
    found.append(workloads.deployment(workload, options, digest))
    found += [
        workloads.process(workload, options, one, digest)
        for one in chosen(workload.plan.processes, options.process)
    ]
    found.append(network.service(workload, options))
    found += [network.policy(workload, options), network.closed(workload, options)]
    if options.ingress:
        found.append(network.ingress(workload, options))
    if options.gateway:
        found.append(network.route(workload, options))
    if options.autoscale:
        found.append(network.autoscaler(workload, options))
    if workload.replicas > 1 or options.autoscale:
        found.append(network.budget(workload, options))
    if options.service_monitor:
        found += network.monitor(workload, options)
    return found
