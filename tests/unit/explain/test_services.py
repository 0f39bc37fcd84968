"""Compose, Kubernetes and Helm: commands as real projects write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.explain import conclusion, services
from nuages.explain.facts import Row
from nuages.explain.reading import read
from nuages.explain.recognition import recognised
from nuages.explain.yaml import NotYamlError


def explained(text: str, **beside: str) -> tuple[list[Row], str]:
    files = {name.replace("__", "/").replace("_sh", ".sh"): body for name, body in beside.items()}

    def find(name: str) -> tuple[str, str] | None:
        name = name.removeprefix("./").lstrip("/")
        return (name, files[name]) if name in files else None

    found, summed = conclusion.explained(read(text, "deploy.yaml", find).parts)
    command = conclusion.shell(summed.command()) if summed.is_serving else ""
    return [row for _, rows in found for row in rows], command


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 10
      initContainers:
        - name: migrate
          image: shop
          command: ["python", "manage.py", "migrate"]
      containers:
      - image: shop
        name: django
        command:
        - gunicorn
        args:
        - shop.wsgi:application
        - --bind=0.0.0.0:$(PORT)
        - "--workers"
        - "3"
        env:
        - name: PORT
          value: "8080"
        - {name: WEB_CONCURRENCY, value: "5"}
        - name: SECRET_KEY
          valueFrom: {secretKeyRef: {name: shop, key: key}}
        readinessProbe:
          exec:
            command: [curl, localhost:8080]
"""


def test_a_deployment_has_a_row_for_each_word_at_its_own_line() -> None:
    rows, command = explained(DEPLOYMENT)
    assert command == "nuages serve --workers 3"
    assert [(row.origin.line, row.name, row.outcome.fate.value) for row in rows] == [
        (8, "terminationGracePeriodSeconds", "to decide"),
        (12, "migrate", "by itself"),
        (19, "APP", "by itself"),
        (20, "--bind", "by itself"),
        (21, "--workers", "kept"),
        (24, "env", "by itself"),
        (25, "PORT", "by itself"),
        (26, "WEB_CONCURRENCY", "by itself"),
        (30, "readinessProbe", "by itself"),
    ]


CONTAINER = """\
apiVersion: apps/v1
kind: StatefulSet
spec:
  template:
    spec:
      containers:
      - name: web
{}"""


@pytest.mark.parametrize(
    ("lines", "command"),
    [
        ('command: ["/bin/sh", "-c"]\nargs: ["python manage.py migrate && gunicorn shop.wsgi -w 3"]',
         "nuages serve --workers 3"),
        ("command: ['/bin/sh', '-c']\nargs:\n- |\n  python manage.py migrate\n  # the server\n  gunicorn shop.wsgi \\\n"
         "    -w 3\n", "nuages serve --workers 3"),
        ("command: [bash, -ec, 'exec gunicorn shop.wsgi -w $(N)']\nenv:\n- name: N\n  value: '3'",
         "nuages serve --workers 3"),
        ("image: shop\nargs: [gunicorn, shop.wsgi, -w, '3']", "nuages serve --workers 3"),
        ("image: shop\nargs: [-w, '3']", ""),
        ("command: [/app/entrypoint.sh]\nargs: [gunicorn, shop.wsgi, -w, '3']", "nuages serve --workers 3"),
        ("command: [/docker/run]\nargs: [uwsgi, --http, ':80', --module, shop.wsgi]", "nuages serve --bind 0.0.0.0:80"),
        ("command: [dumb-init, --]\nargs: [ddtrace-run, gunicorn, shop.wsgi]", "ddtrace-run nuages serve"),
        ("command: [sh, -c, 'doppler run -- gunicorn shop.wsgi']", "doppler run -- nuages serve"),
        ("command: [gunicorn, shop.wsgi]\nenv:\n- {name: GUNICORN_CMD_ARGS, value: '-w 3 --bind :80'}",
         "nuages serve --bind 0.0.0.0:80 --workers 3"),
        ("command: [gunicorn, shop.wsgi]\nenv:\n- {name: UVICORN_PORT, value: '80'}", "nuages serve"),
        ("command: [granian, 'shop.wsgi:application']\nenv:\n- {name: GRANIAN_WORKERS, value: '3'}",
         "nuages serve --workers 3"),
        ("command: [gunicorn, shop.wsgi, -b, '0.0.0.0:$(PORT)']\nenvFrom:\n- configMapRef: {name: shop}",
         "nuages serve"),
    ],
)  # fmt: skip
def test_a_container_is_served_by_its_command_and_arguments(lines: str, command: str) -> None:
    inner = "".join(f"        {line}\n" for line in lines.splitlines())
    assert explained(CONTAINER.format(inner))[1] == command


