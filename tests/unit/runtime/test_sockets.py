"""What the socket code says, where no socket is needed; the rest is in tests/process/test_serve_sockets."""

from __future__ import annotations

import errno
import os

import pytest

from nuages.errors import OutsideError, UsageError
from nuages.runtime import sockets
from nuages.runtime.address import Address, parse_address


def _error(number: int, address: Address, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sockets, "_holder", lambda _address: "process 4711 (python manage.py runserver)")
    return sockets._cannot_bind(address, "--bind", OSError(number, os.strerror(number))).render()


def test_a_port_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _error(errno.EADDRINUSE, Address(host="127.0.0.1", port=8000), monkeypatch) == (
        "error: cannot listen on 127.0.0.1:8000\n"
        "  given by --bind\n"
        "  process 4711 (python manage.py runserver) listens there already\n"
        "\n"
        "hint: --bind 127.0.0.1:8001"
    )


def test_a_port_of_the_superuser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert _error(errno.EACCES, Address(host="0.0.0.0", port=80), monkeypatch) == (
        "error: cannot listen on 0.0.0.0:80\n"
        "  given by --bind\n"
        "  ports below 1024 are the superuser's, and this is user 1000\n"
        "\n"
        "hint: --bind 0.0.0.0:8000"
    )


def test_an_address_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _error(errno.EADDRNOTAVAIL, Address(host="192.0.2.1", port=80), monkeypatch) == (
        "error: cannot listen on 192.0.2.1:80\n"
        "  given by --bind\n"
        "  192.0.2.1 is not an address of this machine\n"
        "\n"
        "hint: --bind :80 for every address"
    )


def test_an_address_of_a_link_without_its_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _error(errno.EINVAL, Address(host="fe80::1", port=8000), monkeypatch) == (
        "error: cannot listen on [fe80::1]:8000\n"
        "  given by --bind\n"
        "  an address of a link is of one interface, and none is named (RFC 4007, 11)\n"
        "\n"
        "hint: --bind [fe80::1%eth0]:8000, with the interface's name"
    )


def test_an_ipv4_address_that_is_written_as_one_of_ipv6_is_that_address() -> None:
    assert parse_address("[::ffff:127.0.0.1]:8000") == Address(host="127.0.0.1", port=8000)
    assert parse_address("[0:0::1]:8000") == Address(host="::1", port=8000)


def test_a_socket_file_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _error(errno.ENOENT, Address(path="/no/such/web.sock"), monkeypatch) == (
        "error: cannot listen on unix:/no/such/web.sock\n"
        "  given by --bind\n"
        "  there is no folder /no/such\n"
        "\n"
        "hint: make it: mkdir -p /no/such"
    )


def test_kinds_of_error_decide_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address(host="127.0.0.1", port=1)
    monkeypatch.setattr(sockets, "_holder", lambda _address: "another process")
    assert isinstance(sockets._cannot_bind(address, "", OSError(errno.EADDRINUSE, "")), OutsideError)
    assert isinstance(sockets._cannot_bind(address, "", OSError(errno.EADDRNOTAVAIL, "")), UsageError)


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "7", "LISTEN_FDS": "x"}]
)
def test_descriptors_for_another_process_are_left_alone(environ: dict[str, str]) -> None:
    assert sockets.inherited(environ, pid=7) == []


@pytest.mark.parametrize(
    ("number", "path", "why", "hint"),
    [
        (errno.ENOENT, "/nowhere/at/all/web.sock", "there is no folder /nowhere/at/all",
         "make it: mkdir -p /nowhere/at/all"),
        (errno.EACCES, "/etc/web.sock", f"Permission denied: user {os.getuid()} may not make files in /etc",
         "let that user write there, or name a folder where it may: --bind unix:/tmp/web.sock"),
        (errno.EINVAL, "/" + "a" * 110, "the path has 111 bytes, and the kernel takes 107 (unix(7))",
         "a shorter one, such as --bind unix:/tmp/" + "a" * 40),
        (errno.EIO, "/srv/web.sock", "Input/output error", "--bind HOST:PORT or unix:PATH"),
    ],
)  # fmt: skip
def test_a_socket_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, number: int, path: str, why: str, hint: str
) -> None:
    assert _error(number, Address(path=path), monkeypatch) == (
        f"error: cannot listen on unix:{path}\n  given by --bind\n  {why}\n\nhint: {hint}"
    )


def test_an_address_that_is_named_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_holder", lambda _address: f"process {os.getpid()} (nuages serve)")
    error = OSError(errno.EADDRINUSE, "")
    assert sockets._cannot_bind(Address(host="127.0.0.1", port=8000), "--bind", error).render() == (
        "error: cannot listen on 127.0.0.1:8000\n"
        "  given by --bind\n"
        "  this very server listens there already: it is named twice, or among every address (0.0.0.0, [::])\n"
        "\n"
        "hint: name it once, or another one: --bind 127.0.0.1:8001"
    )


def test_no_address_at_all_is_an_error() -> None:
    """`NUAGES_BIND=`, as Compose fills in what is not set: the server was ready to serve nobody."""
    with pytest.raises(UsageError) as caught:
        sockets.listen((), origin="NUAGES_BIND")
    assert caught.value.render() == (
        "error: there is nowhere to listen\n"
        "  given by NUAGES_BIND\n"
        "  it is empty\n"
        "\n"
        "hint: --bind 127.0.0.1:8000, or leave it unset"
    )
