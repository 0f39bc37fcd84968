"""Who may import whom (DESIGN, section 4), read from the sources with `ast`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src" / "nuages"

FOUNDATION = {"nuages", "nuages.errors", "nuages.kinds", "nuages.options"}
ALLOWED: dict[str, set[str]] = {
    "beginning": {"nuages.runtime"},
    "errors": set(),
    "kinds": set(),
    "node": set(),
    "sonames": set(),
    "options": {"nuages.errors", "nuages.kinds"},
    "termination": set(),
    "configuration": FOUNDATION,
    "console": {"nuages.errors"},
    "invocation": FOUNDATION | {"nuages.configuration", "nuages.console"},
    "project": {"nuages.errors", "nuages.kinds", "nuages.node", "nuages.project"},
    "image": FOUNDATION | {"nuages.image", "nuages.project.model", "nuages.runtime.settings"},
    "deploy": FOUNDATION
    | {"nuages.deploy", "nuages.image.plan", "nuages.project.model", "nuages.project.schedule"}
    | {"nuages.runtime.settings"},
    "check": FOUNDATION | {"nuages.check", "nuages.project", "nuages.runtime.settings"},
    "environment": FOUNDATION
    | {"nuages.sonames", "nuages.environment", "nuages.project", "nuages.runtime.settings"},
    "bench": FOUNDATION | {"nuages.bench", "nuages.project.model", "nuages.runtime"},
    "explain": FOUNDATION | {"nuages.explain", "nuages.project.model", "nuages.runtime.settings"},
    "runtime": FOUNDATION | {"nuages.node", "nuages.sonames", "nuages.runtime"},
}
STDLIB_ONLY = {
    "errors", "kinds", "node", "sonames", "options", "configuration", "console", "invocation", "project",
}  # fmt: skip
RUNTIME_LIBRARIES = {"uvicorn", "httptools", "uvloop", "websockets"}
INSIDE_FUNCTIONS_ONLY = {"django", "asgiref", "brotli", "boto3", "botocore"}


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported module and whether the import stands inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def walk(node: ast.AST, *, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module and child.level == 0:
                yield child.module, inside
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            else:
                function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, inside=inside or function)

    yield from walk(tree, inside=False)


def _modules() -> list[Path]:
    return sorted(SOURCES.rglob("*.py"))


def _area(path: Path) -> str:
    return path.relative_to(SOURCES).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_module_imports_only_what_its_area_may(path: Path) -> None:
    area = _area(path)
    if area not in ALLOWED:
        assert area in {
            "__init__", "__main__", "apart", "benching", "building", "checking", "cli", "commands", "deploying",
            "examining", "explaining", "making", "monitoring", "package_sources", "reference", "reloading", "running",
        }  # fmt: skip
        return
    for module, inside in _imports(path):
        top = module.partition(".")[0]
        if top == "nuages":
            allowed = ALLOWED[area] | {f"nuages.{area}"}
            assert any(
                module == name or (name.count(".") and module.startswith(name + ".")) for name in allowed
            ), f"{path.name} imports {module}"
        elif top in sys.stdlib_module_names or top in {"tomllib", "tomli", "__future__"}:
            continue
        elif area == "runtime":
            assert top in RUNTIME_LIBRARIES or (top in INSIDE_FUNCTIONS_ONLY and inside), (
                f"{path.name}: {module}"
            )
        else:
            assert area not in STDLIB_ONLY, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(SOURCES)))
def test_no_module_has_a_name_without_a_meaning(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "common", "base", "core", "misc"}


def test_the_supervisor_loads_neither_uvicorn_nor_django() -> None:
    supervisor = SOURCES / "runtime" / "supervisor.py"
    seen, todo = set(), [supervisor]
    while todo:
        path = todo.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        for module, _ in _imports(path):
            assert module.partition(".")[0] not in {"uvicorn", "django", "asyncio"}, (
                f"{path.name} imports {module}"
            )
            if module.startswith("nuages."):
                todo.append(SOURCES / (module.removeprefix("nuages.").replace(".", "/") + ".py"))
