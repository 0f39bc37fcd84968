"""What a file is, the files that it names, Dockerfiles, and the command `nuages explain` itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.cli import main, parse
from nuages.commands import COMMANDS
from nuages.configuration import read_file
from nuages.console import Console
from nuages.errors import ProjectError
from nuages.explain import conclusion
from nuages.explain.facts import Row
from nuages.explain.reading import Reading, read
from nuages.explain.recognition import recognised
from nuages.options import resolve
from nuages.runtime.settings import Settings


def reading(text: str, path: str, **others: str) -> Reading:
    """Read a file beside others, whose names are written with `_` for what no name of Python's may have."""
    files = {name.replace("__", "/").replace("_py", ".py").replace("_ini", ".ini").replace("_sh", ".sh"): body
             for name, body in others.items()}  # fmt: skip
    return read(text, path, lambda name: _beside(files, name))


def _beside(files: Mapping[str, str], name: str) -> tuple[str, str] | None:
    base = name.rpartition("/")[2]
    return (base, files[base]) if base in files else None


def ours(text: str, path: str, **others: str) -> str:
    _, summed = conclusion.explained(reading(text, path, **others).parts)
    return conclusion.shell(summed.command()) if summed.is_serving else ""


def said(text: str, path: str, **others: str) -> list[Row]:
    found, _ = conclusion.explained(reading(text, path, **others).parts)
    return [row for _, rows in found for row in rows]


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("Dockerfile", "", "Dockerfile"),
        ("web.Dockerfile", "", "Dockerfile"),
        ("build/prod", "FROM python\nCMD gunicorn a.wsgi\n", "Dockerfile"),
        ("Procfile.prod", "", "Procfile"),
        ("gunicorn.conf", "bind = 'unix:/run/x.sock'\nworkers = 2\n", "gunicorn.conf.py"),
        ("gunicorn.conf", "description 'upstart'\nexec gunicorn shop.wsgi\n", ""),
        ("app.ini", "[uwsgi]\n", "uwsgi.ini"),
        ("uwsgi_prod.ini", "", "uwsgi.ini"),
        ("tox.ini", "[tox]\n", ""),
        ("app.yaml", "uwsgi:\n  master: true\n", "uwsgi.yaml"),
        ("uwsgi.json", '{"uwsgi": {"master": true}}', "uwsgi.json"),
        ("package.json", "{}", ""),
        ("socket.xml", "<uwsgi>\n<master/></uwsgi>", "uwsgi.xml"),
        ("pom.xml", "<project/>", ""),
        ("hypercorn.toml", "", "hypercorn.toml"),
        ("fly.staging.toml", "", "fly.toml"),
        ("app.toml", "[http_service]\n", "fly.toml"),
        ("deploy/server.toml", 'bind = "0.0.0.0:80"\nworkers = 2\n[x]\n', "hypercorn.toml"),
        ("pyproject.toml", "[project]\nworkers = 2\nbind = 1\n", ""),
        ("hypercorn_conf.py", "workers = 2\n", "hypercorn.conf.py"),
        ("compose.yaml", "services:\n  web:\n    command: gunicorn a.wsgi\n", "YAML"),
        ("values.yaml", "a: b\n", ""),
        ("gunicorn.py", "", "gunicorn.conf.py"),
        ("conf/prod.py", "bind = ':80'\nworkers = 4\n", "gunicorn.conf.py"),
        ("manage.py", "import os\n", ""),
        ("web.service", "[Service]\nExecStart=gunicorn a.wsgi\n", "unit"),
        ("site.conf", "[program:web]\ncommand=gunicorn a.wsgi\n", "supervisor"),
        ("start", "#!/bin/sh\ngunicorn a.wsgi\n", "script"),
        ("start", "#!/usr/bin/env bash\n", "script"),
        ("run.sh", "gunicorn a.wsgi\n", "script"),
        ("README.md", "# Shop\n", ""),
    ],
)
def test_a_file_is_recognised_by_its_name_and_its_lines(path: str, text: str, kind: str) -> None:
    assert recognised(text, path) == kind


def test_what_is_nothing_known_is_an_error_in_four_parts() -> None:
    with pytest.raises(ProjectError) as caught:
        reading("# Shop\n", "README.md")
    assert caught.value.render() == (
        "error: README.md configures no server that is known\n"
        "  README.md\n"
        "  by its name and its lines it is none of uwsgi.ini, .yaml, .json or .xml, gunicorn.conf.py, hypercorn.toml, "
        "nginx.conf, a Procfile, a Dockerfile, a systemd unit, a shell script, and supervisor's, Compose's, "
        "Kubernetes' and Fly's files\n"
        "\n"
        "hint: nuages explain -- COMMAND explains a command line: nuages explain -- gunicorn shop.wsgi -w 4"
    )


