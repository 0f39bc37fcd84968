"""What a process has that it cannot share with a fork of itself, seen in real processes."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

SCRIPT = """
import asyncio, multiprocessing, os, socket, subprocess, threading
from nuages.runtime.belongings import _tasks, open_descriptors, read_state
from nuages.runtime.notes import Notes
known, notes = open_descriptors(), Notes()
{code}
notes.close()
state = read_state(known, notes)
print([one.what for one in state.descriptors], [(one.name, one.module) for one in state.threads])
{then}
"""


def _state(code: str, then: str = "") -> str:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=code, then=then)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_the_first_thing_that_is_opened_is_seen() -> None:
    # Its descriptor is the one that the list of descriptors had while it was read.
    assert _state("import select; kept = select.epoll()") == "['an event loop'] []"


def test_an_event_loop_and_a_connection_are_seen_and_what_is_closed_is_not() -> None:
    itself = "'a connection to this process itself'"
    assert _state("loop = asyncio.new_event_loop()") == f"['an event loop', {itself}, {itself}] []"
    assert _state("asyncio.new_event_loop().close()") == "[] []"
    assert _state("unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)") == "[] []"


def test_threads_are_seen_with_their_module() -> None:
    code = "threading.Thread(target=threading.Event().wait, name='poller', daemon=True).start()"
    assert _state(code) == "[] [('poller', 'threading')]"


ASKED = """
class Lazy:
    @property
    def __class__(self):
        raise RuntimeError("not yet")

class EpollSelector(Lazy):
    @property
    def fileno(self):
        os._exit(9)

class Silent(type):
    def __getattribute__(cls, name):
        raise RuntimeError(name)

class Holder(metaclass=Silent):
    __slots__ = ("held",)

class Oddly:
    __module__ = 3

kept = Lazy(), EpollSelector(), Holder(), Oddly()
loop = Oddly.loop = kept[2].held = kept[3].held = asyncio.new_event_loop()
"""


def test_who_holds_an_event_loop_is_found_without_asking_any_object() -> None:
    """An instance of Django's LazyObject whose `__class__` is read is made, or fails: settings are not there yet."""
    itself = "'a connection to this process itself'"
    assert _state(ASKED) == f"['an event loop', {itself}, {itself}] []"


def test_who_has_started_a_thread_is_seen_through_the_standard_library() -> None:
    code = "from concurrent.futures import ThreadPoolExecutor\n"
    code += "pool = ThreadPoolExecutor()\npool.submit(threading.Event().wait)"
    script = "print([(one.module, one.starter) for one in state.threads], flush=True)\nos._exit(0)"
    said = _state(code, then=script).splitlines()[1]
    assert said == "[('concurrent.futures.thread', '__main__')]"


def test_a_child_process_and_its_pipes_are_seen_and_one_that_has_ended_is_not() -> None:
    script = "print([one.name for one in state.programs], [one.module for one in state.descriptors])"
    cat = "subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)"
    said = _state(f"kept = {cat}", then=script)
    assert said == "['a pipe', 'a pipe'] []\n['cat'] ['__main__', '__main__']"
    assert _state(f"{cat}.communicate()", then=script) == "[] []\n[] []"
    assert _state("subprocess.Popen(['true'])", then=script) == "[] []\n[] []", "it is a zombie"


def test_the_program_that_multiprocessing_has_for_a_family_of_processes_is_no_obstacle() -> None:
    code = "kept = multiprocessing.get_context('spawn').Lock()\n"
    code += "from multiprocessing.resource_tracker import _resource_tracker as tracker\nassert tracker._pid"
    assert _state(code, then="print(state.programs)") == "[] []\n()"


PATCHED = """
def pipe(around=os.pipe):
    return around()
os.pipe = pipe
kept = os.pipe()
"""


def test_what_a_library_puts_around_a_function_while_loading_stays_there() -> None:
    script = "print(os.pipe is pipe, len(os.pipe()), os.register_at_fork.__module__)"
    assert _state(PATCHED, then=script) == "['a pipe', 'a pipe'] []\nTrue 2 posix"


HELD = """
loop = asyncio.new_event_loop()
kept = type("Reactor", (), {"__module__": "library.reactor"})()
kept.loop = loop
"""


def test_the_library_that_has_a_loop_answers_for_it_and_not_the_module_that_made_it() -> None:
    script = "print({one.module for one in state.descriptors})"
    assert _state(HELD, then=script).endswith("\n{'library.reactor'}")
    assert _state("loop = asyncio.new_event_loop()", then=script).endswith("\n{'__main__'}")


