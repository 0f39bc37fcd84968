"""A WSGI application that does nothing: the servers alone, without Django."""

from __future__ import annotations

import dataclasses

from benchmarks import servers
from benchmarks.bars import not_worse_than_best
from benchmarks.load import Load
from benchmarks.samples import CPU, Outcome
from benchmarks.servers import Server
from benchmarks.stage import Stage
from benchmarks.subject import Subject

APPLICATION = "measured.bare:application"


def _bare(server: Server) -> Server:
    argv = tuple(APPLICATION if word == servers.WSGI else word for word in server.argv)
    return dataclasses.replace(server, argv=argv)


SERVERS = (
    servers.nuages.extended("nuages", "--app", APPLICATION),
    servers.nuages_1.extended("nuages-1", "--app", APPLICATION),
    *map(_bare, (servers.granian, servers.granian_1, servers.uwsgi, servers.gunicorn, servers.waitress)),
)


def run(stage: Stage) -> Outcome:
    """Ask it on 16 connections."""
    samples = stage.compare(SERVERS, stage.prepare(), Load(path="/plain/", length=6))
    return Outcome(samples=samples, bars=(not_worse_than_best(samples, CPU),))


SUBJECTS = (Subject(name="bare", title="a WSGI application that does nothing, 16 connections", run=run),)