def test_files_that_a_command_line_names_are_read_and_give_way_to_it() -> None:
    conf = "workers = 9\nbind = ':80'\n"
    assert ours("web: gunicorn shop.wsgi -c /app/g.py -w 3\n", "Procfile", g_py=conf) == (
        "nuages serve --bind 0.0.0.0:80 --workers 3"
    )
    assert ours("web: gunicorn shop.wsgi\n", "Procfile", **{"gunicorn.conf.py": conf}) == (
        "nuages serve --bind 0.0.0.0:80 --workers 9"
    )
    ini = "[uwsgi]\nhttp = :80\nini = more.ini\n[other]\nprocesses = 2\n"
    assert ours(
        "CMD uwsgi --ini /etc/app.ini\n", "Dockerfile", app_ini=ini, more_ini="[uwsgi]\nthreads = 3\n"
    ) == ("nuages serve --bind 0.0.0.0:80 --threads 3")
    assert ours("CMD uwsgi --ini app.ini:other\n", "Dockerfile", app_ini=ini) == "nuages serve --workers 2"


@pytest.mark.parametrize(
    ("command", "name", "text"),
    [
        ("uwsgi --json uwsgi.json", "uwsgi.json", '{"uwsgi": {"http-socket": ":80", "workers": 3}}'),
        (
            "uwsgi -j uwsgi.json:web",
            "uwsgi.json",
            '{"web": {"http-socket": ":80", "workers": 3}, "uwsgi": {}}',
        ),
        (
            "uwsgi -x django.xml",
            "django.xml",
            "<uwsgi><http-socket>:80</http-socket><workers>3</workers></uwsgi>",
        ),
        (
            "uwsgi django.xml",
            "django.xml",
            "<uwsgi><http-socket>:80</http-socket><workers>3</workers></uwsgi>",
        ),
        ("uwsgi --yaml app.yml", "app.yml", "uwsgi:\n  http-socket: :80\n  workers: 3\n"),
        ("uwsgi --ini a.conf", "a.conf", "[uwsgi]\nhttp-socket = :80\nworkers = 3\n"),
        ("uwsgi --ini a.conf", "a.conf", "[uwsgi]\ninclude = django.xml\nworkers = 3\n"),
    ],
)
def test_a_file_of_uwsgis_is_read_in_each_of_its_forms(command: str, name: str, text: str) -> None:
    files = {"django.xml": "<uwsgi><http-socket>:80</http-socket></uwsgi>", name: text}
    found = read(f"web: {command}\n", "Procfile", lambda asked: _beside(files, asked))
    _, summed = conclusion.explained(found.parts)
    assert conclusion.shell(summed.command()) == "nuages serve --bind 0.0.0.0:80 --workers 3"


HYPERCORN = 'bind = ["0.0.0.0:80"]\nkeep_alive_timeout = 90\nuse_reloader = true\n'


@pytest.mark.parametrize(
    ("option", "name", "text"),
    [
        ("-c hypercorn.toml", "hypercorn.toml", HYPERCORN),
        ("--config=file:hypercorn.toml", "hypercorn.toml", HYPERCORN),
        (
            "-c file:hypercorn_dev.py",
            "hypercorn_dev.py",
            'import os\nbind = [f"0.0.0.0:{80}"]\nkeep_alive_timeout = 90\n',
        ),
        (
            "-c python:config.hypercorn",
            "config/hypercorn.py",
            "bind = '0.0.0.0:80'\nkeep_alive_timeout = 90\n",
        ),
    ],
)
def test_a_file_of_hypercorns_is_read_in_each_of_its_forms(option: str, name: str, text: str) -> None:
    def beside(asked: str) -> tuple[str, str] | None:
        return (name, text) if asked == name else None

    found = read(f"web: hypercorn {option} shop.asgi:application -w 3\n", "Procfile", beside)
    _, summed = conclusion.explained(found.parts)
    assert conclusion.shell(summed.command()) == "nuages serve --bind 0.0.0.0:80 --keep-alive 90s --workers 3"


