"""`nuages migrate`: once, whoever starts it and however often, against real databases."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.process.databases import free_port, mariadb, pgbouncer, postgresql

DEADLINE = 90.0
MANY = 12

SETTINGS = """\
import json, os
SECRET_KEY = "only for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
DATABASES = {"default": json.loads(os.environ["SHOP_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

FIRST = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Applied", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]
        ),
    ]
"""

# Each run adds a row: a migration that is applied twice leaves two. With SHOP_HOLD it stands still until it is let go.
NEXT = """\
import os
from django.db import migrations


def note(apps, editor):
    if os.environ.get("SHOP_HOLD") and {name!r} == "second":
        open(os.environ["SHOP_HOLD"]).read()
    apps.get_model("shop", "Applied").objects.create(name={name!r})


class Migration(migrations.Migration):
    dependencies = [("shop", {before!r})]
    operations = [migrations.RunPython(note)]
"""


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    err: str


@dataclass(frozen=True, slots=True)
class Shop:
    """A project with three migrations, and the database that it is told to use."""

    folder: Path
    database: Mapping[str, Any]

    def add(self, name: str, source: str) -> None:
        (self.folder / "shop" / "migrations" / f"{name}.py").write_text(source)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        environ = {**os.environ, "SHOP_DATABASE": json.dumps(dict(self.database)), **variables}
        return subprocess.Popen(
            [sys.executable, "-m", "nuages", "migrate", str(self.folder), *arguments],
            env=environ, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def migrate(self, *arguments: str, **variables: str) -> Answer:
        return ended(self.start(*arguments, **variables))

    def python(self, code: str) -> Any:
        """Return what a program prints, as JSON, that runs with Django set up."""
        environ = {
            **os.environ, "SHOP_DATABASE": json.dumps(dict(self.database)), "DJANGO_SETTINGS_MODULE": "config",
            "PYTHONPATH": str(self.folder),
        }  # fmt: skip
        program = f"import django, json; django.setup()\nfrom django.db import connection\n{code}"
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    def applied(self) -> list[str]:
        """Return what the migrations that ran have noted."""
        return self.python(
            "from django.db.migrations.recorder import MigrationRecorder as R\n"
            "c = connection.cursor(); c.execute('SELECT name FROM shop_applied ORDER BY id')\n"
            "print(json.dumps([r[0] for r in c.fetchall()]))"
        )


def ended(process: subprocess.Popen[str]) -> Answer:
    _, err = process.communicate(timeout=DEADLINE)
    return Answer(process.returncode, err)


def shop(folder: Path, database: Mapping[str, Any]) -> Shop:
    package = folder / "shop" / "migrations"
    package.mkdir(parents=True)
    (folder / "manage.py").write_text(MANAGE)
    (folder / "requirements.txt").write_text("django==5.2\n")
    (folder / "config.py").write_text(SETTINGS)
    (folder / "shop" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    made = Shop(folder, database)
    made.add("0001_initial", FIRST)
    made.add("0002_second", NEXT.format(name="second", before="0001_initial"))
    made.add("0003_third", NEXT.format(name="third", before="0002_second"))
    return made


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[Mapping[str, Any]]:
    yield {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "shop.sqlite3")}


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[Mapping[str, Any]]:
    with postgresql(max_connections=60) as database:
        yield database.settings


@contextlib.contextmanager
def _pgbouncer(folder: Path) -> Iterator[Mapping[str, Any]]:
    # Two connections to share: who waits for the lock must not keep one.
    with postgresql() as behind, pgbouncer(behind, pool_size=2) as database:
        yield database.settings


@contextlib.contextmanager
def _mariadb(folder: Path) -> Iterator[Mapping[str, Any]]:
    pytest.importorskip("MySQLdb", reason="no mysqlclient here")
    with mariadb() as database:
        yield database.settings


KINDS = {"sqlite": _sqlite, "postgresql": _postgresql, "pgbouncer": _pgbouncer, "mariadb": _mariadb}


@pytest.fixture(params=KINDS)
def any_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    with KINDS[request.param](tmp_path) as settings:
        yield shop(tmp_path / "project", settings)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Shop]:
    with _sqlite(tmp_path) as settings:
        yield shop(tmp_path / "project", settings)


def held_at(pipe: Path) -> int:
    """Return the writing end of a named pipe once a migration reads it."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(os.open(pipe, os.O_WRONLY)), daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert found, "no migration came to the pipe"
    return found[0]


def waiting(process: subprocess.Popen[str]) -> str:
    """Return the line with which a process says that it waits for the lock."""
    assert process.stderr
    for line in process.stderr:
        if "somebody else migrates" in line:
            return line
    raise AssertionError("it did not wait for the lock")


def test_twelve_at_once_apply_each_migration_once(any_shop: Shop) -> None:
    answers = [ended(process) for process in [any_shop.start() for _ in range(MANY)]]

    assert [answer.code for answer in answers] == [0] * MANY, "\n".join(answer.err for answer in answers)
    assert any_shop.applied() == ["second", "third"]
    assert sum("has every migration" in answer.err for answer in answers) == 1
    assert sum("had every migration" in answer.err for answer in answers) == MANY - 1


def test_another_continues_when_the_one_that_migrates_is_killed(any_shop: Shop, tmp_path: Path) -> None:
    pipe = tmp_path / "hold"
    os.mkfifo(pipe)
    first = any_shop.start(SHOP_HOLD=str(pipe))
    end = held_at(pipe)
    second = any_shop.start()
    waiting(second)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=DEADLINE)
    os.close(end)

    answer = ended(second)
    assert answer.code == 0, answer.err
    assert any_shop.applied() == ["second", "third"]


