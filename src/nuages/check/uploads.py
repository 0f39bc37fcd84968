"""Uploads that are to go to a bucket: whether what the project installs can do that."""

from __future__ import annotations

from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, are, error
from nuages.errors import ProjectError
from nuages.project.model import Dependencies, Manager

NO_PACKAGES = error(28, "uploads are to go to a bucket, and the packages for that are not installed")
RULES = (NO_PACKAGES,)

_REQUIREMENT = "django-storages[s3]"
# What names all that is installed; elsewhere boto3 may come with the other by its extra.
_WHOLE = frozenset(
    {Manager.UV, Manager.PYLOCK, Manager.POETRY, Manager.PDM, Manager.PIPENV, Manager.PIP_TOOLS}
)
_COMMANDS = {
    Manager.UV: f'uv add "{_REQUIREMENT}"', Manager.POETRY: f'poetry add "{_REQUIREMENT}"',
    Manager.PDM: f'pdm add "{_REQUIREMENT}"', Manager.PIPENV: f'pipenv install "{_REQUIREMENT}"',
    Manager.PIPFILE: f'pipenv install "{_REQUIREMENT}"',
}  # fmt: skip
_WHY = (
    "nuages gives the project django-storages' S3 backend as its default storage, and installs what it locks"
)


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    dependencies = facts.project.dependencies
    missing = lacking(dependencies) if facts.media.startswith("s3://") else ()
    if missing:
        yield NO_PACKAGES.found(
            _what(dependencies, missing), dependencies.origin, why=_WHY, fix=fix(dependencies)
        )


def refusal(dependencies: Dependencies, media: str | None) -> ProjectError | None:
    """Return the error for a project that cannot keep its uploads in the bucket that it was given; None for others."""
    missing = lacking(dependencies) if media is not None and media.startswith("s3://") else ()
    if not missing:
        return None
    return ProjectError(
        _what(dependencies, missing),
        where=dependencies.origin,
        why=f"--media {media}\n{_WHY}",
        hint=fix(dependencies),
    )


def _what(dependencies: Dependencies, missing: tuple[str, ...]) -> str:
    place = dependencies.files[0] if dependencies.files else "any file"
    return f"{' and '.join(missing)} {are(missing)} not in {place}"


def lacking(dependencies: Dependencies) -> tuple[str, ...]:
    """Return what a bucket takes and the dependencies do not name."""
    wanted = ("django-storages", "boto3") if dependencies.manager in _WHOLE else ("django-storages",)
    return tuple(name for name in wanted if dependencies.distribution(name) is None)


def fix(dependencies: Dependencies) -> str:
    """Return the command, or the line and where it goes."""
    command = _COMMANDS.get(dependencies.manager)
    if command:
        return command
    if dependencies.manager is Manager.PIP_TOOLS:
        return (
            f"add this line to what {dependencies.files[0]} is compiled from, and compile it:\n{_REQUIREMENT}"
        )
    if dependencies.manager in (Manager.PYLOCK, Manager.PYPROJECT):
        then = ", and lock again" if dependencies.manager is Manager.PYLOCK else ""
        return f'add this line to `dependencies` in pyproject.toml{then}:\n"{_REQUIREMENT}",'
    place = dependencies.files[0] if dependencies.files else "requirements.txt"
    return f"add this line to {place}:\n{_REQUIREMENT}"