def test_a_file_of_hypercorns_alone_has_a_row_for_each_line_and_names_what_hypercorn_does_not_read() -> None:
    text = (
        '# TrakBridge\nbind = "unix:/run/shop.sock"\nmax_requests = 1000\nkeep_alive = 5\nlog_level = "info"\n'
        'preload_app = true\napplication_path = "shop.asgi:application"\n\n[production]\nworkers = 9\n'
    )
    assert ours(text, "hypercorn.toml") == "nuages serve --bind unix:/run/shop.sock --recycle-requests 1000"
    ignored = "hypercorn reads no such name from a file, and does not say so"
    rows = said(text, "hypercorn.toml")
    assert [(row.origin.line, row.name) for row in rows] == [
        (2, "bind"), (3, "max_requests"), (4, "keep_alive"), (5, "log_level"), (6, "preload_app"),
        (7, "application_path"), (9, "[production]"),
    ]  # fmt: skip
    assert [row.outcome.why for row in rows[2:5]] == [
        f"{ignored}: did you mean keep_alive_timeout?", f"{ignored}: did you mean loglevel?", ignored,
    ]  # fmt: skip


def test_hypercorns_python_has_no_hooks_of_gunicorns() -> None:
    text = "import os\nhost = '0.0.0.0'\nbind = f'{host}:80'\naccess_logfile = '-'\ndef post_fork(a, b):\n    work()\n"
    assert [(row.name, row.outcome.fate.value) for row in said(text, "hypercorn.conf.py")] == [
        ("host", "dropped"), ("bind", "kept"), ("access_logfile", "unknown"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text", "error"),
    [
        ("hypercorn.toml", "workers = 3\nbind = [\n", "error: hypercorn.toml is not TOML\n"),
        (
            "hypercorn.toml",
            "workers = 3\nbind = x\n",
            "error: hypercorn.toml is not TOML\n  hypercorn.toml:2\n",
        ),
        ("hypercorn.toml", "a = " + "[" * 50_000, "error: hypercorn.toml is not TOML\n"),
        ("hypercorn.conf.py", "bind = [", "error: hypercorn.conf.py is not Python\n  hypercorn.conf.py:1\n"),
        ("uwsgi.json", '{"uwsgi": {\n"a": 1,}}', "error: uwsgi.json is not JSON\n  uwsgi.json:2\n"),
        ("uwsgi.xml", "<uwsgi>\n<a></b></uwsgi>", "error: uwsgi.xml is not XML\n  uwsgi.xml:2\n"),
        (
            "uwsgi.xml",
            '<!DOCTYPE a [<!ENTITY b "c">]><uwsgi></uwsgi>',
            "error: uwsgi.xml is not XML\n  uwsgi.xml\n",
        ),
        ("uwsgi.json", '{"uwsgi": {"a": ' + "[" * 90_000, "error: uwsgi.json is not JSON\n"),
        ("uwsgi.yaml", "uwsgi:\n  http: :80\n bad: [\n", "error: uwsgi.yaml is not YAML\n  uwsgi.yaml:3\n"),
        (
            "compose.yaml",
            'services:\n  web:\n    command: gunicorn shop.wsgi -w 4\n  b:\n    command: "x\n',
            "error: compose.yaml is not YAML\n  compose.yaml:6\n  line 6: found unexpected end of stream\n\n"
            "hint: what reads it does not take it either: mend the YAML",
        ),
        (
            "web.yaml",
            "command: gunicorn\na: [{{ .b }}\n",
            "error: web.yaml is not YAML\n  web.yaml:3\n  line 3: expected ',' or ']', but got '<stream end>'\n\n"
            "hint: explain what the template becomes: helm template . > rendered-web.yaml",
        ),
    ],
)
def test_what_uwsgi_would_not_start_with_is_an_error_with_its_line(path: str, text: str, error: str) -> None:
    with pytest.raises(ProjectError) as caught:
        reading(text, path)
    assert caught.value.render().startswith(error)


def test_files_that_name_each_other_end_and_one_that_is_missing_is_named() -> None:
    rows = said("[uwsgi]\nini = a.ini\nini = b.ini\n", "a.ini", a_ini="[uwsgi]\nini = a.ini\n")
    assert [(row.name, row.outcome.fate.value) for row in rows][-1] == ("ini", "to decide")


def test_a_server_whose_file_is_absent_is_started_all_the_same_and_nothing_is_said_of_what_is_not_read() -> (
    None
):
    found = reading("web: uwsgi --ini uwsgi.ini\n", "Procfile")
    _, summed = conclusion.explained(found.parts)
    assert summed.command() == ("nuages", "serve")
    assert summed.decisions == (
        "--ini (Procfile:1): the file is not beside this one, or has no lines: explain it as well",
    )


def test_a_script_that_an_image_starts_is_read() -> None:
    script = "#!/bin/sh\npython manage.py migrate\nexec gunicorn shop.wsgi -w 3\n"
    text = 'FROM python:3.13\nENTRYPOINT ["/app/entrypoint.sh"]\n'
    assert ours(text, "Dockerfile", entrypoint_sh=script) == "nuages serve --workers 3"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('CMD ["gunicorn", "-b", ":80", "shop.wsgi"]', "nuages serve --bind 0.0.0.0:80"),
        ("CMD exec gunicorn -b :80 \\\n   shop.wsgi", "nuages serve --bind 0.0.0.0:80"),
        ('ENTRYPOINT ["gunicorn"]\nCMD ["-b", ":80", "shop.wsgi"]', "nuages serve --bind 0.0.0.0:80"),
        (
            'ENTRYPOINT ["pipenv"]\nCMD ["run", "ddtrace-run", "gunicorn", "shop.wsgi"]',
            "ddtrace-run nuages serve",
        ),
        ('ENTRYPOINT ["sh", "entrypoint.sh"]\nCMD ["gunicorn", "shop.wsgi"]', "nuages serve"),
        ('ENV GUNICORN_CMD_ARGS="-w 5"\nCMD gunicorn shop.wsgi', "nuages serve --workers 5"),
        ('ENV N=5\nCMD ["gunicorn", "-w", "${N}", "a.wsgi"]', "nuages serve --workers 5"),
        ("ENV UVICORN_PORT 80\nCMD uvicorn a.asgi:application", "nuages serve --bind 127.0.0.1:80"),
        ("CMD gunicorn a.wsgi -w 2\nFROM python\nCMD gunicorn b.wsgi -w 3", "nuages serve --workers 3"),
        ("CMD python manage.py runserver 0.0.0.0:8000", ""),
        ("RUN <<EOF\nCMD no\nEOF\nCMD gunicorn a.wsgi", "nuages serve"),
        ("CMD [gunicorn", ""),
    ],
)
def test_a_dockerfile_starts_what_its_last_stage_says(text: str, command: str) -> None:
    assert ours(f"FROM python:3.13\n{text}\n", "Dockerfile") == command


