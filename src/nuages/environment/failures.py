"""What uv said when it failed → one of our errors, with uv's own last lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nuages.environment.headers import Missing, missing
from nuages.environment.home import full
from nuages.errors import NuagesError, OutsideError, ProjectError

_NETWORK = re.compile(
    r"error sending request|dns error|failed to lookup address|tcp connect error|Connection (?:refused|reset)|"
    r"Network is unreachable|No route to host|operation timed out|connection closed before|tls handshake|"
    r"invalid peer certificate|Could not resolve host|Could not connect to server|Failed to connect to|"
    r"network connectivity is disabled|network was disabled",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(
    r"^\s*[^#\s-].*?@\s*(?:git\+)?\w+://|^\s*(?:-e\s+|--editable[ =])?(?:git\+)?https?://|source = \{ (?:url|git) ="
)
_STATUS = re.compile(r"HTTP status (?:client|server) error \((\d+)[^)]*\)|HTTP status code (\d+)")
_NOT_FOUND = re.compile(
    r"([A-Za-z0-9][\w.-]*) was not found in the (?:package registry|provided package locations|cache)"
)
_NO_VERSION = re.compile(
    r"(?:there is|there are) no version(?:s)? of ([A-Za-z0-9][\w.-]*?)((?:==|>=|<=|~=|!=|>|<)\S+?)?(?= and|,|\s|$)"
)


class BuildError(OutsideError):
    """A source package that does not build; `package` is `name 1.2`. Another Python may have a wheel of it."""

    package: str = ""
    lacks: Missing | None = None


class WheelError(ProjectError):
    """A release, `package`, has no wheel for this Python, and sources are not allowed or not there."""

    package: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the message must name beside uv's words.

    `where` is the project's file, `python` the series installed into, `home` the folder written to.
    """

    where: str
    python: str
    guessed: bool = False
    """No file declares the requirements: their names are guessed by imports."""
    home: str = ""
    addressed: tuple[tuple[str, str], ...] = ()
    """The requirements that name an address themselves: the line, and `file:line`."""


