"""Cron expressions, against a slow reading of crontab(5) and against what it says in words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.project.schedule import parse


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type, misc]


NOON = at(2026, 11, 28, 12, 0)  # a Saturday


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("*/5 * * * *", at(2026, 11, 28, 12, 5)),
        ("0 3 * * *", at(2026, 11, 29, 3, 0)),
        ("30 6 * * mon-fri", at(2026, 11, 30, 6, 30)),
        ("0 0 * * 7", at(2026, 11, 29, 0, 0)),
        ("0 0 * * sun", at(2026, 11, 29, 0, 0)),
        # By either of the two fields where neither is free (crontab(5)).
        ("0 0 1 * mon", at(2026, 11, 30, 0, 0)),
        ("0 0 1 * *", at(2026, 12, 1, 0, 0)),
        ("0 0 29 feb *", at(2028, 2, 29, 0, 0)),
        ("1-5/2,10 * * * *", at(2026, 11, 28, 12, 1)),
        ("50/5 12 * * *", at(2026, 11, 28, 12, 50)),
        ("@daily", at(2026, 11, 29, 0, 0)),
        ("@yearly", at(2027, 1, 1, 0, 0)),
        ("0 0 31 2 *", None),
    ],
)
def test_the_next_time_is_the_first_that_fits(text: str, first: datetime | None) -> None:
    assert parse(text).after(NOON) == first


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("every day", "a schedule has five fields: minute, hour, day of the month, month, day of the week"),
        ("60 * * * *", "'60' is no minute: it goes from 0 to 59"),
        ("0 24 * * *", "'24' is no hour: it goes from 0 to 23"),
        ("0 0 0 * *", "'0' is no day of the month: it goes from 1 to 31"),
        ("0 0 * jan-foo *", "'foo' is no month: it goes from 1 to 12"),
        ("5-1 * * * *", "'5-1' is no minute: it holds nothing"),
        ("*/0 * * * *", "'*/0' is no minute: it holds nothing"),
        ("*-5 * * * *", "'*-5' is no minute"),
        (", * * * *", "'' is no minute"),
    ],
)
def test_what_is_no_schedule_is_told_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as error:
        parse(text)
    assert str(error.value) == why


_minutes = st.sampled_from(["*", "*/7", "0", "59", "3,4,50-52"])
_hours = st.sampled_from(["*", "0", "23", "*/6", "9-17/4"])
_days = st.sampled_from(["*", "1", "31", "*/10", "15-16"])
_months = st.sampled_from(["*", "2", "nov", "4-6"])
_weekdays = st.sampled_from(["*", "0", "mon-fri", "6,7"])


@given(
    fields=st.tuples(_minutes, _hours, _days, _months, _weekdays),
    start=st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: at(2026, 1, 1) + timedelta(minutes=minutes)),
)
def test_no_time_that_fits_is_passed_over(fields: tuple[str, ...], start: datetime) -> None:
    schedule = parse(" ".join(fields))
    found = schedule.after(start)
    end = start + timedelta(hours=30)
    minute = start.replace(second=0, microsecond=0)
    slow = None
    while slow is None and minute < end:
        minute += timedelta(minutes=1)
        slow = minute if schedule.fits(minute) else None
    if slow is not None:
        assert found == slow
    else:
        assert found is None or (found > minute and schedule.fits(found))
