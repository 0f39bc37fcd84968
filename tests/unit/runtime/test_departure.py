"""What of a process's end is done by those that were forked from it, by the functions that were registered."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nuages.runtime.departure import removes_files

FOLDER = "folder"


def _removes_a_folder() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


def _removes_a_file() -> None:
    os.remove(FOLDER)  # noqa: PTH107


def _removes_its_own() -> None:
    Path(f"{os.getpid()}.socket").unlink()


def _sends() -> None:
    print("the last lines", flush=True)


class _Sender:
    def __call__(self) -> None:
        """Send the last lines."""


@pytest.mark.parametrize(
    "function",
    [
        shutil.rmtree, os.unlink, os.remove, os.rmdir, Path("file").unlink, functools.partial(shutil.rmtree, FOLDER),
        tempfile.TemporaryDirectory.cleanup, tempfile.TemporaryDirectory._cleanup,  # type: ignore[attr-defined]
        lambda: shutil.rmtree(FOLDER), _removes_a_folder, _removes_a_file,
    ],
)  # fmt: skip
def test_what_removes_files_is_told(function: Callable[..., Any]) -> None:
    assert removes_files(function)


@pytest.mark.parametrize("function", [_sends, _Sender(), [].remove, print, _removes_its_own])
def test_what_a_process_does_for_itself_is_left(function: Callable[..., Any]) -> None:
    assert not removes_files(function)
