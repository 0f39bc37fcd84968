"""Which settings module a project is served with: option > environment > asgi/wsgi > manage.py, never dev silently."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project import modules, settings_modules
from nuages.project.gathering import gathered
from nuages.project.model import Candidate, Fact, Problem
from nuages.project.roles import Role
from nuages.project.settings_modules import role
from nuages.project.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The module that was chosen, every module that was in question, what to say and what is wrong."""

    settings: Fact[str] | None
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def choose(
    tree: Tree,
    bases: tuple[str, ...],
    *,
    option: str | None,
    environ: Mapping[str, str],
    entry: tuple[Fact[str], ...],
    manage: tuple[Fact[str], ...],
    hints: tuple[Fact[str], ...] = (),
    image: Fact[str] | None = None,
    installed: Collection[str] = (),
) -> Choice:
    """Return the settings module. `entry` and `manage` are what asgi/wsgi and manage.py name, in order; `hints` what
    deployment files set, `image` what the project's own image does; `installed` the distributions that may bring one,
    by their normalized names.
    """
    asked = _asked(option, environ)
    named = [*entry, *manage]
    facts = {fact.value: fact for fact in reversed([*([asked] if asked else []), *named])}
    siblings = settings_modules.siblings(tree, bases, [fact.value for fact in named])
    candidates = _candidates([*facts.values(), *siblings])
    if asked is not None:
        is_there = modules.resolve(tree, asked.value, bases) is not None
        return Choice(
            settings=asked,
            candidates=candidates,
            notes=_alternatives(asked, named),
            problems=() if is_there else (_absent(asked, named, siblings, installed),),
        )
    there = [fact for fact in named if settings_modules.is_there(tree, fact.value, bases)]
    if not there:
        return _unnamed(tree, bases, named, candidates, hints)
    problems = _dangling(tree, bases, [fact for fact in _first_of(named) if fact not in there], there)
    first = there[0]
    own = (
        image if image is not None and modules.resolve(tree, image.value, bases) and _serves(image) else None
    )
    is_more = own is not None and (role(own.value) is Role.PRODUCTION or role(first.value) is Role.BASE)
    if own and is_more and own.value != first.value and role(first.value) is not Role.PRODUCTION:
        # asgi.py and wsgi.py name what holds where nobody says more, or a module that others are made from; what is
        # served says more.
        note = f"settings are {own.value} ({own.origin}), as in its own image, not {first.value} ({first.origin})"
        seen = _candidates([own, *facts.values(), *siblings])
        return Choice(settings=own, candidates=seen, notes=(note,), problems=problems)
    if not role(first.value).is_development:
        production = _instead_of_gathered(tree, bases, first, siblings)
        if production is not None:
            chosen, note = production
            return Choice(settings=chosen, candidates=candidates, notes=(note,), problems=problems)
        notes = _alternatives(first, there) + _production_beside(first, siblings)
        return Choice(settings=first, candidates=candidates, notes=notes, problems=problems)
    if own:
        note = f"settings are {own.value} ({own.origin}), not {first.value} ({first.origin}), a development module"
        seen = _candidates([own, *facts.values(), *siblings])
        return Choice(settings=own, candidates=seen, notes=(note,), problems=problems)
    return _instead_of_development(tree, bases, first, there, siblings, hints, candidates, problems)


def _serves(image: Fact[str]) -> bool:
    """Whether an image's variable names what it serves: a base may be meant for one of the build's commands."""
    return not role(image.value).is_development and role(image.value) is not Role.BASE


def _first_of(named: list[Fact[str]]) -> list[Fact[str]]:
    return list({fact.value: fact for fact in reversed(named)}.values())


def _asked(option: str | None, environ: Mapping[str, str]) -> Fact[str] | None:
    if option:
        return Fact(option, Origin("--settings"))
    value = environ.get("DJANGO_SETTINGS_MODULE")
    return Fact(value, Origin("$DJANGO_SETTINGS_MODULE")) if value else None


