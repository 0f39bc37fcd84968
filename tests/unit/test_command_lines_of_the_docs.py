"""Every command line, option, variable and link that the documentation shows is one that there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from nuages.cli import every_option, parser_for
from nuages.commands import COMMANDS
from nuages.options import KNOWN_ELSEWHERE

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
BY_NAME = {command.name: command for command in COMMANDS}
# Options of other programs that the pages name: collectstatic, check, docker compose.
FOREIGN = {"--help", "--link", "--deploy", "--profile"}


def _code(text: str) -> Iterator[str]:
    """Yield the lines of fenced blocks, continued ones joined, and what stands between backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def _command_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for code in _code(page.read_text()):
            for found in re.finditer(r"(?:^|\$\(|[ ;])nuages ([a-z]+(?: [^|;>#)&]*)?)", code):
                if not code.startswith(("RUN ", "CMD ")):
                    yield str(page.relative_to(ROOT)), found[1].strip()


LINES = sorted(set(_command_lines()))


def _is_placeholder(text: str) -> bool:
    """Whether a value stands for another: NAME, MIN-MAX, …, one of a|b."""
    return "…" in text or "|" in text or bool(re.fullmatch(r"[A-Z][A-Z./:@\[\]-]*", text))


def test_the_pages_show_many_command_lines() -> None:
    assert len(LINES) > 40
    assert {line.split()[0] for _, line in LINES} >= set(BY_NAME)


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_line_of_the_pages_is_understood(page: str, line: str) -> None:
    name, *words = shlex.split(line)
    assert name in BY_NAME, f"{page}: nuages {line}"
    command = BY_NAME[name]
    if "--" in words:
        assert command.takes_rest
        words = words[: words.index("--")]
    if words and words[0] in command.targets:
        words = words[1:]
    if words in (["--help"], ["-h"]):
        return
    # A flag that is only named takes no value here.
    if words and words[-1] in {o.flag for o in command.options() if o.kind.metavar}:
        words.append("PLACEHOLDER")
    namespace, unknown = parser_for(command).parse_known_args(words)
    assert [word for word in unknown if word.startswith("-")] == [], f"{page}: nuages {line}"
    options = {option.name: option for option in command.options()}
    for key, values in vars(namespace).items():
        for value in values or () if key in options else ():
            if not _is_placeholder(value) and "$" not in value:
                options[key].kind.parse(value)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_and_variables_that_a_page_names_are_there(page: Path) -> None:
    flags = {option.flag for option in every_option()} | {f"--{word}" for word in KNOWN_ELSEWHERE} | FOREIGN
    variables = {option.variable for option in every_option()}
    for code in _code(page.read_text()):
        # An option that stands alone is ours; in a line of another program it is that program's.
        ours = (code.startswith("--") and "benchmarks" not in page.parts) or re.search(
            r"\bnuages [a-z]", code
        )
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", code) if ours else ():
            assert flag in flags, f"{page.name}: {code}"
        for variable in re.findall(r"\bNUAGES_[A-Z_]+\b", code):
            assert variable in variables or variable.endswith("_"), f"{page.name}: {code}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", page.read_text())):
        if re.match(r"\w+:", target):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name}: {target}"
        if heading:
            assert heading in {
                _anchor(line) for line in file.read_text().splitlines() if line.startswith("#")
            }


def _anchor(line: str) -> str:
    """Return what a heading is linked by: lower case, spaces as dashes, no other signs (GitHub's rule)."""
    return re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")


def test_the_layout_of_contributing_is_what_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(r"^## Layout\n+```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    named: dict[str, set[str]] = {}
    above = ""
    for line in block.splitlines():
        names = re.match(r" *((?:[\w./-]+(?:, )?)+)", line)
        assert names, line
        entries = {name for name in names[1].split(", ") if name}
        if line.startswith(" "):
            named[above] |= entries
        else:
            (above,) = entries
            named[above] = set()
    for folder, entries in named.items():
        assert (ROOT / folder).is_dir()
        for name in entries:
            assert (ROOT / folder / name).exists(), f"{folder}{name}"
    there = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "src/nuages").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    small = {"__init__.py", "__main__.py", "invocation.py", "reference.py"}
    assert there - named["src/nuages/"] <= small
