"""gunicorn.conf.py, or hypercorn's, read by its syntax tree and never executed: what it sets, and its hooks."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from nuages.errors import Origin
from nuages.explain import statements
from nuages.explain.facts import Row, Setting, drop, normal, nothing, undecided
from nuages.explain.gunicorn_options import HOOKS
from nuages.explain.servers import in_file, similar_in_file
from nuages.explain.translation import unknown

_CPUS = frozenset({"cpu_count", "sched_getaffinity", "process_cpu_count"})
_GETTERS = frozenset({"os.environ.get", "os.getenv", "environ.get", "getenv", "env.get", "env", "config"})
_CASTS = frozenset({"int", "str", "float", "bool"})
_VARIABLE = re.compile(r"\$\{\w+(?::-([^{}]*))?\}")


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression gives: texts that may name variables, none where only running it would tell."""

    texts: tuple[str, ...] = ()
    counts_cpus: bool = False


@lru_cache(maxsize=8)
def read(text: str, path: str, server: str = "gunicorn") -> tuple[Setting | Row, ...]:
    """Return the settings of a file of gunicorn's or hypercorn's in the order of its lines; raises SyntaxError.

    It is kept: each of a hundred services may be started with the same file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of `"\d"`: what Python says of the file is for whoever runs it
        tree = ast.parse(text)
    names: dict[str, Value] = {}
    found: list[Setting | Row] = []
    _body(tree.body, text, path, names, found, server)
    return tuple(found)


def _body(
    body: list[ast.stmt],
    text: str,
    path: str,
    names: dict[str, Value],
    found: list[Setting | Row],
    server: str,
) -> None:
    for node in body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += statements.changes(targets, server, Origin(path, node.lineno))
            for name, given in _pairs(targets, node.value):
                value = _value(given, names)
                names[name] = value
                found += _setting(name, given, value, text, Origin(path, node.lineno), server)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            value = Value(counts_cpus=names.get(node.target.id, Value()).counts_cpus)
            names[node.target.id] = value
            found += _setting(node.target.id, node.value, value, text, Origin(path, node.lineno), server)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name in HOOKS and server == "gunicorn":
                found.append(statements.hook(node, Origin(path, node.lineno)))
        elif isinstance(node, ast.If):
            _branches(node, text, path, names, found, server)
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            outcome = undecided("what that module sets is not read: explain its file as well")
            found.append(
                Row(origin=Origin(path, node.lineno), name=ast.unparse(node), text="", outcome=outcome)
            )
        elif isinstance(node, (ast.For, ast.While)):
            _branches(ast.If(test=node.test if isinstance(node, ast.While) else node.iter, body=node.body, orelse=[]),
                      text, path, names, found, server)  # fmt: skip
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found += statements.call(node.value, server, Origin(path, node.lineno))
        elif isinstance(node, (ast.Try, ast.With)):
            _body(node.body, text, path, names, found, server)
            for handler in getattr(node, "handlers", ()):
                _body(handler.body, text, path, dict(names), found, server)


def _pairs(targets: Iterable[ast.expr], value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name that an assignment sets, and what it is set to; a call of the whole where that cannot be told."""
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id, value
        elif name := statements.own_name(target):
            yield name, value
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            is_even = len(parts) == len(target.elts)
            for at, each in enumerate(target.elts):
                if isinstance(each, ast.Name):
                    yield each.id, parts[at] if is_even else ast.Call(func=value, args=[], keywords=[])


def _branches(
    node: ast.If, text: str, path: str, names: dict[str, Value], found: list[Setting | Row], server: str
) -> None:
    """Read both branches; what they set depends on a condition that only running it would tell."""
    inside: list[Setting | Row] = []
    for branch in (node.body, node.orelse):
        _body(branch, text, path, dict(names), inside, server)
    condition = _source(text, node.test)
    for item in inside:
        if isinstance(item, Setting) and item.key not in {normal(hook) for hook in HOOKS}:
            item = Setting(
                server=item.server, name=item.name, key=item.key, origin=item.origin, values=(),
                text=f"{item.text} if {condition}", counts_cpus=item.counts_cpus,
            )  # fmt: skip
            names[item.name] = Value(counts_cpus=item.counts_cpus)
        found.append(item)


@lru_cache(maxsize=2)
def _lines(text: str) -> tuple[bytes, ...]:
    return tuple(line.encode() for line in text.split("\n"))


@lru_cache(maxsize=2)
def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text))


def _source(text: str, node: ast.expr) -> str:
    """Return an expression as it stands in the file, on one line; `ast.get_source_segment` splits it each time."""
    lines = _lines(text)[node.lineno - 1 : node.end_lineno] if hasattr(node, "lineno") else ()
    if not lines:
        return ast.unparse(node)
    last = lines[-1][: node.end_col_offset]
    whole = [*lines[:-1], last]
    whole[0] = whole[0][node.col_offset :]
    return " ".join(b" ".join(whole).decode("utf-8", "replace").split())


