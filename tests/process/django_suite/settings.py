"""What runtests.py gets as --settings: Django's test_sqlite, our server, and a runner that notes outcomes."""

from test_sqlite import *  # noqa: F403

from django_suite import live, wire

TEST_RUNNER = "django_suite.runner.Runner"
wire.install()
live.install()
