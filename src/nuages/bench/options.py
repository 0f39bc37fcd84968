"""The options of `nuages bench`."""

from __future__ import annotations

from dataclasses import dataclass

from nuages import kinds
from nuages.kinds import choice, flag, integer, text
from nuages.options import declare

BENCH = "Bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalOptions:
    """What is rehearsed, and under which load. Durations are seconds."""

    rollout: bool = declare(
        flag, default=False, default_text="", group=BENCH,
        help="rehearse a rolling update from the first project to the second, as the manifests say",
    )  # fmt: skip
    duration: float = declare(
        kinds.duration, default=60.0, default_text="60s", group=BENCH, help="how long visitors come"
    )
    rate: int = declare(
        integer(1),
        default=50,
        group=BENCH,
        help="pages that are asked for in a second, whatever the answers take",
    )
    page: tuple[str, ...] = declare(
        text("PATH"), default=("/",), repeatable=True, group=BENCH, help="a page that visitors ask for; repeatable"
    )  # fmt: skip
    peer: str = declare(
        choice("uvicorn", "none"), default="uvicorn", group=BENCH,
        help="rehearse the same with stock settings of this server, and print both",
    )  # fmt: skip
    endpoint_delay: float = declare(
        kinds.duration, default=1.0, default_text="1s", group=BENCH,
        help="how much later than the pod the balancer learns of its end",
    )  # fmt: skip
