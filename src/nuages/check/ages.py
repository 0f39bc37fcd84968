"""Releases and their ends: no security fixes come after them. The ends are tables, today is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from nuages.check.facts import Facts
from nuages.check.finding import Finding, notice, warning
from nuages.project.pythons_of_django import Series, pythons_for, release_for
from nuages.project.specifier import one_series

OLD_PYTHON = warning(50, "Python gets no security fixes any more")
AGEING_PYTHON = notice(51, "Python gets its last security fixes soon")
OLD_DJANGO = warning(52, "Django gets no security fixes any more")
AGEING_DJANGO = notice(53, "Django gets its last security fixes soon")
NO_PYTHON = notice(54, "nothing says which Python the project wants")
RULES = (OLD_PYTHON, AGEING_PYTHON, OLD_DJANGO, AGEING_DJANGO, NO_PYTHON)

# https://devguide.python.org/versions/, «End of life»
PYTHON_ENDS = {
    (2, 7): date(2020, 1, 1), (3, 5): date(2020, 9, 30), (3, 6): date(2021, 12, 23), (3, 7): date(2023, 6, 27),
    (3, 8): date(2024, 10, 7), (3, 9): date(2025, 10, 31), (3, 10): date(2026, 10, 31), (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31), (3, 13): date(2029, 10, 31), (3, 14): date(2030, 10, 31),
}  # fmt: skip
# https://www.djangoproject.com/download/, «End of extended support»
DJANGO_ENDS = {
    (1, 8): date(2018, 4, 1), (1, 9): date(2017, 4, 4), (1, 10): date(2017, 12, 2), (1, 11): date(2020, 4, 1),
    (2, 0): date(2019, 4, 1), (2, 1): date(2019, 12, 2), (2, 2): date(2022, 4, 1), (3, 0): date(2021, 4, 6),
    (3, 1): date(2021, 12, 7), (3, 2): date(2024, 4, 1), (4, 0): date(2023, 4, 1), (4, 1): date(2023, 12, 1),
    (4, 2): date(2026, 4, 7), (5, 0): date(2025, 4, 2), (5, 1): date(2025, 12, 3), (5, 2): date(2028, 4, 30),
    (6, 0): date(2027, 4, 30), (6, 1): date(2027, 12, 31),
}  # fmt: skip
_SOON_DAYS = 180
_USUAL_PYTHON, _TOO_OLD = (3, 13), (3, 9)
_NEXT_DJANGO = "5.2, the release with the longest support"


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    yield from _python(facts)
    yield from _django(facts)


def _python(facts: Facts) -> Iterator[Finding]:
    python = facts.project.python or facts.project.python_used
    if python is None:
        yield NO_PYTHON.found(
            "nothing says which Python the project wants", facts.project.dependencies.origin,
            why="the newest that Django supports is taken, and tomorrow that is another one",
            fix=_advice(facts, "echo {} > .python-version", _TOO_OLD),
        )  # fmt: skip
        return
    series = one_series(python.value)
    if series is None:
        return
    end = PYTHON_ENDS.get(series) or (date(2020, 1, 1) if series < (3, 5) else None)
    name = ".".join(map(str, series))
    if end is None:
        return
    least = max(series, _TOO_OLD)
    if end <= facts.today:
        yield OLD_PYTHON.found(
            f"Python {name} has had no security fixes since {end}", python.origin,
            why=f"there stands: {python.value}",
            fix=_advice(facts, f"write {{}} in {python.origin}, and try it: nuages up --python {{}}", least),
        )  # fmt: skip
    elif (end - facts.today).days < _SOON_DAYS:
        yield AGEING_PYTHON.found(
            f"Python {name} gets its last security fixes on {end}", python.origin,
            why=f"that is in {(end - facts.today).days} days",
            fix=_advice(facts, "try the next: nuages up --python {}", least),
        )  # fmt: skip


def _advice(facts: Facts, fix: str, above: Series) -> str:
    """Return a fix that names a Python above `above`: the usual one, or the newest that the project's Django takes."""
    django = facts.project.django
    range_ = pythons_for(django.value) if django else None
    next_ = max(_USUAL_PYTHON, (above[0], above[1] + 1))
    suited = min(next_, range_[1]) if range_ else next_
    if django and suited <= above:
        newest = ".".join(map(str, suited))
        later = release_for(django.value, (suited[0], suited[1] + 1))
        to = f", to {later} or a later release of its series" if later else ""
        return f"upgrade Django first{to}: {django.value.lstrip('=')} runs on no newer Python than {newest}"
    return fix.replace("{}", ".".join(map(str, suited)))


def _django(facts: Facts) -> Iterator[Finding]:
    django, series = facts.project.django, facts.django
    if django is None or series is None:
        return
    name = ".".join(map(str, series))
    end = DJANGO_ENDS.get(series) or (date(2016, 1, 1) if series < (1, 8) else None)
    if end is None:
        return
    if end <= facts.today:
        yield OLD_DJANGO.found(
            f"Django {name} has had no security fixes since {end}", django.origin,
            why=f"the project has {django.value}", fix=f"upgrade to {_NEXT_DJANGO}, one feature release at a time",
        )  # fmt: skip
    elif (end - facts.today).days < _SOON_DAYS:
        yield AGEING_DJANGO.found(
            f"Django {name} gets its last security fixes on {end}", django.origin,
            why=f"that is in {(end - facts.today).days} days", fix="upgrade to the next feature release",
        )  # fmt: skip
