"""What is measured, in the order of a full run."""

from __future__ import annotations

from benchmarks.subject import Subject
from benchmarks.subjects import (
    asynchronous,
    bare,
    computing,
    connections,
    idle,
    memory,
    plain,
    query,
    recycling,
    reload,
    static,
    static_answers,
    static_slow,
    upload,
    waiting,
)

SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for module in (
        bare,
        plain,
        query,
        computing,
        waiting,
        asynchronous,
        static,
        static_answers,
        static_slow,
        connections,
        idle,
        memory,
        reload,
        recycling,
        upload,
    )
    for subject in module.SUBJECTS
}
