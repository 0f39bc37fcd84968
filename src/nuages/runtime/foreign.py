"""The bucket for uploads in programs that are not ours: management commands, queue workers, schedulers (DESIGN 4c).

They set Django up themselves. The last line of the `.pth` file that lets an environment find nuages
(`nuages.STARTER`) calls `watch` in every Python that NUAGES_MEDIA names a bucket to; it waits for Django and fills the
settings at the moment `django.setup` is called. Our own commands do that as they always do, and switch this off.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_is_ours = False


def leave_alone() -> None:
    """Fill nothing in this process: it is one of ours."""
    global _is_ours
    _is_ours = True


def watch() -> None:
    """Fill the settings in the first `django.setup()` of this process, whoever calls it."""
    if os.environ.get("NUAGES_FILL_SETTINGS") != "off":
        sys.meta_path.insert(0, _Watcher())


class _Watcher(MetaPathFinder):
    """Finds Django as it would be found anyway, and puts what fills before its `setup` once it is imported."""

    _looks = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of Django's package, with a loader that tells; None for everything else."""
        del path, target
        if fullname != "django" or self._looks:
            return None
        self._looks = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._looks = False
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                module.setup = _filling(module.setup)

            loader.exec_module = exec_module
        return spec


def _filling(setup: Callable[..., None]) -> Callable[..., None]:
    def filling_setup(*arguments: Any, **keywords: Any) -> None:
        if not _is_ours:
            _fill()
            leave_alone()  # once is enough
        setup(*arguments, **keywords)

    return filling_setup


def _fill() -> None:
    import django

    from nuages.errors import NuagesError
    from nuages.runtime.bucket import parse_bucket
    from nuages.runtime.django import Bringer, check_version
    from nuages.runtime.filling import Wish

    try:
        bucket = parse_bucket(os.environ["NUAGES_MEDIA"])
    except ValueError as error:
        raise SystemExit(f"error: NUAGES_MEDIA is no bucket: {error}") from None
    wish = Wish(who="run", static_root="", bucket=bucket)
    try:
        version = check_version(django.get_version())
        Bringer(version=version, wish=wish, fills=True, report=_say).fill_settings()
    except NuagesError as error:
        raise SystemExit(error.render()) from None


def _say(event: str, text: str) -> None:
    print(f"nuages: {'warning: ' if event == 'warning' else ''}{text}", file=sys.stderr)  # noqa: T201 - a foreign program's
