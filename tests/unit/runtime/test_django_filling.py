"""What is filled in where settings are silent, and what never is (DESIGN 4c)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nuages.errors import StartError
from nuages.runtime.django import check_version, debug_origin, parse_version
from nuages.runtime.filling import (
    DEFAULT_STORAGE,
    MANIFEST_STORAGE,
    Snapshot,
    Wish,
    debug_refusal_needed,
    fill,
)

SILENT = Snapshot(
    django=(5, 2), debug=False, allowed_hosts=(), static_root=None,
    installed_apps=("django.contrib.staticfiles",), databases={"default": {"ENGINE": "django.db.backends.sqlite3"}},
    storages={"default": {"BACKEND": "x"}, "staticfiles": {"BACKEND": DEFAULT_STORAGE}}, staticfiles_storage="",
    overridden=frozenset(), has_manifest=True,
)  # fmt: skip
SERVE = Wish(who="serve", static_root="/srv/static")
COLLECT = Wish(who="collect", static_root="/srv/static")


def filled(wish: Wish = SERVE, **changes: Any) -> dict[str, Any]:
    return {one.name: one.value for one in fill(dataclasses.replace(SILENT, **changes), wish)}


def test_silent_settings_are_filled_for_serve() -> None:
    found = filled()
    assert found["STATIC_ROOT"] == "/srv/static"
    assert found["STORAGES"]["staticfiles"] == {"BACKEND": MANIFEST_STORAGE}
    assert found["STORAGES"]["default"] == {"BACKEND": "x"}
    assert found["DATABASES"]["default"]["CONN_MAX_AGE"] == 60
    assert found["DATABASES"]["default"]["CONN_HEALTH_CHECKS"] is True
    assert "ALLOWED_HOSTS" not in found
    assert "DEBUG" not in found


def test_what_the_project_set_stays() -> None:
    database = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0}
    own = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
    assert filled(static_root="/own", databases={"default": database}, storages=own) == {}


def test_settings_that_name_the_folder_of_static_root_move_with_it() -> None:
    moved = Wish(who="serve", static_root="/srv/static", moves_static=True)
    changes = {"static_root": "/own", "beside_static": ("COMPRESS_ROOT",), "databases": {}, "storages": {}}
    assert filled(moved, **changes)["COMPRESS_ROOT"] == "/srv/static"
    assert "COMPRESS_ROOT" not in filled(SERVE, **changes)


def test_a_connection_pool_is_left_alone() -> None:
    pooled = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": True}}
    assert "DATABASES" not in filled(databases={"default": pooled})


def test_health_checks_need_django_4_1() -> None:
    found = filled(django=(3, 2), storages={}, staticfiles_storage=DEFAULT_STORAGE)
    assert found["DATABASES"]["default"] == {"ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": 60}
    assert found["STATICFILES_STORAGE"] == MANIFEST_STORAGE
    assert "STORAGES" not in found


def test_collect_opens_no_connections() -> None:
    assert set(filled(COLLECT)) == {"STATIC_ROOT", "STORAGES"}


def test_pages_are_not_given_hashed_names_that_were_never_collected() -> None:
    assert "STORAGES" not in filled(has_manifest=False)
    assert "STORAGES" in filled(COLLECT, has_manifest=False)


def test_debug_keeps_plain_names() -> None:
    assert "STORAGES" not in filled(debug=True)
    assert "STORAGES" in filled(dataclasses.replace(SERVE, debug=False), debug=True)


def test_a_project_without_staticfiles_gets_no_static_root() -> None:
    assert set(filled(installed_apps=())) == {"DATABASES"}


def test_a_static_root_that_is_set_gives_way_only_where_asked() -> None:
    moved = dataclasses.replace(SERVE, moves_static=True)
    (root,) = (
        one for one in fill(dataclasses.replace(SILENT, static_root="/own"), moved) if "ROOT" in one.name
    )
    assert root.value == "/srv/static"
    assert root.line == "STATIC_ROOT = '/srv/static' (was '/own')"
    assert "STATIC_ROOT" not in filled(static_root="/own")


def test_the_names_of_this_machine_are_allowed_only_where_asked() -> None:
    local = dataclasses.replace(SERVE, local_hosts=("localhost",))
    assert filled(local)["ALLOWED_HOSTS"] == ["localhost"]
    assert "ALLOWED_HOSTS" not in filled(local, allowed_hosts=("shop.example",))
    assert "ALLOWED_HOSTS" not in filled(local, debug=True)


@pytest.mark.parametrize(
    ("debug", "asked", "refused"),
    [(True, None, True), (True, True, False), (True, False, False), (False, None, False)],
)
def test_debug_is_refused_unless_somebody_asked(debug: bool, asked: bool | None, refused: bool) -> None:
    snapshot = dataclasses.replace(SILENT, debug=debug)
    assert debug_refusal_needed(snapshot, dataclasses.replace(SERVE, debug=asked)) is refused
    assert not debug_refusal_needed(snapshot, COLLECT)


def test_every_line_names_its_setting() -> None:
    for one in fill(SILENT, SERVE):
        assert one.line.startswith(one.name)


@pytest.mark.parametrize(
    ("text", "version"),
    [("5.2.19", (5, 2)), ("6.0a1", (6, 0)), ("4.2", (4, 2)), ("6", (6, 0)), ("x", (0, 0))],
)
def test_versions_are_read(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


def test_an_old_django_is_refused() -> None:
    with pytest.raises(StartError) as caught:
        check_version("2.2.28")
    assert caught.value.render() == (
        "error: Django 2.2.28 is too old\n"
        "  the Django that is installed for this project\n"
        "  nuages serves Django 3.2 and newer; older ones get no security fixes\n"
        "\n"
        "hint: upgrade the project to Django 4.2 or newer, one feature release at a time"
    )
    assert check_version("3.2.25") == (3, 2)


def test_an_unknown_module_has_no_debug_line() -> None:
    assert debug_origin("no.such.module") == ""
