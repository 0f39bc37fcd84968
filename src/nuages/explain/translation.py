"""Settings of one server → rows: what each becomes, looked up in the tables, with the values that nuages would read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from nuages.explain import values
from nuages.explain.facts import Context, Fact, Fate, Outcome, Row, Setting, drop, keep, nothing, undecided
from nuages.explain.servers import TITLES, Known, known, similar, similar_in_file
from nuages.options import Option, options_of
from nuages.runtime.settings import Settings

OPTIONS: Mapping[str, Option] = {option.name: option for option in options_of(Settings)}
PROJECT = "project"
"""What stands for the argument PROJECT among the options that settings become."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^{}]*))?\}")
_EVERYWHERE = re.compile(r"(?:0\.0\.0\.0|\[::\]|\*)?:?\$\{PORT(?::?-\d*)?\}")
_LISTS = frozenset({"env", "raw-env"})
_BY_CPUS = (
    "the default counts the CPUs too, those that the container may use and not the machine's; several workers for each "
    "are for servers whose workers take one request at a time"
)


def rows(items: Iterable[Setting | Row]) -> list[Row]:
    """Return a row for each setting of one server; those that are rows already stay as they are."""
    given = list(items)
    settings = [item for item in given if isinstance(item, Setting)]
    context = _context(settings)
    winners = _winners(settings)
    found = []
    for item in given:
        if isinstance(item, Row):
            found.append(item)
        else:
            text = "…" if "password" in item.key else _masked(item.text) if item.key in _LISTS else item.text
            outcome = _overridden(item, winners) or _outcome(item, context)
            found.append(Row(origin=item.origin, name=item.name, text=text, outcome=outcome))
    return found


def _masked(text: str) -> str:
    """Return `NAME=value` without a value that may be secret."""
    name, equals, _ = text.partition("=")
    return text if name.strip("\"' ") == "DJANGO_SETTINGS_MODULE" or not equals else f"{name}=…"


def _context(settings: Sequence[Setting]) -> Context:
    server = settings[0].server if settings else ""
    ordered = sorted(settings, key=lambda one: one.rank)
    lists: dict[str, list[str]] = {}
    for one in settings:
        lists.setdefault(one.key, []).extend(one.values)
    values = {one.key: one.values[0] for one in ordered if one.values}
    return Context(server=server, values=values, lists=lists)


def _filled(text: str) -> str:
    """Return a text with the defaults of the variables that it names."""
    return _VARIABLE.sub(lambda match: match[2] or "", text)


def _winners(settings: Sequence[Setting]) -> dict[str, Setting]:
    """Return what counts of each key: the last of the highest rank.

    What only running the code would tell (a condition, a call) takes the place of nothing for certain in its own file.
    """
    found: dict[str, Setting] = {}
    for one in settings:
        before = found.get(one.key)
        if before is None or one.rank > before.rank or (one.rank == before.rank and one.values):
            found[one.key] = one
    return found


def _overridden(setting: Setting, winners: Mapping[str, Setting]) -> Outcome | None:
    """Return the outcome of a setting that another one takes the place of."""
    winner = winners.get(setting.key, setting)
    if winner.rank > setting.rank:
        return drop(f"{winner.origin} says {winner.text or winner.name}, and that counts")
    found = known(setting.server, setting.key)
    is_list = setting.key in _LISTS or (
        found and found.fact.option in OPTIONS and OPTIONS[found.fact.option].repeatable
    )
    if winner is not setting and setting.values and not is_list and found and found.fact.fate is Fate.KEPT:
        return drop(f"{winner.origin} says {winner.text}, and the last one counts")
    return None


def _outcome(setting: Setting, context: Context) -> Outcome:
    found = known(setting.server, setting.key)
    if found is None:
        return unknown(setting.server, setting.name, is_in_file=setting.rank == 0)
    if found.fact.convert is values.host_and_port:
        setting = replace(setting, values=(values.joined(context),))
    fact = found.fact
    if fact.convert is None:
        return Outcome(fate=fact.fate, why=fact.why, decision=fact.why if fact.fate is Fate.DECIDE else "")
    outcome = _converted(setting, found, context)
    why = "; ".join(filter(None, (outcome.why, fact.why)))
    return checked(replace(outcome, why=why))


