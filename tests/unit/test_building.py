"""What of this machine's package sources reaches a build, and how: as secrets, never as files of the context."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages import cli
from nuages.building import EngineError, compiled
from nuages.package_sources import sources


def test_indexes_and_registries_are_secrets_and_constraints_stay_here(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".npmrc").write_text(
        "registry=https://npm.example.com/\n//npm.example.com/:_authToken=npm-token\nnodedir=/usr/include/node\nyes=true\n"
    )
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nextra-index-url = https://mara:hunter22@packages.example.com/simple\n"
        f"constraint = {tmp_path}/constraints.txt\ncert = {configuration}\n"
    )
    environ = {
        "HOME": str(home),
        "PIP_CONFIG_FILE": str(configuration),
        "UV_INDEX": "https://uv.example.com/simple",
    }
    folder = tmp_path / "build"
    folder.mkdir()
    found = sources(environ, folder)
    assert [name for name, _ in found.secrets] == ["packages", "ca", "npmrc"]
    files = dict(found.secrets)
    packages = Path(files["packages"]).read_text()
    assert "export UV_INDEX=https://uv.example.com/simple\n" in packages
    assert "export PIP_EXTRA_INDEX_URL=https://mara:hunter22@packages.example.com/simple\n" in packages
    assert "export SSL_CERT_FILE=/run/secrets/ca\n" in packages
    assert "CONSTRAINT" not in packages
    assert Path(files["npmrc"]).read_text() == (
        "registry=https://npm.example.com/\n//npm.example.com/:_authToken=npm-token\n"
    )
    assert {Path(path).stat().st_mode & 0o777 for name, path in found.secrets if name != "ca"} == {0o600}
    assert (found.volumes, found.left_out) == ((), ())


def test_folders_that_an_index_on_this_disk_lies_in_are_mounted(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    index = tmp_path / "index" / "simple"
    for folder in (wheels, index):
        folder.mkdir(parents=True)
    environ = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": str(wheels),
               "PIP_INDEX_URL": f"file://{index}"}  # fmt: skip
    found = sources(environ, tmp_path)
    assert [name for name, _ in found.secrets] == ["packages"]
    assert set(found.volumes) == {str(wheels), str(index.parent)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--push"],
            "error: there is no name to push the image under\n  given by --push\n"
            "  a name says which registry it goes to, and -t gives it\n\n"
            "hint: -t registry.example.com/team/NAME --push\n",
        ),
        (
            ["--output", "/nonexistent/image.tar"],
            "error: the folder of the image's file does not exist\n  given by --output\n  /nonexistent\n\n"
            "hint: mkdir -p /nonexistent\n",
        ),
        (
            ["-t", "registry.example.com:5000/team/shop:1.2", "-t", "Shop Number 1"],
            "error: the image cannot be called 'Shop Number 1'\n  given by --tag\n"
            "  a name is small letters and digits, parted by . _ - and /, then perhaps : and a tag\n\n"
            "hint: -t registry.example.com/team/NAME:TAG\n",
        ),
    ],
)
def test_what_could_only_fail_at_the_end_is_refused_at_the_start(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["build", str(tmp_path), *arguments]) == 2
    assert capsys.readouterr() == ("", said)


def test_a_package_that_does_not_build_in_the_image_is_named_with_what_it_misses_and_another_python() -> None:
    error = EngineError(
        "the image cannot be built", where="`buildah build` ended with status 1", why="…", hint="…"
    )
    error.said = (
        "error: Failed to build `ldap==9.5.0`\nx.c:1:10: fatal error: lber.h: No such file or directory\n"
    )
    found = compiled("3.12", error)
    assert found is not None
    assert found.what == "ldap 9.5.0 does not build in the image"
    assert found.why == "the build misses the header lber.h\n…"
    assert found.hint == (
        "it has no wheel for Python 3.12: depend on a release that has one, or take an older Python, "
        "--image-python 3.11"
    )
    oldest = compiled("3.10", error)
    assert oldest is not None
    assert oldest.hint == "it has no wheel for Python 3.10: depend on a release that has one"
    error.said = "Error: building at STEP RUN false"
    assert compiled("3.12", error) is None
