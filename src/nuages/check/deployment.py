"""What Django's own `check --deploy` prints, as findings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nuages.check.finding import Finding, Severity
from nuages.errors import Origin

_SECTIONS = {
    "CRITICALS": Severity.ERROR, "ERRORS": Severity.ERROR, "WARNINGS": Severity.WARNING, "INFOS": Severity.NOTICE,
    "DEBUGS": Severity.NOTICE,
}  # fmt: skip
_MESSAGE = re.compile(r"(?P<object>\S.*?): \((?P<id>[\w.]+\.[CEWID]\d{3})\) (?P<text>.*)")
# What reading said already, with the line and the fix.
_SAME = {
    "security.W009": {"N005", "N006"}, "security.W012": {"N010"}, "security.W016": {"N010"},
    "security.W018": {"N001", "N002"}, "security.W020": {"N003"}, "staticfiles.E002": {"N023"},
    "4_0.E001": {"N012"},
}  # fmt: skip


def findings(output: str, settings: Origin, told: frozenset[str]) -> tuple[Finding, ...]:
    """Return the messages in the output of `manage.py check --deploy` (django.core.management.base.BaseCommand.check).

    `settings` is where a message that names no object belongs; those that the ids in `told` say already are left out.
    """
    found = _messages(output, settings)
    return tuple(each for each in found if not _SAME.get(each.id, frozenset()) & told)


def _messages(output: str, settings: Origin) -> Iterator[Finding]:
    severity = Severity.WARNING
    blocks: list[tuple[Severity, re.Match[str], list[str]]] = []
    for line in output.splitlines():
        if (word := line.rstrip(":")) in _SECTIONS and line.endswith(":"):
            severity = _SECTIONS[word]
        elif match := _MESSAGE.fullmatch(line):
            blocks.append((severity, match, []))
        elif line.startswith("System check identified"):
            continue
        elif blocks and line.strip():
            blocks[-1][2].append(line.strip())
    for severity, match, rest in blocks:
        hint = next((index for index, line in enumerate(rest) if line.startswith("HINT: ")), len(rest))
        text = " ".join([match["text"], *rest[:hint]])
        fix = " ".join(rest[hint:]).removeprefix("HINT: ")
        what, why = _split(text)
        place = settings if match["object"] == "?" else Origin(match["object"])
        yield Finding(
            id=match["id"], severity=severity, what=what, where=(place,), why=why or "Django's check --deploy says so",
            fix=fix or f"see {match['id']} in Django's system check framework reference",
        )  # fmt: skip


def _split(text: str) -> tuple[str, str]:
    """Return the first sentence without its full stop, and the rest."""
    match = re.match(r"(.+?)\.\s+(?=[A-Z])(.*)", text)
    return (match[1], match[2]) if match else (text.rstrip("."), "")
