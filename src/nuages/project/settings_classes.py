"""Classes whose fields are environment variables: pydantic-settings' BaseSettings and django-configurations."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from nuages.project import shapes
from nuages.project.functions import Functions
from nuages.project.model import VariableKind
from nuages.project.readers import parsed
from nuages.project.values import UNKNOWN, Class, Dotted, Missing

PYDANTIC = "pydantic-settings"
CONFIGURATIONS = "django-configurations"
_KINDS = {
    "BooleanValue": VariableKind.BOOL, "IntegerValue": VariableKind.INTEGER,
    "PositiveIntegerValue": VariableKind.INTEGER,
    "ListValue": VariableKind.LIST, "TupleValue": VariableKind.LIST, "SetValue": VariableKind.LIST,
    "DatabaseURLValue": VariableKind.URL, "CacheURLValue": VariableKind.URL, "EmailURLValue": VariableKind.URL,
    "URLValue": VariableKind.URL, "PathValue": VariableKind.PATH, "SecretValue": VariableKind.SECRET,
}  # fmt: skip
_OWN_NAMES = {"DatabaseURLValue": "DATABASE_URL", "CacheURLValue": "CACHE_URL", "EmailURLValue": "EMAIL_URL"}
# What these are where nothing is given (django-configurations, values.py); the others are None.
_EMPTY: dict[str, Any] = {"ListValue": list, "TupleValue": tuple, "SetValue": set, "DictValue": dict}
_FIRST_PYDANTIC = "pydantic.BaseSettings"  # of its release 1; there what may be None need not be given
_FACTORIES = {"list": "[]", "dict": "{}", "tuple": "()", "set": "set()"}
_ANNOTATIONS = {
    "bool": VariableKind.BOOL, "int": VariableKind.INTEGER, "list": VariableKind.LIST, "List": VariableKind.LIST,
    "Path": VariableKind.PATH, "SecretStr": VariableKind.SECRET, "tuple": VariableKind.LIST,
}  # fmt: skip


class SettingsClasses(Functions):
    """Class bodies; mixed into the Executor, which follows their statements."""

    def class_body(self, made: Class, statement: ast.ClassDef) -> None:
        """Follow a class body; fields of settings classes are reads."""
        if base := _pydantic_base(made):
            self._pydantic(made, statement, is_first=base == _FIRST_PYDANTIC)
            return
        for inner in statement.body:
            if isinstance(inner, ast.Assign) and self._configuration_value(inner):
                continue
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)) and inner.decorator_list:
                continue
            self.body([inner])

    def store(self, target: ast.expr, value: Any, touched: set[str], node: ast.expr | None) -> None:
        """Give a target of an assignment its value."""
        raise NotImplementedError

    def instantiate(self, kind: Class, call: ast.Call) -> Any:
        """Return an instance: its attributes are those of the class body, its arguments are looked at."""
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            self.evaluate(argument)
        return kind

    def _pydantic(self, made: Class, statement: ast.ClassDef, *, is_first: bool) -> None:
        prefix, env_file, names = _pydantic_config(statement)
        if env_file and env_file in self.tree.files:
            self.load_file(env_file)
        for inner in statement.body:
            if not isinstance(inner, ast.AnnAssign) or not isinstance(inner.target, ast.Name):
                continue
            field = inner.target.id
            if field == "model_config" or field.startswith("_"):
                continue
            annotation = ast.unparse(inner.annotation)
            if "ClassVar" in annotation:
                continue
            default, alias = _pydantic_field(inner.value)
            if default is None and is_first and re.search(r"\bNone\b|\bOptional\[", annotation):
                default = ast.Constant(None)
            is_optional = default is not None
            name = alias or names.get(field) or (prefix + field).upper()
            kind = next(
                (kind for word, kind in _ANNOTATIONS.items() if word in annotation.replace("[", " ").split()),
                None,
            )
            text = ast.unparse(default)[:200] if default is not None else None
            shape = shapes.of_annotation(annotation)
            self.record(
                name,
                PYDANTIC,
                inner,
                kind=kind,
                shape=shape,
                default=text,
                has_default=is_optional,
                raises=True,
            )
            given = self.text_of(name)
            if given is not None:
                made.scope.names[field] = _pydantic_value(given, kind)
            else:
                made.scope.names[field] = self.evaluate(default) if default is not None else UNKNOWN
            made.scope.touched[field] = frozenset({name})

    def _configuration_value(self, statement: ast.Assign) -> bool:
        """Record `NAME = values.Value(…)` of django-configurations."""
        call = statement.value
        if not isinstance(call, ast.Call) or not isinstance(statement.targets[0], ast.Name):
            return False
        function = self.evaluate(call.func)
        if not isinstance(function, Dotted) or not function.name.startswith("configurations.values."):
            return False
        name = statement.targets[0].id
        outer, self.touched = self.touched, set()
        value = self._configured(function, call, name)
        touched, self.touched = self.touched, outer | self.touched
        if function.name.endswith(".DatabaseURLValue"):
            value = {"default": value}
        self.store(statement.targets[0], value, touched, call)
        return True

    def _outside(self, function: Dotted, node: ast.Call) -> Any:
        # With a name of its own it is what the variable holds, wherever it stands: `"HOST": values.Value(…)`.
        named = any(keyword.arg == "environ_name" for keyword in node.keywords)
        if named and function.name.startswith("configurations.values."):
            return self._configured(function, node, "")
        return super()._outside(function, node)

    def _configured(self, function: Dotted, call: ast.Call, own_name: str) -> Any:
        """Record a value of django-configurations; return what it is in this environment, or else its default."""
        last = function.name.rpartition(".")[2]
        keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        name = _constant(keywords.get("environ_name")) or _OWN_NAMES.get(last) or own_name
        prefix = _constant(keywords["environ_prefix"]) if "environ_prefix" in keywords else "DJANGO"
        own = last in _OWN_NAMES and "environ_prefix" not in keywords
        full = str(name) if own or not prefix else f"{prefix}_{name}"
        default = call.args[0] if call.args else keywords.get("default")
        required = last == "SecretValue" or _constant(keywords.get("environ_required")) is True
        text = ast.unparse(default)[:200] if default is not None else None
        self.record(
            full,
            CONFIGURATIONS,
            call,
            kind=_KINDS.get(last),
            default=text,
            has_default=not required,
            raises=True,
        )
        given = self.text_of(full)
        if given is not None:
            return _configuration_text(given, last)
        if default is None and last in _EMPTY:
            return _EMPTY[last]()
        return self.evaluate(default) if default is not None else Missing(full)


def _pydantic_base(made: Class) -> str:
    """Return the name of the class of pydantic's whose fields are variables, where it is one of these; else nothing."""
    for base in made.bases:
        if isinstance(base, Class) and (found := _pydantic_base(base)):
            return found
        if isinstance(base, Dotted) and base.name.rpartition(".")[2] in {"BaseSettings", "DjangoSettings"}:
            return base.name
    return ""


