"""Writes the outcome of every test to the file DJANGO_SUITE_RESULTS, and how many requests went over the wire."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner

from django_suite import wire


class Result(unittest.TextTestResult):
    """Notes the outcome of every test."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.outcomes: dict[str, tuple[str, str]] = {}

    def _note(self, test: Any, outcome: str, why: str = "") -> None:
        if self.outcomes.get(test.id(), ("",))[0] != "failed":
            self.outcomes[test.id()] = (outcome, why)

    def addSuccess(self, test: Any) -> None:  # noqa: N802 - unittest's name
        super().addSuccess(test)
        self._note(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        self._note(test, "skipped", "Django expects it to fail")

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self._note(test, "failed", self.errors[-1][1])

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._note(test, "failed", self.failures[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, "failed", f"{subtest}: {err[0].__name__}: {err[1]}")


class Runner(DiscoverRunner):
    """Django's runner, with our result."""

    def get_resultclass(self) -> Any:
        """Return the class that notes outcomes."""
        return Result

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        """Run the tests and write the outcomes down."""
        result = super().run_suite(suite, **kwargs)
        found = {"requests": wire.asked, "outcomes": result.outcomes}
        Path(os.environ["DJANGO_SUITE_RESULTS"]).write_text(json.dumps(found))
        return result
