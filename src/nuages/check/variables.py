"""The environment variables that the settings read: as a table, and as a file for --env-file, Docker or a platform."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from nuages.project.model import Project, Variable, VariableKind
from nuages.project.shapes import Shape

HEADER = ("VARIABLE", "KIND", "NEEDED", "DEFAULT", "READ AT", "BY")
_MEANS = {
    VariableKind.SECRET: "secret",
    VariableKind.URL: "URL",
    VariableKind.BOOL: "True or False",
    VariableKind.INTEGER: "number",
    VariableKind.HOSTS: "host names",
    VariableKind.LIST: "list",
    VariableKind.PATH: "path",
    VariableKind.TEXT: "text",
}
_SHAPES = {
    Shape.DECIMAL: "number", Shape.JSON: "JSON", Shape.JSON_LIST: "list as JSON", Shape.PAIRS: "key=value, …",
    Shape.BASE64: "32 bytes in base64", Shape.BASE64_JSON: "JSON in base64", Shape.HEX: "hexadecimal digits",
    Shape.PRIVATE_KEY: "private key in PEM", Shape.PUBLIC_KEY: "public key in PEM", Shape.DATE: "date",
    Shape.DATETIME: "date and time", Shape.TIME: "time", Shape.UUID: "UUID", Shape.ADDRESS: "IP address",
    Shape.EMAIL: "e-mail address", Shape.LOG_LEVEL: "log level",
}  # fmt: skip

_SEVERAL = (VariableKind.HOSTS, VariableKind.LIST)
# What these make a list of; where the settings split a text themselves, only they know at what.
_BY_COMMAS = ("django-environ", "environs", "python-decouple")


def table(variables: Sequence[Variable]) -> list[tuple[str, ...]]:
    """Return a row for each variable, those first that must be given; a header where there is any."""
    rows = [
        (
            each.name,
            each.kind.value,
            _needed(each),
            _default(each) or "",
            str(each.origin),
            each.reader,
        )
        for each in _ordered(variables)
    ]
    return [HEADER, *rows] if rows else []


def _ordered(variables: Sequence[Variable]) -> list[Variable]:
    return sorted(variables, key=lambda each: not each.is_missing)


def _needed(variable: Variable) -> str:
    if variable.is_missing:
        return "required"
    if variable.given is not None:
        return f"given by {variable.given}"
    return f"read if {variable.condition}" if variable.condition and variable.default is None else ""


def _default(variable: Variable) -> str | None:
    """Return the default as the variable's text would be; None where there is none, or it is a secret's."""
    if variable.default is None or variable.kind is VariableKind.SECRET:
        return None
    try:
        value = ast.literal_eval(variable.default)
    except (ValueError, SyntaxError):
        return variable.default
    if isinstance(value, bool) and variable.kind is VariableKind.INTEGER:
        return str(int(value))  # int(os.getenv("X", False)) takes no other text for it
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int)) for item in value):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


def template(project: Project) -> str:
    """Return the text of an env file: what is required is empty and waits to be filled in, the rest is a comment."""
    settings = project.settings.value if project.settings else "the settings"
    lines = [f"# What {settings} reads from the environment. Keep it out of the repository and of the image."]
    required = [each for each in project.variables if each.is_missing]
    optional = [each for each in project.variables if not each.is_missing]
    for title, variables, sign in (
        ("Required", required, ""),
        ("Optional, with the defaults", optional, "#"),
    ):
        if variables:
            lines += ["", f"# {title}"]
            for each in variables:
                lines += _entry(each, sign)
    return "\n".join(lines) + "\n"


def _entry(variable: Variable, sign: str) -> Iterator[str]:
    several = variable.kind in _SEVERAL and not variable.is_one_host
    commas = " with commas between them" if several and variable.reader in _BY_COMMAS else ""
    means = "host name" if variable.is_one_host else _SHAPES.get(variable.shape) if variable.shape else None
    notes = [(means or _MEANS[variable.kind]) + commas, str(variable.origin)]
    if variable.condition:
        notes.append(f"if {_plain(variable.condition)}")
    if variable.given is not None:
        notes.append(f"given by {variable.given}")
    default = _default(variable)
    is_expression = (
        default is not None and default == variable.default and not re.fullmatch(r"[\w.:/@,+-]*", default)
    )
    if is_expression:
        notes.append(f"default: {_plain(default or '')}")
    yield f"# {', '.join(notes)}"
    yield f"{sign}{variable.name}={'' if is_expression else default or ''}"


def _plain(text: str) -> str:
    return " ".join(text.split())
