"""What a name says a file or module is for: production, development, tests, or something to build on."""

from __future__ import annotations

import re
from enum import Enum

_WORDS = re.compile(r"[^a-z0-9]+")
_PRODUCTION = frozenset(
    {"production", "prod", "live", "deploy", "deployment", "prd", "produccion", "produksi"}
)
_STAGING = frozenset(
    {"staging", "stage", "preprod", "preproduction", "uat", "qa", "demo", "preview", "review"}
)
_DEVELOPMENT = frozenset(
    {
        "dev",
        "devel",
        "develop",
        "development",
        "developer",
        "local",
        "localhost",
        "debug",
        "vagrant",
        "desktop",
        "docker_dev",
        "devcontainer",
    }
)
_TEST = frozenset(
    {
        "test",
        "tests",
        "testing",
        "ci",
        "unittest",
        "unittests",
        "pytest",
        "travis",
        "github",
        "gitlab",
        "coverage",
        "e2e",
        "tox",
    }
)
_AUXILIARY = frozenset(
    {
        "doc",
        "docs",
        "documentation",
        "lint",
        "linting",
        "linters",
        "style",
        "format",
        "release",
        "build",
        "rtd",
        "readthedocs",
    }
)
_BASE = frozenset(
    {
        "base",
        "common",
        "main",
        "default",
        "defaults",
        "core",
        "shared",
        "requirements",
        "settings",
        "global",
        "general",
        "all",
    }
)


class Role(str, Enum):
    """The use that a name tells of."""

    PRODUCTION = "production"
    BASE = "base"
    OTHER = "other"
    STAGING = "staging"
    DEVELOPMENT = "development"
    TEST = "test"
    AUXILIARY = "auxiliary"

    @property
    def is_development(self) -> bool:
        """Whether a production site never takes this by itself."""
        return self in {Role.DEVELOPMENT, Role.TEST, Role.AUXILIARY}


def role_of(name: str) -> Role:
    """Return what the last part of a module or a file's stem is for: `config.settings.local` → DEVELOPMENT.

    Words are what `_`, `-` and `.` separate: `settings_dev`, `local_settings`, `requirements-prod` are all told.
    """
    words = set(_WORDS.split(name.lower())) - {""}
    if words & _TEST:
        return Role.TEST
    if words & _DEVELOPMENT:
        return Role.DEVELOPMENT
    if words & _PRODUCTION:
        return Role.PRODUCTION
    if words & _STAGING:
        return Role.STAGING
    if words & _AUXILIARY:
        return Role.AUXILIARY
    return Role.BASE if words & _BASE else Role.OTHER
