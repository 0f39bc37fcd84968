"""What tests of private environments share: tiny packages, a home whose runtime is there, the real command line."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages.environment import bundle, indexes, interpreters
from nuages.environment import uv as installer
from nuages.environment.home import Home

PYTHON = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
SERIES = f"{sys.version_info[0]}.{sys.version_info[1]}"
DEADLINE = 120

MANAGE = """\
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""

SETTINGS = """\
import os
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = []
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "data" / "shop.sqlite3"}}
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "assets"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
WSGI_APPLICATION = "shop.wsgi.application"
"""

WSGI = """\
import os
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

application = get_wsgi_application()
"""

URLS = """\
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("the shop"))]
"""


def project(folder: Path, requirements: str, **files: str) -> Path:
    """Write a Django project with these requirements, and return its folder."""
    texts = {
        "manage.py": MANAGE,
        "shop/__init__.py": "",
        "shop/settings.py": SETTINGS,
        "shop/urls.py": URLS,
        "shop/wsgi.py": WSGI,
        "assets/shop.css": "body { color: black }\n",
        "requirements.txt": requirements,
        **{name.replace("__", "/"): text for name, text in files.items()},
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel with one empty module, and return it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(text.encode())},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0)), text)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


BACKEND = """\
import os, subprocess, sys, zipfile

NAME, VERSION = {name!r}, {version!r}

def prepare():
    {action}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    prepare()
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    name = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.writestr(f"{{NAME}}/__init__.py", "")
        archive.writestr(f"{{info}}/METADATA", f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n")
        archive.writestr(f"{{info}}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{{info}}/RECORD", "")
    return name
"""


def source(folder: Path, name: str, version: str, action: str) -> Path:
    """Write a source package that builds itself without any tool; `action` is Python that its build runs."""
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n',
        "backend.py": BACKEND.format(name=name, version=version, action=action),
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
    }
    return archive(folder, name, version, files)


def archive(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a source archive of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as stream:
        for member, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{member}")
            entry.size = len(text.encode())
            stream.addfile(entry, io.BytesIO(text.encode()))
    return path


def sha256(path: Path) -> str:
    """Return `sha256:…` of a file."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def prepare_home(folder: Path) -> Path:
    """Make a home that holds the runtime for this Python, installed through this machine's index."""
    interpreter = interpreters.ask(PYTHON)
    assert interpreter is not None
    folder.mkdir(parents=True, exist_ok=True)
    uv = installer.find(os.environ, indexes.uv_variables(indexes.read(os.environ), os.environ), folder)
    bundle.install(Home(folder), bundle.read(), interpreter, uv, lambda *_, **__: None)
    return folder


@dataclass(frozen=True, slots=True)
class Answer:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error block with what differs from machine to machine replaced."""
        start = self.err.find("error:")
        text = self.err[start:].rstrip("\n") if start >= 0 else self.err
        return re.sub(r"sha256:([0-9a-f]{6})[0-9a-f]{58}", r"sha256:\1…", text)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a run with `--json`."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def named(self, name: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return [event for event in self.events if event.get("event") == name]


def environ(home: Path, links: Path | None, **variables: str) -> dict[str, str]:
    """Return the variables of a run: offline with only `links` to install from, or the machine's own index."""
    found = {**os.environ, "SECRET_KEY": "only for tests", "NO_COLOR": "1", **variables}
    if links is not None:
        found |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
        found |= {"UV_CACHE_DIR": str(links / "cache"), "NUAGES_HOME": str(home)}
    return {**found, "NUAGES_HOME": str(home), **variables}


def start(
    *arguments: str, variables: Mapping[str, str], cwd: Path | None = None, wrapper: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Start `nuages` in a process group of its own; `wrapper` is a command that becomes what follows it."""
    return subprocess.Popen(
        [*wrapper, sys.executable, "-m", "nuages", *arguments], env=dict(variables), cwd=cwd, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def nuages(*arguments: str, variables: Mapping[str, str], cwd: Path | None = None) -> Answer:
    """Run `nuages` to its end."""
    process = start(*arguments, variables=variables, cwd=cwd)
    out, err = process.communicate(timeout=DEADLINE)
    return Answer(process.returncode, out, err)