def test_a_script_is_read_with_its_variables_functions_and_quotations() -> None:
    text = (
        "warn() {\n  echo no\n}\nport=${P:-80}\nwarn 'it''s\n\nnot'\ncat > x <<EOF\nuvicorn b.asgi:a\nEOF\n"
        "exec gunicorn -b :$port shop.wsgi > log 2>&1\n"
    )
    assert ours(text, "run.sh") == "nuages serve --bind 0.0.0.0:80"
    assert [row.name for row in said(text, "run.sh")] == ["-b", "APP"]


@pytest.mark.parametrize(
    "command",
    [
        "command: gunicorn shop.wsgi -w 3",
        'command: ["gunicorn", "shop.wsgi", "-w", "3"]',
        'command: >\n      sh -c "python manage.py migrate &&\n      gunicorn shop.wsgi -w 3"',
        "command:\n      - gunicorn\n      - shop.wsgi\n      - '-w'\n      - '3'",
        "startCommand: gunicorn shop.wsgi -w 3",
    ],
)
def test_a_command_in_yaml_is_read_in_each_of_its_forms(command: str) -> None:
    text = f"services:\n  web:\n    {command}\n  other:\n    image: redis\n"
    assert ours(text, "compose.yaml") == "nuages serve --workers 3"


def test_a_program_of_supervisor_is_read_with_its_variables_and_none_of_their_values_is_printed() -> None:
    text = (
        "[program:web]\ncommand=gunicorn shop.wsgi -b :%(ENV_PORT)s\nstopwaitsecs=10\n"
        "environment=SECRET_KEY=\"s3,cret\",\n  GUNICORN_CMD_ARGS='-w 3 -t 20'\n[program:celery]\n"
        "command=celery\nenvironment=TOKEN=s3cret\n"
    )
    assert ours(text, "supervisor.conf") == "nuages serve --workers 3 --timeout 20s"
    rows = said(text, "supervisor.conf")
    assert "s3" not in "".join(row.text for row in rows)
    assert [(row.origin.line, row.name, row.outcome.fate.value) for row in rows] == [
        (2, "APP", "by itself"), (2, "-b", "by itself"), (3, "stopwaitsecs", "to decide"), (4, "SECRET_KEY", "dropped"),
        (4, "-w", "kept"), (4, "-t", "kept"), (7, "celery", "to decide"),
    ]  # fmt: skip


