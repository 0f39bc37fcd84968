"""The options of `up` and `run` beside those of `serve`: the private environment and what prepares it."""

from __future__ import annotations

from dataclasses import dataclass

from nuages.kinds import choice, flag, text
from nuages.options import declare

ENVIRONMENT = "Environment"
DATABASE = "Database"
PROCESSES = "Processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """How the private environment is made."""

    python: str | None = declare(
        text("X.Y|PATH"),
        default=None,
        default_text="the newest that project and Django support",
        help="the Python to take",
        group=ENVIRONMENT,
    )
    env_file: str | None = declare(
        text("FILE"),
        default=None,
        help="NAME=value lines for the project; real variables win over them",
        group=ENVIRONMENT,
    )
    migrate: str = declare(
        choice("auto", "on", "off"),
        default="auto",
        help="apply migrations first; auto: only to SQLite and to databases on this machine",
        group=DATABASE,
    )
    all: bool = declare(
        flag, default=False, default_text="", group=PROCESSES,
        help="also run the project's other processes: workers, schedulers, scheduled commands",
    )  # fmt: skip
    home: str | None = declare(
        text("DIR"),
        default=None,
        default_text="$XDG_DATA_HOME/nuages",
        help="where private environments are kept",
        group=ENVIRONMENT,
    )
