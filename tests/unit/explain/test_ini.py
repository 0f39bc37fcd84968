"""Lines of uwsgi.ini and uwsgi.yaml → settings."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from nuages.explain import ini, uwsgi_files
from nuages.explain.facts import Fate, Row, Setting
from nuages.explain.translation import rows
from nuages.explain.yaml import NotYamlError


def settings(text: str, path: str = "uwsgi.ini", form: str = "uwsgi.ini") -> dict[str, tuple[str, ...]]:
    found = ini.read(text, path, form=form)
    return {item.name: item.values for item in found if isinstance(item, Setting)}


def test_lines_comments_and_sections_are_read_as_uwsgi_does() -> None:
    text = "[uwsgi]\n; no\n# no\nprocesses=4\n  threads = 2 ; two\nmaster\n[other]\nprocesses = 9\n"
    assert settings(text) == {"processes": ("4",), "threads": ("2",), "master": ("",)}


def test_placeholders_are_filled_in_and_variables_keep_their_names() -> None:
    text = (
        "[uwsgi]\nset-placeholder = site=shop\nbase = /srv/%(site)\nchdir = %(base)/app\nlogto = %d/%n.log\n"
        "http = :$(PORT)\nlisten = $(BACKLOG:100)\n"
    )
    found = settings(text, "deploy/shop.ini")
    assert found["chdir"] == ("/srv/shop/app",)
    assert found["logto"] == ("deploy//shop.log",)
    assert found["http"] == (":${PORT}",)
    assert found["listen"] == ("${BACKLOG:-100}",)


def test_what_only_uwsgi_knows_is_not_known_and_processors_are_counted() -> None:
    items = ini.read("[uwsgi]\nprocesses = %k\nlogto = %(nobody).log\nprocname = @(exec://date)\n", "u.ini")
    workers, logto, name = items
    assert isinstance(workers, Setting)
    assert (workers.values, workers.counts_cpus) == ((), True)
    assert isinstance(logto, Setting)
    assert isinstance(name, Setting)
    assert logto.values == name.values == ()
    assert rows([workers])[0].outcome.fate is Fate.ITSELF


def test_placeholders_that_name_each_other_end() -> None:
    assert settings("[uwsgi]\na = %(b)%(b)\nb = %(a)%(a)\nchdir = %(a)\n")["chdir"] == ()


def test_a_placeholder_is_told_from_a_misspelt_option() -> None:
    items = ini.read("[uwsgi]\nhome_dir = /srv\nharakri = 30\nchdir = %(home_dir)\n", "u.ini")
    fates = {item.name: item.outcome.fate for item in items if isinstance(item, Row)}
    assert fates == {"home_dir": Fate.DROPPED, "harakri": Fate.UNKNOWN}


def test_yaml_has_sections_values_and_lists() -> None:
    text = 'uwsgi:\n  processes: 4 # four\n  env:\n    - A=b\n    - "C=d"\n  "module": x\n  http: ":8000"\n'
    found = [(one.key, one.value) for one in uwsgi_files.of_yaml(text)]
    assert ("processes", "4") in found
    assert ("env", "A=b") in found
    assert ("env", "C=d") in found
    assert settings(text, "uwsgi.yaml", "uwsgi.yaml")["http"] == (":8000",)


def test_json_has_texts_numbers_switches_and_lists() -> None:
    text = (
        '{\n  "uwsgi": {\n    "socket": "127.0.0.1:5000",\n    "master": true,\n    "processes": 4,\n'
        '    "env": ["A=b",\n            "C=\\u00e9"],\n    "disable-logging": false\n  }\n}\n'
    )
    assert [(one.number, one.key, one.value) for one in uwsgi_files.of_json(text)] == [
        (3, "socket", "127.0.0.1:5000"), (4, "master", "true"), (5, "processes", "4"), (6, "env", "A=b"),
        (7, "env", "C=é"), (8, "disable-logging", "false"),
    ]  # fmt: skip


def test_xml_has_an_element_an_option() -> None:
    text = """\
