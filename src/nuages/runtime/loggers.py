"""What uvicorn and Django log and nobody would write: brought into our log.

The project's own logging stays as it is. Django's default writes errors to the console only with DEBUG on; with DEBUG
off it mails them to ADMINS, and a view that raises would be a 500 in the access log without a reason anywhere
(docs.djangoproject.com, «Logging», «Django's default logging configuration»).
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Iterator
from typing import Any

from nuages.runtime.log import Log

_REQUEST = "django.request"
_HEARD = ("django", _REQUEST, "django.security.DisallowedHost")
"""In this order: what is written for a logger is written for those below it."""
_MOST_CHARACTERS = 12_000  # of a traceback, its end; container runtimes split lines of more than 16 KB


class UvicornLog(logging.Handler):
    """Brings uvicorn's own warnings and errors into our log; only its loggers are touched."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self.texts: deque[str] = deque(maxlen=5)
        self._log = log
        logger = logging.getLogger("uvicorn.error")
        logger.setLevel(logging.WARNING)
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        text = _text(record)
        self.texts.append(text)
        self._log.event(record.levelname.lower(), "uvicorn", text)


class DjangoLog(logging.Handler):
    """Brings the errors of Django's loggers into our log, with the identifier of their request."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            scope = getattr(getattr(record, "request", None), "scope", None) or {}
            exchange = scope.get("nuages.exchange")
            known = {"request_id": exchange.request_id} if exchange is not None else {}
            if getattr(record, "status_code", 500) < 500:  # a suspicious request: what it asked is the reason
                self._log.event("warning", "application", record.getMessage(), **known)
            else:
                self._log.event("error", "application", _text(record), **known)
        except Exception:  # noqa: BLE001 - as every handler of logging: whoever logs is not to fail for it
            self.handleError(record)


def unwritten(debug: bool) -> Iterator[tuple[logging.Logger, str]]:
    """Yield each of Django's loggers whose errors nobody would write, and why; `debug`: the settings have DEBUG on.

    One that is reached from another that was yielded is not, if our handler has been added to that one meanwhile.
    """
    for name in _HEARD:
        logger = logging.getLogger(name)
        if logger.disabled and name == _REQUEST:
            yield logger, "disables Django's loggers"
        elif is_silent(logger, debug=debug):
            yield logger, "only mails them"


def is_silent(logger: logging.Logger, *, debug: bool) -> bool:
    """Return whether an error that is logged here reaches handlers, but none that writes it.

    Without any handler Python itself writes it (`logging.lastResort`). A logger that takes no errors is meant so, and
    so is one with a NullHandler, which is how Django's documentation silences DisallowedHost.
    """
    handlers = list(_handlers(logger))
    return (
        logger.isEnabledFor(logging.ERROR) and bool(handlers) and not any(_writes(h, debug) for h in handlers)
    )


def hear_django(log: Log) -> None:
    """Write the errors that Django's loggers have for nobody."""
    from django.conf import settings

    handler = DjangoLog(log)
    for logger, _ in unwritten(bool(settings.DEBUG)):
        if logger.disabled:  # by `disable_existing_loggers`: enabled for us alone, and no mail is sent
            logger.disabled, logger.propagate = False, False
            logger.handlers.clear()
        logger.addHandler(handler)


def describe() -> str:
    """Return what `hear_django` will do, in words; an empty text for nothing."""
    from django.conf import settings

    why = next((why for _, why in unwritten(bool(settings.DEBUG))), "")
    return why and f"errors of views are written to this log (LOGGING {why})"


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _writes(handler: logging.Handler, debug: bool) -> bool:
    from django.utils.log import AdminEmailHandler, RequireDebugTrue

    if handler.level > logging.ERROR or isinstance(handler, AdminEmailHandler):
        return False
    return debug or not any(isinstance(one, RequireDebugTrue) for one in handler.filters)


def _text(record: logging.LogRecord) -> str:
    text = record.getMessage().strip()
    error: Any = record.exc_info and record.exc_info[1]
    if not error:
        return text
    trace = "".join(traceback.format_exception(error)).rstrip()
    return f"{text}\n{trace if len(trace) <= _MOST_CHARACTERS else '…' + trace[-_MOST_CHARACTERS:]}"