def is_configuration(made: Class) -> bool:
    """Return whether a class is one of django-configurations', which takes its values from the environment."""
    return any(
        is_configuration(base)
        if isinstance(base, Class)
        else isinstance(base, Dotted) and re.fullmatch(r"configurations\.(base\.)?Configuration", base.name)
        for base in made.bases
    )


def _configuration_text(text: str, value: str) -> Any:
    """Return what a value of django-configurations makes of a variable's text."""
    if value in {"Value", "SecretValue", "DatabaseURLValue", "URLValue"}:
        return text
    if value in {"BooleanValue", "IntegerValue", "PositiveIntegerValue", "ListValue"}:
        try:
            return parsed(text, _KINDS[value])
        except ValueError:
            return UNKNOWN
    return UNKNOWN


def _constant(node: ast.expr | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _pydantic_config(statement: ast.ClassDef) -> tuple[str, str, dict[str, str]]:
    """Return `env_prefix` and `env_file` of `model_config = SettingsConfigDict(…)` or `class Config`.

    And the variables that its `fields` name (pydantic 1, «Settings management»), by field.
    """
    prefix, env_file = "", ""
    names: dict[str, str] = {}
    keywords: list[tuple[str | None, ast.expr]] = []
    for inner in statement.body:
        if isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Call):
            keywords += [(keyword.arg, keyword.value) for keyword in inner.value.keywords]
        elif isinstance(inner, ast.ClassDef) and inner.name == "Config":
            keywords += [(part.targets[0].id, part.value) for part in inner.body
                         if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name)]  # fmt: skip
    for name, value in keywords:
        text = _constant(value)
        if name == "env_prefix" and isinstance(text, str):
            prefix = text
        elif name == "env_file" and isinstance(text, str):
            env_file = text
        elif name == "fields":
            names = {field: alias for field, alias in _named(value) if alias}
    return prefix, env_file, names


def _named(fields: ast.expr) -> Iterator[tuple[str, str]]:
    """Yield fields and their variables of `{"HOST": {"env": "PGHOST"}}` or `{"HOST": "PGHOST"}`."""
    try:
        found = ast.literal_eval(fields)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return
    for field, told in found.items() if isinstance(found, dict) else ():
        alias = told.get("env") if isinstance(told, dict) else told
        if isinstance(field, str) and isinstance(alias, str):
            yield field, alias


def _pydantic_value(text: str, kind: VariableKind | None) -> Any:
    """Return what a field makes of a variable's text; lists and the like are JSON there (its «Parsing environment»)."""
    if kind is VariableKind.LIST:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return UNKNOWN
    try:
        return parsed(text, kind)
    except ValueError:
        return UNKNOWN


def _pydantic_field(value: ast.expr | None) -> tuple[ast.expr | None, str]:
    """Return the default and the alias of a field; no default means that it is required."""
    if value is None:
        return None, ""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] == "Field"):
        return value, ""
    keywords = {keyword.arg: keyword.value for keyword in value.keywords if keyword.arg}
    default = value.args[0] if value.args else keywords.get("default")
    if default is None and (factory := keywords.get("default_factory")) is not None:
        default = _made(factory)
    if isinstance(default, ast.Constant) and default.value is ...:
        default = None
    alias = keywords.get("validation_alias") or keywords.get("alias") or keywords.get("env")
    if isinstance(alias, ast.Call) and alias.args:
        alias = alias.args[0]
    text = _constant(alias)
    return default, text if isinstance(text, str) else ""


def _made(factory: ast.expr) -> ast.expr:
    """Return the expression for what calling a factory gives; where that is not known, one for the call."""
    if isinstance(factory, ast.Lambda):
        return factory.body
    if isinstance(factory, ast.Name) and factory.id in _FACTORIES:
        return ast.parse(_FACTORIES[factory.id], mode="eval").body
    return ast.copy_location(ast.Call(factory, [], []), factory)