def test_variables_of_another_server_and_values_of_other_commands_are_left_alone() -> None:
    text = "FROM python\nENV UWSGI_HTTP=:80\nENV TOKEN=s3cret\nCMD login $TOKEN && gunicorn shop.wsgi -w 3\n"
    assert ours(text, "Dockerfile") == "nuages serve --workers 3"
    assert "s3cret" not in "".join(row.text for row in said(text, "Dockerfile"))


@pytest.mark.parametrize(
    ("start", "command"),
    [
        ("/usr/bin/doppler run --project shop --config prd -- /srv/venv/bin/gunicorn -w 3 shop.wsgi",
         "doppler run --project shop --config prd -- nuages serve --workers 3"),
        ("/bin/bash -c 'source venv/bin/activate && python manage.py migrate && exec gunicorn -w 3 shop.wsgi'",
         "nuages serve --workers 3"),
        ("-/srv/venv/bin/newrelic-admin run-program /srv/venv/bin/uvicorn \\\n    shop.asgi:application --port ${P}",
         "newrelic-admin run-program nuages serve --bind 127.0.0.1:81"),
        ("/usr/bin/env opentelemetry-instrument --service_name shop hypercorn shop.asgi:application -b :81",
         "opentelemetry-instrument --service_name shop nuages serve --bind 0.0.0.0:81"),
        ("/bin/sh -c '\\\n  # port \\\n  [ -n \"$Q\" ] && export GRANIAN_PORT=$Q; \\\n  exec granian a.asgi:app'",
         "nuages serve --app a.asgi:app"),
    ],
)  # fmt: skip
def test_the_programs_around_a_units_server_are_looked_through(start: str, command: str) -> None:
    text = f"[Service]\nEnvironment=P=81\nExecStart={start}\n"
    assert ours(text, "web.service") == command


def test_a_password_is_not_printed() -> None:
    for path, text in (
        ("hypercorn.toml", "workers = 2\nkeyfile_password = 's3cret'\n"),
        ("Procfile", "web: uvicorn a.asgi:application --ssl-keyfile-password s3cret\n"),
        ("Procfile", "web: GRANIAN_SSL_KEYFILE_PASSWORD=s3cret granian a.asgi:application\n"),
    ):
        rows = said(text, path)
        assert any("password" in row.name.lower() for row in rows)
        assert "s3cret" not in "".join(row.text + row.outcome.why for row in rows)


def test_a_script_that_a_unit_or_a_procfile_starts_is_read() -> None:
    script = "exec gunicorn shop.wsgi -w 3\n"
    for path, text in (
        ("web.service", "[Service]\nExecStart=/srv/shop/start.sh\n"),
        ("Procfile", "web: ./start.sh\n"),
    ):
        assert ours(text, path, start_sh=script) == "nuages serve --workers 3"


def test_scripts_are_found_where_the_dockerfile_copies_them_from_and_those_that_they_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As shynet (`COPY shynet .`, two scripts) and doccano (docker/Dockerfile.prod, `COPY tools/ /opt/bin/`).
    (tmp_path / ".git").mkdir()
    for folder in ("docker", "tools", "shop"):
        (tmp_path / folder).mkdir()
    dockerfile = tmp_path / "docker" / "Dockerfile.prod"
    dockerfile.write_text('FROM python\nCOPY tools/ /opt/bin/\nENTRYPOINT ["/opt/bin/prod.sh"]\n')
    (tmp_path / "tools/prod.sh").write_text("gunicorn -w 7 shop.wsgi\n")
    assert main(["explain", str(dockerfile)]) == 0
    assert "nuages serve --workers 7" in capsys.readouterr().out
    (tmp_path / "Dockerfile").write_text('FROM python\nWORKDIR /x\nCOPY shop .\nCMD ["./entrypoint.sh"]\n')
    (tmp_path / "shop/entrypoint.sh").write_text("./checks.sh && exec ./web.sh\n./web.sh\n")
    (tmp_path / "shop/web.sh").write_text("exec gunicorn shop.wsgi --workers 5 --timeout 100\n")
    assert main(["explain", str(tmp_path / "Dockerfile")]) == 0
    found = capsys.readouterr().out
    assert "nuages serve --workers 5 --timeout 100s" in found
    assert found.count("to decide: no server") == 1  # ./checks.sh, which is not there


