"""What is installed: locked, in date, one mechanism, nothing that only developers need, nothing that moves."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from nuages.check.facts import Facts
from nuages.check.finding import Finding, are, error, notice, some, warning
from nuages.errors import Origin
from nuages.project import debian, declarations, requirements
from nuages.project.model import Dependencies, Distribution, Manager, normalized

NO_LOCK = warning(40, "the dependencies are not locked")
STALE = error(41, "the lock is out of date")
SEVERAL = warning(42, "several files say what is installed")
DEVELOPMENT = warning(43, "development tools are installed in production")
DEVELOPMENT_APP = warning(44, "a development tool is an installed app in production")
MOVING = warning(45, "a dependency is taken from a branch that moves")
UNDECLARED = error(46, "the dependencies are not declared")
PACKAGES = notice(47, "the project's own Dockerfile installs Debian packages that nothing here asks for")
AGENT = warning(48, "the project's own start has a monitoring agent that is not among the dependencies")
RULES = (NO_LOCK, STALE, SEVERAL, DEVELOPMENT, DEVELOPMENT_APP, MOVING, UNDECLARED, PACKAGES, AGENT)

_TOOLS = frozenset(
    {
        "autoflake", "autopep8", "bandit", "black", "bpython", "coverage", "django-browser-reload",
        "django-debug-toolbar", "django-livereload-server", "django-silk", "django-stubs", "django-test-plus", "djlint",
        "factory-boy", "flake8", "ipdb", "isort", "mypy", "nose", "pdbpp", "pep8", "pip-tools", "pre-commit", "pudb",
        "pycodestyle", "pylint", "pylint-django", "pytest", "pytest-cov", "pytest-django", "pytest-xdist", "responses",
        "ruff", "safety", "selenium", "sphinx", "tox",
    }
)  # fmt: skip
_APPS = frozenset({"debug_toolbar", "django_browser_reload", "livereload", "silk", "template_profiler_panel"})
_LOCK_COMMANDS = {
    Manager.PYPROJECT: "uv lock", Manager.PIPFILE: "pipenv lock", Manager.SETUP: "pip-compile setup.py",
}  # fmt: skip
# What says which versions are installed; what only declares ranges, and what was compiled, is no rival.
_PINNING = frozenset(
    {
        Manager.UV,
        Manager.PYLOCK,
        Manager.POETRY,
        Manager.PDM,
        Manager.PIPENV,
        Manager.PIPFILE,
        Manager.REQUIREMENTS,
    }
)
_COMMIT = re.compile(r"@[0-9a-f]{7,40}(?:[#;\s]|$)|@v?\d+(\.\d+)+|/archive/|\.(whl|zip|tar\.gz)")


# What an image of ours has, makes in another stage, or has no use for.
_TOOLS_OF_DEBIAN = re.compile(
    r"-dev(-compat)?$|^(lib(pq5|mariadb3|ffi8|xml2|ssl3)?|python3?|py3|nodejs|npm|gcc|g\+\+|clang|rustc?|gpg|cron|nginx|vim|netcat|php)"
    r"([\d.-].*)?$|^(apt-.*|apache2.*|bash|binutils|build-(base|essential)|busybox|bzip2|ca-certificates|cargo|cmake|coreutils|curl|dumb-init"
    r"|dos2unix|gdal-bin|linux-headers|mariadb-client|sqlite3|sqlite|gettext|git|gnupg\d?|gosu|htop|iputils-ping|jq|less|libc-bin|libmysqlclient.*|locales|lsb-release|lsof"
    r"|make|mime-support|media-types|mysql-client|default-mysql-client|musl|nano|net-tools|netcat.*|openssh.*|openssl|patch"
    r"|pipenv|pipx|pkg-config|pkgconf|poedit|postgresql\d*-(client|common).*|procps|redis-tools|rsync|screen|shared-mime-info|software-properties-common"
    r"|strace|su-exec|sudo|supervisor|tar|telnet|tini|tmux|tzdata|unzip|uwsgi.*|wait-for-it|watchman|wget|xz-utils|yarn|zip|zsh)$"
)


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    yield from _packages(facts)
    yield from _agent(facts)
    dependencies = facts.project.dependencies
    if dependencies.manager is Manager.IMPORTS:
        yield UNDECLARED.found(
            "no file declares the dependencies", dependencies.origin,
            why=f"nuages guesses from the imports: {', '.join(dependencies.requirements[:6])}",
            fix=f"write requirements.txt: {' '.join(dependencies.requirements)}",
        )  # fmt: skip
        return
    yield from _lock(facts)
    others = [other for other in dependencies.others if other.value in _PINNING]
    if others:
        names = [other.origin.place for other in others]
        yield SEVERAL.found(
            f"{dependencies.origin.place} is installed, not {some(names)}",
            dependencies.origin, *(other.origin for other in others),
            why="both say what production has, and nobody notices when they drift apart",
            fix=f"delete {' '.join(names)}, or {dependencies.origin.place}",
        )  # fmt: skip
    direct = _direct(facts)
    tools = [each for each in direct if each.name in _TOOLS]
    tools_named = [each.name for each in tools]
    if tools:
        make = "it makes" if len(tools) == 1 else "they make"
        yield DEVELOPMENT.found(
            f"{some(tools_named, 5)} {are(tools_named)} installed in production",
            *dict.fromkeys(each.origin for each in tools[:4]),
            why=f"{make} the image larger, and what reads the code of a running site should not be there",
            fix=_elsewhere(dependencies, tools_named),
        )
    apps = [app for app in facts.apps if app.split(".")[0] in _APPS]
    setting = facts.setting("INSTALLED_APPS")
    # Under `if DEBUG` it is where it should be; with DEBUG written as True reading cannot tell.
    guarded = facts.value("DEBUG") is True and any(
        re.search(r"^[ \t]*if\s.*DEBUG", facts.tree.text(path) or "", re.MULTILINE)
        for path in facts.project.settings_files
    )
    if apps and setting and not guarded:
        yield DEVELOPMENT_APP.found(
            f"{some(apps)} {are(apps)} installed with DEBUG off",
            facts.line_in(setting.origin, re.escape(apps[0])),
            why="it looks into every request; in production it costs time and can show what nobody should see",
            fix=f'if DEBUG:\n    INSTALLED_APPS += ["{apps[0]}"]',
        )
    yield from _moving(direct)


def _agent(facts: Facts) -> Iterator[Finding]:
    agent = facts.project.agent
    if agent is not None and not agent.is_installed:
        yield AGENT.found(
            f"the server is started with {' '.join(agent.command)}, and {agent.distribution} is not declared",
            agent.origin,
            why="the image installs what is declared, so it starts without, and nothing is reported",
            fix=f"add {agent.distribution} to the dependencies",
        )  # fmt: skip


def _packages(facts: Facts) -> Iterator[Finding]:
    hinted = [each for each in facts.project.hints.packages if not _TOOLS_OF_DEBIAN.search(each.value)]
    distributions = [each.name for each in facts.project.dependencies.distributions]
    parts = debian.parts_of_django(facts.apps, [one.engine for one in facts.project.databases])
    known = {
        need.package
        for suite in ("trixie", "bookworm")
        for need in debian.needs([*distributions, *parts], distributions, known=True, suite=suite)[1]
    }
    extra = [each for each in hinted if each.value not in known]
    if extra:
        names = [each.value for each in extra]
        yield PACKAGES.found(
            f"the Dockerfile installs {some(names)}, which nothing here asks for",
            *dict.fromkeys(each.origin for each in extra[:4]),
            why="a program or a library that the code runs or loads without a Python package that says so is not found",
            fix="nuages build " + " ".join(f"--apt {name}" for name in names),
        )  # fmt: skip


def _lock(facts: Facts) -> Iterator[Finding]:
    dependencies = facts.project.dependencies
    if dependencies.stale is not None:
        yield STALE.found(
            f"{dependencies.files[0]} is out of date", dependencies.stale.origin,
            why=dependencies.stale.value,
            fix={
                Manager.UV: "uv lock", Manager.POETRY: "poetry lock", Manager.PDM: "pdm lock",
                Manager.PIPENV: "pipenv lock",
            }.get(dependencies.manager, "lock again"),
        )  # fmt: skip
    if dependencies.manager in _LOCK_COMMANDS:
        yield NO_LOCK.found(
            f"{dependencies.origin.place} declares versions, and no lock says which", dependencies.origin,
            why="each build installs what is newest that day",
            fix=f"{_LOCK_COMMANDS[dependencies.manager]}, and commit the lock",
        )  # fmt: skip
    elif dependencies.manager is Manager.REQUIREMENTS:
        loose = [
            each for each in dependencies.distributions if not re.match(r"={2,3}|\w+\+|\w+://", each.version)
        ]
        names = [each.name for each in loose]
        plain = dependencies.files[0]
        source = f"{plain.removesuffix('.txt')}.in"
        if loose:
            yield NO_LOCK.found(
                f"{some(names)} {are(names)} not pinned",
                *dict.fromkeys(each.origin for each in loose[:4]),
                why="each build installs what is newest that day",
                fix=f"mv {plain} {source} && uv pip compile {source} -o {plain} --generate-hashes",
            )


def _direct(facts: Facts) -> tuple[Distribution, ...]:
    """Return what a production install names itself; of a lock that holds every group, its declaration tells."""
    dependencies = facts.project.dependencies
    if dependencies.manager in {Manager.UV, Manager.POETRY, Manager.PDM, Manager.PYLOCK}:
        declaration = next((path for path in dependencies.files if path.endswith("pyproject.toml")), None)
        declared = declarations.pyproject(facts.tree, declaration) if declaration else None
        lines = declared.requirements if declared else ()
        return tuple(_of_line(facts, line, declaration or "") for line in lines)
    return dependencies.distributions


def _of_line(facts: Facts, line: str, path: str) -> Distribution:
    read = requirements.parse_line(line, Origin(path))
    name = normalized(read.name) if read else ""
    origin = facts.tree.line_of(path, rf"(?i)[\"']?\b{re.escape(read.name) if read else ''}\b")
    return Distribution(name=name, version=(read.specifier or read.url) if read else "", origin=origin)


def _elsewhere(dependencies: Dependencies, names: list[str]) -> str:
    manager, them = dependencies.manager, "it" if len(names) == 1 else "them"
    if manager in {Manager.UV, Manager.PYPROJECT, Manager.PYLOCK}:
        return f"move {them} to [dependency-groups] dev in pyproject.toml, and lock again"
    if manager is Manager.POETRY:
        return f"move {them} to [tool.poetry.group.dev.dependencies], and lock again"
    if manager is Manager.PDM:
        return f"pdm remove {' '.join(names)} && pdm add -d {' '.join(names)}"
    if manager in {Manager.PIPENV, Manager.PIPFILE}:
        return f"move {them} to [dev-packages] in the Pipfile, and lock again"
    if manager is Manager.SETUP:
        return f"move {them} to an extra called dev: extras_require in {dependencies.files[0]}"
    source = dependencies.files[0] if dependencies.files else "requirements.txt"
    if manager is Manager.PIP_TOOLS:
        written = next((each for each in dependencies.included if each.endswith(".in")), None)
        if written is None:
            return f"move {them} to the development dependencies of what {source} is made from, and make it again"
        source = written
    # `requirements.txt` → `requirements-dev.txt`, `requirements/production.txt` → `requirements/dev.txt`
    folder, name = posixpath.split(source)
    stem, ending = posixpath.splitext(name)
    whole = name.startswith("requirements") or not folder
    beside = posixpath.join(folder, f"{stem}-dev{ending}" if whole else f"dev{ending}")
    compiled = ", and compile both" if source.endswith(".in") else ""
    return f"move {them} to {beside}, with `-r {name}` as its first line{compiled}"


def _moving(direct: Sequence[Distribution]) -> Iterator[Finding]:
    moving = [
        each
        for each in direct
        if re.match(r"(git|hg|svn|bzr)\+", each.version) and not _COMMIT.search(each.version)
    ]
    names = [each.name or each.version for each in moving]
    if moving:
        yield MOVING.found(
            f"{some(names)} {are(names)} taken from a branch",
            *dict.fromkeys(each.origin for each in moving[:4]),
            why="each build takes what was pushed last, and needs git and the code host to answer",
            fix=f"{moving[0].name} @ {moving[0].version.partition('@')[0].partition('#')[0]}@<commit>",
        )
