"""The options of `check` beside those that say which project and which environment."""

from __future__ import annotations

from dataclasses import dataclass

from nuages.kinds import flag, text
from nuages.options import declare

TALK = "Output"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What `check` shows beside the findings."""

    env: bool = declare(flag, default=False, default_text="", group=TALK,
                        help="list the environment variables that the settings read")  # fmt: skip
    env_template: bool = declare(flag, default=False, default_text="", group=TALK,
                                 help="print these variables as an env file to fill in")  # fmt: skip
    config: bool = declare(flag, default=False, default_text="", group=TALK,
                           help="list every option, its value and who set it")  # fmt: skip
    run: bool = declare(flag, default=False, default_text="", group=TALK,
                        help="also run Django's `check --deploy` in the project's private environment")  # fmt: skip
    image: str | None = declare(
        text("NAME"), default=None, group=TALK,
        help="examine a built image instead, by name or as an archive: layers, sizes, secrets, libraries",
    )  # fmt: skip
    ignore: tuple[str, ...] = declare(text("ID"), default=(), default_text="none", repeatable=True, group=TALK,
                                      help="leave a finding out, for example N031")  # fmt: skip