def test_a_clause_of_a_case_is_no_command() -> None:
    # As courtlistener, whose one script starts the site and twelve other processes.
    script = (
        "#!/bin/sh\ncase \"$1\" in\n'celery')\n    exec celery -A shop worker\n    ;;\n"
        "web | 'web-prod')\n  exec gunicorn shop.wsgi -w 3\n;;\nrss) exec ./manage.py scrape ;;\n"
        "*)\n  echo none\nesac\n"
    )
    rows = said('FROM python\nENTRYPOINT ["sh", "/shop/entrypoint.sh"]\n', "Dockerfile", entrypoint_sh=script)
    others = [row.text for row in rows if "no server" in row.outcome.why]
    assert others == ["celery -A shop worker", "./manage.py scrape"]
    assert ours(script, "entrypoint.sh") == "nuages serve --workers 3"


def test_a_file_without_a_server_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Procfile").write_text("worker: celery -A shop worker\n")
    assert main(["explain", str(tmp_path / "Procfile")]) == 0
    assert capsys.readouterr().out.endswith("\nNo server is started here.\n")


def test_json_has_every_row_and_both_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "uwsgi.ini").write_text("[uwsgi]\nhttp = :80\nprocesses = 4\nharakri = 9\n")
    assert main(["explain", str(tmp_path / "uwsgi.ini"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["kind"] == "uwsgi.ini"
    assert [(row["line"], row["option"], row["fate"]) for row in answer["rows"]] == [
        (2, "http", "kept"), (3, "processes", "kept"), (4, "harakri", "unknown"),
    ]  # fmt: skip
    assert answer["command"] == ["nuages", "serve", "--bind", "0.0.0.0:80", "--workers", "4"]
    assert answer["recommended"] == ["nuages", "serve", "--bind", "0.0.0.0:80"]
    assert answer["left_out"] == ["workers"]


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent / "files").iterdir()), ids=lambda path: path.name
)
def test_the_command_and_the_table_are_read_by_nuages_and_say_the_same(path: Path, tmp_path: Path) -> None:
    _, summed = conclusion.explained(read(path.read_text(), path.name, lambda _name: None).parts)
    serve = next(command for command in COMMANDS if command.name == "serve")
    for is_lean in (False, True):
        words = list(summed.command(is_lean=is_lean))
        words = [word.replace("${PORT:-8000}", "8000") for word in words[words.index("serve") + 1 :]]
        (tmp_path / "pyproject.toml").unlink(missing_ok=True)
        if summed.project:
            words[0] = str(tmp_path)
        by_flags = parse(serve, words, {}, Console()).resolve(Settings).value
        (tmp_path / "pyproject.toml").write_text("\n".join(summed.table(is_lean=is_lean)))
        by_file = resolve(Settings, flags={}, environ={"PORT": "8000"}, file=read_file(tmp_path)).value
        if "--bind" not in words:
            by_file = replace(by_file, bind=by_flags.bind)
        assert by_file == by_flags


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ([], 2, "error: there is no file to explain\n  given on the command line\n"),
        (["nothing.ini"], 1, "error: there is no file 'nothing.ini'\n  given on the command line\n"),
        (["."], 2, "error: there is no file to explain\n"),
        (["/"], 1, "error: '/' is a folder\n"),
        (["--", "foo", "bar"], 2, "error: 'foo' is no server that is known\n"),
        (["a", "b"], 2, "error: 'b' is one argument too many\n"),
        (["--workers", "4"], 2, "error: unknown option --workers\n"),
    ],
)
def test_wrong_usage_is_told(
    arguments: list[str], code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(error)


def test_a_file_that_is_no_configuration_is_too_large(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "uwsgi.ini").write_text("[uwsgi]\n" + "#" * (1 << 18))
    assert main(["explain", str(tmp_path / "uwsgi.ini")]) == 1
    assert capsys.readouterr().err.startswith("error: uwsgi.ini is too large\n")


def test_a_command_line_is_explained_behind_two_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--", "gunicorn", "shop.wsgi", "--workers", "4"]) == 0
    out = capsys.readouterr().out
    assert "command  --workers=4  → --workers 4\n" in out
    assert "\nBetter, without what is better left out:\n\n    nuages serve\n" in out


LINES = st.lists(
    st.sampled_from([
        "FROM python", "FROM a AS b", "CMD [", 'CMD ["gunicorn", "a.wsgi"]', "CMD gunicorn $(", "ENTRYPOINT", "ENV",
        "ENV =", "ENV A", 'ENV A="b', "ENV UWSGI_= x", "RUN <<EOF", "RUN \\", "EXPOSE", "\\", "services:", "[uwsgi]",
        "[Service]", "Environment=A", "ExecStart=", "ExecStart=gunicorn '", "web: gunicorn", "web: uwsgi --ini x.ini",
        "command=uwsgi", "#!/bin/sh",
        '{"uwsgi": {', '"a": [1, null]', "}}", "<uwsgi>", '<app mountpoint="/">', "<a>", "</a>", "</app>", "</uwsgi>",
        "&b;", "bind = [", "workers = 3", "[a.b]", "x = 1979-05-27", "c = {a = 1}",
    ]) | st.text(max_size=20)
)  # fmt: skip
NAMES = st.sampled_from([
    "Dockerfile", "Procfile", "fly.toml", "uwsgi.ini", "uwsgi.json", "uwsgi.xml", "a.yaml", "web.service", "run.sh",
    "x", "site.conf", "nginx.conf", "hypercorn.toml", "hypercorn.conf.py",
])  # fmt: skip


@given(NAMES, LINES)
def test_no_file_gives_a_traceback(path: str, lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        conclusion.explained(read(text, path, lambda _name: ("x.ini", text)).parts)
    except ProjectError as error:
        assert error.hint  # noqa: PT017 - what is known of it is all that is asked


def test_a_variable_of_a_dockerfile_is_set_too_or_left_out_for_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM python\nENV TZ=UTC\nENV API_TOKEN=hush\nENV WEB_CONCURRENCY=3\nCMD gunicorn a.wsgi\n"
    )
    assert main(["explain", "--json", str(tmp_path / "Dockerfile")]) == 0
    out = capsys.readouterr().out
    rows = {row["line"]: row for row in json.loads(out)["rows"]}

    assert [(rows[line]["fate"], rows[line]["why"]) for line in (2, 3)] == [
        ("in the image", "set too, where the image that runs has it"),
        ("in the image", "left out, for secrets are given where it runs, and stand in no image"),
    ]
    assert rows[4]["why"].startswith(
        "read here too: workers; `nuages dockerfile` leaves it out, for workers are counted"
    )
    assert "hush" not in out


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 10_000 + "b", "a\0b"])
def test_a_name_that_no_file_can_have_is_of_a_file_that_is_not_there(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Procfile").write_text(f"web: gunicorn shop.wsgi -c {name}\n")
    assert main(["explain", str(tmp_path / "Procfile")]) == 0
    assert "not beside this one" in " ".join(capsys.readouterr().out.split())


def test_what_a_script_exports_is_an_option_of_the_server_that_it_starts() -> None:
    text = (
        "export UWSGI_PROCESSES=${UWSGI_PROCESSES:-4}\nexport UWSGI_PORT=80\n"
        "export GUNICORN_CMD_ARGS='-w 9'\nexport A B\nuwsgi --http :$UWSGI_PORT --module a.wsgi\n"
    )
    rows = said(text, "run.sh")
    assert ours(text, "run.sh").endswith("--workers 4")
    assert [
        (row.name, row.outcome.fate.value) for row in rows if "CMD_ARGS" in row.text or row.name == "-w"
    ] == [("-w", "dropped")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('exec "$@"', "runs the command that the container is given"),
        ("pip install -r requirements.txt", "done when the image is built"),
        ("yes w | pip install x", "done when the image is built"),
        ("python -m venv /venv", "done when the image is built"),
        ("ulimit -n 65536", "the soft limit of open files"),
        ("./manage.py loaddata x", "no server: a process or a step of its own"),
    ],
)
def test_a_command_of_a_script_that_is_no_server_is_told_by_what_it_does(line: str, why: str) -> None:
    assert [row.outcome.why[: len(why)] for row in said(f"#!/bin/sh\n{line}\n", "run.sh")] == [why]


