"""Files that are made to take long: each took from half a minute to for ever, or all memory."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import string
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.errors import ProjectError
from nuages.explain import conclusion, conf, servers, yaml
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
        ("Dockerfile", "", "FROM a AS a\n"),
        ("Dockerfile", "FROM a\nARG B\n", "ENV A=$B\n"),
        ("Dockerfile", "FROM a\nRUN ", "then "),
        ("Dockerfile", "FROM a\nRUN ", "a &&"),
        ("Dockerfile", "FROM a\nCOPY ", "a "),
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


def test_one_dockerfile_of_many_services_is_read_once() -> None:
    services = "".join(f"  s{at}:\n    build: .\n    command: /a{at}.sh\n" for at in range(400))
    dockerfile = "FROM python\n" + "COPY a b c d e /x/\n" * 400
    assert seconds(f"services:\n{services}", "compose.yaml", conf=dockerfile) < ENOUGH


def test_a_line_that_is_none_hides_nothing_behind_it() -> None:
    text = f"#!/bin/sh\necho '{'x' * 40_000}\nexec gunicorn shop.wsgi -w 3\n"
    (part,) = [one for one in read(text, "run.sh", lambda _: None).parts if one.server]
    assert [item.origin.line for item in part.items] == [3, 3]


NAMES = ["".join(letters) for letters in itertools.product(string.ascii_lowercase[1::3], repeat=4)]


@pytest.mark.parametrize(("path", "start"), [("uwsgi.ini", "[uwsgi]\n"), ("gunicorn.conf.py", "")])
def test_a_name_that_nobody_has_is_compared_with_few_that_somebody_has(
    monkeypatch: pytest.MonkeyPatch, path: str, start: str
) -> None:
    """Each is with a thousand of uWSGI's, 10 µs apiece: tens of thousands took half a minute."""
    compared: list[int] = []
    matches = difflib.get_close_matches

    def count(word: str, words: Sequence[str], **limits: float) -> list[str]:
        compared.append(len(words))
        return matches(word, words, **limits)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(difflib, "get_close_matches", count)
    servers.similar.cache_clear()
    assert seconds(start + "".join(f"{name} = 1\n" for name in NAMES), path) < ENOUGH
    assert len(compared) == len(NAMES)
    assert sum(compared) < len(NAMES)


@given(
    st.sampled_from(["uwsgi", "gunicorn", "granian"]),
    st.sampled_from(sorted(servers.NAMES)) | st.sampled_from(NAMES),
    st.text("abestwy_-é", max_size=3),
    st.sampled_from([0.75, 0.85]),
)
def test_who_is_compared_is_whoever_may_have_been_meant(
    server: str, name: str, more: str, cutoff: float
) -> None:
    name = servers.normal(f"{more}{name}")
    names = [each for fact in servers.TABLES[server] for each in fact.names]
    names += sorted(servers.NAMES) if server == "uwsgi" else []
    all_of_them = [
        each for each in names if len(each) > 2 and each[-1] != "*" and abs(len(each) - len(name)) <= 4
    ]
    meant = difflib.get_close_matches(name, all_of_them, n=1, cutoff=cutoff)
    assert servers.similar(server, name, cutoff) == "".join(meant)


def test_the_words_of_a_file_are_counted_once_for_all_names_that_are_nearly_settings() -> None:
    """For each, it was searched for a second place: a minute for a file of them."""
    conf._words.cache_clear()
    names = [f"{name[:2]}limit_request_field{name[2:]}" for name in NAMES]
    rows = conf.read("".join(f"{name} = 1\n" for name in names), "gunicorn.conf.py")
    assert len(rows) == len(names)
    assert conf._words.cache_info().misses == 1
