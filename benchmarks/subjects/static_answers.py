"""What static files are answered: the table of requests against nuages, nginx and WhiteNoise, and where they differ."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from pathlib import Path

from benchmarks import servers
from benchmarks.bars import at_least
from benchmarks.load import Load
from benchmarks.running import Running, StartError, started
from benchmarks.samples import Metric, Outcome, Sample
from benchmarks.stage import Stage
from benchmarks.static_answers import ask, complaints, marks
from benchmarks.static_rows import ROWS, write_files
from benchmarks.subject import Subject

RIGHT = Metric(key="right", title=f"of {len(ROWS)} answers as the table has them", less_is_better=False)
SERVERS = (
    servers.nuages,
    servers.nginx,
    servers.gunicorn.extended("gunicorn-whitenoise", MEASURED_WHITENOISE="1"),
)
_NOT_ASKED = frozenset(
    {"access-control-allow-origin", "x-content-type-options"}
)  # nginx sends what one writes there


def _answers(running: Running) -> dict[int, list[str]]:
    """Return what is wrong with each row's answer, by its number."""
    known: Mapping[str, str] = marks(running.port)
    found = {}
    for number, row in enumerate(ROWS):
        try:
            wrong = complaints(row, ask(running.port, row, known), known)
        except (OSError, http.client.HTTPException) as error:
            wrong = [f"{type(error).__name__}: {error}"]
        found[number] = [text for text in wrong if text.partition(":")[0] not in _NOT_ASKED]
    return found


def run(stage: Stage) -> Outcome:
    """Ask every row of every server once; the remarks are the differences."""
    project = stage.prepare()
    write_files(Path(project.environ["MEASURED_DATA"]) / "static")
    samples, differences = [], dict.fromkeys(range(len(ROWS)), "")
    for server in stage.taking_part(SERVERS):
        log = stage.folder / f"{server.name}.log"
        try:
            with started(
                server, places=stage.places(project), environ=project.environ, core=None,
                probe=Load(path="/static/plain.bin"), log=log,
            ) as running:  # fmt: skip
                found = _answers(running)
                command = running.command
        except StartError as error:
            samples.append(Sample(server=server.name, round=0, faults=(str(error),)))
            continue
        for number, wrong in found.items():
            if wrong:
                differences[number] += f"\n          {server.name}: {'; '.join(wrong)}"
        right = sum(not wrong for wrong in found.values())
        samples.append(Sample(server=server.name, round=0, numbers={"right": right}, command=command))
        stage.tell(f"  {server.name}: {right} of {len(ROWS)}")
    remarks = tuple(f"{ROWS[number].title}{said}" for number, said in differences.items() if said)
    return Outcome(
        samples=tuple(samples),
        metrics=(RIGHT,),
        rank=RIGHT,
        bars=(at_least(samples, RIGHT, len(ROWS)),),
        remarks=remarks,
    )


SUBJECTS = (Subject(name="static-answers", title="static files, what they are answered", run=run),)