def test_a_database_that_is_a_link_is_locked_beside_the_file_itself(tmp_path: Path) -> None:
    """As in an image, where the project's folder cannot be written."""
    (tmp_path / "volume").mkdir()
    link = tmp_path / "shop.sqlite3"
    link.symlink_to(tmp_path / "volume" / "shop.sqlite3")
    project = shop(tmp_path / "project", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(link)})

    assert project.migrate().code == 0
    assert (tmp_path / "volume" / "shop.sqlite3.migrating").is_file()
    assert not (tmp_path / "shop.sqlite3.migrating").exists()


def test_somebody_who_never_lets_go_is_not_waited_for_for_ever(small: Shop, tmp_path: Path) -> None:
    pipe = tmp_path / "hold"
    os.mkfifo(pipe)
    first = small.start(SHOP_HOLD=str(pipe))
    end = held_at(pipe)
    answer = small.migrate("--lock-wait", "1s")
    os.close(end)

    assert answer.code == 4
    assert answer.err.endswith(
        "error: the lock for migrations was never free\n"
        "  waited for 1 s\n"
        "  somebody else migrates this database\n"
        "\n"
        "hint: look for a migration that hangs; --lock-wait DURATION waits longer\n"
    )
    assert ended(first).code == 0


def test_an_index_is_made_concurrently_while_the_lock_is_held(tmp_path: Path) -> None:
    """The lock's transaction keeps no snapshot, whatever isolation the project chose."""
    with postgresql(idle_in_transaction_session_timeout="500ms", statement_timeout="20s") as database:
        level = {"options": "-c default_transaction_isolation=serializable"}
        project = shop(tmp_path, {**database.settings, "OPTIONS": level})
        project.add(
            "0004_index",
            "from django.contrib.postgres.operations import AddIndexConcurrently\n"
            "from django.db import migrations, models\n\n\n"
            "class Migration(migrations.Migration):\n"
            "    atomic = False\n"
            '    dependencies = [("shop", "0003_third")]\n'
            '    operations = [migrations.RunSQL("SELECT pg_sleep(1)"),\n'
            '        AddIndexConcurrently("applied", models.Index(fields=["name"], name="by_name"))]\n',
        )
        answer = project.migrate()

    assert answer.code == 0, answer.err


