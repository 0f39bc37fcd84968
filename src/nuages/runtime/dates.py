"""The dates of HTTP in their three forms (RFC 9110, section 5.6.7)."""

from __future__ import annotations

import calendar
import re
import time
from functools import lru_cache

_MONTHS = {name: number for number, name in enumerate(
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
)}  # fmt: skip
_DAY = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d)"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_FORMS = (
    re.compile(rf"(?:{_DAY}), (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_CLOCK} GMT", re.ASCII),
    re.compile(
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_CLOCK} GMT",
        re.ASCII,
    ),
    re.compile(rf"(?:{_DAY}) {_MONTH} (?P<day>\d\d| \d) {_CLOCK} (?P<year>\d{{4}})", re.ASCII),
)


@lru_cache(maxsize=1024)
def parse_date(value: bytes) -> int | None:
    """Return an HTTP date as Unix seconds; None for what is no date, which is to be ignored.

    A year of two digits that would lie more than fifty years ahead is one of the past.
    """
    text = value.decode("latin-1")
    match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if match is None:
        return None
    year, day = int(match["year"]), int(match["day"])
    hour, minute, second = (int(part) for part in match["clock"].split(":"))
    if len(match["year"]) == 2:
        this = time.gmtime().tm_year
        year += this - this % 100
        if year > this + 50:
            year -= 100
    month = _MONTHS[match["month"]]
    # A leap second is a time too.
    if (
        year < 1
        or hour > 23
        or minute > 59
        or second > 60
        or not 1 <= day <= calendar.monthrange(year, month)[1]
    ):
        return None
    return calendar.timegm((year, month, day, hour, minute, second))
