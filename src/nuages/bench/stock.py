"""The project under stock uvicorn: Django's own ASGI application, with the settings that nuages would fill in.

`python -m uvicorn nuages.bench.stock:load --factory`, with the application as JSON in $BENCH_APPLICATION.
"""

from __future__ import annotations

import os
from typing import Any

from nuages.runtime.application import Application
from nuages.runtime.django import Bringer, import_django
from nuages.runtime.filling import Wish
from nuages.runtime.site import bring_up_alone, prepare_path

VARIABLE = "BENCH_APPLICATION"
_HOSTS = ("localhost", "127.0.0.1")


def load() -> Any:
    """Return Django's ASGI application of the project; uvicorn calls this in each of its workers."""
    application = Application.from_json(os.environ[VARIABLE])
    directories = prepare_path(application)
    wish = Wish(who="serve", static_root="staticfiles", debug=False, local_hosts=_HOSTS)
    bringer = Bringer(version=import_django(directories), wish=wish, fills=True, report=lambda *_, **__: None)
    with bringer.watching():
        bring_up_alone(bringer, application, directories)
    from django.core.asgi import get_asgi_application

    return get_asgi_application()
