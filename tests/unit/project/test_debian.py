"""Which Debian packages a set of distributions needs: only for what is compiled, or loads a library by its name."""

from __future__ import annotations

import re

import pytest

from nuages.project.debian import Need, cloned, named_in, needs, parts_of_django, table

SUITES = ("bookworm", "trixie")


def packages(found: tuple[Need, ...]) -> list[str]:
    return [each.package for each in found]


def test_a_wheel_needs_nothing_and_a_source_its_headers_and_libraries() -> None:
    assert needs(["lxml"], [], known=True, suite="trixie") == ((), ())
    build, run = needs(["lxml"], ["lxml"], known=True, suite="trixie")
    assert packages(build) == ["build-essential", "libxml2-dev", "libxslt1-dev"]
    assert run == (Need(package="libxml2", wanted_by="lxml"), Need(package="libxslt1.1", wanted_by="lxml"))


def test_where_no_lock_tells_what_has_no_wheels_is_compiled() -> None:
    build, run = needs(["mysqlclient", "lxml"], [], known=False, suite="trixie")
    assert packages(build) == ["build-essential", "libmariadb-dev", "pkg-config"]
    assert packages(run) == ["libmariadb3"]


def test_where_no_lock_lists_what_a_package_brings_its_own_row_tells() -> None:
    assert needs(["django-auth-ldap"], [], known=True, suite="trixie") == ((), ())
    build, run = needs(["django-auth-ldap"], [], known=False, suite="trixie")
    assert packages(build) == ["build-essential", "libldap-dev", "libsasl2-dev"]
    assert packages(run) == ["libldap2", "libsasl2-2"]


def test_what_loads_a_library_or_runs_a_program_needs_it_as_a_wheel_too() -> None:
    build, run = needs(["python-magic", "pdf2image", "WeasyPrint"], [], known=True, suite="trixie")
    assert build == ()
    assert packages(run) == [
        "poppler-utils", "libmagic1t64", "libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0",
    ]  # fmt: skip


def test_a_binary_beside_it_carries_the_library() -> None:
    assert packages(needs(["psycopg"], [], known=True, suite="trixie")[1]) == ["libpq5"]
    assert needs(["psycopg", "psycopg-binary"], [], known=True, suite="trixie") == ((), ())


@pytest.mark.parametrize(
    ("driver", "program"), [("mysqlclient", "default-mysql-client"), ("psycopg2-binary", "postgresql-client")]
)
def test_what_runs_the_database_s_programs_needs_those_of_the_driver_beside_it(
    driver: str, program: str
) -> None:
    found = needs(["django-dbbackup", driver], [], known=True, suite="trixie")[1]
    assert Need(package=program, wanted_by="django-dbbackup") in found
    assert needs(["django-dbbackup"], [], known=True, suite="trixie")[1] == ()


def test_an_unknown_source_needs_a_compiler() -> None:
    build, run = needs(["rcssmin"], ["rcssmin"], known=True, suite="trixie")
    assert (build, run) == ((Need(package="build-essential", wanted_by="rcssmin (source)"),), ())


def test_names_follow_the_release() -> None:
    assert packages(needs(["python-ldap"], ["python-ldap"], known=True, suite="bookworm")[1]) == [
        "libldap-2.5-0", "libsasl2-2",
    ]  # fmt: skip
    assert packages(needs(["python-ldap"], ["python-ldap"], known=True, suite="trixie")[1])[0] == "libldap2"


def test_what_comes_out_of_a_git_repository_is_told_by_its_name_or_else_the_repositorys() -> None:
    assert cloned(
        [
            "Django_Thing @ git+https://code.example/group/thing.git@f00#subdirectory=python",
            "part[extra]@git+ssh://git@code.example/group/part.git ; python_version < '4'",
            "git+https://code.example/group/other.git@v1.2#egg=named",
            "-e git+https://code.example/group/Nameless.git@main",
            "Django==5.2.1",
            "archive @ https://code.example/git+archive.zip",
        ]
    ) == ("django-thing", "part", "named", "nameless")


def test_geodjango_needs_its_libraries_by_app_or_engine() -> None:
    gis = "django.contrib.gis"
    assert parts_of_django([gis], []) == (gis,)
    assert parts_of_django([], ["django.contrib.gis.db.backends.postgis"]) == (gis,)
    assert parts_of_django([], ["django.contrib.gis.db.backends.spatialite"]) == (gis, f"{gis}.spatialite")
    assert parts_of_django(["shop"], ["django.db.backends.postgresql"]) == ()
    assert packages(needs([gis], [], known=True, suite="trixie")[1]) == [
        "libgdal36",
        "libgeos-c1t64",
        "libproj25",
    ]


@pytest.mark.parametrize("suite", SUITES)
def test_every_row_has_its_provenance_and_names_of_debian(suite: str) -> None:
    rows = table(suite)
    assert len(rows) >= 60
    for name, row in rows.items():
        assert name == re.sub(r"[-_.]+", "-", name).lower()
        assert len(row.source) > 8, name
        assert row.build or row.run or row.beside, name
        assert not (row.loads and not row.run and not row.beside), name
        for package in (*row.build, *row.run, *(one for beside in row.beside.values() for one in beside)):
            assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package), package


@pytest.mark.parametrize(
    ("requirement", "names"),
    [
        ("psycopg[c, pool]==3.3.4 \\", ("psycopg", "psycopg-c", "psycopg-pool")),
        ("Django>=5.2", ("Django",)),
        ("-e .", ()),
    ],
)
def test_an_extra_names_the_distribution_that_it_brings(requirement: str, names: tuple[str, ...]) -> None:
    assert named_in(requirement) == names
