"""What a zygote loads beyond what a worker would at its start, and whether the result can be forked."""

from __future__ import annotations

from nuages.runtime import site as sites
from nuages.runtime.application import Application
from nuages.runtime.django import Report
from nuages.runtime.settings import Settings
from nuages.runtime.site import Site


def load(application: Application, settings: Settings, report: Report) -> tuple[Site, str]:
    """Load."""
    return sites.load(application, settings, report), ""


def obstacle(_settings: Settings, _report: Report) -> str:
    """Return."""
    return ""
