"""What is said while collecting takes long, by the process that collects and by `nuages up` around it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nuages.environment.errand import heard
from nuages.environment.prepared import Command

LONG = """
import sys, threading
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.staticfiles"], STATICFILES_DIRS=sys.argv[1:], STATIC_URL="/s/")
import django
django.setup()
from nuages.runtime import progress

told = threading.Event()
def report(event, text):
    print(event, text, sep=": ")
    told.set()

progress._PATIENCE = 0.01
with progress.Progress(report).watching():
    assert told.wait(30)
"""


def test_the_folder_that_has_most_of_the_files_is_told_while_it_goes_on(tmp_path: Path) -> None:
    for name, count in (("few", 2), ("many", 30)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{name}{number}.css").touch()
    folders = [str(tmp_path / name) for name in ("few", "many")]
    done = subprocess.run([sys.executable, "-c", LONG, *folders], capture_output=True, text=True, check=True)
    assert done.stdout == f"collecting: collecting 32 static files; 30 of them are in {tmp_path}/many\n"


def test_up_passes_on_how_far_collecting_is_and_keeps_the_rest_for_an_error(tmp_path: Path) -> None:
    said = ["collecting", "progress", "warning", "collect"]
    code = f'import json\nfor name in {said}: print(json.dumps({{"event": name, "text": name}}))'
    told: list[tuple[str, str]] = []
    asked = Command(argv=(sys.executable, "-c", code), directory=tmp_path, environ={})
    assert heard(asked, lambda event, text: told.append((event, text))) == (0, ["collect"])
    assert told == [(name, name) for name in said[:3]]
