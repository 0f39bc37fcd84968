"""What the documentation says of commands, options and exit codes is what the code declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nuages.cli import overview, parser_for
from nuages.commands import COMMANDS, Command
from nuages.image.schema import schema
from nuages.options import KNOWN_ELSEWHERE
from nuages.reference import findings, page
from nuages.runtime.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_page_is_what_the_declarations_make() -> None:
    assert (ROOT / "docs" / "options.md").read_text() == page(), (
        "run: python -m nuages.reference > docs/options.md"
    )


def test_the_page_of_findings_is_what_the_rules_make() -> None:
    assert (ROOT / "docs" / "findings.md").read_text() == findings(), (
        "run: python -m nuages.reference findings > docs/findings.md"
    )


def test_the_schema_of_plans_is_what_their_dataclasses_make() -> None:
    assert (ROOT / "docs" / "plan.schema.json").read_text() == schema(), (
        "run: python -m nuages.reference plan > docs/plan.schema.json"
    )


def test_every_command_has_one_line_in_the_overview() -> None:
    for command in COMMANDS:
        assert re.search(rf"^  {command.name} +{re.escape(command.summary)}$", overview(), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_help_of_a_command_is_grouped_and_short(command: Command) -> None:
    text = parser_for(command).format_help()
    assert len(re.findall(r"^  (?:-\w [^ ]+, )?--", text, re.MULTILINE)) <= 30
    listed = [option for option in command.options() if option.group not in command.unlisted]
    assert all(f"{option.group}:" in text for option in listed if not option.rare)
    assert all(option.flag in text for option in listed)


def test_each_command_of_the_readme_exists() -> None:
    mentioned = set(
        re.findall(r"`?nuages (up|run|serve|collect|check|status)\b", (ROOT / "README.md").read_text())
    )
    assert mentioned == {command.name for command in COMMANDS} & mentioned


def test_words_from_other_servers_lead_to_words_without_dashes() -> None:
    for word, ours in KNOWN_ELSEWHERE.items():
        assert not word.startswith("-")
        assert not ours.startswith("-")


def test_the_table_of_metrics_is_what_is_declared() -> None:
    lines = (ROOT / "docs" / "operations.md").read_text().splitlines()
    rows = [
        f"| `{metric.shown}` | {metric.kind} | {', '.join(metric.labels)} | {metric.help} |"
        for metric in METRICS
    ]
    assert lines[-len(rows) :] == rows