def _instead_of_development(
    tree: Tree,
    bases: tuple[str, ...],
    first: Fact[str],
    there: list[Fact[str]],
    siblings: list[Fact[str]],
    hints: tuple[Fact[str], ...],
    candidates: tuple[Candidate, ...],
    problems: tuple[Problem, ...],
) -> Choice:
    """Decide where what is named is a development module: a production one beside it comes first."""
    production = _distinct([fact for fact in [*there, *siblings] if role(fact.value) is Role.PRODUCTION])
    hinted = _distinct([hint for hint in hints if not role(hint.value).is_development])
    if len(production) > 1:
        production = [
            fact for fact in production if fact.value in {hint.value for hint in hinted}
        ] or production
    if len(production) == 1:
        chosen = production[0]
        note = (
            f"settings are {chosen.value}: {first.origin} names {first.value}, a development module, and "
            f"{chosen.origin} stands beside it; --settings {first.value} takes the other"
        )
        return Choice(settings=chosen, candidates=candidates, notes=(note,), problems=problems)
    if len(production) > 1:
        problem = _undecided(production, f"{first.origin} names {first.value}, a development module")
        return Choice(settings=None, candidates=candidates, problems=(*problems, problem))
    other = next((fact for fact in [*there, *hinted] if not role(fact.value).is_development), None)
    chosen = other or first
    note = (
        f"settings are {chosen.value} ({chosen.origin}), not {first.value} ({first.origin}), a development module"
        if other
        else f"settings are {first.value} ({first.origin}), a development module by its name: "
        f"no production one stands beside it{_called_otherwise(tree, bases, first)}"
    )
    return Choice(settings=chosen, candidates=candidates, notes=(note,), problems=problems)


def _called_otherwise(tree: Tree, bases: tuple[str, ...], first: Fact[str]) -> str:
    """Return what to say of the modules beside it that turn DEBUG off: production's may be called after its host."""
    found = settings_modules.without_debug(tree, bases, first.value)
    does = "turns" if len(found) == 1 else "turn"
    return f"; {' and '.join(found)} {does} DEBUG off, and --settings takes another" if found else ""


def _instead_of_gathered(
    tree: Tree, bases: tuple[str, ...], first: Fact[str], siblings: list[Fact[str]]
) -> tuple[Fact[str], str] | None:
    """Return the production module beside a package that itself takes everything from a development one, and a note.

    None where the package takes a production module as well, or where not exactly one stands there.
    """
    path = modules.resolve(tree, first.value, bases)
    taken = gathered(tree, first.value, path) if path else []
    development = [
        fact
        for fact in taken
        if role(fact.value).is_development and settings_modules.is_there(tree, fact.value, bases)
    ]
    production = _distinct([fact for fact in siblings if role(fact.value) is Role.PRODUCTION])
    if not development or len(production) != 1 or any(role(fact.value) is Role.PRODUCTION for fact in taken):
        return None
    (chosen,) = production
    note = (
        f"settings are {chosen.value}: {development[0].origin} takes all of {development[0].value}, a development "
        f"module, into {first.value}, and {chosen.origin} stands beside it; --settings {first.value} takes the other"
    )
    return chosen, note


def _unnamed(
    tree: Tree,
    bases: tuple[str, ...],
    named: list[Fact[str]],
    candidates: tuple[Candidate, ...],
    hints: tuple[Fact[str], ...],
) -> Choice:
    """Decide where nothing names a module that exists: the one there is, the one production one, a deployment's."""
    found = settings_modules.every(tree, bases)
    every = _candidates([*(Fact(one.module, one.origin) for one in candidates), *found])
    hinted = _distinct([hint for hint in hints if modules.resolve(tree, hint.value, bases)])
    serious = [fact for fact in found if not role(fact.value).is_development]
    production = [fact for fact in serious if role(fact.value) is Role.PRODUCTION]
    hinted_production = [hint for hint in hinted if not role(hint.value).is_development]
    for few, reason in (
        (hinted_production, "a deployment file sets it"),
        (production, "the one production module there is"),
        (found, "the one settings module there is"),
        (serious, "the one that is not for development or tests"),
    ):
        if len(few) == 1:
            note = f"settings are {few[0].value} ({few[0].origin}): {reason}"
            if not named:
                note += "; neither asgi.py, wsgi.py nor manage.py names one"
            problems = _dangling(tree, bases, _first_of(named), few)
            return Choice(settings=few[0], candidates=every, notes=(note,), problems=problems)
    why = "neither asgi.py, wsgi.py nor manage.py names one that is there"
    problem = _undecided(serious or found, why) if found else _no_settings(named)
    problems = _dangling(tree, bases, _first_of(named), [])
    return Choice(settings=None, candidates=every, problems=(*problems, problem))


