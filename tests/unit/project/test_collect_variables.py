"""What the project's own Dockerfile gives collectstatic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nuages.project.scan import examine

Shop = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN KEY=a URL='postgres://x/y z' python manage.py collectstatic", {"KEY": "a", "URL": "postgres://x/y z"}),
        ("RUN set -e; cd x && KEY=a \\\n  ./manage.py collectstatic --noinput", {"KEY": "a"}),
        ("RUN env KEY=a python manage.py collectstatic", {"KEY": "a"}),
        ("RUN export KEY=a && URL=b python manage.py collectstatic", {"KEY": "a", "URL": "b"}),
        ("RUN if [ -n \"$X\" ]; then KEY=a ./manage.py collectstatic; fi", {"KEY": "a"}),
        ("ARG KEY=a\nARG TOKEN\nRUN python manage.py collectstatic", {"KEY": "a"}),
        ("ARG KEY=a\nRUN KEY=b python manage.py collectstatic", {"KEY": "b"}),
        ("ARG KEY=a\nRUN KEY=$KEY python manage.py collectstatic", {"KEY": "a"}),
        ("RUN KEY=$(cat k) URL=b python manage.py collectstatic", {"URL": "b"}),
        ("RUN PATH=/x PYTHONPATH=y DJANGO_SETTINGS_MODULE=z KEY=a python manage.py collectstatic", {"KEY": "a"}),
        ("FROM python:3.13 AS static\nRUN KEY=a python manage.py collectstatic\nFROM python:3.13", {"KEY": "a"}),
        ("RUN KEY=a python manage.py migrate", {}),
        ("ARG KEY=a\nRUN python manage.py check", {}),
    ],
)  # fmt: skip
def test_what_stands_before_the_command_and_build_arguments_of_its_stage_count(
    text: str, expected: dict[str, str], shop: Shop
) -> None:
    project = examine(shop({"Dockerfile": f"FROM python:3.13\nWORKDIR /srv\nCOPY . .\n{text}\n"}), environ={})
    assert {each.name: each.value for each in project.hints.collecting} == expected


def test_each_is_told_with_its_line(shop: Shop) -> None:
    text = "FROM python:3.13\nARG KEY=a\n\nRUN URL=b python manage.py collectstatic\n"
    project = examine(shop({"Dockerfile": text}), environ={})
    assert [str(each.origin) for each in project.hints.collecting] == ["Dockerfile:2", "Dockerfile:4"]
