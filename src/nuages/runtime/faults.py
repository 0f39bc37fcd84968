"""What went wrong in the user's own code while it was loaded, told from the first frame that is theirs."""

from __future__ import annotations

import errno
import importlib.machinery
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from nuages import sonames
from nuages.errors import Origin, StartError
from nuages.runtime import culprits

_OURS = str(Path(__file__).resolve().parents[1])
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_LOADERS = ("<frozen importlib", "<frozen runpy", "importlib/__init__.py")
_LACKS = (
    r"(?i: (?:(?:is|was|has) (?:not|un|missing|required|empty)|must|needs|should|not (?:set|found|defined)|missing"
    r"|required))"
)
_UNSET = re.compile(
    r"Set the (?P<environ>[A-Z]\w*) environment variable"
    r"|Environment variable \"(?P<environs>[A-Z]\w*)\" not set"
    r"|^(?P<decouple>[A-Z]\w*) not found\. Declare it as envvar"
    # What projects say of their own: «Environment variable `SHOP_KEY` must be supplied in production».
    r"|(?i:\b(?:environment|env)[ _]var(?:iable)?:?) [`'\"]?(?P<own>[A-Z][A-Z0-9_]{2,})[`'\"]?"
    + _LACKS
    + r"|\b(?P<before>[A-Z][A-Z0-9_]{2,})[`'\"]? (?i:(?:environment|env)[ _]var(?:iable)?)"
    + _LACKS
    + r"|(?i:\b(?:missing|unset|required)\b[\w ]* (?:environment|env)[ _]var(?:iable)?s?):? [`'\"]?"
    r"(?P<behind>[A-Z][A-Z0-9_]{2,})\b"
)
"""What django-environ, environs, python-decouple and projects say of a variable that has no value and no default."""
_DRIVERS = {"psycopg2 or psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
_DRIVER = re.compile(r"Error loading (\w+(?: or \w+)?) module")
"""What Django's database backends say where the package is missing that they take."""


def _is_loader(filename: str) -> bool:
    return filename.startswith(_LOADERS[:2]) or filename.replace("\\", "/").endswith(_LOADERS[2])


def user_frames(trace: TracebackType | None, directories: Iterable[str]) -> list[traceback.FrameSummary]:
    """Return the frames of a traceback from the first one that lies in `directories`, without import machinery.

    Frames in the virtual environment inside the project's folder are not theirs. No frame of theirs: none at all.
    Those of nuages behind it tell them nothing.
    """
    roots = tuple(str(Path(directory).resolve()).rstrip("/") + "/" for directory in directories)
    prefixes = {str(Path(prefix).resolve()) + "/" for prefix in (sys.prefix, sys.base_prefix)}
    frames = [frame for frame in traceback.extract_tb(trace) if not _is_loader(frame.filename)]
    for number, frame in enumerate(frames):
        name = str(Path(frame.filename).resolve())
        if name.startswith(_OURS) or "/site-packages/" in name or "/dist-packages/" in name:
            continue
        inside = [root for root in roots if name.startswith(root)]
        # An environment inside the project's folder: its own files are not the project's.
        if inside and not any(
            name.startswith(prefix) and prefix.startswith(inside[0]) for prefix in prefixes
        ):
            return [frame for frame in frames[number:] if not frame.filename.startswith(_OURS)]
    return []


def _shortened(filename: str, directories: Iterable[str]) -> str:
    for directory in directories:
        root = str(Path(directory).resolve()).rstrip("/") + "/"
        if filename.startswith(root):
            return filename.removeprefix(root)
    return filename


def describe(error: BaseException, directories: tuple[str, ...], settings: str | None = None) -> str:
    """Return the user's traceback as Python prints it, from their first frame, and the exception line.

    An error inside the settings begins with them: what led there is Django's way of loading them.
    """
    frames = user_frames(error.__traceback__, directories)
    begin = next((n for n, frame in enumerate(frames) if _is_module(frame.filename, settings)), 0)
    last = traceback.format_exception_only(type(error), error)
    if isinstance(error, SyntaxError) and error.filename:
        return "".join(last).rstrip()
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames[begin:])] if frames else []
    return "".join([*lines, *last, *_causes(error)]).rstrip()


