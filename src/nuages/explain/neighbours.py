"""What else stands in a file of services: the project's images and other programs', and ConfigMaps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from nuages.explain.servers import TABLES
from nuages.explain.yaml import Node

# In the order in which their words are run: Compose has the first two, a container in Kubernetes the last two.
VECTOR = ("entrypoint", "command", "args")
_OURS = re.compile(
    r"manage\.py|django-admin|\bcelery\b|\bpython[\d.]*\b|(?<![\w.-])(?:" + "|".join(TABLES) + r")(?![\w.-])"
)
_NAMES_OF_SERVICES = """
postgres postgresql postgis pgvector timescaledb mysql mariadb percona mongo mongodb redis valkey memcached rabbitmq
nginx caddy traefik haproxy minio elasticsearch opensearch solr mailhog mailpit maildev mailcatcher keycloak pgbouncer
adminer pgadmin pgadmin4 localstack kafka zookeeper prometheus grafana jaeger node clamav seaweedfs
"""
_SERVICES = frozenset(_NAMES_OF_SERVICES.split())
_LONGEST_NAME = 128  # characters


def own(documents: Iterable[Node]) -> dict[str, Node | None]:
    """Return the images that are built here, with what of, and those that a program of the project's is started in."""
    found: dict[str, Node | None] = {}
    for fields in _mappings(documents, set()):
        started = [each.text for key in VECTOR if key in fields for each in words(fields[key])]
        if "image" in fields and ("build" in fields or _OURS.search(" ".join(started))):
            image = fields["image"].text
            found[image] = fields.get("build") or found.get(image)
    return found


def config_maps(documents: Iterable[Node]) -> dict[str, Mapping[str, Node]]:
    """Return the data of each ConfigMap, a document of its own or an item of a List."""
    found: dict[str, Mapping[str, Node]] = {}
    for document in documents:
        items = document.fields["items"].nodes if "items" in document.fields else [document]
        for fields in (item.fields for item in items):
            if (
                "kind" in fields
                and fields["kind"].text == "ConfigMap"
                and {"metadata", "data"} <= fields.keys()
            ):
                name = fields["metadata"].fields.get("name")
                found[name.text if name else ""] = fields["data"].fields
    return found


def _mappings(nodes: Iterable[Node], seen: set[int]) -> Iterator[Mapping[str, Node]]:
    for node in nodes:
        if not isinstance(node.value, str) and id(node.value) not in seen:
            seen.add(id(node.value))
            yield node.fields
            yield from _mappings([*node.nodes, *node.fields.values()], seen)


def is_a_service(image: str) -> bool:
    """Whether an image is known as another program's: `postgres:17`, `bitnami/redis`, `owasp/nginx-modsecurity`."""
    name = re.split(r"[:@]", image.rpartition("/")[2][:_LONGEST_NAME], maxsplit=1)[0]
    return not _SERVICES.isdisjoint(re.split("[-_]", name))


def words(node: Node) -> list[Node]:
    """Return the words of a command that is a list, or its one line; none for what is no command."""
    return [each for each in (node.nodes or [node]) if each.text]
