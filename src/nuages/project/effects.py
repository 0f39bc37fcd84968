"""Calls of outside functions that change what is read: dotenv files, split settings, exits."""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
from typing import Any

from nuages.errors import Origin
from nuages.project import readers
from nuages.project.dynaconf import Dynaconf
from nuages.project.importing import MAX_DEPTH
from nuages.project.tree import join
from nuages.project.values import (
    UNKNOWN,
    Dotted,
    Module,
)


class Effects(Dynaconf):
    """What a few well-known functions do."""

    def call_outside(self, function: Dotted, call: ast.Call) -> Any:
        """Follow what a few outside functions do: dotenv files, split settings, prefixes."""
        name = function.name
        if name in {"dotenv.load_dotenv", "dotenv.main.load_dotenv", "dotenv.read_dotenv", "environ.Env.read_env",
                    f"{readers.DJANGO_ENVIRON}.read_env", f"{readers.ENVIRONS}.read_env", "dotenv.dotenv_values",
                    f"{readers.DJANGO_ENVIRON}.read_envfile", "environs.Env.read_env"}:  # fmt: skip
            self._load_dotenv(call)
            return Dotted(name)
        if name in {"split_settings.tools.include", "split_settings.include"}:
            self._include(call)
            return True
        if name == "split_settings.tools.optional":
            return self.evaluate(call.args[0]) if call.args else UNKNOWN
        if name.partition(".")[0] == "dynaconf":
            return self.make_dynaconf(name.rpartition(".")[2], call)
        if name == "dj_database_url.parse":
            url = self.evaluate(call.args[0]) if call.args else UNKNOWN
            return url if isinstance(url, str) else UNKNOWN
        if name in {"sys.exit", "exit", "quit", "os._exit"}:
            self.fails()
            return UNKNOWN
        if name in {"locals", "globals", "vars"}:
            return UNKNOWN
        if name == "importlib.import_module" and call.args:
            target = self.evaluate(call.args[0])
            scope = self.named(target) if isinstance(target, str) and not target.startswith(".") else None
            return Module(scope, target) if scope is not None else UNKNOWN
        return None

    def _load_dotenv(self, call: ast.Call) -> None:
        values, keywords = self.values_of(call.args), self.keywords_of(call)
        asked = next(
            iter(values), keywords.get("dotenv_path") or keywords.get("env_file") or keywords.get("path")
        )
        relative = self.relative(asked)
        if relative is not None and relative in self.tree.files:
            self.load_file(relative)
        elif asked is None or (isinstance(asked, (Dotted, str)) and relative is None):
            self.load_near((asked if isinstance(asked, str) and "/" not in asked else ".env",))

    def load_near(self, names: tuple[str, ...]) -> None:
        """Take in the first file of one of these names, beside the current module or in a folder above it."""
        folder = posixpath.dirname(self.module_path())
        while True:
            for name in names:
                path = join(folder or ".", name)
                if path in self.tree.files:
                    self.load_file(path)
                    return
            if not folder:
                return
            folder = posixpath.dirname(folder)

    def load_file(self, path: str) -> None:
        """Take in the variables of a dotenv file; those that are set already stay as they are."""
        if self.is_dead:
            return
        self.files[path] = None
        for number, line in enumerate((self.tree.text(path) or "").splitlines(), 1):
            found = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", line.rstrip())
            if found and found[1] not in self.given:
                text = found[2]
                quoted = re.match(r"(['\"])(.*?)\1", text)
                text = quoted[2] if quoted else re.sub(r"(?<!\s)\s+#.*$", "", text)
                self.given[found[1]] = (text, Origin(path, number))

    def _include(self, call: ast.Call) -> None:
        folder = posixpath.dirname(self.module_path())
        for argument in call.args:
            outer, self.touched = self.touched, set()
            values = self.values_of([argument])
            asked, self.touched = self.touched, outer | self.touched
            for pattern in values:
                if isinstance(pattern, str):
                    self._take_in(join(folder or ".", pattern), asked, argument)

    def _take_in(self, pattern: str, asked: set[str], argument: ast.expr) -> None:
        """Follow the files that a pattern names; `asked` are the variables that have a say in what it is."""
        matching = self._matching(pattern)
        if not matching and not any(letter in pattern for letter in "*?["):
            self.absent.setdefault(pattern, Origin(self.scope.path, argument.lineno))
        named = {name for name in asked if self._choose(name, pattern)}
        for path in matching:
            self._inline(path, named)

    def _matching(self, pattern: str) -> list[str]:
        return sorted(
            path for path in self.tree.files if path.endswith(".py") and fnmatch.fnmatch(path, pattern)
        )

    def _choose(self, name: str, pattern: str) -> bool:
        """Return whether a variable's text is a part of a file's name, and note what else it can be."""
        default = next((read.default for read in reversed(self.reads) if read.name == name), None)
        text = self.text_of(name) or (default or "").strip("'\"")
        before, found, after = pattern.rpartition(text) if text else ("", "", "")
        if not found or "/" in after:
            return False
        others = [
            path.removeprefix(before).removesuffix(after) for path in self._matching(f"{before}*{after}")
        ]
        self.choices[name] = tuple(one for one in others if one and "/" not in one)
        return True

    def _inline(self, path: str, named: set[str]) -> None:
        """Follow a file as if it stood in the current module (django-split-settings).

        What it assigns depends on the variables `named`, which chose it.
        """
        syntax = self.tree.module(path)
        if syntax is None or self.depth > MAX_DEPTH or path == self.scope.path:
            return
        self.files[path] = None
        outer_path, outer_file = self.scope.path, self.scope.names.get("__file__")
        self.scope.path, self.scope.names["__file__"] = path, f"{self.tree.root}/{path}"
        self.depth += 1
        try:
            self.body(syntax.body)
        finally:
            self.depth -= 1
            self.scope.path, self.scope.names["__file__"] = outer_path, outer_file
        for name, place in self.scope.assigned.items() if named else ():
            if place.path == path:
                self.scope.touched[name] = self.scope.touched.get(name, frozenset()) | named
