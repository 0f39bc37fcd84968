"""A Dockerfile's stages, the files that it copies, and what else its image is started with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nuages.cli import main
from nuages.explain import conclusion, stages
from nuages.explain.facts import Row
from nuages.explain.reading import read


def explained(text: str, **beside: str) -> tuple[list[Row], str]:
    files = {name.replace("__", "/").replace("_", "."): body for name, body in beside.items()}

    def find(name: str) -> tuple[str, str] | None:
        name = name.lstrip("/")
        return (name, files[name]) if name in files else None

    found, summed = conclusion.explained(read(text, "Dockerfile", find).parts)
    command = conclusion.shell(summed.command()) if summed.is_serving else ""
    return [row for _, rows in found for row in rows], command


def why(rows: list[Row], line: int) -> list[str]:
    return [row.outcome.why for row in rows if row.origin.line == line]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("FROM python AS base\nCMD gunicorn a.wsgi -w 3\nFROM base AS production\nRUN x", "nuages serve --workers 3"),
        ("FROM python AS base\nCMD gunicorn a.wsgi -w 3\nFROM node AS other\nCMD no\nFROM base",
         "nuages serve --workers 3"),
        ("FROM python AS a\nENTRYPOINT [\"gunicorn\"]\nFROM a AS b\nCMD [\"a.wsgi\", \"-w\", \"3\"]",
         "nuages serve --workers 3"),
        ("FROM python AS a\nCMD gunicorn a.wsgi\nFROM a\nENTRYPOINT [\"gunicorn\", \"b.wsgi\", \"-w\", \"3\"]",
         "nuages serve --workers 3"),
        ("FROM python\nCMD [\"a.wsgi\", \"-w\", \"3\"]\nENTRYPOINT [\"gunicorn\"]", "nuages serve --workers 3"),
        ("FROM python AS prod\nCMD gunicorn a.wsgi -w 3\nFROM prod AS dev\nCMD python manage.py runserver",
         "nuages serve --workers 3"),
        ("FROM python AS dev\nCMD gunicorn a.wsgi -w 3\nFROM dev AS test", "nuages serve --workers 3"),
        ("FROM python AS dev\nENV GUNICORN_CMD_ARGS='--reload -w 9'\nFROM python AS prod\nCMD gunicorn a.wsgi",
         "nuages serve"),
        ("FROM python AS a\nFROM a AS a\nCMD gunicorn a.wsgi", "nuages serve"),
    ],
)  # fmt: skip
def test_an_image_starts_what_the_stages_say_that_it_is_made_from(text: str, command: str) -> None:
    assert explained(text)[1] == command


def test_what_another_stage_would_start_and_set_is_said_not_to_be_the_images() -> None:
    rows, _ = explained(
        "FROM python AS base\nFROM base AS dev\nENV DEBUG=1\nEXPOSE 8081\nUSER root\nCMD python manage.py runserver\n"
        "FROM base AS prod\nEXPOSE 8000\nCMD gunicorn a.wsgi\n"
    )
    assert [why(rows, line) for line in (3, 4, 5)] == [["of a stage that the image is not made from"]] * 3
    assert why(rows, 6) == ["not what the image starts: another stage's, or another one comes after it"]
    assert why(rows, 8)[0].startswith("taken over")


def test_files_are_found_where_the_image_has_them_from() -> None:
    text = (
        "FROM python\nWORKDIR /srv\nCOPY docker/start.sh /run.sh\nCOPY deploy /etc/app/\nCOPY conf/u.ini /\n"
        'CMD ["/run.sh"]\n'
    )
    script = "#!/bin/sh\nexec uwsgi --ini ${HERE}/u.ini --ini /etc/app/more.ini\n"
    rows, command = explained(
        text,
        docker__start_sh=script,
        conf__u_ini="[uwsgi]\nworkers = 3\n",
        deploy__more_ini="[uwsgi]\nhttp = :80\n",
    )
    assert command == "nuages serve --bind 0.0.0.0:80 --workers 3"
    assert not [row for row in rows if row.outcome.decision and "not beside" in row.outcome.decision]


def test_variables_of_the_image_are_options_of_the_server_that_its_script_starts() -> None:
    text = "FROM python\nENV UWSGI_WORKERS=3 PORT=80\nCMD /start.sh\n"
    rows, command = explained(text, start_sh="#!/bin/sh\nexport UWSGI_THREADS=5\nuwsgi --module a.wsgi\n")
    assert command == "nuages serve --workers 3 --threads 5"
    assert [row.name for row in rows if "WORKERS" in row.name] == ["UWSGI_WORKERS"]


def test_what_comes_from_another_stage_or_gets_another_name_is_not_said_to_be_copied_as_it_is() -> None:
    rows, _ = explained(
        "FROM node:22 AS front\nCOPY . .\nFROM python\nCOPY --from=front /out /static\nCOPY .env-dist /app/.env\n"
        "COPY . /app\nCOPY shop /app/shop\nCOPY a.conf b.conf /etc/\n"
    )
    said = {line: why(rows, line)[0] for line in range(1, 9)}
    assert said[1].startswith("a Node stage of its own")
    assert said[4].startswith("from another stage or image")
    assert said[5].startswith("the project is copied, and every file has its own name")
    assert {said[line] for line in (2, 6, 7, 8)} == {
        "the project is copied without what .dockerignore and the list of secrets keep out"
    }


@pytest.mark.parametrize(
    ("run", "steps"),
    [
        ("apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*", ["apt-get install"]),
        ("apt-get update", []),
        ("uv sync && uwsgi --build-plugin x && git config y", ["uv sync", "uwsgi --build-plugin x && git config y"]),
        ("if [ -n \"$A\" ]; then pip install x; fi", ["pip install"]),
        ("sed -i s/a/b/ x && chmod +x x", ["chmod", "sed -i s/a/b/ x"]),
        ("echo one > /app/x", ["echo one > /app/x"]),
        ("python -m venv /venv", []),
        ("--mount=type=cache,target=/c make all", ["make all"]),
    ],
)  # fmt: skip
def test_each_step_of_a_run_is_told_of(run: str, steps: list[str]) -> None:
    rows, _ = explained(f"FROM python\nRUN {run}\n")
    assert [row.text for row in rows if row.name == "RUN"] == steps


def test_a_variable_that_an_argument_of_the_build_gives_is_left_out() -> None:
    rows, _ = explained(
        "FROM python\nARG SHA\nARG B=1\nENV SHA=$SHA\nENV B=${B} C=${SHA:-x}\nCMD gunicorn a.wsgi\n"
    )
    assert why(rows, 4) == ["left out, for only a build of it tells the value"]
    assert why(rows, 5) == ["set too, where the image that runs has it"] * 2


def test_the_context_is_the_nearest_folder_that_has_what_is_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "docker" / "web"
    folder.mkdir(parents=True)
    (tmp_path / "uwsgi.ini").write_text("[uwsgi]\nworkers = 3\n")
    (tmp_path / "manage.py").write_text("")
    (folder / "uwsgi.ini").write_text("[uwsgi]\nworkers = 9\n")
    (folder / "Dockerfile").write_text(
        'FROM python\nCOPY uwsgi.ini manage.py /srv/\nWORKDIR /srv\nCMD ["uwsgi", "--ini", "uwsgi.ini"]\n'
    )
    assert main(["explain", "--json", str(folder / "Dockerfile")]) == 0
    assert json.loads(capsys.readouterr().out)["options"] == {"workers": ["3"]}


def test_copies_that_name_no_file_of_the_context_are_passed_over() -> None:
    given = [
        *stages.instructions(
            'FROM a\nCOPY ["x y", "/z"]\nADD https://a.example/b /c\nCOPY ../up /d\nCOPY "a\n'
        )
    ]
    assert stages.copies(given) == (("/z/x y", "x y"), ("/z", "x y"))
    assert stages.of_image([]) == [-1]
    assert stages.sources("COPY . /a\nCOPY *.txt b /c\nCOPY --from=x d /e\n") == ["b"]
