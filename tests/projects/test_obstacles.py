"""The ten most common obstacles of public projects: each is met by a rule, a project of that trouble and a message.

What scanning and planning say of each trouble lies whole in snapshots/, plans/ and findings/; here stands where.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent

OBSTACLES = {
    "settings raise when a variable is missing": (
        "findings/variables-without-defaults.txt", "notice N007: the settings do not load without SECRET_KEY",
    ),
    "variables get values of the right shape at build time": (
        "plans/variables-without-defaults.json", '"value": "sqlite:////tmp/stand-in.sqlite3"',
    ),
    "which settings module": (
        "snapshots/development-settings-by-default.json", "a development module, and ",
    ),
    "several production modules": (
        "plans/settings-undecided.txt", "there are 2 settings modules, and nothing says which one is meant",
    ),
    "nothing but development settings": (
        "findings/only-development-settings.txt", "warning N008: the settings are shop.settings.local",
    ),
    "static files are not served": (
        "findings/static-root-unset.txt", "notice N020: STATIC_ROOT is unset: collectstatic fails",
    ),
    "a place for static files in the image": ("plans/nothing-is-pinned.json", '"value": "/app/staticfiles"'),
    "a front-end build": ("plans/front-end-in-a-folder-of-its-own.json", '"npm run build"'),
    "a front-end build that cannot be repeated": (
        "findings/front-end-without-a-lock.txt", "warning N026: the front-end build has no lock file",
    ),
    "DEBUG written in the source": ("findings/debug-written-in-the-source.txt", "error N001: DEBUG is on"),
    "no image with DEBUG on": ("plans/debug-written-in-the-source.txt", "error: the image would run with DEBUG on"),
    "no allowed hosts": (
        "findings/debug-written-in-the-source.txt", "N003: ALLOWED_HOSTS is not set: every request is answered 400",
    ),
    "everything is redirected to https": (
        "findings/https-behind-a-proxy.txt", "notice N011: SECURE_SSL_REDIRECT is on without SECURE_PROXY_SSL_HEADER",
    ),
    "native code": ("plans/connections-not-kept.json", '"name": "libmariadb-dev",\n   "wanted_by": "mysqlclient"'),
    "a shared library at run time": (
        "plans/connections-not-kept.json", '"name": "libmariadb3",\n   "wanted_by": "mysqlclient"',
    ),
    "several dependency files": (
        "snapshots/several-mechanisms.json", "dependencies are taken from uv.lock; not from ",
    ),
    "no lock": ("findings/nothing-is-pinned.txt", "N040: django, whitenoise, requests and 1 more are not pinned"),
    "a lock out of date": ("plans/stale-lock.txt", "error: uv.lock is stale"),
    "nothing declared": ("findings/nothing-declared.txt", "error N046: no file declares the dependencies"),
    "no Python named": ("findings/nothing-is-pinned.txt", "notice N054: nothing says which Python the project wants"),
    "a Python too old": ("plans/python-too-old.txt", "error: no image's Python fits the project"),
    "dependencies from a branch": (
        "findings/dependencies-that-move.txt", "warning N045: shop-payments is taken from a branch",
    ),
    "log files at import": ("findings/logs-into-a-file.txt", "N064: the log handler 'file' writes logs/shop.log"),
    "worker processes": ("plans/celery-and-beat.json", '"library": "celery"'),
    "message catalogues to compile": ("plans/messages-not-compiled.json", '"messages": ['),
}  # fmt: skip


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_an_obstacle_is_met_by_a_rule_a_project_and_a_message(obstacle: str) -> None:
    path, text = OBSTACLES[obstacle]
    assert (HERE / "troubles" / f"{Path(path).stem}.project").exists()
    assert text in (HERE / path).read_text(encoding="utf-8")