def _setting(
    name: str, node: ast.expr, value: Value, text: str, origin: Origin, server: str
) -> Iterator[Setting | Row]:
    source = _source(text, node)
    fact = in_file(server, name)
    shown = value.texts[0] if isinstance(node, ast.Constant) and value.texts else source
    if fact is None or name != name.lower() or name.startswith("_"):
        outcome = drop(f"no setting of {server}'s; a variable of this file, or read by nobody")
        if _words(text)[name] < 2 and similar_in_file(server, name, 0.85):
            outcome = unknown(server, name)
        yield Row(origin=origin, name=name, text=shown, outcome=outcome)
        return
    if isinstance(node, ast.Constant) and node.value is None and fact.key != "accesslog":
        yield Row(origin=origin, name=name, text="None", outcome=nothing("as if it were not set"))
        return
    if isinstance(node, (ast.List, ast.Tuple)) and fact.key == "raw-env":
        for at, each in enumerate(node.elts):
            values = value.texts[at : at + 1] if len(value.texts) == len(node.elts) else ()
            yield Setting(
                server=server, name=name, key=fact.key, text=values[0] if values else ast.unparse(each),
                origin=Origin(origin.place, each.lineno), values=values,
            )  # fmt: skip
        return
    yield Setting(
        server=server, name=name, key=fact.key, text=shown, values=value.texts, origin=origin,
        counts_cpus=value.counts_cpus,
    )  # fmt: skip


def _value(node: ast.expr, names: dict[str, Value]) -> Value:
    """Return what an expression gives, as far as its form tells."""
    if isinstance(node, ast.Constant):
        return Value((str(node.value) if node.value is not None else "None",))
    if isinstance(node, ast.Name):
        return names.get(node.id, Value())
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        parts = [_value(each, names) for each in node.elts]
        return (
            Value(tuple(text for part in parts for text in part.texts))
            if all(part.texts for part in parts)
            else Value()
        )
    if isinstance(node, ast.JoinedStr):
        return _joined([_value(each, names) for each in node.values])
    if isinstance(node, ast.FormattedValue):
        return _value(node.value, names)
    if isinstance(node, ast.Call):
        return _call(node, names)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) in {"os.environ", "environ"}:
        variable = _value(node.slice, names)
        return Value((f"${{{variable.texts[0]}}}",)) if variable.texts else Value()
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return _either([_value(each, names) for each in node.values])
    if isinstance(node, ast.BinOp):
        return _binary(node, names)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _value(node.operand, names)
        return Value((f"-{inner.texts[0]}",)) if len(inner.texts) == 1 else Value()
    return Value(counts_cpus=_counts(node))


def _counts(node: ast.AST) -> bool:
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return any(ast.unparse(function).rpartition(".")[2] in _CPUS for function in called)


def _joined(parts: list[Value]) -> Value:
    if all(len(part.texts) == 1 for part in parts):
        return Value(("".join(part.texts[0] for part in parts),))
    return Value(counts_cpus=any(part.counts_cpus for part in parts))


def _either(parts: list[Value]) -> Value:
    """Return the value of `a or b`: a variable, and its default."""
    first, second = parts[0], parts[-1]
    if len(first.texts) == 1 and len(second.texts) == 1 and first.texts[0].startswith("${"):
        return Value((_with_default(first.texts[0], second.texts[0]),))
    return Value(counts_cpus=any(part.counts_cpus for part in parts))


def _with_default(variable: str, default: str) -> str:
    name = variable[2:-1].partition(":-")[0]
    return f"${{{name}:-{_VARIABLE.sub(lambda match: match[1] or '', default)}}}"


def _call(node: ast.Call, names: dict[str, Value]) -> Value:
    function = ast.unparse(node.func)
    arguments = [_value(each, names) for each in node.args]
    arguments += [_value(each.value, names) for each in node.keywords if each.arg == "default"]
    if function in _CASTS and len(arguments) == 1:
        return arguments[0]
    if function in _GETTERS and arguments and arguments[0].texts:
        name = arguments[0].texts[0]
        if len(arguments) < 2 or not arguments[1].texts or arguments[1].texts[0] == "None":
            counts = any(each.counts_cpus for each in arguments)
            return Value((f"${{{name}}}",) if len(arguments) < 2 or arguments[1].texts else (), counts)
        return Value((_with_default(f"${{{name}}}", arguments[1].texts[0]),))
    if function in {"max", "min"} or _counts(node):
        return Value(counts_cpus=_counts(node) or any(each.counts_cpus for each in arguments))
    return Value()


def _binary(node: ast.BinOp, names: dict[str, Value]) -> Value:
    left, right = _value(node.left, names), _value(node.right, names)
    counts = _counts(node) or left.counts_cpus or right.counts_cpus
    if len(left.texts) != 1 or len(right.texts) != 1 or counts:
        return Value(counts_cpus=counts)
    one, two = left.texts[0], right.texts[0]
    if isinstance(node.op, ast.Add) and not (one.isdigit() and two.isdigit()):
        return Value((one + two,))
    if isinstance(node.op, ast.Mod) and one.count("%s") == 1:
        return Value((one.replace("%s", two),))
    if one.isdigit() and two.isdigit() and len(one) < 10 and len(two) < 10:
        if isinstance(node.op, ast.Add):
            return Value((str(int(one) + int(two)),))
        if isinstance(node.op, ast.Mult):
            return Value((str(int(one) * int(two)),))
    return Value()