def test_the_shells_own_words_are_no_processes() -> None:
    text = (
        "#!/bin/bash\nif ! whoami > /dev/null; then id -u; fi\nwait -n\npkill -P $$\nexport A B\n"
        '[[ a == b ]] || [ "$A" = 1 ] && kill -0 $pid\nread x\n'
    )
    assert said(text, "run.sh") == []


def test_a_file_that_another_file_of_uwsgis_names_is_read_or_said_to_be_missing() -> None:
    outer = "[uwsgi]\nini = inner.ini\n"
    inner = "[uwsgi]\ninclude = base.ini\nprocesses = 3\n"
    rows = said("web: uwsgi --ini outer.ini\n", "Procfile", **{"outer.ini": outer, "inner.ini": inner})
    assert [(row.name, row.outcome.fate.value) for row in rows] == [
        ("--ini", "by itself"), ("ini", "by itself"), ("include", "to decide"), ("processes", "kept"),
    ]  # fmt: skip


def test_a_unit_has_a_row_for_all_of_it() -> None:
    rows = said(
        "[Unit]\nAfter=network.target\n[Service]\nExecStartPre=/srv/venv/bin/python manage.py migrate\n"
        "ExecStartPost=/usr/bin/touch x\nExecStart=gunicorn a.wsgi\nMemoryMax=512M\nPrivateTmp=true\n",
        "web.service",
    )
    assert [(row.name, row.text, row.outcome.why[:24]) for row in rows] == [
        ("", "After, PrivateTmp", "stays in the unit: syste"),
        ("ExecStartPre", "/srv/venv/bin/python manage.py migrate", "`nuages migrate`, a step"),
        ("ExecStartPost", "/usr/bin/touch x", "stays in the unit"),
        ("APP", "a.wsgi", "found in the project, WS"),
        ("MemoryMax", "512M", "workers are as many as i"),
    ]


