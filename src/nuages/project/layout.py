"""Where a project lies: manage.py, or the console script or single file that stands for it."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nuages.errors import Origin, ProjectError
from nuages.project.model import Fact
from nuages.project.tree import Tree

# Folders whose projects are somebody's tests, documentation or templates, not the one to serve.
_ASIDE = frozenset(
    {
        "test",
        "tests",
        "testing",
        "testproject",
        "test_project",
        "test_app",
        "doc",
        "docs",
        "documentation",
        "example",
        "examples",
        "sample",
        "samples",
        "demo",
        "demos",
        "fixture",
        "fixtures",
        "template",
        "templates",
        "project_template",
        "app_template",
        "project_templates",
        "skeleton",
        "boilerplate",
        "cookiecutter",
        "vendor",
        "third_party",
        "thirdparty",
        "sandbox",
        "benchmark",
        "benchmarks",
        "e2e",
    }
)
_DJANGO = re.compile(
    r"execute_from_command_line|DJANGO_SETTINGS_MODULE|django\.core\.management|ManagementUtility"
)
_DEPENDENCY_FILES = re.compile(
    r"(^|/)(pyproject\.toml|uv\.lock|poetry\.lock|pdm\.lock|pylock\.toml|Pipfile(\.lock)?|setup\.(py|cfg)"
    r"|[\w-]*requirements[\w.-]*\.(txt|in))$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the project lies below the root. `manage` is None where no manage.py is needed or there.

    `single` is the file of a one-file project, which calls `settings.configure()` itself.
    """

    directory: str
    manage: Fact[str] | None = None
    single: str | None = None
    notes: tuple[str, ...] = ()


def is_aside(path: str, package: str | None = None) -> bool:
    """Return whether a file lies in a folder for tests, documentation, examples or templates.

    `package` is the project's own top package, which may be called so itself.
    """
    return any(
        (part.lower() in _ASIDE and part != package) or "{{" in part or "{%" in part or part.startswith("__")
        for part in path.split("/")[:-1]
    )


def upwards(directory: str) -> tuple[str, ...]:
    """Return a folder of a tree and those above it, up to the root."""
    folders = [directory]
    while folders[-1] != ".":
        folders.append(posixpath.dirname(folders[-1]) or ".")
    return tuple(folders)


def find(tree: Tree, apps: tuple[str, ...] = (), within: str = ".") -> Layout:
    """Return where the project lies; `apps` (`module:name`) decide among one-file projects.

    Only the folder `within` is searched, and where it lies itself says nothing about what it holds.
    Raises ProjectError when there is none, or several that no rule decides.

    The shallowest manage.py outside tests, examples and templates is the project's; of several on one level the
    one beside dependency files.
    """
    prefix = "" if within == "." else within + "/"
    files = [path for path in tree.files if path.startswith(prefix)]
    every = [path for path in files if posixpath.basename(path) == "manage.py" and is_manage(tree, path)]
    mine = [path for path in every if not is_aside(path[len(prefix) :])] or every
    if mine:
        return _by_manage(tree, mine, every)
    own = list(_python_files(files, prefix))
    for other in (_console_script(tree, own), _by_entry_module(tree, own), _single_file(tree, own, apps)):
        if other is not None:
            return other
    raise _none(tree)


def is_manage(tree: Tree, path: str) -> bool:
    """Return whether a file is Django's manage.py and not another program of that name."""
    text = tree.text(path) or ""
    # `runpy.run_module("shop")`: the package's own command does the rest.
    return bool(_DJANGO.search(text)) or "runpy.run_module(" in text


def _by_manage(tree: Tree, mine: list[str], every: list[str]) -> Layout:
    depth = min(path.count("/") for path in mine)
    nearest = [path for path in mine if path.count("/") == depth]
    if len(nearest) > 1:
        nearest = [
            path for path in nearest if _has_dependencies(tree, posixpath.dirname(path) or ".")
        ] or nearest
    if len(nearest) > 1:
        raise _several(tree, nearest)
    chosen = nearest[0]
    directory = posixpath.dirname(chosen) or "."
    others = [path for path in every if path != chosen]
    notes = (f"the project is {chosen}; not {', '.join(others[:5])}",) if others else ()
    return Layout(directory=directory, manage=Fact(chosen, Origin(chosen)), notes=notes)


def _has_dependencies(tree: Tree, folder: str) -> bool:
    return any(_DEPENDENCY_FILES.search(path) for path in tree.below(folder))