def unknown(server: str, name: str, *, is_in_file: bool = True) -> Outcome:
    """Return the outcome of an option that the server does not have."""
    title = TITLES.get(server, server)
    meant = similar_in_file(server, name) if is_in_file else similar(server, name)
    said = f": did you mean {meant}?" if meant else ""
    if server == "uwsgi" and is_in_file:
        why = f"uWSGI has no such option{said or '.'} It takes any name from a file as a placeholder, without a word"
        return Outcome(fate=Fate.UNKNOWN, why=why, decision=why if meant else "")
    if server == "hypercorn" and is_in_file:
        why = f"hypercorn reads no such name from a file, and does not say so{said}"
        return Outcome(fate=Fate.UNKNOWN, why=why, decision=why)
    why = f"{title} has no such option{said}"
    return Outcome(fate=Fate.UNKNOWN, why=why, decision=why)


def _converted(setting: Setting, found: Known, context: Context) -> Outcome:
    fact = found.fact
    assert fact.convert is not None
    if not setting.values:
        return _computed(setting, fact)
    outcomes = []
    for value in setting.values:
        outcome = _of_the_environment(value, fact)
        named = _VARIABLE.findall(value)
        try:
            text = value if fact.option == PROJECT else _filled(value)
            outcomes.append(outcome or fact.convert(fact.option, text, context))
        except ValueError as error:
            if not all(default for _, default in named):
                return _named_variables(keep(fact.option, ""), named, fact)
            return undecided(f"{setting.text or setting.name} cannot be read: {error}")
        if outcome is None and named:
            outcomes[-1] = _named_variables(outcomes[-1], named, fact)
    pairs = tuple(dict.fromkeys(pair for outcome in outcomes for pair in outcome.pairs))
    return replace(outcomes[0], pairs=pairs)


_PROXY = "; a proxy that speaks uWSGI's protocol to it needs proxy_pass in the place of uwsgi_pass"


def _computed(setting: Setting, fact: Fact) -> Outcome:
    if setting.counts_cpus and fact.option == "workers":
        return nothing(_BY_CPUS)
    flag = f"--{fact.option}" if fact.option in OPTIONS else "the project's folder"
    told = _PROXY if setting.server == "uwsgi" and setting.key == "socket" else ""
    return undecided(
        f"{setting.name} is computed ({_short(setting.text)}): give {flag} its value where it differs from the default"
        + told
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _of_the_environment(value: str, fact: Fact) -> Outcome | None:
    """Return what becomes of a value that the environment gives, by a variable that nuages reads too."""
    if fact.option == "bind" and _EVERYWHERE.fullmatch(value):
        default = (_VARIABLE.search(value) or [""] * 3)[2]
        port = f"${{PORT:-{default}}}" if default else ""
        if not port:
            return nothing("where PORT is set, nuages listens on 0.0.0.0:$PORT too")
        return keep("bind", f"0.0.0.0:{port}", why="where PORT is always set, nuages listens there by itself")
    if fact.option == "workers" and re.fullmatch(r"\$\{WEB_CONCURRENCY(:?-\d*)?\}", value):
        return nothing(
            "WEB_CONCURRENCY is read here too; without it, the CPUs that the container may use are counted"
        )
    return None


def _named_variables(outcome: Outcome, names: Sequence[tuple[str, str]], fact: Fact) -> Outcome:
    """Return the outcome of a default that variables may change: nuages has variables of its own."""
    said = ", ".join(f"${name}" for name, _ in names)
    if fact.option not in OPTIONS or not outcome.pairs:
        return outcome
    ours = f"{OPTIONS[fact.option].variable}, not {said}, changes it"
    if any(not default for _, default in names):
        return undecided(f"{said} {'says' if len(names) == 1 else 'say'} it: {ours}")
    return replace(outcome, decision=outcome.decision or ours)


def checked(outcome: Outcome) -> Outcome:
    """Return the outcome, or what is wrong with it where nuages would not read its values."""
    for name, text in outcome.pairs:
        if name == PROJECT or "${" in text:
            continue
        try:
            OPTIONS[name].kind.parse(text)
        except ValueError as error:
            return undecided(f"--{name} cannot be {text}: {error}")
    return outcome