FILES = """
import mmap, sys
sys.path.insert(0, {folder!r})
import files
kept = (
    open("log", "a"), open("log", "w"), open("both", "a+"), open("/proc/self/stat"), open("/dev/zero", "rb"),
    os.open(".", os.O_RDONLY), os.memfd_create("memory"),
)
with open("data.txt", "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
"""


def test_a_file_that_is_read_is_seen_and_a_log_or_a_mapping_is_not(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("data")
    (tmp_path / "data.db").touch()
    (tmp_path / "data.raw").touch()
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("member", "text")
    (tmp_path / "files.py").write_text(
        "import os, sqlite3, zipfile\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "archive = zipfile.ZipFile('data.zip')\n"
        "class Reader:\n    pass\n"
        "reader = Reader()\nreader.file = open('data.txt')\n"
        "connection = sqlite3.connect('data.db')\nconnection.execute('SELECT 1 FROM sqlite_master')\n"
        "raw = os.open('data.raw', os.O_RDONLY)\n"
    )
    script = (
        "print(*sorted((one.what.rpartition('/')[2], one.module) for one in state.descriptors), sep=chr(10))"
    )
    said = _state(FILES.format(folder=str(tmp_path)), then=script).splitlines()[1:]
    assert said == ["('data.db', '')", "('data.raw', '')", "('data.txt', 'files')", "('data.zip', 'files')"]


# The kernel's list of threads stops at one that ends meanwhile, on another processor and while the list stands at it.
# So there are eight each time, begun without Python; of 6,000 lists that are read once, 5 to 29 are short.
ENDINGS = """
import ctypes
libc = ctypes.CDLL(None)
libc.pthread_create.argtypes = [ctypes.c_void_p] * 4
libc.pthread_detach.argtypes = [ctypes.c_ulong]
number = ctypes.c_ulong()
missed = 0
for _ in range(3000):
    for microseconds in range(0, 40, 5):
        if libc.pthread_create(ctypes.addressof(number), None, libc.usleep, microseconds) == 0:
            libc.pthread_detach(number)
    stay = threading.Event()
    staying = threading.Thread(target=stay.wait, name="poller")
    staying.start()
    for _ in range(2):
        missed += staying.native_id not in _tasks()
    stay.set()
    staying.join()
print(missed)
"""


def test_a_thread_that_ends_hides_no_other() -> None:
    assert _state(ENDINGS).splitlines()[0] == "0"


EARLIER = """
import os, sys, threading, types

module = types.ModuleType("opentelemetry.sdk.export")
exec(compile({source!r}, "export.py", "exec"), vars(module))
sys.modules[module.__name__] = module
module.Processor()
"""
PROCESSOR = """
import os, threading

class Processor:
    def __init__(self):
        threading.Thread(target=self.work, name="exporter", daemon=True).start()
        {hook}

    def work(self):
        threading.Event().wait()
"""
JUDGED = """
import socket
from nuages.runtime.belongings import given_descriptors, read_state
from nuages.runtime.notes import Notes
from nuages.runtime.obstacles import obstacle
notes = Notes()
print(obstacle(read_state(given_descriptors(), notes)))
"""


def test_what_an_agent_has_done_before_anybody_noted_it_counts() -> None:
    """A sitecustomize runs before us: what its threads' library asked for then, and what it has opened."""

    def judged(hook: str, more: str = "") -> str:
        code = EARLIER.format(source=PROCESSOR.format(hook=hook)) + more + JUDGED
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.strip()

    assert judged("os.register_at_fork(after_in_child=self.work)") == ""
    assert judged("") == "the thread 'exporter' of opentelemetry.sdk.export would not survive a fork"
    pair = "import socket; kept = socket.socketpair()\n"
    assert "a connection to" in judged("os.register_at_fork(after_in_child=self.work)", pair)


CLOSING = """
import os, sys, threading
from nuages.runtime.belongings import given_descriptors

def close():
    while True:
        os.close(os.open("/dev/null", os.O_RDONLY))

sys.setswitchinterval(1e-6)
for _ in range(2):
    threading.Thread(target=close, daemon=True).start()
print({frozenset(given_descriptors() - {0, 1, 2}) for _ in range(30000)} == {frozenset()}, flush=True)
os._exit(0)
"""


def test_a_descriptor_that_an_agents_thread_closes_meanwhile_ends_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSING], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "True\n", done.stderr
