"""Cron expressions: five fields as crontab(5) and Kubernetes' CronJob read them, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WORDS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The minutes at which something runs: a set of numbers a field; days of the week are 0 (Sunday) to 6.

    As in crontab(5), a day fits by either of its fields where neither is `*`.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    by_either_day: bool

    def fits(self, moment: datetime) -> bool:
        """Return whether a minute belongs to the schedule."""
        in_month = moment.day in self.days
        in_week = moment.isoweekday() % 7 in self.weekdays
        is_day = in_month or in_week if self.by_either_day else in_month and in_week
        return (
            moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.month in self.months
            and is_day
        )

    def after(self, moment: datetime) -> datetime | None:
        """Return the first fitting minute after `moment`, None where none comes in the next nine years."""
        one = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        end = one + timedelta(days=9 * 366)
        while one < end:
            if self.fits(one):
                return one
            day = one.replace(hour=0, minute=0)
            if not self._has_day(one):
                one = day + timedelta(days=1)
            elif one.hour not in self.hours:
                one = one.replace(minute=0) + timedelta(hours=1)
            else:
                one += timedelta(minutes=1)
        return None

    def _has_day(self, moment: datetime) -> bool:
        hour, minute = min(self.hours), min(self.minutes)
        return self.fits(moment.replace(hour=hour, minute=minute))


def parse(text: str) -> Schedule:
    """Return the schedule that an expression or one of the words `@daily` … says; raises ValueError with why not."""
    fields = _WORDS.get(text.strip().lower(), text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError("a schedule has five fields: minute, hour, day of the month, month, day of the week")
    sets = [_numbers(field, *facts) for field, facts in zip(fields, _FIELDS, strict=True)]
    return Schedule(
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=frozenset(day % 7 for day in sets[4]),
        by_either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def _numbers(field: str, name: str, least: int, most: int, words: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no {name}")
        first, last, step = match.groups()
        if first == "*":
            if last is not None:
                raise ValueError(f"{part!r} is no {name}")
            low, high = least, most
        else:
            low = _number(first, name, least, most, words)
            high = _number(last, name, least, most, words) if last else most if step else low
        if high < low or (step is not None and int(step) == 0):
            raise ValueError(f"{part!r} is no {name}: it holds nothing")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, name: str, least: int, most: int, words: tuple[str, ...]) -> int:
    if text.lower() in words:
        return words.index(text.lower()) + least
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is no {name}: it goes from {least} to {most}")
    return int(text)