def _causes(error: BaseException) -> Iterator[str]:
    """Yield a line for each error that this one was raised from: logging's own only names the handler."""
    seen = {id(error)}
    while (cause := error.__cause__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield f"because of {traceback.format_exception_only(type(cause), cause)[-1]}"
        error = cause


def _is_module(filename: str | None, module: str | None) -> bool:
    if not module or not filename:
        return False
    path = module.replace(".", "/")
    return filename.endswith((f"/{path}.py", f"/{path}/__init__.py"))


def _in_settings(error: BaseException, directories: tuple[str, ...], settings: str | None) -> bool:
    if isinstance(error, SyntaxError) and _is_module(error.filename, settings):
        return True
    return any(
        _is_module(frame.filename, settings) for frame in user_frames(error.__traceback__, directories)
    )


def where(error: BaseException, directories: tuple[str, ...], default: str) -> str:
    """Return `file:line` of the user's innermost own line that the error came through, else `default`."""
    if isinstance(error, SyntaxError) and error.filename:
        return str(Origin(_shortened(error.filename, directories), error.lineno))
    own = [
        frame
        for frame in user_frames(error.__traceback__, directories)
        if _shortened(frame.filename, directories) != frame.filename and "site-packages" not in frame.filename
    ]
    if not own:
        return default
    return str(Origin(_shortened(own[-1].filename, directories), own[-1].lineno))


def _denied(error: BaseException | None) -> OSError | None:
    """Return the refusal of the file system behind an error: logging wraps that of a file into a ValueError."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _DENIED and isinstance(error.filename, str):
            return error
        error = error.__cause__
    return None


def _absent_library(error: BaseException | None) -> tuple[str, str]:
    """Return the shared library that the dynamic linker did not find, and its Debian package."""
    while error is not None:
        found = sonames.absent(str(error)) if isinstance(error, OSError | ImportError) else ("", "")
        if found[0]:
            return found
        error = error.__cause__ or error.__context__
    return "", ""


def _own_file(name: str, directories: Iterable[str]) -> str:
    """Return the file that a module would be in, where its package is the project's own; else an empty text."""
    top, *rest = name.split(".")
    # Not `importlib.util.find_spec`: a package that failed to load may be in sys.modules or not.
    spec = importlib.machinery.PathFinder.find_spec(top)
    places = [Path(place).resolve().parent for place in (spec and spec.submodule_search_locations) or ()]
    is_own = bool(rest) and any(Path(directory).resolve() in places for directory in directories)
    return name.replace(".", "/") + ".py" if is_own else ""


def _example(own: str, directories: Iterable[str]) -> str:
    """Return the file beside a missing one that is its example or template; an empty text for none."""
    folder, _, file = own.rpartition("/")
    stem = re.escape(file.removesuffix(".py"))
    word = "(?:example|sample|template|dist|default)"
    form = re.compile(
        rf"{stem}(?:\.py)?[._-]{word}(?:\.py)?(?:\.txt)?|{word}[._-]{stem}\.py|{stem}_{word}\.py"
    )
    for directory in directories:
        place = Path(directory, folder)
        found = (
            sorted(each.name for each in place.iterdir() if form.fullmatch(each.name))
            if place.is_dir()
            else []
        )
        if found:
            return f"{folder}/{found[0]}" if folder else found[0]
    return ""


def _missing_file(own: str, name: str, directories: tuple[str, ...], place: str, why: str) -> StartError:
    example = _example(own, directories)
    return StartError(
        f"the file {own} is missing in the project", where=place, why=why,
        hint=f"cp {example} {own}, and fill it in" if example
        else f"add {own}, or correct the name {name}; see whether .gitignore or .dockerignore leaves it out",
    )  # fmt: skip


def _not_imported(error: BaseException) -> str:
    """Return the module whose absence an error of the project's own was raised for; an empty text for none."""
    before = error.__cause__ or error.__context__
    return before.name or "" if isinstance(before, ModuleNotFoundError) else ""


def _empty_folder(own: str, directories: Iterable[str]) -> str:
    """Return the folder of the project's own that a missing file would be in, if it is empty.

    git keeps no empty folders; what it leaves so is a submodule that nobody has fetched (git-submodule(1)).
    """
    folder = own.partition("/")[0]
    places = (Path(directory, folder) for directory in directories)
    return folder if any(place.is_dir() and not any(place.iterdir()) for place in places) else ""


_NO_CLASS = re.compile(r"settings importer wasn't correctly installed|DJANGO_CONFIGURATION is undefined")
"""django-configurations: its entry modules want the variable when they are imported (configurations/importer.py)."""


def _is_elsewhere(error: BaseException, directories: tuple[str, ...], loading: str) -> bool:
    """Return whether no line of the project's raised an error, but those of the entry module that bring Django up."""
    if isinstance(error, SyntaxError):
        return False
    frames = user_frames(error.__traceback__, directories)
    own = [frame for frame in frames if _shortened(frame.filename, directories) != frame.filename]
    entry = loading.removeprefix("the entry module ")
    return not own or (own[-1] is not frames[-1] and all(_is_module(one.filename, entry) for one in own))


def start_error(
    error: BaseException, *, directories: tuple[str, ...], settings: str | None, loading: str
) -> StartError:
    """Return the StartError for an exception that the project raised while it was loaded.

    `loading` names what was being imported in the user's words: `the entry module shop.wsgi`.
    """
    place = where(error, directories, loading)
    if _is_elsewhere(error, directories, loading):
        place = culprits.place(error, settings) or place
        if wrong := culprits.error_of(error, settings):
            return wrong
    if type(error).__name__ == "ImproperlyConfigured" and (
        own := _own_file(_not_imported(error), directories)
    ):
        why = describe(error, directories, settings)
        return _missing_file(own, _not_imported(error), directories, place, why)
    return _start_error(error, directories, settings, loading, place)


def _start_error(
    error: BaseException, directories: tuple[str, ...], settings: str | None, loading: str, place: str
) -> StartError:
    why = describe(error, directories, settings)
    if _in_settings(error, directories, settings):
        loading = f"the settings module {settings}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        if settings and (settings == error.name or settings.startswith(error.name + ".")):
            return StartError(
                f"there is no settings module {settings}", where=place, why=f"{type(error).__name__}: {error}",
                hint="name the right one with --settings MODULE, or set DJANGO_SETTINGS_MODULE",
            )  # fmt: skip
        own = _own_file(error.name, directories)
        if own and (empty := _empty_folder(own, directories)):
            return StartError(
                f"the folder {empty} is empty in the project", where=place, why=why,
                hint="fill it: `git submodule update --init`, if it is a submodule that was not cloned too",
            )  # fmt: skip
        if own:
            return _missing_file(own, error.name, directories, place, why)
        top = error.name.partition(".")[0]
        return StartError(
            f"the project needs the module {error.name}, which is not installed here", where=place, why=why,
            hint=f"add the package that provides {top} to the project's dependencies and lock, and install them",
        )  # fmt: skip
    denied = _denied(error)
    if denied is not None:
        return StartError(
            f"{loading} cannot be loaded: {denied.filename} may not be opened", where=place, why=why,
            hint=f"give user {os.geteuid()} that place: a volume in a container, chown elsewhere; or have the settings "
            "name one below /tmp",
        )  # fmt: skip
    library, package = _absent_library(error)
    if library:
        return StartError(
            f"{loading} cannot be loaded: the shared library {library} is not there", where=place, why=why,
            hint=f"install the Debian package that has it, {package} by its name: nuages build --apt {package} does so "
            "in an image",
        )  # fmt: skip
    kind = type(error).__name__
    if kind == "ImproperlyConfigured" and _NO_CLASS.search(str(error)):
        return StartError(
            "the variable DJANGO_CONFIGURATION is not set", where=place, why=why,
            hint="set it to the class of the settings that is to be served, such as DJANGO_CONFIGURATION=Production",
        )  # fmt: skip
    unset = _UNSET.search(str(error))
    if unset is not None and unset.lastgroup is not None and unset[unset.lastgroup] not in os.environ:
        name = unset[unset.lastgroup]
        return StartError(
            f"the variable {name} is not set", where=place, why=why, hint=f"set {name} in the environment"
        )
    driver = _DRIVER.match(str(error))
    if driver and isinstance(error.__context__, ModuleNotFoundError):
        return StartError(
            "the database's driver is not installed here", where=place, why=why,
            hint=f"add {_DRIVERS.get(driver[1], driver[1])} to the project's dependencies and lock, and install them",
        )  # fmt: skip
    if kind == "ImproperlyConfigured":
        return _refusal(str(error), place, why)
    if isinstance(error, SystemExit):
        return StartError(
            f"the project ended itself while {loading} was loaded", where=place, why=why,
            hint="see what it wrote above; a missing variable is the usual reason",
        )  # fmt: skip
    if isinstance(error, KeyError) and "os.environ" in why:
        return StartError(
            f"the variable {error.args[0]} is not set", where=place, why=why,
            hint=f"set {error.args[0]} in the environment",
        )  # fmt: skip
    named = "the line that the traceback ends with" if "Traceback" in why else "what the last line names"
    return StartError(
        f"{loading} cannot be loaded", where=place, why=why,
        hint=f"correct {named}; `python manage.py check` shows the same",
    )  # fmt: skip


def _refusal(said: str, place: str, why: str) -> StartError:
    """Return the error for settings that Django does not accept."""
    if "The SECRET_KEY setting must not be empty" in said:
        return StartError(
            "SECRET_KEY is empty", where=place, why=why,
            hint='set the variable that it reads, or have it read one: SECRET_KEY = os.environ["SECRET_KEY"]\n'
            "`nuages up` generates what that variable wants, and keeps it",
        )  # fmt: skip
    return StartError(
        "Django does not accept the settings", where=place, why=why,
        hint="correct the setting that the last line names",
    )  # fmt: skip


def unforeseen(error: BaseException, *, started: bool) -> StartError:
    """Return the error for an exception that nobody had reckoned with; settings of a wrong kind are named."""
    wrong = None if started else culprits.error_of(error, os.environ.get("DJANGO_SETTINGS_MODULE"))
    if wrong is not None:
        return wrong
    what = "a worker failed" if started else "the application failed to start"
    last = traceback.format_exception_only(type(error), error)[-1].strip()
    return StartError(
        what,
        where=last,
        why="".join(traceback.format_exception(error)).rstrip(),
        hint="see the traceback above",
    )