@pytest.mark.parametrize(
    ("time", "fate"),
    [
        ("10s", "to decide"),
        ("35", "to decide"),
        ("40", "by itself"),
        ("1m30s", "by itself"),
        ("x", "to decide"),
    ],
)
def test_the_time_to_stop_is_looked_at(time: str, fate: str) -> None:
    rows, _ = explained(
        f"services:\n  web:\n    command: gunicorn shop.wsgi\n    stop_grace_period: {time}\n"
    )
    assert [row.outcome.fate.value for row in rows if row.name == "stop_grace_period"] == [fate]
    rows, _ = explained(DEPLOYMENT.replace("Seconds: 10", f"Seconds: {time}"))
    assert rows[0].outcome.fate.value == fate


def test_a_script_in_a_manifest_has_a_row_for_each_of_its_lines() -> None:
    inner = (
        "        command: [sh, -c]\n        args:\n        - |\n          set -e\n          python manage.py migrate\n"
        "          exec gunicorn shop.wsgi -w 3\n"
    )
    rows, _ = explained(CONTAINER.format(inner))
    assert [(row.origin.line, row.name or row.text) for row in rows] == [
        (12, "python manage.py migrate"), (13, "APP"), (13, "-w"),
    ]  # fmt: skip


def test_what_a_helm_chart_fills_in_is_computed_and_the_rest_is_read() -> None:
    inner = (
        "        {{- with .Values.env }}\n        env: {{ toYaml . | nindent 10 }}\n        {{- end }}\n"
        "        command: ['gunicorn']\n        args:\n        - shop.wsgi\n        - --workers={{ .Values.workers }}\n"
        '        - --bind=0.0.0.0:8000\n        - "--timeout={{ .Values.timeout | default 30 }}"\n'
    )
    rows, command = explained(CONTAINER.format(inner))
    assert command == "nuages serve --bind 0.0.0.0:8000"
    assert [row.outcome.why for row in rows if row.name == "--workers"] == [
        "--workers is computed ({{ .Values.workers }}): give --workers its value where it differs from the default"
    ]


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("command: bash -c \"python manage.py migrate\n      && gunicorn shop.wsgi -w 3\"", "nuages serve --workers 3"),
        ("entrypoint: newrelic-admin run-program\n    command: gunicorn shop.wsgi",
         "newrelic-admin run-program nuages serve"),
        ("entrypoint: [/entrypoint.sh]\n    command: gunicorn shop.wsgi -w 3", "nuages serve --workers 3"),
        ("command: gunicorn shop.wsgi -w $${N}\n    environment:\n      - N=3", "nuages serve --workers 3"),
        ("command: gunicorn shop.wsgi -b :${PORT:?no port}", "nuages serve"),
        ("environment: {UWSGI_WORKERS: 3, SECRET: x}\n    command: uwsgi --http :80 -w shop.wsgi",
         "nuages serve --bind 0.0.0.0:80 --workers 3"),
        ("command: wait-for db:5432 -- gunicorn shop.wsgi", "nuages serve"),
        ("command:\n    - gunicorn shop.wsgi -w 3", "nuages serve --workers 3"),
        ("command: gunicorn 'shop.wsgi", ""),
        ("build:\n      args: [gunicorn]\n    healthcheck:\n      command: gunicorn", ""),
        ("command:", ""),
    ],
)  # fmt: skip
def test_a_service_of_compose_is_read(service: str, command: str) -> None:
    assert explained(f"services:\n  web:\n    {service}\n")[1] == command


def test_what_services_share_is_read_once_for_each_that_runs_it() -> None:
    text = (
        "x-django: &django\n  image: shop\n  environment:\n    WEB_CONCURRENCY: 3\nservices:\n"
        "  django:\n    <<: *django\n    command: gunicorn shop.wsgi\n  worker:\n    <<: *django\n    command: celery\n"
    )
    rows, _ = explained(text)
    assert [(row.origin.line, row.name) for row in rows] == [
        (4, "WEB_CONCURRENCY"),
        (8, "APP"),
        (11, "worker"),
    ]