def test_a_database_that_does_not_answer_is_waited_for_and_named(tmp_path: Path) -> None:
    place = {
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "NAME": "shop",
        "USER": "shop",
        "PASSWORD": "hush",
    }
    project = shop(tmp_path, {"ENGINE": "django.db.backends.postgresql", **place})
    answer = project.migrate("--database-wait", "1s")

    assert answer.code == 4
    assert f"postgresql 'shop' at 127.0.0.1:{place['PORT']} does not answer: " in answer.err
    error = answer.err[answer.err.index("error:") :]
    assert error.startswith(
        f"error: postgresql 'shop' at 127.0.0.1:{place['PORT']} does not answer\n"
        "  `default` in DATABASES, config.py:4\n"
    )
    assert "  tried for 1 s\n" in error
    assert "Traceback" not in answer.err
    assert "hush" not in answer.err


def test_a_database_that_comes_late_is_migrated(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "NAME": "postgres",
        "USER": "shop",
    }
    project = shop(tmp_path, {**settings, "PORT": str(port)})
    process = project.start()
    assert process.stderr
    assert "does not answer" in process.stderr.readline()
    with postgresql(port=port):
        answer = ended(process)
        assert answer.code == 0, answer.err
        assert project.applied() == ["second", "third"]


def test_a_migration_that_fails_is_named_with_its_line(small: Shop) -> None:
    small.add(
        "0004_broken",
        NEXT.format(name="x", before="0003_third").replace(
            "apps.get_model", "raise ValueError('no price')  #"
        ),
    )
    answer = small.migrate()

    assert answer.code == 1
    error = answer.err[answer.err.index("error:") :]
    assert error.startswith(
        "error: the migration shop.0004_broken cannot be applied\n  shop/migrations/0004_broken.py:8\n"
    )
    assert "  ValueError: no price\n  shop.0004_broken was undone; those before it stay applied\n" in error
    assert error.endswith("\n\nhint: correct it and run `nuages migrate` again\n")
    assert small.applied() == ["second", "third"]


def test_two_branches_of_migrations_are_named(small: Shop) -> None:
    small.add("0003_other", NEXT.format(name="other", before="0002_second"))
    answer = small.migrate()

    assert answer.code == 1
    assert "Conflicting migrations detected" in answer.err
    assert "makemigrations --merge" in answer.err
    assert "Traceback" not in answer.err


def test_older_code_than_the_schema_is_refused_when_told(small: Shop) -> None:
    assert small.migrate().code == 0
    (small.folder / "shop" / "migrations" / "0003_third.py").unlink()

    answer = small.migrate("--no-downgrade")
    assert answer.code == 1
    assert answer.err == (
        f"error: the code is older than the schema of the SQLite database {small.database['NAME']}\n"
        "  `default` in DATABASES, config.py:4\n"
        "  a newer release applied what this code does not have:\n"
        "    shop.0003_third\n"
        "\n"
        "hint: deploy the newer release, or unapply these with its code: migrate APP MIGRATION\n"
    )
    warned = small.migrate()
    assert warned.code == 0
    assert "shop.0003_third" in warned.err


def test_a_dry_run_applies_nothing(small: Shop) -> None:
    answer = small.migrate("--dry-run")

    assert answer.code == 0
    assert "would apply" in answer.err
    assert "  shop.0003_third\n" in answer.err
    assert small.migrate("--dry-run").err == answer.err


def test_an_unknown_database_is_named(small: Shop) -> None:
    answer = small.migrate("--database", "replica")

    assert answer.code == 2
    assert answer.err.endswith(
        "error: there is no database 'replica'\n"
        "  given by --database\n"
        "  DATABASES has default\n"
        "\n"
        "hint: --database default\n"
    )


CACHES = """
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "shop_cache"},
    "elsewhere": {"BACKEND": "no.such.Cache", "LOCATION": "redis://nowhere"},
}
"""


def test_the_table_of_a_cache_in_the_database_is_made_once(any_shop: Shop) -> None:
    settings = any_shop.folder / "config.py"
    settings.write_text(settings.read_text() + CACHES)

    told = any_shop.migrate("--dry-run")
    assert "would make the cache's table shop_cache in " in told.err
    answers = [any_shop.start() for _ in range(3)]
    said = [ended(each) for each in answers]
    assert [each.code for each in said] == [0, 0, 0], said
    assert sum("making the cache's table shop_cache in " in each.err for each in said) == 1
    assert (
        any_shop.python(
            "from django.core.cache import cache\ncache.set('a', 1)\nprint(json.dumps(cache.get('a')))"
        )
        == 1
    )
