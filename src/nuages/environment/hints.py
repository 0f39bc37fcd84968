"""What an error's hint should name, and only the project's files tell."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nuages.errors import NuagesError
from nuages.project.model import Project, normalized
from nuages.project.specifier import one_series

_STAGE = re.compile(
    r"(^|_)(ENV|ENVIRONMENT|STAGE|PROFILE|TIER)$|^((APP|DJANGO|SITE|RUN)_)?MODE$"
    r"|^(\w+_)?(IS_|IN_)?(DEV|DEVELOPMENT|PROD|PRODUCTION)(_MODE)?$"
)
"""Names of variables that tell development from production; not `DB_SSL_MODE`."""


def tell_group(error: NuagesError, project: Project) -> None:
    """Say in an error's hint that a missing module is locked, though not for production, and what may decide on it.

    Of a requirements file the direct requirements alone are known, and these are installed.
    """
    needs = r"the project needs the module (\w+)[\w.]*, which is not installed here"
    # The project may catch it and raise an error of its own.
    cause = r"^\s*because of ModuleNotFoundError: No module named '(\w+)"
    absent = re.fullmatch(needs, error.what) or re.search(cause, error.why or "", re.MULTILINE)
    one = project.dependencies.distribution(normalized(absent[1])) if absent else None
    if one is None or not absent:
        return
    stage = next((each for each in project.variables if _STAGE.search(each.name)), None)
    keep = (
        f"set {stage.name} for production ({stage.origin})"
        if stage
        else "have the settings of production not load it"
    )
    error.hint = (
        f"{keep}: {one.name} ({one.origin}) is in no group that production installs; or make it a dependency"
    )


def tell_unset(error: NuagesError, project: Project, given: Mapping[str, str]) -> None:
    """Name in an error's hint the unset variable that the None in its traceback comes from.

    It is one that the settings read without a default, and a line of it names it or a setting made of it.
    """
    if "NoneType" not in error.why:
        return
    for each in project.variables:
        if each.name in given or each.given is not None or each.default not in {None, "None"}:
            continue
        names = [each.name, *(one.name for one in project.assignments if each.name in one.variables)]
        if re.search(rf"\b({'|'.join(map(re.escape, names))})\b", error.why):
            error.hint = f"set {each.name}, which {each.origin} reads without a default; or {error.hint}"
            return


def tell_python(error: NuagesError, project: Project, series: tuple[int, int]) -> None:
    """Say in the hint of a syntax error that the project has been run with a newer Python than the one it has here."""
    used = project.python_used
    wanted = one_series(used.value) if used else None
    if used is None or wanted is None or wanted <= series or "SyntaxError: " not in (error.why or ""):
        return
    text = f"{wanted[0]}.{wanted[1]}"
    error.hint = (
        f"install Python {text}, as {used.origin} says (apt, pyenv or `uv python install {text}`): this is "
        f"{series[0]}.{series[1]}, which may not know that syntax"
    )
