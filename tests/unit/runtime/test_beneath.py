"""Files below a folder, and nothing that lies outside of it: links, traversal, things that are no files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nuages.runtime.beneath import MOST_LINKS, names_of, open_beneath


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("inside")
    (root / "top").write_text("top")
    (root / ".hidden").write_text("hidden")
    (root / "a" / ".git").mkdir()
    (root / "a" / ".git" / "config").write_text("hidden")
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "media-other").mkdir()
    (tmp_path / "media-other" / "file").write_text("outside")
    return root


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def read(root: Path, path: str, *, hidden: bool = False) -> str:
    names = names_of(path, hidden=hidden)
    if names is None:
        raise FileNotFoundError(path)
    before = open_files()
    try:
        descriptor, facts = open_beneath(str(root), names, hidden=hidden)
    except OSError:
        assert open_files() == before
        raise
    assert open_files() == before + 1
    with os.fdopen(descriptor) as file:
        text = file.read()
    assert facts.st_size == len(text)
    return text


@pytest.mark.parametrize(
    ("link", "target", "path", "text"),
    [
        ("short", "a/b/file", "short", "inside"),
        ("a/up", "../top", "a/up", "top"),
        ("a/b/far", "../../a/./b/../../top", "a/b/far", "top"),
        ("folder", "a", "folder/b/file", "inside"),
        ("a/b/again", "../../a", "a/b/again/b/file", "inside"),
        ("absolute", "{root}/a//b/file", "absolute", "inside"),
        ("a/b/absolute", "{root}/a", "a/b/absolute/b/file", "inside"),
    ],
)
def test_links_that_stay_inside_are_followed(
    root: Path, link: str, target: str, path: str, text: str
) -> None:
    (root / link).symlink_to(target.format(root=root))
    assert read(root, path) == text


def test_links_are_followed_below_a_root_that_is_one_itself(root: Path, tmp_path: Path) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(root)
    (root / "one").symlink_to(root / "top")
    (root / "two").symlink_to(alias / "a" / "b" / "file")
    assert read(alias, "one") == "top"
    assert read(alias, "two") == "inside"


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("out", "../secret", "out"),
        ("out", "{outside}/secret", "out"),
        ("out", "{outside}", "out/secret"),
        ("out", "..", "out/secret"),
        ("out", "{root}-other/file", "out"),
        ("a/out", "../../secret", "a/out"),
        ("a/out", "../../media/top", "a/out"),  # back inside, but by way of the outside
        ("out", "/etc/passwd", "out"),
        ("out", "/proc/self/root/etc/passwd", "out"),
        ("out", "nothing", "out"),
        ("out", "out", "out"),
        ("out", "a", "out"),
        ("out", ".hidden", "out"),
        ("out", "a/.git/config", "out"),
        ("out", "top/.", "out/x"),
    ],
)
def test_links_that_lead_out_or_nowhere_are_as_good_as_nothing(
    root: Path, link: str, target: str, path: str
) -> None:
    (root / link).symlink_to(target.format(root=root, outside=root.parent))
    with pytest.raises(FileNotFoundError):
        read(root, path)


def test_many_links_are_followed_and_too_many_are_not(root: Path) -> None:
    (root / "l0").symlink_to("top")
    for number in range(1, MOST_LINKS + 1):
        (root / f"l{number}").symlink_to(f"l{number - 1}")
    assert read(root, f"l{MOST_LINKS - 1}") == "top"
    with pytest.raises(FileNotFoundError):
        read(root, f"l{MOST_LINKS}")


@pytest.mark.parametrize(
    "path",
    ["", "/", "a", "a/", "a/b", "top/", "top/x", "none", "/top", "a//b/file", "./top", "a/../top", "../secret",
     "..", "..;/secret", "a\\..\\top", "top\0", "top\0.png", "/etc/passwd", "x" * 5000, "x/" * 3000 + "y",
     "%2e%2e/secret", "..%2fsecret", "．．/secret", "..%c0%af", "~root", "top::$DATA", "TOP"],
)  # fmt: skip
def test_what_is_no_plain_name_of_a_file_is_not_found(root: Path, path: str) -> None:
    for hidden in (False, True):
        with pytest.raises(FileNotFoundError):
            read(root, path, hidden=hidden)


def test_hidden_files_are_served_only_where_that_is_meant(root: Path) -> None:
    for path in (".hidden", "a/.git/config"):
        with pytest.raises(FileNotFoundError):
            read(root, path)
        assert read(root, path, hidden=True) == "hidden"


def test_pipes_and_devices_are_refused_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "null").symlink_to("/dev/null")
    for name in ("pipe", "null"):
        with pytest.raises(FileNotFoundError):
            read(root, name)


def test_a_root_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none", "file")


NAMES = st.sampled_from(["a", "b", "c", "..", ".", "", "/", "secret", "file"])


@settings(max_examples=300, deadline=None)
@given(
    links=st.dictionaries(
        st.sampled_from(["x", "y", "a/x", "a/y", "a/b/x"]), st.lists(NAMES, min_size=1, max_size=6)
    ),
    path=st.lists(st.sampled_from(["a", "b", "x", "y", "file", "secret", ".."]), min_size=1, max_size=5),
)
@example(links={}, path=["file", "a", ".."])
@example(links={}, path=["a", "..", "file"])
def test_whatever_links_there_are_only_what_lies_inside_is_read(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, list[str]], path: list[str]
) -> None:
    place = tmp_path_factory.mktemp("links")
    root = place / "root"
    (root / "a" / "b").mkdir(parents=True)
    for folder in (root, root / "a", root / "a" / "b"):
        (folder / "file").write_text("inside")
    (place / "secret").write_text("outside")
    (place / "file").write_text("outside")
    for link, target in links.items():
        (root / link).symlink_to("/".join(target).replace("///", str(root) + "/") or ".")
    asked = f"{root}/{'/'.join(path)}"
    try:
        is_file = stat.S_ISREG(Path(asked).stat().st_mode)  # the kernel's word: `file/..` is nothing
    except OSError:
        is_file = False
    # `..` in a request is refused whatever it leads to.
    expected = ".." not in path and is_file and os.path.realpath(asked).startswith(f"{root}/")
    try:
        assert read(root, "/".join(path)) == "inside"
    except FileNotFoundError:
        assert not expected or links  # a link may come back inside by way of the outside