def test_a_script_is_read_from_the_folder_that_its_image_is_made_of() -> None:
    text = "services:\n  api:\n    build:\n      context: ./api\n    command: ./bin/start.sh\n"
    rows, command = explained(text, api__bin__start_sh="exec gunicorn shop.wsgi -w 3\n")
    assert command == "nuages serve --workers 3"
    assert rows[0].outcome.why == "read with this, below"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("services:\n  web:\n    command: /start\n", "YAML"),
        ("services:\n  web:\n    command: sh -c 'wait-for db:5432 && gunicorn a.wsgi'\n", "YAML"),
        ("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - args: [x]\n", "YAML"),
        ("services:\n  - type: web\n    startCommand: gunicorn a.wsgi\n", "YAML"),
        ("services:\n  web:\n    build: .\n", "YAML"),
        ("services: {web: {build: ., command: gunicorn a.wsgi}}\n", "YAML"),
        ("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: x\n", "YAML"),
        ("apiVersion: v1\nkind: Service\n", ""),
        ("on: push\njobs:\n  a:\n    steps:\n    - run: gunicorn\n", ""),
    ],
)
def test_a_yaml_file_with_commands_is_recognised(text: str, kind: str) -> None:
    assert recognised(text, "x.yaml") == kind


def test_an_alias_that_names_its_own_kind_over_and_over_ends() -> None:
    lists = "".join(f"a{at}: &a{at} [*a{at - 1}, *a{at - 1}, *a{at - 1}]\n" for at in range(1, 60))
    with pytest.raises(NotYamlError, match="too many values"):
        services.read(f"a0: &a0 {{command: gunicorn}}\n{lists}", "x.yaml")


LINES = st.lists(
    st.sampled_from([
        "services:", "  web:", "    command: gunicorn", "    command: [", "    command:", "    - sh", "    - -c",
        "    - |", "      gunicorn '", "    args: {a: b}", "    args: [*x, {{ y }}]", "    env: [a, {name: b}, [c]]",
        "    build: [a]", "    environment: x", "    image: y", "    entrypoint: '\"", "    <<: *x", "  x: &x",
        "    name: [a]", "\x00",
    ]) | st.text(max_size=12)
)  # fmt: skip


@given(LINES)
def test_no_file_gives_a_traceback(lines: list[str]) -> None:
    with suppress(NotYamlError):
        conclusion.explained(services.read("\n".join(lines), "x.yaml"))


def test_what_stands_behind_documents_that_can_be_read_is_told_of() -> None:
    first = "kind: Pod\nspec:\n  containers:\n  - {command: [gunicorn, shop.wsgi, -w, '9'], image: x}\n"
    rows = [item for part in services.read(f"{first}---\n\nb: [\n", "x.yaml") for item in part.items]
    assert [str(row.origin) for row in rows] == ["x.yaml:4", "x.yaml:4", "x.yaml:8"]
    assert isinstance(rows[-1], Row)
    assert rows[-1].outcome.decision.startswith("is not read from here on, for it is no YAML: line 8: ")


def fates(rows: list[Row]) -> list[tuple[str, str, str]]:
    return [(row.name, row.text, row.outcome.fate.value) for row in rows]


def test_each_key_beside_a_server_is_told_of_and_no_value_of_a_variable() -> None:
    rows, command = explained(
        "services: {web: {image: shop, command: gunicorn shop.wsgi -w 3, environment: {SECRET_KEY: hush, PORT: 80},\n"
        "  env_file: [a.env], ports: ['80:8000'], volumes: ['media:/srv/media', '.:/srv'], restart: always,\n"
        "  tty: true, mem_limit: 512m,\n  deploy: {replicas: 3, resources: {limits: {memory: 1GiB}}},\n"
        "  user: '1000', ulimits: {nofile: 9}, networks: [a], x-y: 1, init: true,\n"
        "  depends_on: {db: {condition: service_healthy}}}}\n"
    )
    assert command == "nuages serve --workers 3"
    assert sorted(fates(rows)) == [
        ("", "tty, networks", "dropped"),
        ("-w", "3", "kept"),
        ("APP", "shop.wsgi", "by itself"),
        ("PORT", "80", "by itself"),
        ("depends_on", "db", "by itself"),
        ("env_file", "a.env", "by itself"),
        ("environment", "SECRET_KEY", "by itself"),
        ("init", "true", "by itself"),
        ("mem_limit", "512m", "by itself"),
        ("ports", "80:8000", "by itself"),
        ("replicas", "3", "by itself"),
        ("resources", "", "by itself"),
        ("restart", "always", "by itself"),
        ("ulimits", "", "by itself"),
        ("user", "1000", "by itself"),
        ("volumes", "media:/srv/media, .:/srv", "to decide"),
    ]
    said = {row.name: row.outcome.why for row in rows}
    assert said["mem_limit"].endswith("nuages manifests --memory 512M")
    assert said["resources"].endswith("nuages manifests --memory 1G")
    assert said["replicas"] == "nuages manifests --replicas 3"


