"""What to load: a folder, a settings module and one or two entry points, as plain data that crosses processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What `site.load` loads.

    `directory` is the folder of manage.py, `paths` are further folders for sys.path. `apps` are `module:attribute`,
    of which the first WSGI and the first ASGI callable serve; none means Django's own. `local`: `nuages up` on this
    machine, where an empty ALLOWED_HOSTS is filled with the names of the bind addresses (DESIGN 4c). `configuration` is
    the class of the settings module that is served where the variable of django-configurations names none.
    """

    directory: str
    paths: tuple[str, ...] = ()
    settings: str | None = None
    configuration: str | None = None
    apps: tuple[str, ...] = ()
    local: bool = False

    def to_json(self) -> str:
        """Return the one line of JSON that `from_json` reads."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Application:
        """Return the application that `to_json` wrote; raise ValueError or TypeError for anything else."""
        data = json.loads(text)
        data["paths"] = tuple(data.get("paths", ()))
        data["apps"] = tuple(data.get("apps", ()))
        return cls(**data)