def addressed(text: str, file: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a requirements file or a lock that name an address themselves, and where each stands."""
    for number, line in enumerate(text.splitlines(), 1):
        if _ADDRESSED.search(line):
            yield line.strip(), f"{file}:{number}"


def _standing(url: str, context: Context) -> tuple[str, str]:
    """Return the name of the package that a requirement names an address of, and where it does; empty: none does."""
    plain = url.removeprefix("git+").partition("#")[0]
    bare = plain.rpartition("@")[0]  # without its revision, which a lock may have in another form
    forms = [form for form in (plain, bare) if "://" in form]
    for line, place in context.addressed:
        if any(form in line for form in forms):
            name = re.match(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^]]*\])?\s*@", line) or re.search(
                r"#egg=([\w.-]+)", line
            )
            return name[1] if name else "a package", place
    return "", context.where


def explain(text: str, context: Context) -> NuagesError:
    """Return the error that uv's output means; the most certain reading first."""
    head, built = _split(text)
    if re.search(r"No space left on device|os error 28\b|Disk quota exceeded", text):
        return full(context.home, _last(text))
    if unread := re.search(r"Couldn't parse requirement in `[^`]*`[^\n]*\n((?:\s.*\n?)+)", head):
        reason, *quoted = unread[1].splitlines()
        return ProjectError(
            "a requirement cannot be read", where=context.where,
            why="\n".join([*_undented(quoted), reason.strip().removeprefix("cause: ")]),
            hint="correct the line: NAME==1.2, or NAME @ URL (PEP 508)",
        )  # fmt: skip
    if "Git operation failed" in head or "git executable not found" in head.lower():
        return _git(head, context)
    if "Hash mismatch" in head:
        return _hash(head, context)
    if re.search(r"`--require-hashes`|--require-hashes mode", head):
        return _no_hash(head, context)
    if status := _STATUS.search(head):
        return _refused(head, status[1] or status[2], context)
    if _NETWORK.search(head):
        return _direct(head, context) or _network(head)
    if re.search(r"Failed to build|build backend returned an error|Failed to download and build", head):
        return _build(head, built, context)
    if "No solution found" in head or "no usable wheels" in head:
        return _unsatisfied(head, context)
    return ProjectError(
        "the project's dependencies cannot be installed",
        where=context.where,
        why=_last(text),
        hint="correct what uv names, or try another Python: --python X.Y",
    )


def _split(text: str) -> tuple[str, str]:
    """Return uv's own words, and what a package's build wrote."""
    head: list[str] = []
    built: list[str] = []
    inside = False
    for line in text.splitlines():
        if re.match(r"\s+\[(stdout|stderr)\]\s*$", line):
            inside = True
            continue
        if inside and re.match(r"\S", line):
            inside = False
        (built if inside else head).append(line)
    return "\n".join(head), "\n".join(built)


def _last(text: str, count: int = 8) -> str:
    """Return the last lines that say something, without uv's hint, as uv wrote them."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if re.match(r"error|\s*×", line)), 0)
    lines = [line for line in lines[start:] if not line.lstrip().startswith("hint:")]
    return "\n".join(["uv says:", *(f"  {line}" for line in _undented(lines[-count:]))])


def _undented(lines: Sequence[str]) -> list[str]:
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return [_shortened(line[margin:]) for line in lines]


def _shortened(line: str, most: int = 220) -> str:
    # The reason stands last in a line of uv's, behind long paths.
    return line if len(line) <= most else f"{line[: most // 2]} … {line[-most // 2 :]}"


def _named(head: str) -> str:
    """Return the package that uv quotes, as `name 1.2` or a name alone."""
    match = re.search(
        r"(?:Failed to (?:download and )?build|Failed to (?:download|fetch)|Hash mismatch for)(?: wheel)?:? `([^`]+)`",
        head,
    )
    if match is None:
        return ""
    return match[1].partition(" @ ")[0].replace("==", " ")


def _git(head: str, context: Context) -> NuagesError:
    match = re.search(r"`([A-Za-z0-9][\w.-]*) @ (git\+\S+?)`", head)
    name, url = (match[1], match[2]) if match else ("a dependency", "")
    if "executable not found" in head.lower():
        return OutsideError(
            f"{name} comes from a git repository, and git is not installed",
            where=_standing(url, context)[1], why=url, hint="apt-get install git",
        )  # fmt: skip
    return OutsideError(
        f"{name} cannot be fetched from its git repository",
        where=_standing(url, context)[1],
        why="\n".join([*filter(None, [url]), _last(head.partition("--- stderr")[2] or head, 5)]),
        hint="make the repository reachable from this machine, or depend on a release instead",
    )


def _hash(head: str, context: Context) -> NuagesError:
    expected = re.findall(r"sha\d+:[0-9a-f]+", head.partition("Expected:")[2].partition("Computed:")[0])
    computed = re.findall(r"sha\d+:[0-9a-f]+", head.partition("Computed:")[2])
    return ProjectError(
        f"{_named(head) or 'a package'} is not the file that was locked",
        where=context.where,
        why="\n".join(["expected " + "\n      or ".join(expected), "got      " + ", ".join(computed)]),
        hint="if the package was replaced on purpose, lock again; if not, do not install it",
    )


def _no_hash(head: str, context: Context) -> NuagesError:
    return ProjectError(
        "the lock has hashes for some packages and not for others",
        where=context.where,
        why=_last(head, 4),
        hint="lock again with hashes for all of them, or with none",
    )


def _refused(head: str, status: str, context: Context) -> NuagesError:
    url = re.search(r"(?:for url |Failed to fetch: )[`(]?([^\s`)]+)", head)
    name = _named(head)
    return OutsideError(
        f"{name or 'a package'} cannot be downloaded",
        where=context.where,
        why=_last(head, 3),
        hint="give the index your credentials (pip's configuration is used)"
        if status in {"401", "403"}
        else f"check that {url[1] if url else 'the address'} exists",
    )


def _direct(head: str, context: Context) -> NuagesError | None:
    """Return the error for an address that a requirement names itself; None where an index did not answer."""
    match = re.search(r"`([A-Za-z0-9][\w.-]*) @ (https?://\S+?)`", head)
    url = match[2] if match else ""
    if not url and (fetched := re.search(r"Failed to fetch: `?(https?://[^\s`]+)", head)):
        url = fetched[1]  # of a requirement that has to be looked into for what it needs itself
    name, place = _standing(url, context)
    if not match and not name:
        return None
    return OutsideError(
        f"{match[1] if match else name} cannot be fetched from the address that it is required from", where=place,
        why="\n".join([url, _last(head, 2)]),
        hint="make the address reachable from this machine, or depend on a release of an index instead",
    )  # fmt: skip


def _network(head: str) -> NuagesError:
    lines = [line for line in head.splitlines() if re.search(r"cause:|Caused by:|├─▶|╰─▶|error", line)]
    return OutsideError(
        "the package index cannot be reached",
        where="taken from pip's configuration, or uv's default",
        why=_last("\n".join(lines)),
        hint="check the network, the proxy (HTTPS_PROXY) and the index (`pip config list`), then start again",
    )


def _build(head: str, built: str, context: Context) -> NuagesError:
    name = _named(head) or "a package"
    lacks = missing(built) or missing(head)
    why = [f"it is compiled here: there is no wheel of it for Python {context.python}"]
    if lacks:
        why.append(f"the build misses {lacks.what}")
    why.append(_last(built or head, 6))
    hint = "read what the build says; the package's own documentation names what it needs"
    if lacks and lacks.debian:
        hint = f"apt-get install {lacks.debian}"
    error = BuildError(f"{name} does not build", where=context.where, why="\n".join(why), hint=hint)
    error.package, error.lacks = name, lacks
    return error


def _unsatisfied(head: str, context: Context) -> NuagesError:
    flat = " ".join(head.split())
    if match := _NOT_FOUND.search(flat):
        what, hint = (
            f"there is no package {match[1]}",
            f"declare the dependencies in requirements.txt: {match[1]} is guessed by an import's name"
            if context.guessed
            else f"correct the name {match[1]}, or add the index that has it to pip's configuration",
        )
    elif "wheel" in flat and (
        match := re.search(r"([A-Za-z0-9][\w.-]*?)==(\S+) has no (?:usable )?wheels", flat)
    ):
        error = WheelError(
            f"{match[1]} {match[2]} has no wheel for Python {context.python} on this machine",
            where=context.where,
            why=_last(head),
            hint="try a Python that it has a wheel for: --python X.Y",
        )
        error.package = f"{match[1]} {match[2]}"
        return error
    elif match := _NO_VERSION.search(flat):
        what = f"there is no release of {match[1]} that fits {match[2] or 'the requirement'}"
        hint = f"correct the requirement of {match[1]}"
    else:
        what, hint = (
            "the project's requirements contradict each other",
            "loosen one of the requirements that uv names",
        )
    if "Requires-Python" in flat or re.search(r"depends on Python|Python version", flat):
        hint += ", or try another Python: --python X.Y"
    return ProjectError(what, where=context.where, why=_last(head), hint=hint)
