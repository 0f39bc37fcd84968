"""Command lines → servers, wrappers and settings."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.errors import Origin
from nuages.explain import arguments, conclusion, dockerfile, scripts, services, units
from nuages.explain.facts import Setting
from nuages.explain.servers import TABLES
from nuages.explain.translation import rows
from nuages.explain.yaml import NotYamlError


def served(text: str) -> str:
    """Return the command that says the same as a command line."""
    _, summed = conclusion.explained([scripts.line(text, Origin("f", 1), "")])
    return conclusion.shell(summed.command()) if summed.is_serving else ""


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("gunicorn shop.wsgi", "nuages serve"),
        ("exec gunicorn shop.wsgi:application -b 0.0.0.0:80", "nuages serve --bind 0.0.0.0:80"),
        ("env A=b C='d e' /venv/bin/gunicorn -b:80 shop.wsgi", "nuages serve --bind 0.0.0.0:80"),
        ("dumb-init -- gunicorn shop.wsgi -w4", "nuages serve --workers 4"),
        ("tini -g -- python -m gunicorn --workers=4 shop.wsgi", "nuages serve --workers 4"),
        ("python -u -m uvicorn a.asgi:application --uds /a.sock", "nuages serve --bind unix:/a.sock"),
        ("opentelemetry-instrument gunicorn shop.wsgi", "opentelemetry-instrument nuages serve"),
        ("opentelemetry-instrument --service_name x gunicorn shop.wsgi",
         "opentelemetry-instrument --service_name x nuages serve"),
        ("ddtrace-run sh -c 'python manage.py migrate && gunicorn shop.wsgi'", "ddtrace-run nuages serve"),
        ("tini -- bash -o pipefail -c 'newrelic-admin run-program gunicorn shop.wsgi | tee log'",
         "newrelic-admin run-program nuages serve"),
        ("/usr/bin/doppler run --project shop --config prd -- gunicorn shop.wsgi -w 3",
         "doppler run --project shop --config prd -- nuages serve --workers 3"),
        ("doppler run --token dp.st.1 --command 'gunicorn shop.wsgi'", "doppler run --token '…' -- nuages serve"),
        ("infisical run --env=prod -- gunicorn shop.wsgi", "infisical run --env=prod -- nuages serve"),
        ("op run --env-file .env -- gunicorn -c g.py shop.wsgi", "op run --env-file .env -- nuages serve"),
        ("wait-for db:5432 redis:6379 -- gunicorn shop.wsgi", "nuages serve"),
        ("dockerize -wait tcp://db:5432 -timeout 60s gunicorn shop.wsgi", "nuages serve"),
        ("su app -c 'gunicorn shop.wsgi -w 3'", "nuages serve --workers 3"),
        ("runuser -u app -- gunicorn -c x.py shop.wsgi", "nuages serve"),
        ("setpriv --reuid 1000 --clear-groups gunicorn shop.wsgi", "nuages serve"),
        ("conda run --no-capture-output -n web gunicorn shop.wsgi", "nuages serve"),
        ("python -X faulthandler -Wd -um gunicorn shop.wsgi", "nuages serve"),
        ("GUNICORN_CMD_ARGS='-w 5' sh -c 'gunicorn shop.wsgi'", "nuages serve --workers 5"),
        ("if [ $X = 1 ]; then exec uvicorn a.asgi:application --port 80; else exec gunicorn b.wsgi -w 3; fi",
         "nuages serve --bind 127.0.0.1:80"),
        ("sh start.sh -c gunicorn", ""),
        ("exec ${CMDPREFIX} gunicorn shop.wsgi -w 3", "nuages serve --workers 3"),
        ("./wait-for-db.sh sh -c 'python manage.py migrate && exec gunicorn shop.wsgi -w 3'",
         "nuages serve --workers 3"),
        (
            "opentelemetry-instrument --bsp_schedule_delay 500 --service_name=x gunicorn shop.wsgi -w 3",
            "opentelemetry-instrument --bsp_schedule_delay 500 --service_name=x nuages serve --workers 3",
        ),
        ("elasticapm-run gunicorn shop.wsgi", "elasticapm-run nuages serve"),
        ("ddtrace-run gunicorn shop.wsgi", "ddtrace-run nuages serve"),
        ("uv run --extra prod gunicorn shop.wsgi -w 2", "nuages serve --workers 2"),
        ("poetry run -- gunicorn shop.wsgi", "nuages serve"),
        ("gosu app gunicorn shop.wsgi", "nuages serve"),
        ("sh -c 'python manage.py migrate && exec gunicorn shop.wsgi -w 3'", "nuages serve --workers 3"),
        ("cd site; gunicorn shop.wsgi", "nuages serve site"),
        ("GUNICORN_CMD_ARGS='-w 7 --threads 2' gunicorn shop.wsgi -w 3", "nuages serve --workers 3 --threads 2"),
        ("gunicorn shop.wsgi --bind 0.0.0.0:$PORT", "nuages serve"),
        ("gunicorn shop.wsgi -b :${PORT:-80}", 'nuages serve --bind "0.0.0.0:${PORT:-80}"'),
        ("gunicorn shop.wsgi -w $(nproc)", "nuages serve"),
        ("gunicorn shop.wsgi -w $WEB_CONCURRENCY", "nuages serve"),
        ("gunicorn shop.wsgi -w ${N:-3}", "nuages serve --workers 3"),
        ("gunicorn shop.wsgi -k uvicorn.workers.UvicornWorker --timeout 120", "nuages serve"),
        ("gunicorn shop.wsgi --timeout 120 --forwarded-allow-ips 10.0.0.1,10.1.0.0/16",
         "nuages serve --trusted-proxies 10.0.0.1/32 --trusted-proxies 10.1.0.0/16 --timeout 2m"),
        ("uvicorn a.asgi:application --host :: --port 80", "nuages serve --bind '[::]:80'"),
        ("daphne -b 0.0.0.0 -p 8001 a.asgi:application -t 20", "nuages serve --bind 0.0.0.0:8001 --timeout 20s"),
        ("hypercorn a.asgi:application -b unix:/a.sock --keep-alive 65",
         "nuages serve --bind unix:/a.sock --keep-alive 65s"),
        ("granian a.wsgi:application --interface wsgi --host 0.0.0.0 --workers-max-rss 400 --workers-lifetime 3600",
         "nuages serve --bind 0.0.0.0:8000 --recycle-age 1h --recycle-memory 400M"),
        ("granian a.wsgi:application --static-path-route /files --static-path-mount /srv/files",
         "nuages serve --static-map /files=/srv/files"),
        ("granian a.wsgi:application --static-path-mount /b --static-path-mount /c --static-path-route /x "
         "--static-path-route /y", "nuages serve --static-map /x=/b --static-map /y=/c"),
        ("granian a.wsgi:application --workers-lifetime 1h30m --workers-kill-timeout 90s",
         "nuages serve --grace 90s --recycle-age 90m"),
        ("uvicorn a.asgi:application --uds /a.sock --port 9000", "nuages serve --bind unix:/a.sock"),
        ("GRANIAN_FACTORY=false GRANIAN_METRICS_ENABLED=1 GRANIAN_WORKERS_LIFETIME=1d12h granian a.wsgi:application",
         "nuages serve --recycle-age 36h"),
        ("uwsgi --http :80 -w shop.wsgi -p 4 -M --harakiri=20",
         "nuages serve --bind 0.0.0.0:80 --workers 4 --timeout 20s"),
        ("uwsgi --https :443,c.pem,k.pem -w shop.wsgi",
         "nuages serve --bind 0.0.0.0:443 --tls-cert c.pem --tls-key k.pem"),
        ("uwsgi --http-socket /a.sock --wsgi-file app.py --callable site",
         "nuages serve --bind unix:/a.sock --app app:site"),
        ("UWSGI_WORKERS=3 uwsgi --http :80 --module shop.wsgi:application",
         "nuages serve --bind 0.0.0.0:80 --workers 3"),
        ("/venv/bin/python /venv/bin/newrelic-admin run-program gunicorn shop.wsgi",
         "newrelic-admin run-program nuages serve"),
        ("chamber exec shop shop-secrets -- gunicorn shop.wsgi", "chamber exec shop shop-secrets -- nuages serve"),
        ("celery -A shop worker", ""),
        ("gunicorn 'shop.wsgi", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_command_line_becomes_one_of_ours(text: str, ours: str) -> None:
    assert served(text) == ours


def test_a_configuration_file_gives_way_to_the_environment_and_that_to_the_command_line() -> None:
    low, high = (
        Setting(
            server="gunicorn", name="workers", key="workers", text=text, values=(text,), origin=Origin(text), rank=rank
        )
        for text, rank in (("1", 0), ("2", 2))
    )  # fmt: skip
    assert [row.outcome.pairs for row in rows([high, low])] == [(("workers", "2"),), ()]


def test_a_value_that_is_computed_gives_way_to_none_below_it() -> None:
    low = Setting(
        server="gunicorn", name="workers", key="workers", text="9", values=("9",), origin=Origin("f")
    )
    high = Setting(
        server="gunicorn", name="-w", key="workers", text="$(nproc)", values=(), origin=Origin("c"), rank=2,
        counts_cpus=True,
    )  # fmt: skip
    assert [row.outcome.pairs for row in rows([high, low])] == [(), ()]


def test_the_value_of_an_unknown_option_is_not_the_application() -> None:
    part = scripts.line("gunicorn --timout 300 shop.wsgi", Origin("f", 1), "")
    names = [(item.name, item.text) for item in part.items if isinstance(item, Setting)]
    assert names == [("--timout", "300"), ("APP", "shop.wsgi")]


WORDS = st.sampled_from([
    *TABLES, "-w", "--bind", "--", "=", "-", "--=", "-b=", "$X", "${", "$(nproc)", "`", "'", '"', "&&", "|", "\\", "sh",
    "-c",
    "env", "exec", "A=b", "-abc", "--env", "*", "\x00", "uv", "python", "-m", "$@", "entrypoint.sh", "doppler",
]) | st.text(max_size=12)  # fmt: skip


@given(st.lists(WORDS))
def test_no_command_line_gives_a_traceback(words: list[str]) -> None:
    conclusion.explained([scripts.line(" ".join(words), Origin("f", 1), "web")])
    conclusion.explained([scripts.of_commands(arguments.of_vector(words), Origin("f", 1), "web")])


@given(st.sampled_from(sorted(TABLES)), st.lists(WORDS))
def test_no_arguments_of_a_server_give_a_traceback(server: str, words: list[str]) -> None:
    rows(arguments.parse(server, words, Origin("f", 1)))


@given(st.text())
def test_no_text_gives_a_traceback(text: str) -> None:
    for read in (scripts.procfile, scripts.script, units.unit, units.supervisor, services.read):
        for lines in (
            f"[Service]\nExecStart=gunicorn {text}",
            f"web: uvicorn {text}",
            f"web:\n  command: uvicorn {text}\n  command:\n  - {text}",
        ):
            with suppress(NotYamlError):
                conclusion.explained(read(lines, "f"))


@pytest.mark.parametrize("end", ["", "h", " s"])
def test_a_time_of_more_digits_than_any_number_has_is_none(end: str) -> None:
    assert served(f"uwsgi --http :80 --module shop.wsgi --harakiri '{'3' * 400}{end}'").endswith("0.0.0.0:80")


@pytest.mark.parametrize("before", ["grep -q yes <<< yes", "read -r A <<<word", "limit=$((1<<4))"])
def test_what_is_no_here_document_hides_nothing_behind_it(before: str) -> None:
    for read, lines in (
        (scripts.script, f"#!/bin/bash\n{before}\nexec gunicorn shop.wsgi -w 3\n"),
        (
            lambda text, path: dockerfile.read(text, path, lambda *_: ""),
            f"FROM python\nRUN {before}\nCMD gunicorn shop.wsgi -w 3\n",
        ),
    ):
        assert any(part.server == "gunicorn" for part in read(lines, "f")), lines