def _distinct(facts: list[Fact[str]]) -> list[Fact[str]]:
    return list({fact.value: fact for fact in reversed(facts)}.values())[::-1]


def _candidates(facts: list[Fact[str]]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(module=fact.value, origin=fact.origin, is_development=role(fact.value).is_development)
        for fact in _distinct(facts)
    )


def _alternatives(chosen: Fact[str], named: list[Fact[str]]) -> tuple[str, ...]:
    others = [fact for fact in _distinct(named) if fact.value != chosen.value]
    if not others:
        return ()
    listed = ", ".join(f"{fact.value} ({fact.origin})" for fact in others)
    return (f"settings are {chosen.value} ({chosen.origin}); not {listed}",)


def _production_beside(chosen: Fact[str], siblings: list[Fact[str]]) -> tuple[str, ...]:
    if role(chosen.value) is Role.PRODUCTION:
        return ()
    beside = [fact for fact in siblings if role(fact.value) is Role.PRODUCTION and fact.value != chosen.value]
    return tuple(
        f"settings are {chosen.value} ({chosen.origin}); --settings {fact.value} takes the production module beside it"
        for fact in beside[:1]
    )


def _absent(
    fact: Fact[str], named: list[Fact[str]], siblings: list[Fact[str]], installed: Collection[str]
) -> Problem:
    """Return what to say of a module that was asked for and is not there: an installed package may bring it."""
    package = fact.value.partition(".")[0].replace("_", "-").lower()
    if any(name == package or name.startswith(f"{package}-") for name in installed):
        return Problem(
            id="settings-elsewhere",
            what=f"the settings module {fact.value} is not among the project's files",
            where=f"named by {fact.origin}",
            why="it must then come from an installed package",
            hint="check the spelling of the module",
        )
    there = [each.value for each in _distinct([*named, *siblings]) if each.value != fact.value]
    near = difflib.get_close_matches(fact.value, there, 1, 0.0) or ["the module that exists"]
    return Problem(
        id="settings-absent",
        what=f"the settings module {fact.value} does not exist",
        where=f"named by {fact.origin}",
        why="it is not among the project's files, and no dependency is called like its package",
        hint=f"{fact.origin} {near[0]}"
        if fact.origin.place.startswith("-")
        else f"{fact.origin.place[1:]}={near[0]}",
        is_error=True,
    )


def _dangling(
    tree: Tree, bases: tuple[str, ...], named: list[Fact[str]], there: list[Fact[str]]
) -> tuple[Problem, ...]:
    """Return a problem for each module that is named in vain; `there` is what is taken instead."""
    return tuple(
        _in_vain(fact, there, is_there=modules.resolve(tree, fact.value, bases) is not None) for fact in named
    )


def _in_vain(fact: Fact[str], there: list[Fact[str]], *, is_there: bool) -> Problem:
    state = "is empty" if is_there else "does not exist"
    instead = f"the settings are taken from {there[0].origin} instead" if there else "nothing else names one"
    return Problem(
        id="settings-dangling",
        what=f"{fact.origin.place} names the settings module {fact.value}, which {state}",
        where=str(fact.origin),
        why=instead,
        hint=f"write {there[0].value if there else 'the module that exists'} in {fact.origin}",
    )


def _undecided(found: list[Fact[str]], why: str) -> Problem:
    return Problem(
        id="settings-undecided",
        what=f"there are {len(found)} settings modules, and nothing says which one is meant",
        where="\n".join(f"{fact.value} ({fact.origin})" for fact in found[:12]),
        why=why,
        hint=f"--settings {min(found, key=_likeliest).value}",
        is_error=True,
    )


def _likeliest(fact: Fact[str]) -> tuple[bool, int]:
    """Production before others; of several the one that is not of one platform: `production`, `heroku_production`."""
    return role(fact.value) is not Role.PRODUCTION, len(fact.value)


def _no_settings(named: list[Fact[str]]) -> Problem:
    named = list(dict.fromkeys(named))
    named_text = "; ".join(f"{fact.origin} names {fact.value}" for fact in named)
    return Problem(
        id="settings-missing",
        what="no settings module was found",
        where="\n".join(str(fact.origin) for fact in named),
        why=f"{named_text}, which is not there" if named else "no file sets INSTALLED_APPS or ROOT_URLCONF",
        hint="--settings MODULE, or set DJANGO_SETTINGS_MODULE",
        is_error=True,
    )
