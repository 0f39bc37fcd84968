"""Which loggers have errors that nobody would write."""

from __future__ import annotations

import logging

import pytest
from django.utils.log import AdminEmailHandler, RequireDebugFalse, RequireDebugTrue

from nuages.runtime.loggers import is_silent


def _logger(*handlers: logging.Handler, parent: logging.Logger | None = None) -> logging.Logger:
    logger = logging.Logger("shop", logging.INFO)  # noqa: LOG001 - one that no other test knows
    logger.parent = parent
    for handler in handlers:
        logger.addHandler(handler)
    return logger


def _mail() -> logging.Handler:
    return AdminEmailHandler(reporter_class="django.views.debug.ExceptionReporter")  # else it asks settings


def _console(*filters: logging.Filter, level: int = logging.INFO) -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(level)
    for one in filters:
        handler.addFilter(one)
    return handler


@pytest.mark.parametrize(
    ("logger", "silent"),
    [
        (_logger(_console(RequireDebugTrue()), _mail()), True),  # Django's default
        (_logger(_mail()), True),
        (_logger(logging.NullHandler()), False),  # it is meant so
        (_logger(_console(level=logging.CRITICAL)), True),
        (_logger(_console(RequireDebugFalse())), False),
        (_logger(_mail(), _console()), False),
        (_logger(_mail(), parent=_logger(_console())), False),
        (_logger(), False),  # Python writes it
    ],
)
def test_a_logger_is_silent_whose_handlers_write_no_error_with_debug_off(
    logger: logging.Logger, silent: bool
) -> None:
    assert is_silent(logger, debug=False) is silent


def test_with_debug_on_the_console_of_djangos_default_writes() -> None:
    assert not is_silent(_logger(_console(RequireDebugTrue()), _mail()), debug=True)


def test_what_does_not_propagate_does_not_reach_the_handlers_above() -> None:
    logger = _logger(_mail(), parent=_logger(_console()))
    logger.propagate = False
    assert is_silent(logger, debug=False)


def test_a_logger_that_takes_no_errors_is_meant_so() -> None:
    logger = _logger(_mail())
    logger.setLevel(logging.CRITICAL)
    assert not is_silent(logger, debug=False)
