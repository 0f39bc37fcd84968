"""The option machinery, on a toy declaration: sources, provenance, strict names."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from nuages.cli import every_option
from nuages.commands import COMMANDS
from nuages.errors import Origin, UsageError
from nuages.image.options import ImageOptions
from nuages.kinds import duration, flag, integer, switch, word_or
from nuages.options import (
    Given,
    Option,
    check_keys,
    check_variables,
    closest,
    declare,
    options_of,
    resolve,
    unknown_flag,
)
from nuages.runtime.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Toy:
    recycle_requests: int = declare(integer(1), default=10, help="replace a worker after so many", group="A")
    pause: float = declare(duration, default=30.0, default_text="30s", help="how long", group="A")
    workers: int | None = declare(
        word_or("auto", integer(1)), default=None, default_text="auto", help="how many", group="B",
        aliases={"WEB_CONCURRENCY": str},
    )  # fmt: skip
    bind: tuple[int, ...] = declare(integer(0), default=(1,), help="where", group="B", repeatable=True)
    service_host: bool = declare(switch, default=False, help="a name Kubernetes uses", group="B")
    loud: bool = declare(flag, default=False, help="speak up", group="B")


OPTIONS = options_of(Toy)


def test_an_option_derives_flag_variable_and_field_from_its_one_name() -> None:
    option = OPTIONS[0]
    assert (option.flag, option.variable, option.field, option.name) == (
        "--recycle-requests", "NUAGES_RECYCLE_REQUESTS", "recycle_requests", "recycle-requests",
    )  # fmt: skip


def test_a_default_is_used_and_named_when_nothing_speaks() -> None:
    resolved = resolve(Toy, flags={}, environ={}, file={})
    assert resolved.value == Toy()
    assert {str(origin) for origin in resolved.origins.values()} == {"default"}


def test_flag_beats_variable_beats_file_beats_alias() -> None:
    file = {"workers": Given(texts=("3",), origin=Origin("pyproject.toml", 7))}
    environ = {"NUAGES_WORKERS": "4", "WEB_CONCURRENCY": "5"}

    def workers(**sources: object) -> tuple[int | None, str]:
        resolved = resolve(Toy, **{"flags": {}, "environ": {}, "file": {}, **sources})  # type: ignore[arg-type]
        return resolved.value.workers, str(resolved.origins["workers"])

    assert workers(flags={"workers": ["2"]}, environ=environ, file=file) == (2, "--workers")
    assert workers(environ=environ, file=file) == (4, "NUAGES_WORKERS")
    assert workers(environ={"WEB_CONCURRENCY": "5"}, file=file) == (3, "pyproject.toml:7")
    assert workers(environ={"WEB_CONCURRENCY": "5"}) == (5, "$WEB_CONCURRENCY")


def test_an_explicit_value_equal_to_the_default_still_wins() -> None:
    resolved = resolve(
        Toy, flags={"recycle-requests": ["10"]}, environ={"NUAGES_RECYCLE_REQUESTS": "9"}, file={}
    )
    assert (resolved.value.recycle_requests, str(resolved.origins["recycle_requests"])) == (
        10,
        "--recycle-requests",
    )


def test_a_repeatable_option_takes_every_value() -> None:
    assert resolve(Toy, flags={"bind": ["5", "6"]}, environ={}, file={}).value.bind == (5, 6)
    assert resolve(Toy, flags={}, environ={"NUAGES_BIND": "5 6"}, file={}).value.bind == (5, 6)


def test_two_values_where_one_is_taken_are_an_error_unless_they_are_the_same() -> None:
    assert resolve(Toy, flags={"pause": ["5s", "5s"]}, environ={}, file={}).value.pause == 5
    with pytest.raises(UsageError) as caught:
        resolve(Toy, flags={"pause": ["5s", "6s"]}, environ={}, file={})
    assert caught.value.render() == (
        "error: --pause is given several values\n"
        "  given by --pause\n"
        "  it takes one: 5s, 6s\n"
        "\n"
        "hint: leave one of them: --pause 6s"
    )


def test_a_value_that_does_not_parse_is_an_error_that_names_its_origin() -> None:
    with pytest.raises(UsageError) as caught:
        resolve(Toy, flags={}, environ={"NUAGES_PAUSE": "soon"}, file={})
    assert caught.value.render() == (
        "error: --pause cannot be 'soon'\n"
        "  given by NUAGES_PAUSE\n"
        "  it is not a duration such as 30s, 1h30m or 7d\n"
        "\n"
        "hint: --pause DURATION, for example --pause 30s"
    )


def test_an_unknown_variable_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        check_variables(["PATH", "NUAGES_WORKER"], OPTIONS)
    assert caught.value.render() == (
        "error: unknown variable NUAGES_WORKER\n"
        "  set in the environment\n"
        "  nuages ignores nothing silently: every NUAGES_* variable must be one of its options\n"
        "\n"
        "hint: did you mean NUAGES_WORKERS?"
    )


@pytest.mark.parametrize(
    "name",
    [
        "NUAGES_SERVICE_HOST", "NUAGES_SERVICE_PORT", "NUAGES_SERVICE_PORT_HTTP", "NUAGES_PORT",
        "NUAGES_PORT_8000_TCP", "NUAGES_PORT_8000_TCP_PROTO", "NUAGES_PORT_8000_TCP_PORT", "NUAGES_PORT_8000_TCP_ADDR",
    ],
)  # fmt: skip
def test_kubernetes_service_links_are_no_options(name: str) -> None:
    check_variables([name], ())
    assert resolve(Toy, flags={}, environ={name: "tcp://10.0.0.1:8000"}, file={}).value == Toy()


def test_an_unknown_key_is_an_error_with_its_line() -> None:
    with pytest.raises(UsageError) as caught:
        check_keys({"recycle_request": Given(texts=("1",), origin=Origin("nuages.toml", 3))}, OPTIONS)
    assert caught.value.render() == (
        "error: unknown key 'recycle_request' in the configuration of nuages\n"
        "  nuages.toml:3\n"
        "  nuages ignores nothing silently: every key must be one of its options\n"
        "\n"
        "hint: did you mean recycle-requests?"
    )


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("--max-requests=5", "nuages calls it --recycle-requests: replace a worker after so many"),
        ("--processes", "nuages calls it --workers: how many"),
        ("--wokers", "did you mean --workers?"),
        ("--completely-else", "see `nuages serve --help`"),
    ],
)
def test_an_unknown_flag_is_answered_in_the_words_people_know(typed: str, hint: str) -> None:
    assert unknown_flag(typed, OPTIONS, "serve").hint == hint


def test_the_closest_option_is_none_when_nothing_is_near() -> None:
    assert closest("zzz", OPTIONS) is None


def test_the_port_is_taken_from_its_variable_unless_kubernetes_has_set_it() -> None:
    assert resolve(ImageOptions, flags={}, environ={"NUAGES_PORT": "9000"}, file={}).value.port == 9000
    linked = resolve(ImageOptions, flags={}, environ={"NUAGES_PORT": "tcp://10.0.0.7:80"}, file={})
    assert (linked.value.port, str(linked.origins["port"])) == (None, "default")


@pytest.mark.parametrize("option", every_option(), ids=lambda option: option.name)
def test_the_example_of_a_hint_can_be_typed(option: Option) -> None:
    declaration = next(d for c in COMMANDS for d in c.classes() if option in options_of(d))
    try:
        resolve(declaration, flags={option.name: ("",)}, environ={}, file={})
    except UsageError as error:
        wanted, _, example = error.hint.partition(", for example ")
        if not option.kind.metavar:
            assert wanted.startswith(f"{option.variable}=on or {option.variable}=off;")
            return
        assert wanted == f"{option.flag} {option.kind.metavar}"
        if example:
            option.kind.parse(example.removeprefix(f"{option.flag} "))


@pytest.mark.parametrize(
    ("flag", "text", "why"),
    [
        ("workers", "100000", "the largest value is 1024"),
        ("threads", "1000000", "the largest value is 4096"),
        ("timeout", "0", "the shortest is 100ms"),
        ("stall-timeout", "1ms", "the shortest is 1000ms"),
        ("recycle-memory", "300", "the smallest value is 16M: no worker is smaller than that"),
        ("warmup-url", "books", "it is not a path of the site, such as /books/?page=2"),
        ("management", "nowhere", "it has no port: nowhere:8000"),
        ("bind", "127.0.0.1", "it has no port: 127.0.0.1:8000"),
        ("bind", "127.0.0.1:99999", "ports go from 0 to 65535"),
        ("bind", "a b", "it is not HOST:PORT, [IPv6]:PORT or unix:PATH"),
    ],
)
def test_values_that_no_server_could_live_with_are_refused(flag: str, text: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(Settings, flags={flag: (text,)}, environ={}, file={})
    assert refused.value.why == why


def test_what_is_off_by_default_can_be_turned_off() -> None:
    off = {"health-path": ("off",), "static-keep": ("off",), "recycle-age": ("off",)}
    settings = resolve(Settings, flags=off, environ={}, file={}).value
    assert (settings.health_path, settings.static_keep, settings.recycle_age) == (None, None, None)


def test_an_empty_list_for_an_option_that_takes_one_value_is_an_error() -> None:
    given = {"workers": Given(texts=(), origin=Origin("nuages.toml", 1))}
    with pytest.raises(UsageError) as caught:
        resolve(Settings, flags={}, environ={}, file=given)
    assert caught.value.render() == (
        "error: --workers has no value\n"
        "  given by nuages.toml:1\n"
        "  the list there is empty\n"
        "\n"
        "hint: take workers out, or give it a value"
    )
