"""Where it listens: ports, Unix sockets, IPv6, $PORT, descriptors handed over by systemd."""

from __future__ import annotations

import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from tests.process.harness import like_systemd, serving

from nuages.runtime.address import Address
from nuages.runtime.sockets import Listener, listen


def test_a_unix_socket_is_served_and_removed_at_the_end(project: Path) -> None:
    path = project / "web.sock"
    with serving(project, "--workers", "1", bind=f"unix:{path}") as server:
        server.wait_for("ready")
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert server.get("/") == "hello"
        assert server.stop() == 0
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced(project: Path) -> None:
    path = project / "web.sock"
    with serving(project, "--workers", "1", bind=f"unix:{path}") as server:
        server.wait_for("ready")
        server.signal(signal.SIGKILL)
        server.wait()
    assert path.exists()
    with serving(project, "--workers", "1", bind=f"unix:{path}") as server:
        server.wait_for("ready")
        assert server.get("/") == "hello"


def test_a_unix_socket_that_is_served_by_another_is_left_alone(project: Path) -> None:
    path = project / "web.sock"
    with serving(project, "--workers", "1", bind=f"unix:{path}") as first:
        first.wait_for("ready")
        with serving(project, "--workers", "1", bind=f"unix:{path}") as second:
            error = second.error()
            assert second.wait() == 4
        assert f"process {first.pid} (" in error
        assert error.startswith(f"error: cannot listen on unix:{path}\n")
        assert first.get("/") == "hello"


def test_several_addresses_at_once(project: Path) -> None:
    path = project / "web.sock"
    with serving(project, "--workers", "1", "--bind", f"unix:{path}") as server:
        server.wait_for("ready")
        assert server.get("/") == "hello"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_every_address_of_both_families(project: Path) -> None:
    with serving(project, "--workers", "1", bind="[::]:0") as server:
        server.wait_for("ready")
        port = int(server.address.rpartition(":")[2])
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port)).close()
        assert server.address.startswith("[::]:")


def test_the_variable_port_is_honoured(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with serving(project, "--workers", "1", bind=None, environ={"PORT": str(port)}) as server:
        assert server.address == f"0.0.0.0:{port}"


def test_a_socket_from_systemd_is_used_and_its_variables_go_no_further(project: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        serving(project, "--workers", "1", bind=None, **like_systemd(listener)) as server,
    ):
        server.wait_for("ready")
        assert server.address == f"127.0.0.1:{listener.getsockname()[1]}"
        assert server.get("/environ/?name=LISTEN_FDS") == ""
        assert server.stop() == 0


@pytest.mark.skipif(not hasattr(socket, "TCP_CONGESTION"), reason="Linux alone lets the control be chosen")
def test_no_timer_paces_what_stays_on_this_machine_and_the_network_keeps_its_control() -> None:
    def control(sock: socket.socket) -> bytes:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")

    listeners = listen([Address(host="127.0.0.1"), Address(host="0.0.0.0")])
    try:
        local, everywhere = (listener.socket for listener in listeners)
        with socket.socket() as untouched:
            assert control(everywhere) == control(untouched)
        with socket.create_connection(local.getsockname()):
            local.setblocking(True)
            accepted, _ = local.accept()
            with accepted:
                assert control(accepted) == b"reno"
    finally:
        for listener in listeners:
            listener.close()


def test_a_port_in_use_names_who_has_it(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with serving(project, bind=f"127.0.0.1:{port}") as server:
            error = server.error()
            assert server.wait() == 4
    first, where, why, *_, hint = error.splitlines()
    assert first == f"error: cannot listen on 127.0.0.1:{port}"
    assert where == "  given by --bind"
    assert why.startswith(f"  process {os.getpid()} (")
    assert hint == f"hint: --bind 127.0.0.1:{port + 1}"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_is_turned_away_is_not_in_the_queue_and_whoever_is_there_is_answered(host: str) -> None:
    """What is in the queue when the last process closes the socket would be reset."""
    (listener,) = listen([Address(host=host, port=0)])
    address = listener.socket.getsockname()[:2]
    with listener.socket.dup() as another, socket.create_connection(address, 10) as early:
        listener.turn_away()
        listener.close()
        with pytest.raises(TimeoutError):
            socket.create_connection(address, 0.2)
        another.settimeout(10)
        accepted, _ = another.accept()
        with accepted:
            early.sendall(b"hello")
            assert accepted.recv(5) == b"hello"
            accepted.sendall(b"hello")
            assert early.recv(5) == b"hello"
        another.settimeout(0)
        with pytest.raises(BlockingIOError):
            another.accept()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 10)


def test_whoever_handed_a_socket_over_may_want_it_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        listener = Listener(socket=own.dup(), address=Address(host="127.0.0.1", port=1), inherited=True)
        listener.turn_away()
        listener.close()
        socket.create_connection(own.getsockname(), 10).close()