def test_what_supervisor_includes_is_said_not_to_be_read_and_its_other_sections_stay() -> None:
    rows = said(
        "[supervisord]\nnodaemon=true\n[group:a]\nprograms=b\n[include]\nfiles = conf.d/*.conf\n", "s.conf"
    )
    assert [(row.name, row.text, row.outcome.fate.value) for row in rows] == [
        ("", "[supervisord]", "dropped"),
        ("", "[group:a]", "dropped"),
        ("files", "conf.d/*.conf", "to decide"),
    ]


FLY = """app = "shop"
kill_timeout = 60

[deploy]
release_command = "python manage.py migrate --noinput"

[env]
PORT = "8000"
SECRET = "hush"

[processes]
web = "gunicorn shop.wsgi -w 3"
worker = "celery -A shop worker"

[http_service]
internal_port = 8000

[[http_service.checks]]
path = "/health/"

[[mounts]]
destination = "/data"
"""


def test_a_file_of_flys_has_its_commands_and_all_that_stands_beside_them() -> None:
    assert ours(FLY, "fly.toml") == "nuages serve --workers 3"
    rows = {row.origin.line: row for row in said(FLY, "fly.toml")}
    assert [
        (line, row.name, row.outcome.fate.value) for line, row in sorted(rows.items()) if line is not None
    ] == [
        (1, "", "dropped"),
        (2, "kill_timeout", "by itself"),
        (5, "release", "by itself"),
        (8, "PORT", "by itself"),
        (9, "", "by itself"),
        (12, "-w", "kept"),
        (13, "worker", "to decide"),
        (16, "internal_port", "by itself"),
        (19, "http_service.checks.path", "to decide"),
        (22, "destination", "to decide"),
    ]
    assert "hush" not in repr(rows)
    assert rows[9].text == "SECRET"


def test_a_file_of_flys_without_commands_starts_what_its_image_does_and_one_that_is_no_toml_is_an_error() -> (
    None
):
    (row, _) = said("app = 'x'\n", "fly.toml")
    assert row.outcome.why == "Fly starts what the image says: nuages explain Dockerfile"
    with pytest.raises(ProjectError, match=r"fly\.toml is not TOML"):
        reading("app = \n", "fly.toml")


def test_a_script_that_is_known_for_what_it_is_is_not_taken_apart() -> None:
    procfile = "web: gunicorn a.wsgi\nworker: ./work.sh mail\n"
    rows = said(procfile, "Procfile", work_sh="python $1\n")
    assert [(row.name, row.text, row.outcome.fate.value) for row in rows] == [
        ("APP", "a.wsgi", "by itself"), ("worker", "./work.sh mail", "by itself"),
    ]  # fmt: skip
    assert "found here" in rows[1].outcome.why
    assert (
        ours("worker: ./work.sh\n", "Procfile", work_sh="gunicorn a.wsgi -w 3\n")
        == "nuages serve --workers 3"
    )


@pytest.mark.parametrize("more", ["$GUNICORN_EXTRA_CMD_ARGS", "${OPTS}", "${OPTIONS:-}"])
def test_a_variable_behind_the_application_has_more_options(more: str) -> None:
    rows = said(f"web: gunicorn shop.wsgi -w 3 {more}\n", "Procfile")
    assert [(row.name, row.outcome.fate.value) for row in rows] == [
        ("APP", "by itself"), ("-w", "kept"), ("", "to decide"),
    ]  # fmt: skip
    assert said("web: gunicorn $APP\n", "Procfile")[0].name == "APP"
