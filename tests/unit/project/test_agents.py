"""What starts a project's own server, and the command of a monitoring agent in front of it."""

from __future__ import annotations

import pytest
from tests.unit.project.conftest import Write

from nuages.errors import Origin
from nuages.project import agents
from nuages.project.model import Agent, Dependencies, Distribution, Manager
from nuages.project.tree import Tree

ORIGIN = Origin("requirements.txt")
NOTHING = Dependencies(manager=Manager.REQUIREMENTS, files=("requirements.txt",), origin=ORIGIN)
NEW_RELIC = ("newrelic-admin", "run-program")


def found(write: Write, files: dict[str, str], dependencies: Dependencies = NOTHING) -> Agent | None:
    """Return the agent of a project with these files."""
    return agents.find(Tree(write(files)), (".",), dependencies)


@pytest.mark.parametrize(
    ("start", "command"),
    [
        ('CMD ["ddtrace-run", "gunicorn", "shop.wsgi"]', ("ddtrace-run",)),
        ('ENTRYPOINT ["newrelic-admin", "run-program"]\nCMD ["gunicorn", "shop.wsgi"]', NEW_RELIC),
        ("CMD exec /venv/bin/newrelic-admin run-program gunicorn shop.wsgi --bind :$PORT", NEW_RELIC),
        ("CMD opentelemetry-instrument gunicorn shop.wsgi", ("opentelemetry-instrument",)),
        (
            "CMD opentelemetry-instrument --traces_exporter console --service_name=shop uvicorn shop.asgi:application",
            ("opentelemetry-instrument", "--traces_exporter", "console", "--service_name=shop"),
        ),
        ("CMD opentelemetry-instrument --service_name $NAME gunicorn a", ("opentelemetry-instrument",)),
        ('CMD ["elasticapm-run", "gunicorn", "shop.wsgi"]', ("elasticapm-run",)),
        (
            'CMD ["sh", "-c", "python manage.py migrate; ddtrace-run -p gunicorn shop.wsgi"]',
            ("ddtrace-run", "-p"),
        ),
        (
            "CMD ddtrace-run python manage.py migrate && ddtrace-run -p gunicorn shop.wsgi",
            ("ddtrace-run", "-p"),
        ),
        ("CMD sh -c 'python manage.py migrate && ddtrace-run gunicorn shop.wsgi'", ("ddtrace-run",)),
        (
            "CMD celery -A shop worker & ddtrace-run gunicorn shop.wsgi & celery -A shop beat",
            ("ddtrace-run",),
        ),
        ("CMD ddtrace-run gunicorn flower.wsgi", ("ddtrace-run",)),
        ("CMD ddtrace-run python manage.py runserver", ("ddtrace-run",)),
    ],
)
def test_an_agent_before_the_server_of_a_dockerfile(
    write: Write, start: str, command: tuple[str, ...]
) -> None:
    agent = found(write, {"Dockerfile": f"FROM python:3.13\nWORKDIR /app\n{start}\n"})
    assert agent is not None
    assert (agent.command, str(agent.origin)) == (command, "Dockerfile:3")


@pytest.mark.parametrize(
    "start",
    [
        'CMD ["gunicorn", "shop.wsgi"]', 'CMD ["ddtrace-run", "celery", "-A", "shop", "worker"]',
        'CMD ["newrelic-admin", "validate-config"]', "RUN pip install ddtrace && ddtrace-run --info",
        'CMD ["ddtrace-run", "gunicorn"]\nCMD ["gunicorn", "shop.wsgi"]',
        "CMD ddtrace-run python manage.py collectstatic && gunicorn shop.wsgi",
        "CMD echo 'not under ddtrace-run' && echo ddtrace-run && gunicorn shop.wsgi",
    ],
)  # fmt: skip
def test_no_agent_where_none_is_before_the_server(write: Write, start: str) -> None:
    assert found(write, {"Dockerfile": f"FROM python:3.13\n{start}\n"}) is None


def test_an_agent_in_a_procfile(write: Write) -> None:
    files = {"Procfile": "worker: celery -A shop worker\nweb: ddtrace-run gunicorn shop.wsgi\n"}
    agent = found(write, files)
    assert agent is not None
    assert (agent.command, str(agent.origin)) == (("ddtrace-run",), "Procfile:2")
    assert found(write, {"Procfile": "worker: ddtrace-run celery -A shop worker\n"}) is None


@pytest.mark.parametrize("start", ['CMD ["/app/start.sh"]', "ENTRYPOINT ./docker/start.sh gunicorn"])
def test_an_agent_in_the_script_that_a_dockerfile_starts(write: Write, start: str) -> None:
    script = "#!/bin/sh\n# ddtrace-run is below\npython manage.py migrate\nexec ddtrace-run \\\n  gunicorn shop.wsgi\n"
    agent = found(write, {"Dockerfile": f"FROM python:3.13\n{start}\n", "docker/start.sh": script})
    assert agent is not None
    assert (agent.command, str(agent.origin)) == (("ddtrace-run",), "docker/start.sh:4")


def test_whether_what_brings_the_command_is_a_dependency(write: Write) -> None:
    files = {"Procfile": "web: opentelemetry-instrument gunicorn shop.wsgi\n"}
    agent = found(write, files)
    assert agent is not None
    assert (agent.distribution, agent.is_installed) == ("opentelemetry-distro", False)
    for name in ("opentelemetry-distro", "opentelemetry-instrumentation"):
        named = Distribution(name=name, version="1", origin=ORIGIN)
        dependencies = Dependencies(
            manager=Manager.REQUIREMENTS, files=("requirements.txt",), origin=ORIGIN, distributions=(named,)
        )
        agent = found(write, files, dependencies)
        assert agent is not None
        assert agent.is_installed
