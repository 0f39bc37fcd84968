"""The options of `collect` beside those of the server."""

from __future__ import annotations

from dataclasses import dataclass

from nuages.kinds import choice, flag, text
from nuages.options import declare
from nuages.runtime.bucket import bucket
from nuages.runtime.settings import FILES


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOptions:
    """Where `collect` writes."""

    output: str | None = declare(
        text("DIR"),
        default=None,
        default_text="STATIC_ROOT, or --static-root where that is unset",
        group=FILES,
        help="where to write the collected files",
    )
    to: str | None = declare(
        bucket, default=None, default_text="none", group=FILES,
        help="upload them to a bucket too, as far as it does not hold them: s3://BUCKET/PREFIX?endpoint_url=…",
    )  # fmt: skip
    effort: str = declare(
        choice("best", "fast"), default="best", group=FILES, rare=True,
        help="how well files are compressed: best takes 1.6 s of a processor for a megabyte, fast 0.1 s and makes them "
        "an eighth larger (nuages up)",
    )  # fmt: skip
    sealed: bool = declare(
        flag, default=False, default_text="", group=FILES, rare=True,
        help="refuse network and databases and name who asks for them, as building an image does",
    )  # fmt: skip
