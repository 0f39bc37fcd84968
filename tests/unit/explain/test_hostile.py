"""Files that are made to take long: each took from half a minute to for ever, or all memory."""

from __future__ import annotations

import contextlib
import time

import pytest

from nuages.errors import ProjectError
from nuages.explain import conclusion, yaml
from nuages.explain.reading import read

LENGTH = 1 << 17  # characters; the command reads twice as many
ENOUGH = 20.0  # seconds of the processor; each takes less than one


def seconds(text: str, path: str, **beside: str) -> float:
    begun = time.process_time()
    with contextlib.suppress(ProjectError):
        conclusion.explained(read(text, path, lambda name: (name, beside["conf"]) if beside else None).parts)
    return time.process_time() - begun


@pytest.mark.parametrize(
    ("path", "start", "unit"),
    [
        ("server", "", "\n"),
        ("server", "#!", "a"),
        ("server", "[Service]\nEnvironment=", "a"),
        ("supervisord.conf", "[program:a]\ncommand=gunicorn a.wsgi\nenvironment=", "a"),
        ("uwsgi.ini", "[uwsgi]\nwsgi-file = a", " "),
        ("uwsgi.ini", "[uwsgi]\n", "a=1\n"),
        ("server.toml", "bind='a'\nworkers=1\n", "\n"),
        ("compose.yaml", "services:\n", "\n"),
        ("compose.yaml", "services:\n  web:\n    command: >\n      gunicorn a", " "),
        ("Dockerfile", "FROM a\nCMD gunicorn a\nENV A=1 ", "a"),
        ("run.sh", "#!/bin/sh\n", "\n"),
        ("Procfile", "web: gunicorn ", "`"),
        ("nginx.conf", "server {", "{"),
        ("nginx.conf", "server { a ", "\\"),
        ("nginx.conf", "server {\n", "server {\n"),
        ("nginx.conf", "server { listen 80; ", "a ${"),
        ("nginx.conf", "server { listen 80; ", '"'),
        ("nginx.conf", "server { listen 80; ", "location / {} "),
        ("nginx.conf", "server { location / { proxy_pass http://a; } } server { ", "return 301 https://a "),
    ],
)
def test_a_file_of_one_thing_again_and_again_is_read_in_no_time(path: str, start: str, unit: str) -> None:
    assert seconds(start + unit * (LENGTH // len(unit)) + "!\n", path) < ENOUGH


def test_a_variable_that_each_line_doubles_stays_small() -> None:
    lines = "A=xxxxxxxxxx\n" + "A=$A$A\n" * 25 + "exec gunicorn shop.wsgi\n"
    (part,) = [one for one in read(f"#!/bin/sh\n{lines}", "run.sh", lambda _: None).parts if one.server]
    assert len(repr(part)) < LENGTH


def test_aliases_that_stand_for_billions_of_values_end_the_reading() -> None:
    levels = "\n".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 12))
    with pytest.raises(yaml.NotYamlError, match="too many values"):
        yaml.documents(f"a0: &a0 [x, x]\n{levels}\n")
    few = yaml.documents("a: &a [x, x]\nb: [*a, *a]\n")
    assert [each.text for each in few[0].fields["b"].nodes[1].nodes] == ["x", "x"]


def test_one_file_of_many_services_is_read_once() -> None:
    names = "".join(f"  web{at}:\n    command: gunicorn -c gunicorn.conf.py\n" for at in range(400))
    conf = "".join(f"variable_{at} = 1\n" for at in range(2000))
    assert seconds(f"services:\n{names}", "compose.yaml", conf=conf) < ENOUGH


def test_a_line_that_is_none_hides_nothing_behind_it() -> None:
    text = f"#!/bin/sh\necho '{'x' * 40_000}\nexec gunicorn shop.wsgi -w 3\n"
    (part,) = [one for one in read(text, "run.sh", lambda _: None).parts if one.server]
    assert [item.origin.line for item in part.items] == [3, 3]
