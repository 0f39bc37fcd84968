"""`python -m benchmarks [SUBJECT …]`: measure, compare, and say who is best."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nuages
from benchmarks import machine, report
from benchmarks.servers import KNOWN
from benchmarks.stage import Stage
from benchmarks.subjects import SUBJECTS

LEAST_ROUNDS = 3
QUICK_GIB = 0.125


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the servers that run Django, alternating, on one interpreter. CPU per request is the "
        "figure to compare: requests/s and latencies are those of one pinned core on this machine at this hour.",
    )
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"default: all of {', '.join(SUBJECTS)}"
    )
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="measurements of each server")
    parser.add_argument("--seconds", type=float, default=4, help="length of one measurement")
    parser.add_argument("--servers", default="", help=f"only these, comma-separated: {', '.join(KNOWN)} …")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to FILE")
    parser.add_argument(
        "--upload-gib", type=float, default=5, metavar="SIZE", help="size of the large upload"
    )
    parser.add_argument("--quick", action="store_true", help="one round of 1 s, a small upload: does it run?")
    return parser


def _cores() -> tuple[int | None, int | None]:
    """Return the server's core and the load's; where there is only one, nothing is pinned."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def _raise_limits() -> None:
    """Allow as many open files as root or the hard limit allows: one subject holds 10,000 connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _terminated(number: int, _frame: object) -> None:
    """End as after Ctrl-C: servers and databases are ended with the blocks that run them."""
    sys.exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subjects; return 0 when every server answered well, 1 when a row has faults, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    unknown = [name for name in options.subjects if name not in SUBJECTS]
    if unknown:
        print(f"no such subject: {', '.join(unknown)}; there are {', '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    if not shutil.which("wrk"):
        print("wrk is needed to make the load: apt-get install wrk", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _terminated)
    _raise_limits()
    # As pip leaves packages, and as the other servers lie there; where bytecode is not written (an environment that
    # says so), every process would compile nuages anew and keep what that takes.
    compileall.compile_dir(str(Path(nuages.__file__).parent), quiet=1)
    facts = machine.describe()
    print(machine.text(facts), flush=True)
    server_core, load_core = _cores()
    print(
        f"Pinning:     server on core {server_core}, load and databases on core {load_core}\n"
        if load_core is not None
        else "Pinning:     none: this machine has one core, and the load shares it\n"
    )
    documents: dict[str, Any] = {"machine": facts, "subjects": {}}
    flawed = False
    with tempfile.TemporaryDirectory(prefix="nuages-bench-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's user passes through
        stage = Stage(
            rounds=1 if options.quick else options.rounds,
            seconds=1 if options.quick else options.seconds,
            folder=Path(folder),
            server_core=server_core,
            load_core=load_core,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
            upload_gib=QUICK_GIB if options.quick else options.upload_gib,
            only=tuple(filter(None, options.servers.split(","))),
        )
        for name in options.subjects or SUBJECTS:
            document, sound = _subject(stage, name)
            documents["subjects"][name] = document
            flawed |= not sound
            if options.json:
                _write(options.json, documents)
    return 1 if flawed else 0


def _subject(stage: Stage, name: str) -> tuple[dict[str, Any], bool]:
    """Run one subject and print its report; return it as JSON, and whether every answer was right."""
    subject = SUBJECTS[name]
    began = time.monotonic()
    stage.tell(f"{name}: {subject.title}")
    try:
        outcome = subject.run(stage)
    except FileNotFoundError as error:
        print(f"## {name}: {subject.title}\n\nNOT RUN: {error}\n", flush=True)
        return {"not_run": str(error)}, False
    print(report.text(subject, outcome), flush=True)
    stage.tell(f"{name}: {time.monotonic() - began:.0f} s")
    return report.to_json(outcome), not any(sample.faults for sample in outcome.samples)


def _write(path: Path, documents: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(documents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())