def _console_script(tree: Tree, files: list[str]) -> Layout | None:
    """Find a package whose own command runs Django's management, where no manage.py lies in the project."""
    for path in files:
        text = tree.text(path) or ""
        if "execute_from_command_line" in text and "DJANGO_SETTINGS_MODULE" in text:
            note = f"no manage.py: {path} stands for it"
            return Layout(directory=_outside(tree, path), manage=Fact(path, Origin(path)), notes=(note,))
    return None


def _by_entry_module(tree: Tree, files: list[str]) -> Layout | None:
    for path in files:
        name = posixpath.basename(path)
        if name in {"wsgi.py", "asgi.py"} and "DJANGO_SETTINGS_MODULE" in (tree.text(path) or ""):
            note = f"no manage.py: the project is found by {path}"
            return Layout(directory=_outside(tree, path), notes=(note,))
    return None


def _outside(tree: Tree, path: str) -> str:
    """Return the folder that the outermost package around a file lies in: what must be on sys.path to import it."""
    folder = posixpath.dirname(path)
    while folder and f"{folder}/__init__.py" in tree:
        folder = posixpath.dirname(folder)
    return folder or "."


def _single_file(tree: Tree, files: list[str], apps: tuple[str, ...]) -> Layout | None:
    """Find files that call `settings.configure(…)` and make the application themselves."""
    found = [path for path in files if is_single_file(tree, path)]
    if not found:
        return None
    asked = {app.partition(":")[0].replace(".", "/") + ".py" for app in apps}
    named = [path for path in found if path in asked]
    depth = min(path.count("/") for path in named or found)
    nearest = [path for path in named or found if path.count("/") == depth]
    chosen = plainest(tree, nearest)
    if chosen is None:
        raise _several(tree, nearest)
    others = [path for path in nearest if path != chosen]
    notes = (f"the project is the one file {chosen}; not {', '.join(others)}",) if others else ()
    return Layout(directory=posixpath.dirname(chosen) or ".", single=chosen, notes=notes)


def plainest(tree: Tree, paths: list[str]) -> str | None:
    """Return the one file that is alone or has an entry point's name, or None."""
    if len(paths) == 1:
        return paths[0]
    named = [
        p for p in paths if posixpath.basename(p) in {"app.py", "main.py", "wsgi.py", "asgi.py", "server.py"}
    ]
    with_application = [path for path in paths if application_of(tree, path)]
    # `hello.py` beside `hello1.py` and `hello2.py`: the others are its variants.
    stems = {path: posixpath.basename(path)[:-3] for path in with_application or paths}
    plain = [path for path, stem in stems.items() if all(other.startswith(stem) for other in stems.values())]
    for few in (named, with_application, plain):
        if len(few) == 1:
            return few[0]
    return None


def is_single_file(tree: Tree, path: str) -> bool:
    """Return whether a file configures Django itself and can be served or run."""
    text = tree.text(path) or ""
    if ".configure(" not in text or "django" not in text:
        return False
    module = tree.module(path)
    if module is None:
        return False
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "configure"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "settings"
        for node in ast.walk(module)
    )


def application_of(tree: Tree, path: str) -> str | None:
    """Return the name at module level that holds a WSGI or ASGI application, or None."""
    module = tree.module(path)
    names: list[str] = []
    for node in module.body if module else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.append(node.name)
    return next((name for name in ("application", "app", "wsgi", "asgi") if name in names), None)


def _python_files(files: list[str], prefix: str) -> Iterator[str]:
    for path in files:
        own = path[len(prefix) :]
        if own.endswith(".py") and not is_aside(own) and own.count("/") <= 4:
            yield path


def _several(tree: Tree, paths: list[str]) -> ProjectError:
    folders = [posixpath.dirname(path) or "." for path in paths]
    shown = paths[:8] + ([f"and {len(paths) - 8} more"] if len(paths) > 8 else [])
    if all(path.endswith("manage.py") for path in paths):
        hint = f"give one of these folders, as PROJECT: {tree.root / folders[0]}"
    else:
        module, name = posixpath.basename(paths[0])[:-3], application_of(tree, paths[0]) or "application"
        hint = f"name the application: --app {module}:{name}"
    return ProjectError(
        f"there are {len(paths)} Django projects here, and nothing says which one is meant",
        where="\n".join(shown),
        why=f"{tree.root} holds them side by side",
        hint=hint,
    )


def _none(tree: Tree) -> ProjectError:
    count = sum(path.endswith(".py") for path in tree.files)
    return ProjectError(
        "no Django project here",
        where=str(tree.root),
        why=f"no manage.py, no wsgi.py or asgi.py that names DJANGO_SETTINGS_MODULE and no settings.configure() in the "
        f"{count} Python files below it" if count else "there is no Python file below it",
        hint="give the folder that manage.py lies in, as PROJECT",
    )  # fmt: skip
