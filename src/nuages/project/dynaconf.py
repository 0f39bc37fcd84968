"""Dynaconf: settings of its own that a module asks, and Django's settings that variables override once they are made.

Its files (`settings.toml`) are not read: they differ from environment to environment, and `.secrets.toml` is in no
repository.
"""

from __future__ import annotations

import ast
from typing import Any

from nuages.project import readers
from nuages.project.importing import Importing
from nuages.project.model import VariableKind
from nuages.project.shapes import Shape
from nuages.project.values import UNKNOWN, Reader

_OVERRIDDEN = (
    ("SECRET_KEY", VariableKind.SECRET, None),
    ("DEBUG", VariableKind.BOOL, None),
    ("ALLOWED_HOSTS", VariableKind.HOSTS, Shape.JSON_LIST),
)
"""Every setting can be overridden; these are the ones that a deployment has to."""


class Dynaconf(Importing):
    """What its two constructors do."""

    def make_dynaconf(self, maker: str, call: ast.Call) -> Any:
        """Return what reads variables (`Dynaconf`), or read those that override the settings (`DjangoDynaconf`)."""
        self.values_of(call.args)
        keywords = self.keywords_of(call)
        if maker == "DjangoDynaconf":
            given = keywords.get("ENVVAR_PREFIX_FOR_DYNACONF", keywords.get("envvar_prefix", "DJANGO"))
            self._override(_prefix(given), call)
            return UNKNOWN
        if maker in {"Dynaconf", "LazySettings"}:
            given = keywords.get("envvar_prefix", keywords.get("ENVVAR_PREFIX_FOR_DYNACONF", "DYNACONF"))
            return Reader(readers.DYNACONF, _prefix(given))
        return UNKNOWN

    def _override(self, prefix: str, call: ast.Call) -> None:
        for name, kind, shape in _OVERRIDDEN:
            place = self.scope.assigned.get(name)
            default = ast.unparse(place.node)[:200] if place and place.node else None
            full = prefix + name
            self.record(
                full, readers.DYNACONF, call, kind=kind, shape=shape, default=default, has_default=True
            )
            text = self.text_of(full)
            if text is not None:
                self.bind(name, _value(text), set(self.scope.touched.get(name, ())), place)
            if name in self.scope.names:
                self.scope.touched[name] = self.scope.touched.get(name, frozenset()) | {full}


def _prefix(given: Any) -> str:
    return f"{given}_" if isinstance(given, str) and given else ""


def _value(text: str) -> Any:
    """Return what a variable's text is worth, as far as that is plain (dynaconf, `parse_conf_data`: TOML or text)."""
    if text in {"True", "true", "False", "false"}:
        return text.lower() == "true"
    try:
        found = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text
    return found if isinstance(found, (int, list)) else text
