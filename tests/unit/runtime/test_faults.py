"""What a project's own exceptions are told as."""

from __future__ import annotations

import logging.config
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from nuages.runtime.faults import start_error


@pytest.mark.parametrize(
    "said",
    [
        "Set the PAYMENT_KEY environment variable",  # django-environ
        'Environment variable "PAYMENT_KEY" not set',  # environs
        "PAYMENT_KEY not found. Declare it as envvar or define a default value.",  # python-decouple
        "Environment variable `PAYMENT_KEY` must be supplied in production",
        "The PAYMENT_KEY environment variable is not set",
        "the environment variable 'PAYMENT_KEY' is required",
        "Missing required environment variable: PAYMENT_KEY",
    ],
)
def test_a_variable_that_a_library_misses_is_named(said: str) -> None:
    error = start_error(ValueError(said), directories=(), settings=None, loading="the entry module shop.wsgi")
    assert error.what == "the variable PAYMENT_KEY is not set"
    assert error.hint == "set PAYMENT_KEY in the environment"
    assert said in error.why


def test_a_variable_that_is_set_is_not_told_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_KEY", "short")
    said = "The PAYMENT_KEY environment variable must have 32 characters"
    error = start_error(ValueError(said), directories=(), settings=None, loading="the entry module shop.wsgi")
    assert error.what == "the entry module shop.wsgi cannot be loaded"


def test_what_a_library_says_of_a_variable_that_is_set_is_not_taken_for_that() -> None:
    said = 'Environment variable "PAYMENT_KEY" invalid: Not a valid integer.'
    error = start_error(ValueError(said), directories=(), settings=None, loading="the entry module shop.wsgi")
    assert error.what == "the entry module shop.wsgi cannot be loaded"


@pytest.mark.parametrize("is_package", [True, False])
def test_a_missing_module_of_the_projects_own_package_is_a_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_package: bool
) -> None:
    (tmp_path / "extras_of_ours/data").mkdir(parents=True)
    if is_package:
        (tmp_path / "extras_of_ours/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    name = "extras_of_ours.data.un_locode"
    missing = ModuleNotFoundError(f"No module named {name!r}", name=name)
    error = start_error(missing, directories=(str(tmp_path),), settings="shop.settings", loading="the URLs")
    assert error.render() == (
        "error: the file extras_of_ours/data/un_locode.py is missing in the project\n"
        "  the URLs\n"
        "  ModuleNotFoundError: No module named 'extras_of_ours.data.un_locode'\n"
        "\n"
        "hint: add extras_of_ours/data/un_locode.py, or correct the name extras_of_ours.data.un_locode; "
        "see whether .gitignore or .dockerignore leaves it out"
    )


@pytest.mark.parametrize("example", ["options.example.py", "options_example.py", "options.py.template"])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_missing_file_with_an_example_beside_it_is_a_copy_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str, is_wrapped: bool
) -> None:
    (tmp_path / "shop_of_examples").mkdir()
    (tmp_path / "shop_of_examples" / example).touch()
    (tmp_path / "shop_of_examples" / "optional.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    name = "shop_of_examples.options"
    raised: Exception = ModuleNotFoundError(f"No module named {name!r}", name=name)
    if is_wrapped:
        wrapped = ImproperlyConfigured(f"Specified configuration module ({name}) not found")
        wrapped.__cause__, raised = raised, wrapped
    error = start_error(raised, directories=(str(tmp_path),), settings="shop.settings", loading="the URLs")
    assert error.what == "the file shop_of_examples/options.py is missing in the project"
    assert error.hint == f"cp shop_of_examples/{example} shop_of_examples/options.py, and fill it in"


@pytest.mark.parametrize("name", ["pytest.of_a_newer_release", "slippers", "nobody.knows.it"])
def test_a_missing_module_of_somebody_elses_is_a_missing_package(tmp_path: Path, name: str) -> None:
    missing = ModuleNotFoundError(f"No module named {name!r}", name=name)
    error = start_error(missing, directories=(str(tmp_path),), settings="shop.settings", loading="the URLs")
    assert error.what == f"the project needs the module {name}, which is not installed here"


def test_what_an_error_was_raised_from_is_told(tmp_path: Path) -> None:
    log = tmp_path / "missing" / "shop.log"
    configuration = {
        "version": 1, "handlers": {"file": {"class": "logging.FileHandler", "filename": str(log)}},
        "root": {"handlers": ["file"]},
    }  # fmt: skip
    with pytest.raises(ValueError, match="handler 'file'") as raised:
        logging.config.dictConfig(configuration)
    found = start_error(
        raised.value, directories=("/project",), settings="shop.settings", loading="the settings"
    )
    assert found.why.splitlines() == [
        "ValueError: Unable to configure handler 'file'",
        f"because of FileNotFoundError: [Errno 2] No such file or directory: '{log}'",
    ]
    assert found.hint.startswith("correct what the last line names")


@pytest.mark.parametrize(
    ("library", "package"),
    [("libvoikko.so.1", "libvoikko1"), ("libpng16.so.16", "libpng16-16"), ("libGL.so.1.0.0", "libgl1"),
     ("libfoo.so", "libfoo"), ("libfoo_bar-2.0.so.0", "libfoo-bar-2.0-0")],
)  # fmt: skip
def test_a_library_that_is_not_there_is_named_with_its_package(library: str, package: str) -> None:
    said = f"{library}: cannot open shared object file: No such file or directory"
    wrapped = RuntimeError("no speller")
    wrapped.__cause__ = OSError(said)
    for one in (OSError(said), ImportError(said), wrapped):
        error = start_error(one, directories=(), settings="shop.settings", loading="the URLs")
        assert error.what == f"the URLs cannot be loaded: the shared library {library} is not there"
        assert error.hint == (
            f"install the Debian package that has it, {package} by its name: nuages build --apt {package} does so in "
            "an image"
        )


@pytest.mark.parametrize(
    "said",
    [
        "django-configurations settings importer wasn't correctly installed. Please use one of the starter functions",
        "Configuration cannot be imported, environment variable DJANGO_CONFIGURATION is undefined.",
    ],
)
def test_settings_of_django_configurations_without_their_class_name_the_variable(said: str) -> None:
    made = type("ImproperlyConfigured", (Exception,), {})(said)
    error = start_error(made, directories=(), settings="shop.settings", loading="the settings module")
    assert error.what == "the variable DJANGO_CONFIGURATION is not set"
    assert error.hint == (
        "set it to the class of the settings that is to be served, such as DJANGO_CONFIGURATION=Production"
    )
