"""What lies open: DEBUG, ALLOWED_HOSTS, SECRET_KEY, and variables that nobody may forget."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, error, notice, some, warning
from nuages.project.model import Assignment, VariableKind
from nuages.project.settings_modules import role

DEBUG_ON = error(1, "DEBUG is on, and nothing but an edit turns it off")
DEBUG_DEFAULT = warning(2, "DEBUG is on unless a variable turns it off")
NO_HOSTS = error(3, "ALLOWED_HOSTS is empty: every request is answered 400")
EVERY_HOST = warning(4, "ALLOWED_HOSTS accepts every name")
KEY_IN_SOURCE = error(5, "SECRET_KEY stands in the source")
KEY_DEFAULT = warning(6, "SECRET_KEY has a default that everybody can read")
UNGIVEN = notice(7, "the settings need variables")
DEVELOPMENT = warning(8, "the settings are a development module")
NO_KEY = error(9, "SECRET_KEY is not set: Django does not start")
RULES = (
    DEBUG_ON,
    DEBUG_DEFAULT,
    NO_HOSTS,
    EVERY_HOST,
    KEY_IN_SOURCE,
    KEY_DEFAULT,
    UNGIVEN,
    DEVELOPMENT,
    NO_KEY,
)


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    yield from _debug(facts)
    yield from _hosts(facts)
    yield from _key(facts)
    needed = [each for each in facts.project.variables if each.is_missing]
    if needed:
        yield UNGIVEN.found(
            f"the settings do not load without {some([each.name for each in needed], 8)}",
            *(each.origin for each in needed),
            why="at build time nuages gives stand-ins, at run time you must give them",
            fix="nuages check --env-template > .env, fill in what is empty, and start with --env-file .env",
        )
    settings = facts.project.settings
    if settings is not None and role(settings.value).is_development:
        yield DEVELOPMENT.found(
            f"the settings are {settings.value}, by its name a development module", settings.origin,
            why="no production module stands beside it, and the entry modules name no other",
            fix=f"name the production module in {settings.origin}, or set DJANGO_SETTINGS_MODULE where it runs",
        )  # fmt: skip


def _debug(facts: Facts) -> Iterator[Finding]:
    debug, switch = facts.setting("DEBUG"), facts.project.debug
    if debug is None:
        return
    if switch is None and debug.is_known and debug.value is True and not debug.variables:
        yield DEBUG_ON.found(
            "DEBUG is on in production", debug.origin,
            why=f"there stands: DEBUG = {debug.text}\nevery error page shows settings, source and local variables"
            + facts.unless,
            fix=facts.assignment("DEBUG", "DEBUG", "bool", debug.origin),
        )  # fmt: skip
    elif switch is None and debug.is_literal and debug.literal is True and not debug.is_known:
        yield DEBUG_DEFAULT.found(
            "DEBUG is on unless the settings turn it off further down", debug.origin,
            why="there stands: DEBUG = True\nwhere the condition of what changes it does not hold, everybody sees "
            f"settings and source{facts.unless}",
            fix=facts.assignment("DEBUG", "DEBUG", "bool", debug.origin),
        )  # fmt: skip
    elif switch is not None and switch.off is not None and not _is_required(facts, switch.variable):
        # Where another value of the variable takes another file, that one says False.
        is_off = debug.is_literal and debug.literal is False
        there = "" if is_off else f"there stands: DEBUG = {_line(debug)}\n"
        yield DEBUG_DEFAULT.found(
            f"DEBUG is on unless {switch.variable} turns it off", debug.origin if there else switch.origin,
            why=f"{there}who forgets {switch.variable} shows everybody settings and source",
            fix=_off_by_default(debug) or f"set {switch.variable}={switch.off} wherever it runs",
        )  # fmt: skip


def _is_required(facts: Facts, name: str) -> bool:
    return any(each.name == name and each.required for each in facts.project.variables)


def _off_by_default(debug: Assignment) -> str | None:
    """Return the assignment with its one True turned to False, where it is that plain."""
    plain = "\n" not in debug.text and len(re.findall(r"\bTrue\b", debug.text)) == 1
    # `== "True"` is no default but a comparison.
    if not plain or re.search(r"[\"']True[\"']\s*\)?\s*$|==", debug.text):
        return None
    return "DEBUG = " + re.sub(r"\bTrue\b", "False", debug.text)


def _line(assignment: Assignment) -> str:
    first, *rest = assignment.text.splitlines() or [""]
    return f"{first} …" if rest else first


def _is_by_a_variable(facts: Facts) -> bool:
    """Whether hosts come where a variable names some, though it names none here.

    `if hosts := os.environ.get("ALLOWED_HOSTS"): ALLOWED_HOSTS = …`, `if host: ALLOWED_HOSTS.append(host)`.
    """
    names = any(each.kind is VariableKind.HOSTS for each in facts.project.variables)
    return facts.is_extended("ALLOWED_HOSTS") or (names and facts.is_written("ALLOWED_HOSTS"))


def _hosts(facts: Facts) -> Iterator[Finding]:
    hosts = facts.setting("ALLOWED_HOSTS")
    if hosts is None:
        if facts.is_unset("ALLOWED_HOSTS") and not _is_by_a_variable(facts):
            yield NO_HOSTS.found(
                "ALLOWED_HOSTS is not set: every request is answered 400", facts.settings_origin,
                why="Django's default is empty, and DEBUG is off in production",
                fix=facts.assignment("ALLOWED_HOSTS", "ALLOWED_HOSTS", "hosts"),
            )  # fmt: skip
        return
    if not hosts.is_known or not isinstance(hosts.value, list):
        return
    names = [one for one in hosts.value if one]
    if not names and not hosts.variables and not facts.is_extended("ALLOWED_HOSTS"):
        yield NO_HOSTS.found(
            "ALLOWED_HOSTS is empty: every request is answered 400", hosts.origin,
            why=f"there stands: ALLOWED_HOSTS = {_line(hosts)}; DEBUG is off in production{facts.unless}",
            fix=facts.assignment("ALLOWED_HOSTS", "ALLOWED_HOSTS", "hosts", hosts.origin),
        )  # fmt: skip
    elif "*" in names:
        by = f" unless {hosts.variables[0]} says otherwise" if len(hosts.variables) == 1 else ""
        yield EVERY_HOST.found(
            f"ALLOWED_HOSTS accepts every name{by}", facts.line_in(hosts.origin, r"[\"']\*[\"']|ALLOWED_HOSTS"),
            why="a forged Host header gets into password-reset links and caches (Django, «Host header validation»)",
            fix=f"set {hosts.variables[0]} to the site's names" if len(hosts.variables) == 1
            else facts.assignment("ALLOWED_HOSTS", "ALLOWED_HOSTS", "hosts", hosts.origin),
        )  # fmt: skip


def _key(facts: Facts) -> Iterator[Finding]:
    key = facts.setting("SECRET_KEY")
    absent = key is None and (facts.is_complete or facts.is_complete_here)
    if (absent and not facts.is_written("SECRET_KEY")) or (
        key is not None and key.is_known and not key.variables and key.value in ("", None)
    ):
        yield NO_KEY.found(
            "SECRET_KEY is not set: Django does not start" if key is None
            else "SECRET_KEY is empty: Django does not start", key.origin if key else facts.settings_origin,
            why="Django raises ImproperlyConfigured where sessions, tokens and signed values first need it"
            + (facts.unless if key is None else ""),
            fix=facts.assignment("SECRET_KEY", "SECRET_KEY", place=key.origin if key else None),
        )  # fmt: skip
    if key is None or not key.is_known or not isinstance(key.value, str) or not key.value:
        return
    if not key.variables and isinstance(key.value, str):
        yield KEY_IN_SOURCE.found(
            "SECRET_KEY stands in the source", key.origin,
            why=f"who can read the repository can forge sessions and password-reset links{facts.unless}",
            fix=_burnt(facts.assignment("SECRET_KEY", "SECRET_KEY", place=key.origin)),
        )  # fmt: skip
        return
    given = {each.name: each for each in facts.project.variables}
    named = [given[name] for name in key.variables if name in given]
    if (
        len(named) == 1
        and named[0].given is None
        and named[0].kind is VariableKind.SECRET
        and not named[0].required
    ):
        yield KEY_DEFAULT.found(
            f"SECRET_KEY is public unless {named[0].name} is set", key.origin,
            why=f"there stands: SECRET_KEY = {_masked(key)}\nwho forgets {named[0].name} runs with it",
            fix=facts.assignment("SECRET_KEY", named[0].name, place=key.origin),
        )  # fmt: skip


def _burnt(lines: str) -> str:
    return f"{lines}  # and give it a new key: this one is burnt"


def _masked(key: Assignment) -> str:
    value = str(key.value)
    return _line(key).replace(value, f"{value[:6]}…") if len(value) > 6 else _line(key)
