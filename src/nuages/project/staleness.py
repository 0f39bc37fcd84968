"""Whether a lock still belongs to its declaration, by the rules of the tool that wrote it; None: it may well.

Pipenv: plette `Pipfile.get_hash`. Poetry: `Locker._get_content_hash`. PDM: `PyProject.content_hash`. uv compares the
root package's metadata in the lock with pyproject.toml.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nuages.errors import Origin
from nuages.project import requirements, specifier
from nuages.project.model import Fact, Manager, normalized
from nuages.project.tree import Tree

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the oldest supported Python
    import tomli as tomllib

# Lock versions of PDM whose hash is known to be one of those computed here.
_PDM_KNOWN = re.compile(r"4\.(4|5)(\.\d+)?")


def of(tree: Tree, manager: Manager, lock: str, declaration: str) -> Fact[str] | None:
    """Return why the lock is stale and where it says so, or None."""
    if declaration not in tree:
        return None
    judge: Callable[[Tree, str, str], Fact[str] | None] | None = {
        Manager.PIPENV: _pipenv,
        Manager.POETRY: _poetry,
        Manager.PDM: _pdm,
        Manager.UV: _uv,
    }.get(manager)
    if judge is None:
        return None
    try:
        return judge(tree, lock, declaration)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        # A declaration of a shape that the tool itself would refuse says nothing here.
        return None


def pipfile_hashes(pipfile: Mapping[str, Any], sources: Any) -> tuple[str, ...]:
    """Return the hashes that the versions of Pipenv write; `sources` are used where the Pipfile names none.

    Newer ones write the packages' names as PEP 503 has them before they hash.
    """
    known = {
        "source",
        "packages",
        "dev-packages",
        "requires",
        "scripts",
        "pipfile",
        "pipenv",
        "default",
        "develop",
    }
    found = []
    for spell in (str, normalized):

        def section(packages: Any, spell: Callable[[str], str] = spell) -> Any:
            return (
                {spell(name): value for name, value in packages.items()}
                if isinstance(packages, Mapping)
                else packages
            )

        data: dict[str, Any] = {
            "_meta": {"sources": pipfile.get("source", sources), "requires": pipfile.get("requires", {})},
            "default": section(pipfile.get("packages", {})),
            "develop": section(pipfile.get("dev-packages", {})),
        }
        data.update({name: section(values) for name, values in pipfile.items() if name not in known})
        found.append(_sha256(json.dumps(data, sort_keys=True, separators=(",", ":"))))
    return tuple(dict.fromkeys(found))


def _pipenv(tree: Tree, lock: str, declaration: str) -> Fact[str] | None:
    meta = tree.json(lock).get("_meta")
    pipfile = tree.toml(declaration)
    if not isinstance(meta, Mapping) or not pipfile:
        return None
    written = meta["hash"]["sha256"]
    # Without a [[source]] Pipenv puts its default there, which the lock repeats.
    if not isinstance(written, str) or written in pipfile_hashes(pipfile, meta.get("sources", [])):
        return None
    return Fact(f"its hash {written[:12]}… is not that of {declaration}", tree.line_of(lock, r'"sha256"'))


def poetry_hashes(pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the hashes that the versions of Poetry write for one pyproject.toml, the newest first."""
    project, poetry = pyproject.get("project", {}), pyproject.get("tool", {}).get("poetry", {})
    groups = pyproject.get("dependency-groups", {})
    keys = ("requires-python", "dependencies", "optional-dependencies")
    relevant = {key: project[key] for key in keys if project.get(key) is not None}
    found = [
        _poetry_hash(relevant, groups, poetry),
        _poetry_hash(relevant, {}, poetry),
        _poetry_hash({}, {}, poetry),
    ]
    return tuple(dict.fromkeys(found))


