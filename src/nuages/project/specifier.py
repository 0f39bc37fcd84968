"""PEP 440 versions and specifiers, as far as `requires-python` and a locked Django need them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_VERSION = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?P<pre_number>\d*))?"
    r"(?:-(?P<post_implicit>\d+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_number>\d*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_number>\d*))?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?P<operator>===|~=|==|!=|<=|>=|<|>|=|\^|~)?\s*(?P<version>[^\s,]+)")
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_FINAL, _NO_DEV = 3, 1 << 30


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version in the order of PEP 440; local parts are not kept."""

    epoch: int
    key: tuple[int, ...]
    rank: tuple[int, int, int, int, int]
    release: tuple[int, ...] = field(compare=False)


def parse(text: str) -> Version:
    """Return the version that `text` says. Raises ValueError (PEP 440, «Version scheme»)."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a version")
    release = tuple(int(part) for part in found["release"].split("."))
    key = release
    while len(key) > 1 and key[-1] == 0:
        key = key[:-1]
    has_post = found["post"] is not None or found["post_implicit"] is not None
    post = int(found["post_number"] or found["post_implicit"] or 0) if has_post else -1
    dev = int(found["dev_number"] or 0) if found["dev"] else _NO_DEV
    if found["pre"]:
        pre, number = _PRE[found["pre"].lower()], int(found["pre_number"] or 0)
    else:
        # 1.0.dev1 stands before 1.0a1, 1.0 behind 1.0rc1.
        pre, number = (-1 if found["dev"] and not has_post else _FINAL), 0
    return Version(int(found["epoch"] or 0), key, (pre, number, post, dev, 0), release)


def canonical(specifier: str) -> str:
    """Return a specifier set of PEP 440 for one that Poetry, Pipenv or npm-like habits wrote.

    `^3.11` → `>=3.11,<4`, `~3.9` → `>=3.9,<3.10`, `3.11` and `3.11.*` → `==3.11.*`, `*` → the empty set (any). Of
    alternatives (`||`) the last is taken: people append the newer one. Raises ValueError.
    """
    alternatives = [part.strip() for part in re.split(r"\|\|?", specifier)]
    clauses = []
    for clause in _split(alternatives[-1]):
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            raise ValueError(f"{clause!r} is not a version specifier")
        clauses += _canonical_clause(found["operator"] or "", found["version"])
    return ",".join(clauses)


def _split(text: str) -> list[str]:
    # Poetry separates by commas or by spaces; a space may also stand between operator and version.
    joined = re.sub(r"([<>=!~^])\s+", r"\1", text.strip())
    return [part for part in re.split(r"[,\s]+", joined) if part]


def _canonical_clause(operator: str, version: str) -> list[str]:
    if version == "*":
        return []
    wild = version.endswith(".*")
    bare = version[:-2] if wild else version
    release = parse(bare).release
    if operator == "^":
        return [f">={bare}", f"<{_next(release, _caret_place(release))}"]
    if operator == "~":
        return [f">={bare}", f"<{_next(release, min(1, len(release) - 1))}"]
    if operator in {"", "="}:
        return [f"=={bare}.*" if wild or len(release) < 3 else f"=={bare}"]
    if operator == "~=" and len(release) < 2:
        raise ValueError(f"~={version} needs two parts at least")
    if wild and operator in {"<", "<=", ">", ">="}:
        # Written by people (and Poetry 1.x): `<4.*` means `<4`.
        return [f"{operator}{bare}"]
    return [f"{operator}{version}"]


def _caret_place(release: tuple[int, ...]) -> int:
    return next((place for place, part in enumerate(release) if part), len(release) - 1)


def _next(release: tuple[int, ...], place: int) -> str:
    return ".".join(str(part) for part in (*release[:place], release[place] + 1))


def allows(specifier: str, version: str) -> bool:
    """Return whether a specifier set lets a version in; a clause that is not PEP 440 lets nothing in."""
    try:
        wanted = parse(version)
        clauses = _split(canonical(specifier))
    except ValueError:
        return False
    return all(_allows_clause(clause, wanted) for clause in clauses)


def _allows_clause(clause: str, version: Version) -> bool:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        return False
    operator, text = found["operator"], found["version"]
    if operator == "===":
        return parse(text.rstrip(".*")) == version
    if text.endswith(".*"):
        matches = _starts_with(version, parse(text[:-2]).release)
        return matches if operator == "==" else not matches
    limit = parse(text)
    if operator == "~=":
        return version >= limit and _starts_with(version, limit.release[:-1])
    same_release = version.epoch == limit.epoch and version.key == limit.key
    if operator == "<":
        # PEP 440: `<3.2` leaves out 3.2's own pre-releases, `<3.2.post1` that one's.
        is_final = limit.rank[3] == _NO_DEV and limit.rank[0] == _FINAL
        is_own = version.rank[2] == limit.rank[2] if limit.rank[2] >= 0 else True
        return version < limit and not (same_release and is_final and is_own)
    if operator == ">":
        # PEP 440: `>3.2` leaves out 3.2's post-releases.
        is_own = version.rank[:2] == limit.rank[:2] and limit.rank[3] == _NO_DEV and limit.rank[2] < 0
        return version > limit and not (same_release and is_own and version.rank[2] >= 0)
    return {"==": version == limit, "!=": version != limit, "<=": version <= limit, ">=": version >= limit}[
        operator
    ]


def _starts_with(version: Version, prefix: tuple[int, ...]) -> bool:
    padded = version.release + (0,) * len(prefix)
    return padded[: len(prefix)] == prefix


def minors(specifier: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `known` minor versions (`3.11`) of which some release is let in.

    A minor fits when its first or a late patch release does: `==3.13.11`, `>=3.12.4` and `<3.12` are all decided.
    """
    found = []
    for minor in known:
        patches = {f"{minor}.0", f"{minor}.99"} | {
            text for text in re.findall(r"\d+(?:\.\d+)+", specifier) if text.startswith(minor + ".")
        }
        if any(allows(specifier, patch) for patch in patches):
            found.append(minor)
    return tuple(found)


def one_series(specifier: str) -> tuple[int, int] | None:
    """Return the one series that a specifier set allows, as `==3.9.*`, `~=3.9.2` or `==3.9.18` do; None for a range."""
    found = re.search(r"(?:={2,3}|~=)\s*(\d+)\.(\d+)\.[\d*]", specifier) or re.fullmatch(
        r"\s*==\s*(\d+)\.(\d+)\s*", specifier
    )
    return (int(found[1]), int(found[2])) if found else None
