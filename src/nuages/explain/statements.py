"""Statements of a configuration in Python that set no option: hooks, calls, and changes of something else."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from nuages.errors import Origin
from nuages.explain.facts import Outcome, Row, Setting, drop, normal, nothing, undecided

_LOGS = frozenset({"info", "debug", "warning", "error", "critical", "exception", "print", "log"})
_NAMESPACES = frozenset({"locals()", "globals()", "vars()"})
_PATCHES = "patches for greenlets: here threads are real, and it must go"
_NAMELESS = undecided(
    "sets options whose names only running it tells: give them to nuages on its command line"
)
_VARIABLE = undecided("sets a variable for the project: set it where nuages is started, or in the settings")
_HEADER = nothing("no header names the server")
_PATH = nothing("the folders that manage.py and the project need are found; others: PYTHONPATH")
_ENV_FILE = nothing("nuages up --env-file reads a file of variables; a container is given them where it runs")


def changes(targets: Iterable[ast.expr], server: str, origin: Origin) -> Iterator[Row]:
    """Yield a row for each target of an assignment that is no name of the file's own."""
    for target in targets:
        if isinstance(target, (ast.Attribute, ast.Subscript)) and not own_name(target):
            name = ast.unparse(target)
            yield Row(origin=origin, name=name, text="", outcome=_changed(target, name, server))


def own_name(target: ast.expr) -> str:
    """Return the name that `locals()["bind"] = …` sets, "" for any other target."""
    is_own = isinstance(target, ast.Subscript) and ast.unparse(target.value) in _NAMESPACES
    if is_own and isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return target.slice.value if isinstance(target.slice.value, str) else ""
    return ""


def _changed(target: ast.Attribute | ast.Subscript, name: str, server: str) -> Outcome:
    whole = ast.unparse(target.value)
    if whole in _NAMESPACES:
        return _NAMELESS
    if whole in {"os.environ", "environ"}:
        return _VARIABLE
    return _HEADER if name.rpartition(".")[2] in {"SERVER", "SERVER_SOFTWARE"} else _at_start(server)


def _at_start(server: str) -> Outcome:
    return undecided(
        f"runs when {server} reads its file: the project's settings, or --before-fork MODULE:NAME, do that"
    )


def call(node: ast.Call, server: str, origin: Origin) -> Iterator[Row]:
    """Yield the row of a call that a file makes for what it does; none where it only writes."""
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if last in _LOGS:
        return
    if last.startswith("patch_"):
        outcome = drop(_PATCHES)
    elif last == "load_dotenv":
        outcome = _ENV_FILE
    elif name.startswith("sys.path."):
        outcome = _PATH
    elif name.removesuffix(".update") in _NAMESPACES:
        outcome = _NAMELESS
    elif name in {"os.environ.setdefault", "os.environ.update", "os.putenv"}:
        outcome = _VARIABLE
    else:
        outcome = _at_start(server)
    yield Row(origin=origin, name=f"{name}()", text="", outcome=outcome)


def hook(node: ast.FunctionDef | ast.AsyncFunctionDef, origin: Origin) -> Setting | Row:
    """Return what a function of gunicorn's hooks becomes, by what it does."""
    source = ast.dump(node)
    if not [line for line in node.body if not _does_nothing(line)]:
        return Row(
            origin=origin,
            name=f"def {node.name}",
            text="",
            outcome=drop("it only writes to the log, or nothing"),
        )
    if "mark_process_dead" in source:
        why = "metrics of ended workers are taken over by themselves, and counted once"
        return Row(origin=origin, name=f"def {node.name}", text="", outcome=nothing(why))
    if "patch_psycopg" in source or "patch_all" in source:
        return Row(origin=origin, name=f"def {node.name}", text="", outcome=drop(_PATCHES))
    key = normal(node.name)
    return Setting(server="gunicorn", name=f"def {node.name}", key=key, text="", values=("",), origin=origin)


def _does_nothing(node: ast.stmt) -> bool:
    """Whether a statement of a hook only logs."""
    if isinstance(node, (ast.Pass, ast.Import, ast.ImportFrom, ast.Assign)):
        return not any(isinstance(each, ast.Call) for each in ast.walk(node))
    if not isinstance(node, ast.Expr):
        return False
    call = node.value
    if isinstance(call, ast.Constant):
        return True
    return isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in _LOGS
