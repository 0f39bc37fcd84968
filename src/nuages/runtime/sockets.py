"""The listening sockets: bound here, inherited by every worker, or handed over by systemd."""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nuages.errors import Origin, OutsideError, UsageError
from nuages.runtime.address import Address
from nuages.runtime.kernel import read

BACKLOG = 2048
LONGEST_PATH = 107  # bytes of a Unix socket's path; unix(7), sun_path
_UNIX_MODE = 0o666  # as uvicorn: who may connect is decided by the folder's mode
_FIRST_INHERITED = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_UNPACED = b"reno"  # a congestion control that is in every Linux kernel, and sends as soon as it may (tcp(7))

# A filter of packets that drops a TCP header with SYN and without ACK, and lets through any other (bpf(4)).
_SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; the module socket does not have it everywhere
_FILTER = array.array(
    "B",
    b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (0x30, 0, 0, 13),  # load the byte of flags
            (0x54, 0, 0, 0x12),  # of these SYN and ACK
            (0x15, 0, 1, 0x02),  # if that is SYN alone
            (0x06, 0, 0, 0),  # drop it
            (0x06, 0, 0, 0xFFFFFFFF),  # else take all of it
        )
    ),
)
_PROGRAM = struct.pack("HP", len(_FILTER) // 8, _FILTER.buffer_info()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listening socket and the address that a person would type; `inode` is the bound file's, to remove it."""

    socket: socket.socket
    address: Address
    inherited: bool = False
    inode: int = 0

    def url(self, *, secure: bool = False) -> str:
        """`http://127.0.0.1:8000`, or `unix:PATH`, which speaks no TLS."""
        return str(self.address) if self.address.path else f"http{'s' if secure else ''}://{self.address}"

    def turn_away(self) -> None:
        """Let nobody else into the queue, whoever has the socket still: what is in it at the end, the kernel resets.

        A client that is not heard asks again after a second, and is refused then. Whoever handed the socket over may
        want it for the next one.
        """
        if not self.inherited and self.socket.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM)

    def close(self) -> None:
        """Close the socket; remove its file if it is still the one that we made."""
        self.socket.close()
        if self.inode:
            file = Path(self.address.path)
            with contextlib.suppress(OSError):
                if file.stat().st_ino == self.inode:
                    file.unlink()


def listen(
    addresses: Iterable[Address], *, origin: Origin | str = "--bind", option: str = "--bind"
) -> list[Listener]:
    """Bind and listen on every address; all or none. `option` is what hints name.

    Raises OutsideError when a port is taken or may not be used, UsageError when an address is not this machine's, and
    when there is none.
    """
    addresses = tuple(addresses)
    if not addresses:
        raise UsageError(
            "there is nowhere to listen", where=f"given by {origin}", why="it is empty",
            hint=f"{option} 127.0.0.1:8000, or leave it unset",
        )  # fmt: skip
    listeners: list[Listener] = []
    try:
        for address in addresses:
            if address.path:
                listeners.append(_listen_unix(address, origin, option))
            else:
                both = not any(other.port == address.port and ":" not in other.host for other in addresses)
                listeners.append(_listen_tcp(address, origin, option, both_families=both))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def inherited(environ: Mapping[str, str], *, pid: int) -> list[Listener]:
    """Return the listening sockets that systemd (or another) handed to this very process; see sd_listen_fds(3).

    Raises UsageError for a descriptor that is no socket, or does not listen.
    """
    if environ.get("LISTEN_PID") != str(pid) or not environ.get("LISTEN_FDS", "").isdigit():
        return []
    found = []
    for descriptor in range(_FIRST_INHERITED, _FIRST_INHERITED + int(environ["LISTEN_FDS"])):
        try:
            sock = socket.socket(fileno=descriptor)
        except OSError as error:
            raise UsageError(
                f"descriptor {descriptor} is not a socket", where="promised by $LISTEN_FDS", why=str(error),
                hint="see the .socket unit that starts this service: ListenStream=",
            ) from None  # fmt: skip
        if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise UsageError(
                f"descriptor {descriptor} does not listen for connections", where="promised by $LISTEN_FDS",
                why="nuages serves stream sockets that listen",
                hint="in the .socket unit: ListenStream=8000, Accept=no",
            )  # fmt: skip
        sock.setblocking(False)
        found.append(Listener(socket=sock, address=bound_address(sock), inherited=True))
    return found


