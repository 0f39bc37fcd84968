"""Reference pages made from declarations: options, and by the words `findings` and `plan` those two."""

from __future__ import annotations

import sys

from nuages.check.groups import RULES
from nuages.commands import COMMANDS
from nuages.image.schema import schema
from nuages.options import Option

_HEAD = """# Options

Made by `python -m nuages.reference` from the declarations; a test keeps it true.

Precedence: flag > `NUAGES_*` variable > `[tool.nuages]` in `pyproject.toml` (or `nuages.toml`) > default. Durations
are written `30s`, `1h30m`, `7d` or `250ms`, sizes `300M` or `1G`. A repeatable option takes several values: the flag
repeated, the variable's words, a TOML list. Unknown names are errors.
"""


def page() -> str:
    """Return the Markdown text of the page: every option once for what it means, with the commands that take it."""
    users: dict[tuple[str, str], list[str]] = {}
    options: dict[tuple[str, str], Option] = {}
    for command in COMMANDS:
        for option in command.options():
            meaning = option.name, option.help
            options.setdefault(meaning, option)
            users.setdefault(meaning, []).append(command.name)
    groups: dict[str, list[Option]] = {}
    for option in options.values():
        groups.setdefault(option.group, []).append(option)
    return _HEAD + "".join(_section(group, members, users) for group, members in groups.items())


def _section(group: str, options: list[Option], users: dict[tuple[str, str], list[str]]) -> str:
    rows = [f"\n## {group}\n", "| flag | variable | default | what | commands |", "|---|---|---|---|---|"]
    for option in options:
        value = option.kind.metavar.replace("|", "\\|")
        flag = f"`{option.flag} {value}`" if value else f"`{option.flag}`"
        aliases = "".join(f", `${alias}`" for alias in option.aliases)
        default = option.default_text and f"{option.default_text}"
        commands = ", ".join(users[option.name, option.help])
        rows.append(f"| {flag} | `{option.variable}`{aliases} | {default} | {option.help} | {commands} |")
    return "\n".join(rows) + "\n"


_FINDINGS = """# Findings

Made by `python -m nuages.reference findings` from the rules; a test keeps it true.

`nuages check` reads a project and says what is wrong with it in production: what, where, why, and one fix. An
**error** does not work, loses data or lies open, whoever serves it; the exit code is 1. A **warning** works and will
hurt one day. A **notice** is what nuages sees to and another server would not. `--ignore N031` leaves one out,
`--json` tells them to a program, `--run` adds what Django's own `check --deploy` says in the project's environment,
under Django's ids, and asks the databases how many connections they grant.

| id | severity | what |
|---|---|---|
"""


def findings() -> str:
    """Return the Markdown text of the page of findings."""
    return _FINDINGS + "".join(f"| {rule.id} | {rule.severity.value} | {rule.title} |\n" for rule in RULES)


if __name__ == "__main__":
    PAGES = {"": page, "findings": findings, "plan": schema}
    print(PAGES["".join(sys.argv[1:2])](), end="")  # noqa: T201 - the page is data