<?xml version="1.0"?>
<uwsgi>
  <!-- no -->
  <socket>:8077</socket>
  <master/>
  <env>A=b &amp; c</env>
  <app mountpoint="/x">
    <script>shop.wsgi</script>
  </app>
  <processes>
  4
  </processes>
</uwsgi>
"""
    assert [(one.number, one.section, one.key, one.value) for one in uwsgi_files.of_xml(text)] == [
        (4, "uwsgi", "socket", ":8077"), (5, "uwsgi", "master", ""), (6, "uwsgi", "env", "A=b & c"),
        (7, "uwsgi", "mount", "/x=shop.wsgi"), (10, "uwsgi", "processes", "4"),
    ]  # fmt: skip
    two = "<servers><uwsgi id='a'><threads>2</threads></uwsgi><uwsgi id='b'><threads>3</threads></uwsgi></servers>"
    assert settings(two, "u.xml", "uwsgi.xml")["threads"] == ("2",)
    found = ini.read(two, "u.xml", "b", form="uwsgi.xml")
    assert [item.values for item in found if isinstance(item, Setting)] == [("3",)]


def test_what_a_condition_sets_takes_the_place_of_nothing() -> None:
    text = "[uwsgi]\nharakiri = 20\nif-env = LIMIT\nharakiri = %(_)\nendif =\nthreads = 2\n"
    first, condition, second, _, threads = rows(ini.read(text, "u.ini"))
    assert first.outcome.pairs == (("timeout", "20s"),)
    assert (condition.outcome.fate, second.outcome.fate) == (Fate.DROPPED, Fate.DECIDE)
    assert second.text == "%(_), if-env = LIMIT"
    assert threads.outcome.pairs == (("threads", "2"),)


def test_a_hook_that_migrates_is_the_migration() -> None:
    text = "[uwsgi]\nhook-pre-app = exec:./manage.py migrate\nhook-post-app = exec:./warm\n"
    assert [row.outcome.fate for row in rows(ini.read(text, "u.ini"))] == [Fate.ITSELF, Fate.DECIDE]


LINES = st.lists(
    st.sampled_from([
        "[uwsgi]", "[x]", "processes = %(a)", "a = %(b)", "b = %(a)", "%d", "=", "= 4", "ini = %p", "env = =",
        "static-map = /=", "http = [", "chdir = $(", "threads = -", "timeout", "mount = /x=y",
    ]) | st.text(max_size=30)
)  # fmt: skip


@given(LINES)
def test_no_file_gives_a_traceback(lines: list[str]) -> None:
    for form in ("uwsgi.ini", "uwsgi.yaml"):
        with suppress(NotYamlError):
            assert rows(ini.read("\n".join(lines), "uwsgi.ini", form=form)) is not None


@given(st.text())
def test_no_text_gives_a_traceback(text: str) -> None:
    rows(ini.read(f"[uwsgi]\n{text}", "uwsgi.ini"))
    with suppress(NotYamlError):
        rows(ini.read(text, "uwsgi.yaml", form="uwsgi.yaml"))


def test_what_a_file_says_unless_the_options_own_variable_is_set_is_its_default() -> None:
    text = (
        "[uwsgi]\nif-not-env = UWSGI_PROCESSES\nprocesses = 4\nendif =\nif-not-env = UWSGI_WORKERS\nworkers = 3\n"
        "threads = 2\nendif =\nif-env = UWSGI_HARAKIRI\nharakiri = 60\nendif =\nlisten = 5\n"
    )
    found = settings(text)
    assert found["processes"] == ("${UWSGI_PROCESSES:-4}",)
    assert found["workers"] == ("${UWSGI_WORKERS:-3}",)
    assert (found["threads"], found["harakiri"], found["listen"]) == ((), (), ("5",))


def test_a_computed_socket_still_says_what_the_proxy_needs() -> None:
    (_, socket, _) = rows(ini.read("[uwsgi]\nif-env = A\nsocket = :80\nendif =\n", "u.ini"))
    assert socket.outcome.decision.endswith("needs proxy_pass in the place of uwsgi_pass")
