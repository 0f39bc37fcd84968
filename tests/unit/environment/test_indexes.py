"""pip's configuration is read as pip reads it, and put into uv's words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.environment.indexes import (
    configuration_files,
    decider,
    default_url,
    effective,
    masked,
    uv_variables,
)
from nuages.errors import UsageError


def variables(text: str = "", environ: dict[str, str] | None = None) -> dict[str, str]:
    environ = environ or {}
    return uv_variables(effective([("pip.conf", text)], environ), environ)


def test_every_place_of_an_index_is_translated() -> None:
    text = """
[global]
index-url = https://packages.example/simple
extra_index_url =
    https://one.example/simple
    https://two.example/simple
find-links = /srv/wheels https://files.example/
trusted-host = one.example two.example
cert = /etc/ssl/ca.pem
client-cert = /etc/ssl/me.pem
timeout = 60
proxy = proxy.example:3128
[download]
index-url = https://not-for-install.example/simple
"""
    assert variables(text) == {
        "UV_DEFAULT_INDEX": "https://packages.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/srv/wheels,https://files.example/",
        "UV_INSECURE_HOST": "one.example two.example",
        "SSL_CERT_FILE": "/etc/ssl/ca.pem",
        "SSL_CLIENT_CERT": "/etc/ssl/me.pem",
        "UV_HTTP_TIMEOUT": "60",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "ALL_PROXY": "http://proxy.example:3128",
    }


def test_install_beats_global_and_a_variable_beats_both() -> None:
    files = [
        ("/etc/pip.conf", "[install]\nindex-url = https://install.example/\n"),
        ("~/pip.conf", "[global]\nindex-url = https://global.example/\ntimeout = 5\n"),
    ]

    assert effective(files, {})["index-url"].text == "https://install.example/"
    found = effective(files, {"PIP_INDEX_URL": "https://variable.example/", "PIP_DEFAULT_TIMEOUT": "9"})
    assert (found["index-url"].text, str(found["index-url"].origin)) == (
        "https://variable.example/",
        "PIP_INDEX_URL",
    )
    assert found["timeout"].text == "9"


def test_what_the_user_set_for_uv_wins() -> None:
    given_ = {"UV_DEFAULT_INDEX": "https://mine.example/simple", "UV_INDEX": "https://more.example/simple"}
    text = "[global]\nindex-url = https://packages.example/simple\nextra-index-url = https://one.example/simple\n"

    assert variables(text, given_) == {}
    assert variables(text, {"UV_INDEX_URL": "https://mine.example/simple"}).get("UV_DEFAULT_INDEX") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no-index = true", {"UV_NO_INDEX": "1"}),
        ("no-index = false", {}),
        ("no-binary = :all:", {"UV_NO_BINARY": "1"}),
        ("no-binary = a,b", {"UV_NO_BINARY_PACKAGE": "a b"}),
        ("only-binary = a :none: b", {"UV_NO_BUILD_PACKAGE": "b"}),
        ("only-binary = :none:", {}),
        ("index-url =", {}),
    ],
)
def test_switches_and_formats(text: str, expected: dict[str, str]) -> None:
    assert variables(f"[global]\n{text}\n") == expected


def test_the_files_are_those_of_pip_the_weaker_first() -> None:
    environ = {
        "HOME": "/home/ann",
        "XDG_CONFIG_DIRS": "/etc/first:/etc/second",
        "PIP_CONFIG_FILE": "/srv/pip.conf",
    }

    assert [str(path) for path in configuration_files(environ, Path("/venv"), "linux")] == [
        "/etc/second/pip/pip.conf",
        "/etc/first/pip/pip.conf",
        "/etc/pip.conf",
        "/home/ann/.pip/pip.conf",
        "/home/ann/.config/pip/pip.conf",
        "/venv/pip.conf",
        "/srv/pip.conf",
    ]


def test_the_null_device_turns_all_files_off() -> None:
    assert configuration_files({"PIP_CONFIG_FILE": "/dev/null"}, Path("/venv"), "linux") == ()


def test_a_file_that_pip_could_not_read_is_an_error_with_its_name() -> None:
    with pytest.raises(UsageError) as caught:
        effective([("/etc/pip.conf", "index-url = here\n")], {})

    assert caught.value.render() == (
        "error: pip's configuration cannot be read\n"
        "  /etc/pip.conf\n"
        "  File contains no section headers. file: '<string>', line: 1 'index-url = here\\n'\n"
        "\n"
        "hint: correct /etc/pip.conf, or run with PIP_CONFIG_FILE=/dev/null"
    )


def test_who_decides_is_named() -> None:
    pip = effective([("/etc/pip.conf", "[global]\nextra-index-url = https://one.example/simple\n")], {})

    assert str(decider(pip, {})) == "/etc/pip.conf"
    assert str(decider(pip, {"UV_DEFAULT_INDEX": "x"})) == "UV_DEFAULT_INDEX"
    assert decider({}, {}) is None
    assert default_url(pip, {}) == ""


def test_credentials_are_masked() -> None:
    assert masked("https://ann:secret@packages.example/simple") == "https://***@packages.example/simple"
    assert masked("https://packages.example/simple") == "https://packages.example/simple"


@given(st.text(max_size=100))
def test_any_configuration_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        effective([("pip.conf", text)], {})
