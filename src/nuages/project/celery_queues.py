"""The queues that a Celery worker has to listen to: those that tasks are routed to, beside the default one.

A worker without `--queues` takes those of `task_queues`, and where there are none the default queue alone: a queue that
only `task_routes` or a task names is made for the task, and nobody works for it (Celery, «Routing Tasks», «Automatic
routing» and «Changing the name of the default queue»).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nuages.project import layout
from nuages.project.tree import Tree

_QUEUE = re.compile(r"[A-Za-z0-9_][\w.:-]*")
_NAMES = re.compile(r"\bqueue\s*=\s*[\"']")
_SENDING = frozenset({"task", "shared_task", "periodic_task", "apply_async", "send_task"})
_OPTIONS = ("task_routes", "task_queues", "task_default_queue")
_ROUTES = ("CELERY_TASK_ROUTES", "CELERY_ROUTES")
_QUEUES = ("CELERY_TASK_QUEUES", "CELERY_QUEUES")
_DEFAULT = ("CELERY_TASK_DEFAULT_QUEUE", "CELERY_DEFAULT_QUEUE")


def listened(tree: Tree, path: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the queues to listen to, the default one first; empty where the default one, or Celery itself, will do.

    `path` is the module that makes the app.
    """
    own = _configured(tree.module(path))
    if "task_queues" in own or any(name in settings for name in _QUEUES):
        return ()
    routes = [own.get("task_routes"), *(settings.get(name) for name in _ROUTES)]
    found = [name for one in routes for name in _routed(one)] + [*_named(tree)]
    defaults = [own.get("task_default_queue"), *(settings.get(name) for name in _DEFAULT)]
    first = next((name for name in defaults if isinstance(name, str) and name), "celery")
    others = sorted({name for name in found if _QUEUE.fullmatch(name)} - {first})
    return (first, *others) if others and _QUEUE.fullmatch(first) else ()


def _configured(module: ast.Module | None) -> dict[str, Any]:
    """Return what a module sets of the app's configuration: by `app.conf.NAME = …` and `app.conf.update(NAME=…)`."""
    found: dict[str, Any] = {}
    for node in module.body if module else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            target = node.targets[0]
            if target.attr in _OPTIONS and _is_conf(target.value):
                found[target.attr] = _literal(node.value)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Attribute) and called.attr == "update" and _is_conf(called.value):
                found |= {
                    each.arg: _literal(each.value) for each in node.value.keywords if each.arg in _OPTIONS
                }
    return found


def _is_conf(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "conf"


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError, SyntaxError):
        return None


def _routed(routes: Any) -> Iterator[str]:
    """Yield the queues of `task_routes`: a mapping, pairs, or a list of these; a route is a name or has `queue`."""
    pairs: list[Any] = []
    if isinstance(routes, dict):
        pairs = list(routes.values())
    elif isinstance(routes, (list, tuple)):
        for each in routes:
            if isinstance(each, (dict, list)):
                yield from _routed(each)
            elif isinstance(each, tuple) and len(each) == 2:
                pairs.append(each[1])
    for route in pairs:
        name = route.get("queue") if isinstance(route, dict) else route
        if isinstance(name, str):
            yield name


def _named(tree: Tree) -> Iterator[str]:
    """Yield the queues that tasks are declared for or sent to: `@shared_task(queue="mail")`, `apply_async(queue=…)`."""
    for path in tree.files:
        if not path.endswith(".py") or layout.is_aside(path) or not _NAMES.search(tree.text(path) or ""):
            continue
        module = tree.module(path)
        for node in ast.walk(module) if module else ():
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            for each in node.keywords if name in _SENDING else ():
                if (
                    each.arg == "queue"
                    and isinstance(each.value, ast.Constant)
                    and isinstance(each.value.value, str)
                ):
                    yield each.value.value
