"""Which setting is of a wrong kind, where something failed on it far from the line that sets it."""

from __future__ import annotations

import importlib
import logging.config
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils.functional import lazystr

from nuages.errors import StartError
from nuages.runtime import culprits
from nuages.runtime.faults import start_error

Load = Callable[[str], str]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that imports settings of a text, as the project in `tmp_path`, and returns their name."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def load_text(text: str) -> str:
        name = "settings_of_a_wrong_kind"
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        importlib.import_module(name)
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", name)
        return name

    return load_text


def failure(do: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        do()
    return caught.value


WRONG = {
    "STATICFILES_DIRS = 5": "an int stands where a list of folders, or of pairs of a prefix and a folder is wanted",
    "STATICFILES_DIRS = ['a', 5]": (
        "a list of int, str stands where a list of folders, or of pairs of a prefix and a folder is wanted"
    ),
    "STATIC_ROOT = True": "a bool stands where a folder or None is wanted",
    "STATIC_ROOT = 'a\\0b'": "a str stands where a folder or None is wanted",
    "STATIC_ROOT = b'/srv'": "a bytes stands where a folder or None is wanted",
    "STATIC_URL = 'http://[shop'": "a str stands where a path or a URL is wanted",
    "MEDIA_ROOT = None": "a NoneType stands where a folder is wanted",
    "STORAGES = {'staticfiles': 3}": "a dict with int stands where a dictionary with one for each storage is wanted",
    "DATABASES = 'x'": "a str stands where a dictionary with one for each database is wanted",
    "CACHES = []": "a list stands where a dictionary with one for each cache is wanted",
    "INSTALLED_APPS = ['']": "a list of str stands where a list of the applications' names is wanted",
    "SECURE_PROXY_SSL_HEADER = 'x'": "a str stands where a pair of texts or None is wanted",
    "ROOT_URLCONF = 3": "an int stands where the name of a module is wanted",
    "ALLOWED_HOSTS = ['shop.example', 5]": "a list of int, str stands where a list of host names is wanted",
    "TEMPLATES = [3]": "a list of int stands where a list of dictionaries is wanted",
    "X_FRAME_OPTIONS = None": "a NoneType stands where DENY, SAMEORIGIN or another text is wanted",
    "AUTHENTICATION_BACKENDS = 'shop.Backend'": "a str stands where a list of names is wanted",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_setting_of_a_wrong_kind_is_named_with_its_line_and_what_is_wanted(load: Load, text: str) -> None:
    found = list(culprits.find(load(f"# the settings\n{text}\n")))
    name = text.partition(" =")[0]
    assert [(one.name, one.where, one.why) for one in found] == [
        (name, "settings_of_a_wrong_kind.py:2", WRONG[text])
    ]
    assert found[0].line.startswith(f"{name} = ")


def test_what_the_hint_would_paste_is_of_the_right_kind(load: Load, tmp_path: Path) -> None:
    head = f"from pathlib import Path\nBASE_DIR = Path({str(tmp_path)!r})\n"
    wrong = "".join(f"{name} = object()\n" for name in culprits._KINDS)
    lines = [one.line for one in culprits.find(load(wrong))]
    assert len(lines) == len(culprits._KINDS)
    assert list(culprits.find(load(head + "\n".join(lines)))) == []


def test_what_django_takes_is_of_no_wrong_kind(load: Load) -> None:
    module = load(
        "from pathlib import Path\nSTATICFILES_DIRS = (Path('a'), ['p', 'b'], ('q', Path('c')))\nSTATIC_URL = None\n"
        "INSTALLED_APPS = ()\nDATABASES = {}\nFORCE_SCRIPT_NAME = None\nALLOWED_HOSTS = ['shop.example', None, '']\n"
    )
    vars(sys.modules[module])["STATIC_URL"] = lazystr("/static/")
    assert list(culprits.find(module)) == []


def test_the_whole_message_shows_no_value(load: Load) -> None:
    load("SECRET_KEY = 'of-the-shop'\nDATABASES = {'default': 'postgresql://shop:secret@db/shop'}\n")
    with pytest.raises(StartError) as caught, culprits.blamed():
        "postgresql".setdefault("ENGINE")  # type: ignore[attr-defined]
    assert caught.value.render() == (
        "error: DATABASES is of the wrong kind\n"
        "  settings_of_a_wrong_kind.py:2\n"
        "  a dict with str stands where a dictionary with one for each database is wanted\n"
        "  AttributeError: 'str' object has no attribute 'setdefault'\n"
        "\n"
        'hint: DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}}'
    )


def test_every_setting_of_a_wrong_kind_is_told_and_the_one_that_the_error_names_first(load: Load) -> None:
    module = load("MEDIA_ROOT = 3\nSTATIC_URL = 5\n")
    told = culprits.error_of(TypeError("STATIC_URL must be str"), module, what="it cannot be served")
    assert told is not None
    assert told.what == "STATIC_URL is of the wrong kind: it cannot be served"
    assert "MEDIA_ROOT too, settings_of_a_wrong_kind.py:1: an int stands where a folder is wanted" in told.why


def test_what_not_every_project_reads_is_told_where_an_error_names_it(load: Load) -> None:
    module = load("AUTHENTICATION_BACKENDS = 5\nX_FRAME_OPTIONS = None\n")
    assert culprits.error_of(TypeError("'NoneType' object is not callable"), module) is None
    told = culprits.error_of(TypeError("AUTHENTICATION_BACKENDS is no list"), module)
    assert told is not None
    assert told.what == "AUTHENTICATION_BACKENDS is of the wrong kind"
    assert "X_FRAME_OPTIONS" not in told.why


def test_what_fails_with_settings_of_the_right_kind_is_a_fault_of_ours_and_keeps_its_traceback(
    load: Load,
) -> None:
    load("STATIC_URL = '/static/'\n")
    with pytest.raises(ZeroDivisionError), culprits.blamed():
        _ = 1 / 0
    with pytest.raises(KeyError), culprits.blamed():
        _ = {}["x"]


def test_a_module_that_is_missing_is_not_told_as_a_setting(load: Load) -> None:
    assert culprits.error_of(ModuleNotFoundError("No module named 'x'"), load("STATIC_URL = 5\n")) is None


def _start(error: Exception, module: str) -> StartError:
    return start_error(error, directories=(), settings=module, loading=f"the settings module {module}")


def test_what_logging_says_of_its_configuration_is_told_at_the_line_of_the_setting(load: Load) -> None:
    module = load("DEBUG = False\nLOGGING = {'version': 2}\n")
    error = failure(lambda: logging.config.dictConfig({"version": 2}))
    assert _start(error, module).where == "settings_of_a_wrong_kind.py:2"


def test_a_setting_that_an_error_names_is_told_at_its_line(load: Load) -> None:
    module = load("DEBUG = False\nINSTALLED_APPS = 'shop'\n")
    refused: Any = type("ImproperlyConfigured", (Exception,), {})
    told = _start(refused("The INSTALLED_APPS setting must be a list or a tuple."), module)
    assert (told.what, told.where) == (
        "INSTALLED_APPS is of the wrong kind",
        "settings_of_a_wrong_kind.py:2",
    )
    told = _start(refused("settings.DEBUG must be something else"), module)
    assert (told.what, told.where) == (
        "Django does not accept the settings",
        "settings_of_a_wrong_kind.py:1",
    )


def test_a_setting_whose_value_an_error_names_is_told_at_its_line(load: Load) -> None:
    module = load("LANGUAGE_CODE = ''\nTIME_ZONE = 'Mars'\n")
    assert (
        _start(ValueError("Incorrect timezone setting: Mars"), module).where
        == "settings_of_a_wrong_kind.py:2"
    )
    assert _start(ValueError("'' is wrong"), module).where == f"the settings module {module}"


def test_a_settings_module_that_is_not_there_has_no_culprits() -> None:
    assert list(culprits.find(None)) == []
    assert list(culprits.find("settings.of.nobody")) == []
    assert culprits.place(ValueError("STATIC_URL"), "settings.of.nobody") == ""
    assert "settings.of.nobody" not in sys.modules


def test_a_setting_that_names_a_class_is_told_where_a_part_of_the_name_is_not_there(load: Load) -> None:
    module = load("DEBUG = False\nSESSION_SERIALIZER = 'shop_of_nobody.sessions.Serializer'\n")
    error: Exception = ModuleNotFoundError("No module named 'shop_of_nobody'", name="shop_of_nobody")
    assert culprits.place(error, module) == "settings_of_a_wrong_kind.py:2"
    error = ImportError('Module "shop_of_nobody.sessions" does not define a "Serializer" attribute/class')
    assert culprits.place(error, module) == "settings_of_a_wrong_kind.py:2"
    error = ModuleNotFoundError("No module named 'shop'", name="shop")
    assert culprits.place(error, module) == ""


def test_reading_the_source_again_warns_of_nothing_that_importing_it_has_warned_of(load: Load) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = load('STATIC_URL = 5\nX = "\\d"\n')
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [one.name for one in culprits.find(module)] == ["STATIC_URL"]
    assert told == []
