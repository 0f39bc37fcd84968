"""gunicorn.conf.py by its syntax tree → settings."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.errors import ProjectError
from nuages.explain import conclusion, conf
from nuages.explain.facts import Fate, Row, Setting
from nuages.explain.reading import read
from nuages.explain.translation import rows


def only(text: str) -> Setting:
    return next(item for item in reversed(conf.read(text, "g.py")) if isinstance(item, Setting))


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("bind = '0.0.0.0:80'", ("0.0.0.0:80",)),
        ("bind = ['a:1', 'b:2']", ("a:1", "b:2")),
        ("bind: str = ':80'", (":80",)),
        ("port = 80\nbind = f':{port}'", (":80",)),
        ("port = 80\nbind = ':' + str(port)", (":80",)),
        ("bind = '0.0.0.0:%s' % os.environ['PORT']", ("0.0.0.0:${PORT}",)),
        ("bind = f\"0.0.0.0:{os.environ.get('PORT', 8000)}\"", ("0.0.0.0:${PORT:-8000}",)),
        ("bind = os.environ.get('BIND') or ':80'", ("${BIND:-:80}",)),
        ("workers = int(os.getenv('N', default='3'))", ("${N:-3}",)),
        ("workers = 2 * 3 + 1", ("7",)),
        ("a, workers = 1, 5", ("5",)),
        ("workers = a = 4", ("4",)),
        ("host = os.getenv('H', '0.0.0.0')\nbind = os.getenv('B', f'{host}:80')", ("${B:-0.0.0.0:80}",)),
        ("timeout = compute()", ()),
        ("timeout = {}['a']", ()),
        ("workers, threads = compute()", ()),
        ("if x:\n    workers = 2\n", ()),
        ("for x in y:\n    workers = 2\n", ()),
        ("workers = 1\nworkers += 1", ()),
        ("try:\n    import x\n    workers = 4\nexcept ImportError:\n    pass", ("4",)),
    ],
)  # fmt: skip
def test_what_an_expression_gives(source: str, values: tuple[str, ...]) -> None:
    assert only(source).values == values


@pytest.mark.parametrize(
    "source",
    ["multiprocessing.cpu_count() * 2 + 1", "max(2, cpu_count())", "len(os.sched_getaffinity(0))",
     "int(os.getenv('A', os.getenv('B', cpu_count() * 2 + 1)))",
     "int(os.environ.get('WEB_CONCURRENCY', multiprocessing.cpu_count() * 2 + 1))", "(os.cpu_count() or 1) * 2"],
)  # fmt: skip
def test_workers_by_the_processors_are_the_default(source: str) -> None:
    (row,) = rows([only(f"workers = {source}")])
    assert row.outcome.fate is Fate.ITSELF


@pytest.mark.parametrize(
    ("body", "fate"),
    [
        ("server.log.info('x')", Fate.DROPPED),
        ("pass", Fate.DROPPED),
        ("patch_psycopg()", Fate.DROPPED),
        ("multiprocess.mark_process_dead(worker.pid)", Fate.ITSELF),
        ("warm()", Fate.DECIDE),
        ("x = open(path)", Fate.DECIDE),
    ],
)
def test_a_hook_is_judged_by_what_it_does(body: str, fate: Fate) -> None:
    (row,) = rows(conf.read(f"def post_fork(server, worker):\n    {body}\n", "g.py"))
    assert row.outcome.fate is fate


def test_a_value_that_a_condition_sets_takes_the_place_of_none() -> None:
    first, second = rows(conf.read("workers = 3\nif x:\n    workers = 9\n", "g.py"))
    assert first.outcome.pairs == (("workers", "3"),)
    assert second.outcome.fate is Fate.DECIDE


def test_a_module_of_which_everything_is_imported_is_said_not_to_be_read() -> None:
    (row,) = conf.read("from shared import *\n", "g.py")
    assert isinstance(row, Row)
    assert row.outcome.fate is Fate.DECIDE


def test_a_file_that_is_not_python_is_an_error_with_its_line() -> None:
    with pytest.raises(ProjectError) as caught:
        read("bind = ':80'\nworkers = = 2\n", "gunicorn.conf.py", lambda _name: None)
    assert caught.value.render() == (
        "error: gunicorn.conf.py is not Python\n"
        "  gunicorn.conf.py:2\n"
        "  invalid syntax (<unknown>, line 2)\n"
        "\n"
        "hint: see whether gunicorn itself reads it: gunicorn --check-config -c FILE MODULE:NAME"
    )


EXPRESSIONS = st.recursive(
    st.sampled_from(["1", "'a'", "x", "None", "True", "os.environ['A']", "os.getenv('A')", "cpu_count()", "[]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" + ".join),
        st.tuples(inner, inner).map(" % ".join),
        st.tuples(inner, inner).map(" or ".join),
        inner.map("int({})".format),
        inner.map("[{}]".format),
        inner.map("-({})".format),
        inner.map("os.environ.get('A', {})".format),
        inner.map("({}) if x else 2".format),
    ),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["workers", "bind", "raw_env", "timeout", "x"]), EXPRESSIONS)))
def test_no_configuration_gives_a_traceback(lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{name} = {expression}\n" for name, expression in lines)
    reading = read(text, "gunicorn.conf.py", lambda _name: None)
    conclusion.explained(reading.parts)


@given(st.text())
def test_no_text_gives_a_traceback(text: str) -> None:
    try:
        read(text, "gunicorn.conf.py", lambda _name: None)
    except ProjectError:
        return


def test_what_python_warns_of_in_a_configuration_is_not_printed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read("workers = 3\nbind = 'x\\d'\n", "gunicorn.conf.py", lambda _name: None)


@pytest.mark.parametrize(
    ("statement", "name", "fate"),
    [
        ("gunicorn.SERVER = ''", "gunicorn.SERVER", Fate.ITSELF),
        ("for k in os.environ:\n    locals()[k] = os.environ[k]", "locals()[k]", Fate.DECIDE),
        ("globals().update(x)", "globals().update()", Fate.DECIDE),
        ("os.environ['A'] = 'hush'", "os.environ['A']", Fate.DECIDE),
        ("os.environ.setdefault('A', 'hush')", "os.environ.setdefault()", Fate.DECIDE),
        ("monkey.patch_all()", "monkey.patch_all()", Fate.DROPPED),
        ("load_dotenv('.env')", "load_dotenv()", Fate.ITSELF),
        ("sys.path.insert(0, 'src')", "sys.path.insert()", Fate.ITSELF),
        ("sentry_sdk.init(dsn='hush')", "sentry_sdk.init()", Fate.DECIDE),
        ("X.y = 1", "X.y", Fate.DECIDE),
    ],
)
def test_a_statement_that_sets_no_option_is_told_of(statement: str, name: str, fate: Fate) -> None:
    (row,) = rows(conf.read(f"'''Text.'''\nimport os\n{statement}\nprint(1)\n", "g.py"))
    assert (row.name, row.outcome.fate) == (name, fate)
    assert "hush" not in repr(row)


def test_a_name_that_is_set_in_the_namespace_itself_is_an_option() -> None:
    assert only("locals()['bind'] = ':80'").values == (":80",)
    assert only("if 'P' in os.environ:\n    locals()['bind'] = ':80'").values == ()


def test_a_file_without_an_option_is_there_all_the_same() -> None:
    found, summed = conclusion.explained(
        read("web: gunicorn -c g.py a.wsgi\n", "Procfile", lambda _: ("g.py", "import os\n")).parts
    )
    assert [row.outcome.why for _, given in found for row in given][:2] == [
        "read with this, below", "sets no option",
    ]  # fmt: skip
    assert not any("not beside" in each for each in summed.decisions)