def bound_address(sock: socket.socket) -> Address:
    """Return where a socket is bound."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return Address(path=os.fsdecode(name) or "(unnamed)")
    return Address(host=name[0], port=name[1])


def _listen_tcp(address: Address, origin: Origin | str, option: str, *, both_families: bool) -> Listener:
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}", where=f"given by {origin}", why=f"{address.host}: {error.strerror}",
            hint="--bind 127.0.0.1:8000 for this machine only, --bind :8000 for every address",
        ) from None  # fmt: skip
    # A name such as localhost has several: IPv4 first, as most clients reach it.
    family, kind, protocol, _, place = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `[::]` means every address, IPv4 too, unless IPv4 is bound to the same port beside it.
            sock.setsockopt(
                socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address.host == "::" and both_families else 1
            )
        sock.bind(place)
        bound = bound_address(sock)
        if bound.is_local:
            _send_unpaced(sock)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_bind(address, origin, error, option) from None
    return Listener(socket=sock, address=bound)


def _send_unpaced(sock: socket.socket) -> None:
    """Have the connections of a socket that only this machine reaches sent to as fast as they read.

    A machine whose default is BBR holds back each segment until a timer says so. That spares a network; between two
    processes it is a third of what a large answer costs. Connections inherit it when they are accepted, and only then.
    """
    if hasattr(socket, "TCP_CONGESTION"):
        with contextlib.suppress(OSError):  # not allowed in this namespace: it goes the slower way
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _UNPACED)


def _listen_unix(address: Address, origin: Origin | str, option: str) -> Listener:
    path = address.path
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        sock.setblocking(False)
        sock.bind(path)
        Path(path).chmod(_UNIX_MODE)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_bind(address, origin, error, option) from None
    return Listener(socket=sock, address=address, inode=Path(path).stat().st_ino)


def _remove_stale(path: str) -> None:
    """Remove a socket's file that nobody listens on; raise OSError when somebody does or it is no socket."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is a file of that name, and it is not a socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except BlockingIOError:
            pass  # its queue is full, so somebody listens
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)


def _cannot_bind(
    address: Address, origin: Origin | str, error: OSError, option: str = "--bind"
) -> UsageError | OutsideError:
    what, where = f"cannot listen on {address}", f"given by {origin}"
    if error.errno == errno.EADDRINUSE:
        free = "unix:OTHER" if address.path else f"{address.host}:{address.port + 1}"
        holder = _holder(address)
        if holder.startswith(f"process {os.getpid()} "):
            return OutsideError(
                what, where=where, hint=f"name it once, or another one: {option} {free}",
                why="this very server listens there already: it is named twice, or among every address (0.0.0.0, [::])",
            )  # fmt: skip
        return OutsideError(what, where=where, why=f"{holder} listens there already", hint=f"{option} {free}")
    if error.errno == errno.EACCES and not address.path:
        return OutsideError(
            what, where=where, why=f"ports below 1024 are the superuser's, and this is user {os.getuid()}",
            hint=f"{option} {address.host}:8000",
        )  # fmt: skip
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError(
            what, where=where, why=f"{address.host} is not an address of this machine",
            hint=f"{option} :{address.port} for every address",
        )  # fmt: skip
    if error.errno == errno.EINVAL and address.host.startswith("fe80:") and "%" not in address.host:
        return UsageError(
            what, where=where, why="an address of a link is of one interface, and none is named (RFC 4007, 11)",
            hint=f"{option} [{address.host}%eth0]:{address.port}, with the interface's name",
        )  # fmt: skip
    if address.path:
        return _cannot_make(address.path, what, where, error, option)
    return OutsideError(
        what, where=where, why=error.strerror or str(error), hint=f"{option} HOST:PORT or unix:PATH"
    )


def _cannot_make(path: str, what: str, where: str, error: OSError, option: str) -> OutsideError:
    """Return the error for a socket's file that cannot be where it should."""
    folder = Path(path).absolute().parent
    size = len(os.fsencode(path))
    why, hint = error.strerror or str(error), f"{option} HOST:PORT or unix:PATH"
    if size > LONGEST_PATH:
        why = f"the path has {size} bytes, and the kernel takes {LONGEST_PATH} (unix(7))"
        hint = f"a shorter one, such as {option} unix:/tmp/{Path(path).name[-40:]}"
    elif error.errno == errno.ENOENT:
        why, hint = f"there is no folder {folder}", f"make it: mkdir -p {folder}"
    elif error.errno in {errno.EACCES, errno.EROFS}:
        why = f"{why}: user {os.getuid()} may not make files in {folder}"
        hint = (
            f"let that user write there, or name a folder where it may: {option} unix:/tmp/{Path(path).name}"
        )
    return OutsideError(what, where=where, why=why, hint=hint)


def _holder(address: Address) -> str:
    """Say who holds an address, if /proc tells: `process 4711 (python manage.py runserver)`."""
    for inode in _inodes(address):
        for pid in _pids_with(f"socket:[{inode}]"):
            command = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
            return f"process {pid} ({command[:80]})" if command else f"process {pid}"
    return "another process"


def _inodes(address: Address) -> Iterator[str]:
    """Inodes of sockets that listen at an address; see proc_net_tcp(5) and proc_net_unix(5)."""
    if address.path:
        # Connections bear the path too; what listens has the flag SO_ACCEPTCON.
        rows = (line.split() for line in read("/proc/net/unix").splitlines())
        yield from (row[6] for row in rows if row and row[-1] == address.path and row[3] == "00010000")
        return
    listening = "0A"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(table).splitlines()[1:]:
            words = line.split()
            if words[3] == listening and int(words[1].rpartition(":")[2], 16) == address.port:
                yield words[9]


def _pids_with(link: str) -> Iterator[int]:
    # By number: the process that opened a socket usually comes before those that inherited it.
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):  # another user's, or gone in the meantime
            if any(os.readlink(descriptor) == link for descriptor in (process / "fd").iterdir()):  # noqa: PTH115
                yield int(process.name)