def test_a_service_without_a_command_starts_what_its_image_says() -> None:
    rows, command = explained(
        "services:\n  db:\n    image: bitnami/postgresql:17\n  web:\n    build:\n      context: ./app\n"
        "      dockerfile: web.Dockerfile\n    volumes:\n      - .:/srv\n  other:\n    image: me/other\n"
    )
    assert command == ""
    assert [(row.name, row.text, row.outcome.why[:58]) for row in rows] == [
        ("db", "image bitnami/postgresql:17", "another service, from an image of its own"),
        ("web", "build ./app", "starts what its Dockerfile says: nuages explain app/web.Do"),
        ("volumes", ".:/srv", "the code is in the image; while you write it: nuages up --"),
        ("other", "image me/other", "starts what its image says: where it is the project's, nua"),
    ]


def test_a_pod_whose_container_has_no_command_is_told_of_with_what_is_around_it() -> None:
    rows, _ = explained(
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 3\n  template:\n    spec:\n"
        "      nodeSelector: {a: b}\n"
        "      containers:\n      - name: web\n        image: shop\n        env:\n        - {name: A, value: hush}\n"
        "        volumeMounts:\n        - {name: m, mountPath: /srv/media}\n"
    )
    assert fates(rows) == [
        ("replicas", "3", "by itself"),
        ("", "nodeSelector", "dropped"),
        ("web", "image shop", "by itself"),
        ("env", "A", "by itself"),
        ("volumeMounts", "/srv/media", "to decide"),
    ]


def test_a_command_that_a_template_writes_is_said_not_to_be_read() -> None:
    rows, _ = explained(
        CONTAINER.format("        image: x\n        command:\n          {{- toYaml .Values.command }}\n")
    )
    assert [row.outcome.why for row in rows] == [
        "a template writes the command: helm template . > FILE, and explain that"
    ]


def test_another_programs_image_is_one_row_whatever_it_runs() -> None:
    rows, _ = explained(
        "services:\n  web:\n    image: shop\n    command: python manage.py runserver\n    ports: ['1:2']\n  job:\n"
        "    image: shop\n    command: /run.sh\n  mc:\n    image: minio/mc\n    entrypoint: sh -c 'mc a; mc b; mc c'\n"
        "  flow:\n    image: me/live\n    command: --config /c.yaml\n"
    )
    assert [(row.name, row.outcome.fate.value) for row in rows] == [
        ("web", "by itself"),
        ("ports", "by itself"),
        ("job", "to decide"),
        ("mc", "dropped"),
        ("flow", "dropped"),
    ]


def test_a_script_of_a_service_is_found_where_its_image_has_it_from() -> None:
    text = (
        "services:\n  web:\n    image: shop\n    build: app\n    command: /start.sh\n"
        "    environment: {UWSGI_WORKERS: 3}\n"
        "  worker:\n    image: shop\n    command: /work.sh\n"
    )
    rows, command = explained(
        text,
        app__Dockerfile="FROM python\nCOPY bin/web.sh /start.sh\nCOPY bin/work.sh /\n",
        app__bin__web_sh="uwsgi --http :80 --module a.wsgi\n",
        app__bin__work_sh="celery -A a worker\n",
    )
    assert command == "nuages serve --bind 0.0.0.0:80 --workers 3"
    assert [row.text for row in rows if row.outcome.decision] == ["celery -A a worker"]


def test_a_config_map_beside_a_container_has_its_variables_and_its_files() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata:\n  UWSGI_THREADS: '5'\n  SECRET: hush\n"
        "  uwsgi.ini: |\n    [uwsgi]\n    http = :80\n    workers = 3\n---\napiVersion: apps/v1\nkind: Deployment\n"
        "spec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: shop\n"
        "        command: [uwsgi, --ini, /etc/shop/uwsgi.ini]\n        envFrom:\n        - configMapRef: {name: shop}\n"
        "        - configMapRef: {name: other}\n        - secretRef: {name: shop}\n"
    )
    rows, command = explained(text)
    assert command == "nuages serve --bind 0.0.0.0:80 --workers 3 --threads 5"
    assert "hush" not in repr(rows)
    assert not [row for row in rows if row.outcome.decision and "not beside" in row.outcome.decision]
