"""What Django's `check --deploy` prints becomes findings; what reading said already is left out."""

from __future__ import annotations

from nuages.check.deployment import findings
from nuages.errors import Origin

OUTPUT = """System check identified some issues:

ERRORS:
shop.Order.customer: (fields.E300) Field defines a relation with model 'crm.Customer', which is either not \
installed, or is abstract.

WARNINGS:
?: (security.W004) You have not set a value for the SECURE_HSTS_SECONDS setting. If your entire site is served only \
over SSL, you may want to consider setting a value and enabling HTTP Strict Transport Security.
?: (security.W012) SESSION_COOKIE_SECURE is not set to True. Using a secure-only session cookie makes it more \
difficult for network traffic sniffers to hijack user sessions.
shop.Order: (models.W042) Auto-created primary key used when not defining a primary key type, by default \
'django.db.models.AutoField'.
\tHINT: Configure the DEFAULT_AUTO_FIELD setting or the AppConfig.default_auto_field attribute to point to a subclass \
of AutoField, e.g. 'django.db.models.BigAutoField'.

System check identified 4 issues (0 silenced).
"""


def test_each_message_is_a_finding_with_its_severity_and_hint() -> None:
    found = findings(OUTPUT, Origin("shop/settings.py"), frozenset())
    assert [each.render() for each in found] == [
        "error fields.E300: Field defines a relation with model 'crm.Customer', which is either not installed, or is"
        " abstract\n"
        "  shop.Order.customer\n"
        "  Django's check --deploy says so\n"
        "  fix: see fields.E300 in Django's system check framework reference",
        "warning security.W004: You have not set a value for the SECURE_HSTS_SECONDS setting\n"
        "  shop/settings.py\n"
        "  If your entire site is served only over SSL, you may want to consider setting a value and enabling HTTP"
        " Strict Transport Security.\n"
        "  fix: see security.W004 in Django's system check framework reference",
        "warning security.W012: SESSION_COOKIE_SECURE is not set to True\n"
        "  shop/settings.py\n"
        "  Using a secure-only session cookie makes it more difficult for network traffic sniffers to hijack user"
        " sessions.\n"
        "  fix: see security.W012 in Django's system check framework reference",
        "warning models.W042: Auto-created primary key used when not defining a primary key type, by default"
        " 'django.db.models.AutoField'\n"
        "  shop.Order\n"
        "  Django's check --deploy says so\n"
        "  fix: Configure the DEFAULT_AUTO_FIELD setting or the AppConfig.default_auto_field attribute to point to a"
        " subclass of AutoField, e.g. 'django.db.models.BigAutoField'.",
    ]


def test_what_reading_said_already_is_not_said_again() -> None:
    found = findings(OUTPUT, Origin("shop/settings.py"), frozenset({"N010"}))
    assert [each.id for each in found] == ["fields.E300", "security.W004", "models.W042"]


def test_no_issues_are_no_findings() -> None:
    assert findings("System check identified no issues (0 silenced).\n", Origin("x"), frozenset()) == ()
