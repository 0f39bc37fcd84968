"""Talk on stderr: steps, progress, warnings and hints; data goes to stdout and never through here."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from nuages.errors import NuagesError

_STYLES = {"error": "31;1", "warning": "33;1", "hint": "36", "step": "1", "dim": "2"}


class Console:
    """Writes what a person reads, or one JSON object a line with `--json`.

    Lower layers report events as `event(name, **fields)`; `text` is what a person reads of it. Colour is decided
    for this stream alone: NO_COLOR beats FORCE_COLOR beats «is a terminal» (no-color.org, force-color.org).
    """

    def __init__(
        self, stream: TextIO | None = None, *, as_json: bool = False, environ: Mapping[str, str] | None = None
    ) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.as_json = as_json
        environ = os.environ if environ is None else environ
        self.colour = not as_json and _wants_colour(environ, self.stream)
        self._started = time.monotonic()
        self._is_showing = False

    def event(self, name: str, text: str = "", **fields: Any) -> None:
        """Report progress: one line of `text` for a person, `{"event": name, …}` for a program."""
        if self.as_json:
            elapsed = round(time.monotonic() - self._started, 3)
            self._write(
                json.dumps({"event": name, "elapsed": elapsed, **({"text": text} if text else {}), **fields})
            )
        elif text and name == "progress":
            self._progress(text)
        elif text and name == "warning":
            self.warning(text)
        elif text:
            self._write(f"{self._paint('step', '·')} {text}")

    def _progress(self, text: str) -> None:
        """Show how far something is on one line of a terminal, which the next line takes; elsewhere it is no news."""
        if self.stream.isatty() and os.environ.get("TERM") != "dumb":
            self._is_showing = True
            self.stream.write(f"\r  {text}\033[K\r")
            self.stream.flush()

    def warning(self, text: str, **fields: Any) -> None:
        """Say that something is probably not what the user wants; `text` may have several lines."""
        if self.as_json:
            self._write(json.dumps({"event": "warning", "text": text, **fields}))
        else:
            self._write(f"{self._paint('warning', 'warning:')} {text}")

    def error(self, error: NuagesError) -> None:
        """Print the whole error block."""
        if self.as_json:
            fields = {"what": error.what, "where": error.where, "why": error.why, "hint": error.hint}
            self._write(json.dumps({"event": "error", "exit": error.exit_code, **fields}))
            return
        text = error.render()
        if self.colour:
            text = text.replace("error:", self._paint("error", "error:"), 1)
            text = text.replace("\nhint:", "\n" + self._paint("hint", "hint:"), 1)
        self._write(text)

    def _paint(self, style: str, text: str) -> str:
        return f"\033[{_STYLES[style]}m{text}\033[0m" if self.colour else text

    def _write(self, line: str) -> None:
        clear = "\033[K" if self._is_showing else ""
        self._is_showing = False
        try:
            self.stream.write(f"{clear}{line}\n")
            self.stream.flush()
        except (BrokenPipeError, ValueError):
            pass  # nobody listens any more; what we do goes on


def _wants_colour(environ: Mapping[str, str], stream: TextIO) -> bool:
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


def open_what_is_closed() -> None:
    """Let what is printed go nowhere where who started us has closed it (`>&-`): no new file must take its number,
    here or in the processes that are started."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    nowhere = os.fdopen(number, "w")
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
