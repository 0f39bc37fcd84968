"""The queues that a Celery worker has to listen to."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.project.conftest import Write

from nuages.project import celery_queues
from nuages.project.tree import Tree

APP = "from celery import Celery\napp = Celery('shop')\n"


@pytest.mark.parametrize(
    ("module", "settings", "queues"),
    [
        ("", {}, ()),
        ("", {"CELERY_TASK_ROUTES": {"shop.*": {"queue": "mail"}}}, ("celery", "mail")),
        ("", {"CELERY_ROUTES": ({"a.b": "mail"}, {"c": {"queue": "slow"}})}, ("celery", "mail", "slow")),
        ("", {"CELERY_TASK_ROUTES": [("a.*", {"queue": "mail"}), "shop.router"]}, ("celery", "mail")),
        ("", {"CELERY_TASK_ROUTES": {"a": {"queue": "celery"}, "b": {"routing_key": "x"}}}, ()),
        ("", {"CELERY_TASK_ROUTES": {"a": {"queue": "two words"}, "b": None}}, ()),
        ("", {"CELERY_TASK_ROUTES": {"a": "mail"}, "CELERY_TASK_QUEUES": None}, ()),
        ("", {"CELERY_TASK_ROUTES": {"a": "mail"}, "CELERY_TASK_DEFAULT_QUEUE": "own"}, ("own", "mail")),
        ("app.conf.task_routes = {'a': {'queue': 'mail'}}\napp.conf.task_default_queue = 'own'\n", {}, ("own", "mail")),
        ("app.conf.update(task_routes={'a': 'mail'}, timezone='UTC')\n", {}, ("celery", "mail")),
        ("app.conf.task_routes = routes()\n", {}, ()),
        ("app.conf.task_queues = [Queue('a')]\napp.conf.task_routes = {'a': 'mail'}\n", {}, ()),
        ("@app.task(queue='mail')\ndef send():\n    pass\n", {}, ("celery", "mail")),
        ("send.apply_async(args=(), queue='slow')\nlog(queue='no')\n", {}, ("celery", "slow")),
    ],
)  # fmt: skip
def test_a_worker_listens_to_the_queues_that_tasks_are_routed_to(
    write: Write, module: str, settings: dict[str, Any], queues: tuple[str, ...]
) -> None:
    tree = Tree(write({"shop/celery.py": APP + module}))
    assert celery_queues.listened(tree, "shop/celery.py", settings) == queues


def test_a_task_of_any_module_may_name_its_queue_and_one_of_a_test_is_none(write: Write) -> None:
    tree = Tree(
        write(
            {
                "shop/celery.py": APP,
                "shop/tasks.py": "@shared_task(queue='mail')\ndef send():\n    pass\n",
                "tests/tasks.py": "@shared_task(queue='no')\ndef send():\n    pass\n",
            }
        )
    )
    assert celery_queues.listened(tree, "shop/celery.py", {}) == ("celery", "mail")