def _poetry_hash(project: Mapping[str, Any], groups: Mapping[str, Any], poetry: Mapping[str, Any]) -> str:
    content: dict[str, Any] = {}
    for key in ("dependencies", "source", "extras", "dev-dependencies", "group"):
        value = poetry.get(key)
        # Old Poetry wrote its four keys even where they are absent; the hash stays that way.
        if value is not None or (key != "group" and not project and not groups):
            content[key] = value
    whole: dict[str, Any] = {}
    if project:
        whole["project"] = project
    if groups:
        whole["dependency-groups"] = groups
    if whole:
        whole["tool"] = {"poetry": content}
    return _sha256(json.dumps(whole or content, sort_keys=True))


def _poetry(tree: Tree, lock: str, declaration: str) -> Fact[str] | None:
    return _by_hash(tree, lock, declaration, r'^content-hash = "([0-9a-f]{64})"', poetry_hashes)


def pdm_hashes(pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the hashes that the versions of PDM write for one pyproject.toml, the newest first."""
    project, settings = pyproject.get("project", {}), pyproject.get("tool", {}).get("pdm", {})
    groups = {normalized(name): list(group) for name, group in pyproject.get("dependency-groups", {}).items()}
    for name, group in settings.get("dev-dependencies", {}).items():
        groups.setdefault(normalized(name), []).extend(group)
    resolution = settings.get("resolution", {})
    shared = {
        "sources": settings.get("source", []),
        "dependencies": project.get("dependencies", []),
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
    }
    overrides = resolution.get("overrides", settings.get("overrides", {}))
    variants = (
        {**shared, "dev-dependencies": groups, "resolution": resolution},
        {**shared, "dev-dependencies": settings.get("dev-dependencies", {}), "resolution": resolution},
        {**shared, "dev-dependencies": settings.get("dev-dependencies", {}), "overrides": overrides},
        {**shared, "dev-dependencies": settings.get("dev-dependencies", {})},
    )
    return tuple(dict.fromkeys(_sha256(json.dumps(one, sort_keys=True)) for one in variants))


def _pdm(tree: Tree, lock: str, declaration: str) -> Fact[str] | None:
    version = re.search(r'^lock_version = "([^"]+)"', tree.text(lock) or "", re.MULTILINE)
    if version is None or not _PDM_KNOWN.fullmatch(version[1]):
        return None
    return _by_hash(tree, lock, declaration, r'^content_hash = "sha256:([0-9a-f]{64})"', pdm_hashes)


def _by_hash(
    tree: Tree,
    lock: str,
    declaration: str,
    pattern: str,
    hashes: Callable[[Mapping[str, Any]], tuple[str, ...]],
) -> Fact[str] | None:
    written = re.search(pattern, tree.text(lock) or "", re.MULTILINE)
    pyproject = tree.toml(declaration)
    if written is None or not pyproject or written[1] in hashes(pyproject):
        return None
    return Fact(
        f"its content hash {written[1][:12]}… is not that of {declaration}", tree.line_of(lock, pattern)
    )


def _uv(tree: Tree, lock: str, declaration: str) -> Fact[str] | None:
    text = tree.text(lock) or ""
    pyproject = tree.toml(declaration)
    root = _uv_root(text)
    project = pyproject.get("project")
    if root is None or not isinstance(project, Mapping):
        return None
    package, line = root
    origin = Origin(lock, line)
    limit = re.search(r'^requires-python = "([^"]+)"', text, re.MULTILINE)
    wanted = project.get("requires-python")
    if (
        limit
        and isinstance(wanted, str)
        and _range(limit[1]) != _range(wanted)
        and None not in (_range(wanted), _range(limit[1]))
    ):
        return Fact(
            f"it is for Python {limit[1]}, {declaration} asks for {wanted}",
            tree.line_of(lock, r"^requires-python"),
        )
    metadata = package.get("metadata", {})
    declared = [*project.get("dependencies", []), *_extras(project)]
    for difference in _differences(metadata.get("requires-dist", []), declared):
        return Fact(f"{declaration} asks for {difference}", origin)
    groups = {normalized(name): value for name, value in pyproject.get("dependency-groups", {}).items()}
    legacy = pyproject.get("tool", {}).get("uv", {}).get("dev-dependencies", [])
    if legacy:
        groups["dev"] = [*groups.get("dev", []), *legacy]
    locked = metadata.get("requires-dev", {})
    for name in groups:
        for difference in _differences(locked.get(name, []), list(_group(groups, name, ()))):
            return Fact(f"{declaration} asks for {difference} in the group {name}", origin)
    return None


def _uv_root(text: str) -> tuple[Mapping[str, Any], int] | None:
    """Return the entry of the project itself and its line; only this part of the lock is parsed."""
    starts = [found.start() for found in re.finditer(r"^\[\[package\]\]$", text, re.MULTILINE)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        chunk = text[start:end]
        if re.search(r'^source = \{ (virtual|editable|directory) = "\."', chunk, re.MULTILINE):
            packages = tomllib.loads(chunk)["package"]
            return packages[0], text.count("\n", 0, start) + 2
    return None


def _extras(project: Mapping[str, Any]) -> Iterator[str]:
    for extra in project.get("optional-dependencies", {}).values():
        yield from extra


def _group(groups: Mapping[str, Any], name: str, seen: tuple[str, ...]) -> Iterator[str]:
    if name in seen:
        return
    for item in groups.get(name, []):
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping) and "include-group" in item:
            yield from _group(groups, normalized(item["include-group"]), (*seen, name))


def _differences(locked: list[Any], declared: list[str]) -> Iterator[str]:
    """Yield the requirements that the declaration and the lock do not share, as a person would name them."""
    there: dict[str, set[str | None]] = {}
    for entry in locked:
        is_registry = not {"git", "url", "path", "editable", "virtual", "directory"} & set(entry)
        there.setdefault(normalized(entry["name"]), set()).add(
            _clauses(entry.get("specifier", "")) if is_registry else None
        )
    asked: set[str] = set()
    for line in declared:
        requirement = requirements.parse_line(line, Origin(""))
        if requirement is None:
            continue
        asked.add(requirement.name)
        known = there.get(requirement.name)
        if known is None:
            yield f"{line}, which is not locked"
        elif None not in known and not requirement.url and _clauses(requirement.specifier) not in known:
            yield f"{line}, which is locked for another version"
    for name in there:
        if name not in asked:
            yield f"no {name}, which is locked"


def _clauses(text: str) -> str:
    # uv writes numbers without the zeros in front of them.
    bare = re.sub(r"(?<![\d\w])0+(?=\d)", "", re.sub(r"\s+", "", text))
    parts = sorted(bare.split(","))
    return ",".join(part for part in parts if part)


def _range(text: str) -> tuple[tuple[int, ...], tuple[int, ...] | None] | None:
    """Return the lower and upper limit of a specifier set, or None when it is more than a range of versions."""
    low: tuple[int, ...] = (0,)
    high: tuple[int, ...] | None = None
    for clause in filter(None, _clauses(text).split(",")):
        found = re.fullmatch(r"(>=|<|==|~=)(\d+(?:\.\d+)*)(\.\*)?", clause)
        if found is None:
            return None
        release = specifier.parse(found[2]).release
        below = release[:-1] if found[1] == "~=" else release
        upper = (*below[:-1], below[-1] + 1) if below else None
        if found[1] == ">=":
            low = max(low, release)
        elif found[1] == "<":
            high = release if high is None else min(high, release)
        elif found[3] or found[1] == "~=":
            low, high = max(low, release), upper if high is None or upper is None else min(high, upper)
        else:
            return None
    trimmed = [tuple(_trim(limit)) if limit else limit for limit in (low, high)]
    return trimmed[0] or (0,), trimmed[1]


def _trim(release: tuple[int, ...]) -> tuple[int, ...]:
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    return release


def _sha256(content: str) -> str:
    import hashlib  # late: it brings OpenSSL, 3 MB that a supervisor would keep for as long as it serves

    return hashlib.sha256(content.encode()).hexdigest()
