"""Make the database and the static files, and print as JSON what a browser needs to be somebody."""

import datetime as dt
import json
import os
import random
import sys
from pathlib import Path

import django

STATIC_FILES = {"small.txt": 1 << 10, "medium.css": 30 << 10, "large.bin": 1 << 20}
RECORDS = 200


def write_static(root: Path) -> None:
    """Write the static files; medium.css compresses to about a quarter, as style sheets do."""
    import brotli

    root.mkdir(parents=True, exist_ok=True)
    source = random.Random(1934)  # the same bytes on every machine
    for name, size in STATIC_FILES.items():
        words = (
            f".{source.choice('abcdefgh')}{source.randrange(10**6)} {{ margin: 0 }}\n" for _ in range(size)
        )
        data = b"".join(word.encode() for word, _ in zip(words, range(size // 16), strict=False))[
            :size
        ].ljust(size)
        (root / name).write_bytes(data)
        if name.endswith(".css"):
            (root / f"{name}.br").write_bytes(brotli.compress(data))


def write_database() -> str:
    """Migrate, add the records and a staff user; return the key of that user's session."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from measured.models import Record

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")  # the file keeps it
    call_command("migrate", verbosity=0)
    first = dt.date(1934, 12, 28)
    Record.objects.bulk_create(
        Record(
            title=f"Nuages, take {n}",
            side="AB"[n % 2],
            seconds=150 + n,
            recorded=first + dt.timedelta(n),
        )
        for n in range(RECORDS)
    )
    user = get_user_model().objects.create_user("django", "django@example.com", "reinhardt", is_staff=True)
    client = Client()
    client.force_login(user)
    return str(client.cookies["sessionid"].value)


def main() -> None:
    """Do it in the folder and the database that MEASURED_* name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "measured.settings")
    django.setup()
    from django.conf import settings

    write_static(settings.STATIC_ROOT)
    json.dump({"sessionid": write_database()}, sys.stdout)


if __name__ == "__main__":
    main()
