"""What is said while collecting takes long: how far it is, and which folder has most of the files.

A whole node_modules among STATICFILES_DIRS has tens of thousands of files, each of which is copied, hashed and
compressed, and nothing was said for minutes where no terminal shows how far it is, as in a container's log.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

Report = Callable[[str, str], None]

_PATIENCE = 5.0  # seconds without a word
_AGAIN = 20.0  # seconds from one word on how far it is to the next
_MANY = 5000  # files of one folder that somebody has hardly meant


class Progress:
    """Passes on what is reported, and tells now and then what is going on."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._told = clock()

    def report(self, event: str, text: str) -> None:
        """Pass an event on; progress, which only a terminal shows, also as a line of its own now and then."""
        self._report(event, text)
        if event == "progress" and self._clock() - self._told > _AGAIN:
            self._told = self._clock()
            self._report("collecting", text)

    def tell(self, folders: Counter[str]) -> None:
        """Say how many files there are; `folders` are those that they come from."""
        whole = sum(folders.values())
        if not whole:
            return
        (folder, most), *_ = folders.most_common(1)
        text = f"collecting {whole} static files; {most} of them are in {folder}"
        if most >= _MANY:
            text += ", each copied, hashed and compressed: in STATICFILES_DIRS name only the folders that pages use"
        self._told = self._clock()
        self._report("collecting", text)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Tell where the files come from if the block takes long."""

        def look() -> None:
            found = folders()
            if not timer.finished.is_set():  # else the block has ended meanwhile
                self.tell(found)

        timer = threading.Timer(_PATIENCE, look)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def folders() -> Counter[str]:
    """Return how many files each folder has that the project's finders look into."""
    found: Counter[str] = Counter()
    # Finders are the project's, and what is wrong with them is told by who collects.
    with contextlib.suppress(Exception):
        from django.contrib.staticfiles.finders import get_finders

        for finder in get_finders():
            for _, storage in finder.list([]):
                found[str(getattr(storage, "location", None) or type(storage).__name__)] += 1
    return found
