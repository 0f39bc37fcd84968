"""The benchmarks' arithmetic: what a median, a rank, a promise and a command line are."""

from __future__ import annotations

import pytest
from benchmarks import bars, load, report, servers
from benchmarks.samples import CPU, RATE, Bar, Outcome, Sample, median, ranking, spread


def sample(server: str, cpu: float, *, rate: float = 1000.0, fault: str = "", number: int = 0) -> Sample:
    return Sample(
        server=server, round=number, numbers={"cpu_us": cpu, "rps": rate}, faults=(fault,) if fault else ()
    )


SAMPLES = (
    sample("handler", 80),
    sample("nuages", 130, rate=900),
    sample("nuages", 120, rate=950),
    sample("nuages", 125, rate=925),
    sample("granian", 140, rate=1100),
    sample("uwsgi", 90, fault="3 socket errors in 10 requests"),
)


def test_a_spread_has_the_median_the_least_and_the_most_of_all_rounds() -> None:
    found = spread(SAMPLES, "nuages", CPU)
    assert found is not None
    assert (found.median, found.least, found.most) == (125, 120, 130)


def test_a_server_with_faults_has_no_result_and_no_rank() -> None:
    assert median(SAMPLES, "uwsgi", CPU) is None
    assert ranking(SAMPLES, CPU) == ["handler", "nuages", "granian"]


def test_more_requests_a_second_are_better_and_less_cpu_is() -> None:
    assert ranking(SAMPLES, RATE, without=("handler",)) == ["granian", "nuages"]
    assert ranking(SAMPLES, CPU, without=("handler",)) == ["nuages", "granian"]


def test_a_promise_against_a_peer_shows_both_figures() -> None:
    assert bars.not_worse(SAMPLES, CPU, "granian") == Bar(
        promise="nuages: CPU µs/request ≤ granian's", seen="125 against 140", held=True
    )
    assert bars.not_worse(SAMPLES, RATE, "granian").held is False


def test_a_promise_against_a_peer_that_failed_cannot_be_told() -> None:
    assert bars.not_worse(SAMPLES, CPU, "uwsgi") == Bar(
        promise="nuages: CPU µs/request ≤ uwsgi's", seen=bars.NOT_MEASURED, held=None
    )


def test_the_share_of_the_limit_is_best_run_by_best_run() -> None:
    assert bars.share_of_limit(SAMPLES, 0.70) == Bar(
        promise="nuages: 70% of Django's handler in a loop (aim)", seen="67%", held=False
    )


def test_the_report_says_who_is_best_and_where_nuages_stands() -> None:
    by_rate = Outcome(samples=SAMPLES, rank=RATE)
    assert report.standing(by_rate) == (
        "Best by requests/s: granian, 1,100. nuages: place 2 of 2, 925, 0.84 × the best."
    )
    assert report.standing(Outcome(samples=SAMPLES)) == (
        "Best by CPU µs/request: nuages, 125. Next: granian, 140."
    )


def test_the_table_marks_a_server_with_faults_and_lists_them() -> None:
    lines = report.table(Outcome(samples=SAMPLES, metrics=(CPU, RATE)))
    assert lines == [
        "server   CPU µs/request     requests/s  % of limit",
        "--------------------------------------------------",
        "handler              80          1,000        100%",
        "nuages    125 (120–130)  925 (900–950)         67%",
        "granian             140          1,100         57%",
        "uwsgi *              90          1,000         89%",
        "* uwsgi: 3 socket errors in 10 requests",
    ]


@pytest.mark.parametrize("server", servers.KNOWN.values(), ids=lambda server: server.name)
def test_every_command_line_can_be_filled_in(server: servers.Server) -> None:
    places = {name: name for name in ("python", "bin", "prefix", "site", "port", "workers", "data")}
    assert not [word for word in server.command(places) if "{" in word]


def test_an_answer_of_another_length_or_status_is_told() -> None:
    asked = load.Load(path="/plain/", length=6)
    assert load.complaint(asked, load.Answer(status=200, length=6, body=b"Nuages"), None) == ""
    assert (
        load.complaint(asked, load.Answer(status=500, length=6, body=b""), None) == "status 500 for /plain/"
    )
    assert (
        load.complaint(load.Load(path="/query/"), load.Answer(status=200, length=9, body=b""), 8)
        == "9 bytes for /query/, not 8"
    )
