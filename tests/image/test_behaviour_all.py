"""The rest of Django's tests that ask for pages: some 2,500 more, in a few minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.test_behaviour_django import run_django_tests

MODULES = (
    "auth_tests", "builtin_server", "context_processors", "decorators", "flatpages_tests", "generic_views",
    "i18n.patterns", "logging_tests", "messages_tests", "redirects_tests", "shortcuts", "signed_cookies_tests",
    "sitemaps_tests", "staticfiles_tests", "syndication_tests", "template_tests.test_response", "timezones",
    "transaction_hooks", "urlpatterns", "urlpatterns_reverse", "view_tests", "admin_views", "contenttypes_tests",
)  # fmt: skip


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("way", ["threads", "loop"])
def test_the_rest_of_djangos_own_tests_pass_over_the_wire(way: str, tmp_path: Path) -> None:
    counts = run_django_tests(way, MODULES, tmp_path / "results.json", seconds=1150)
    assert counts["passed"] > 2000
