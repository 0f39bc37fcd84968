"""Print, as JSON, how many connections the project's database servers grant: for `nuages check --run`.

Run in the project's environment. A database that tells nothing, or cannot be reached, is left out.
"""

from __future__ import annotations

import json
import sys

from nuages.runtime.allowance import granted


def main() -> None:
    """Ask every database that settings name."""
    import django

    django.setup()
    from django.db import connections

    found: dict[str, int] = {}
    for alias in connections:
        connection = connections[alias]
        try:
            connection.ensure_connection()
            limit = granted(connection)
        except Exception as error:  # noqa: BLE001 - each driver raises its own kind, and Django for what is not set
            sys.stderr.write(f"{alias}: {error}\n")
            continue
        finally:
            connection.close()
        if limit is not None:
            found[alias] = limit
    sys.stdout.write(json.dumps({"granted": found}) + "\n")


if __name__ == "__main__":
    main()
