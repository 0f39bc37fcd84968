"""argv → invocation, and the errors of the command line, as a user reads them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nuages import cli
from nuages.__main__ import main as started
from nuages.cli import main, parse, parser_for
from nuages.commands import COMMANDS, Command
from nuages.console import Console
from nuages.runtime.settings import Settings


def command(name: str) -> Command:
    return next(command for command in COMMANDS if command.name == name)


def answer(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NUAGES_")]:
        monkeypatch.delenv(name)


def test_flags_keep_their_texts_until_they_are_resolved(tmp_path: Path) -> None:
    invocation = parse(command("serve"), [str(tmp_path), "-w", "3", "--bind=:80"], {}, Console())
    assert invocation.flags == {"workers": ["3"], "bind": [":80"]}
    resolved = invocation.resolve(Settings)
    assert (resolved.value.workers, str(resolved.origins["workers"])) == (3, "--workers")


def test_what_follows_two_dashes_belongs_to_the_command_that_is_run(tmp_path: Path) -> None:
    invocation = parse(command("run"), [str(tmp_path), "--", "shell", "--json", "--", "x"], {}, Console())
    assert (invocation.project, invocation.rest) == (tmp_path.resolve(), ("shell", "--json", "--", "x"))


def test_a_command_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, "srve")
    assert (code, out) == (2, "")
    names = ", ".join(command.name for command in COMMANDS)
    assert err == (
        "error: unknown command 'srve'\n"
        "  given on the command line\n"
        f"  nuages has {names}\n"
        "\n"
        "hint: did you mean `nuages serve`?\n"
    )


def test_the_name_that_an_image_starts_with_already_is_one_too_many(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = answer(capsys, "nuages", "migrate")
    assert code == 2
    assert err.endswith("hint: leave it out: an image of nuages starts with it already\n")


def test_an_unknown_flag_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "serve", "--processes", "4") == (
        2,
        "",
        "error: unknown option --processes\n"
        "  given on the command line\n"
        "  `nuages serve` has no such option\n"
        "\n"
        "hint: nuages calls it --workers: "
        "worker processes; auto: by the CPU and memory this container may use\n",
    )


def test_a_flag_without_its_value_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "serve", "--workers") == (
        2,
        "",
        "error: --workers has no value\n"
        "  given on the command line\n"
        "  nothing stands behind it, or another option does\n"
        "\n"
        "hint: --workers N|auto; a value that begins with a dash: --workers=VALUE\n",
    )


def test_a_folder_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "serve", "no/such/place") == (
        1,
        "",
        "error: there is no folder 'no/such/place'\n"
        "  given on the command line\n"
        "  PROJECT is the folder that holds manage.py, or one above it\n"
        "\n"
        "hint: nuages serve PATH\n",
    )


def test_an_unknown_variable_stops_every_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUAGES_BIMD", ":80")
    code, _, err = answer(capsys, "check", str(tmp_path))
    assert (code, err.splitlines()[0], err.splitlines()[-1]) == (
        2, "error: unknown variable NUAGES_BIMD", "hint: did you mean NUAGES_BIND?",
    )  # fmt: skip


def test_an_error_is_one_json_object_when_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "check", "--json", "no/such/place")
    assert code == 1
    assert err == (
        '{"event": "error", "exit": 1, "what": "there is no folder \'no/such/place\'", '
        '"where": "given on the command line", '
        '"why": "PROJECT is the folder that holds manage.py, or one above it", "hint": "nuages check PATH"}\n'
    )


@pytest.mark.parametrize("name", ["plan", "dockerfile", "manifests"])
def test_what_comes_with_the_extra_is_named_where_it_is_not_installed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manage.py").write_text('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop")\n')
    (tmp_path / "shop.py").write_text('SECRET_KEY = "x"\n')
    (tmp_path / "requirements.txt").write_text("Django==5.2.1\n")
    monkeypatch.setitem(sys.modules, "packaging", None)
    for module in [each for each in sys.modules if each.startswith("packaging.")]:
        monkeypatch.delitem(sys.modules, module)
    image = ["--image", f"registry.example/shop@sha256:{'0' * 64}"] if name == "manifests" else []
    code, out, err = answer(capsys, name, str(tmp_path), *image)
    assert (code, out) == (2, "")
    assert err == (
        f"error: nuages is installed without what `nuages {name}` takes\n"
        f"  looked for in {sys.prefix}\n"
        "  packaging is not there: it comes with the extra «build», which no image needs\n"
        "\n"
        "hint: pip install 'nuages[build]'\n"
    )


def test_help_and_version_are_data(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["--version"], []):
        code, out, err = answer(capsys, *argv)
        assert code == 0
        assert "nuages" in out
        assert err == ""


def test_config_shows_every_value_and_who_set_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nuages.toml").write_text('grace = "10s"\n')
    monkeypatch.setenv("NUAGES_THREADS", "8")
    code, out, _ = answer(capsys, "check", str(tmp_path), "--config", "--debug", "off")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert code == 0
    assert rows["grace"] == ["10.0", "nuages.toml:1"]
    assert rows["threads"] == ["8", "NUAGES_THREADS"]
    assert rows["debug"] == ["off", "--debug"]
    assert rows["timeout"] == ["30s", "default"]


def test_a_target_that_is_not_spelt_right_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "manifests", "kubernets") == (
        2,
        "",
        "error: 'kubernets' is neither a folder nor something to write documents for\n"
        "  given on the command line\n"
        "  `nuages manifests` writes for kubernetes, compose, systemd\n"
        "\n"
        "hint: did you mean `nuages manifests kubernetes`?\n",
    )


@pytest.mark.parametrize("word", ["helm", "kustomize"])
def test_a_format_in_place_of_a_target_leads_to_its_option(
    capsys: pytest.CaptureFixture[str], word: str
) -> None:
    assert answer(capsys, "manifests", word)[2].endswith(
        f"hint: did you mean `nuages manifests kubernetes --format {word} --output DIR`?\n"
    )


def test_a_file_in_place_of_the_project_is_called_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "manage.py"
    file.touch()
    assert answer(capsys, "check", str(file)) == (
        1,
        "",
        f"error: '{file}' is a file\n"
        "  given on the command line\n"
        "  PROJECT is the folder that holds manage.py, or one above it\n"
        "\n"
        f"hint: nuages check {tmp_path}\n",
    )


def test_help_with_a_commands_name_is_that_commands_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["help", "migrate"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: nuages migrate ")


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_fits_into_a_narrow_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    long = [line for line in parser_for(command(name)).format_help().splitlines() if len(line) > 60]
    # What cannot be broken: a flag with its value, the usage, and a line that is somebody's sentence.
    assert [line for line in long if not line.lstrip().startswith(("-", "usage", "The server"))] == []


def test_a_full_disk_behind_stdout_is_an_error_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr("sys.stdout", full)
        code = main(["--help"])
        monkeypatch.undo()
    assert code == 4
    assert capsys.readouterr().err == (
        "error: the output cannot be written\n"
        "  standard output\n"
        "  No space left on device\n"
        "\n"
        "hint: make room on the disk that it goes to, and run the command again\n"
    )


def test_a_closed_stdout_is_no_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    code = main(["--help"])
    sys.stdout.close()
    monkeypatch.undo()
    assert (code, capsys.readouterr().err) == (0, "")


def test_options_of_kubernetes_do_nothing_elsewhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert answer(capsys, "manifests", "compose", str(tmp_path), "--autoscale", "2-4") == (
        2,
        "",
        "error: --autoscale is for Kubernetes\n"
        "  given on the command line\n"
        "  documents for compose have nothing that it could change\n"
        "\n"
        "hint: leave it out, or `nuages manifests kubernetes --autoscale …`\n",
    )


def test_each_of_several_projects_is_configured_by_its_own_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, text in ((one, "workers = 3"), (two, "worker = 5")):
        folder.mkdir()
        (folder / "nuages.toml").write_text(text)
    invocation = parse(command("manifests"), [str(one), str(two)], {}, Console())
    assert invocation.resolve(Settings).value.workers == 3
    assert invocation.at(two.resolve()).file["worker"].texts == ("5",)
    code, _, err = answer(capsys, "manifests", "compose", str(one), str(two))
    assert (code, err.splitlines()[0]) == (2, "error: unknown key 'worker' in the configuration of nuages")


def test_projects_may_stand_on_both_sides_of_options(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    found = parse(command("bench"), [str(one), "--rollout", str(two), "--rate", "5"], {}, Console())
    assert (found.project, found.more) == (one.resolve(), (two.resolve(),))
    assert found.flags == {"rollout": ["on"], "rate": ["5"]}


def test_run_with_a_folder_alone_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path)
    assert answer(capsys, "run", "shop") == (
        2,
        "",
        "error: there is nothing to run\n"
        "  given on the command line\n"
        "  `nuages run` wants a management command or a program after --, or the name of a process\n"
        "\n"
        "hint: nuages run shop -- createsuperuser\n",
    )


def test_run_with_a_path_that_is_not_there_looks_for_no_process_of_that_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, said = answer(capsys, "run", "no/such/place")
    assert (code, said.splitlines()[0]) == (1, "error: there is no folder 'no/such/place'")


def test_words_of_other_servers_may_be_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "up", "--procesess", "4")[2].endswith("hint: did you mean --workers?\n")
    assert answer(capsys, "--bogus")[2].endswith("hint: see `nuages --help`\n")


def test_what_the_documents_decide_is_no_option_of_theirs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert answer(capsys, "manifests", "systemd", str(tmp_path), "--bind", ":80") == (
        2,
        "",
        "error: --bind is decided by the documents\n"
        "  given on the command line\n"
        "  ports, folders and certificates have to agree in all of them\n"
        "\n"
        "hint: leave it out; --port N is the port that the image serves on\n",
    )


def test_a_divided_file_of_our_own_is_told_how_it_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "nuages.toml").write_text("\n[tool.nuages]\nworkers = 3\n")
    assert answer(capsys, "check", str(tmp_path)) == (
        2,
        "",
        "error: nuages.toml has a table [tool.…]\n"
        "  nuages.toml:2\n"
        "  that is how pyproject.toml is divided; in this file the keys stand by themselves\n"
        "\n"
        "hint: take the line [tool.nuages] out\n",
    )


def test_check_shows_the_options_of_every_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "nuages.toml").write_text('replicas = 3\napt = ["gettext"]\n')
    code, out, _ = answer(capsys, "check", str(tmp_path), "--config")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["replicas"] == ["3", "nuages.toml:1"]
    assert rows["apt"] == ["gettext", "nuages.toml:2"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose project lies in src, and whose requirements do not; nothing is called apart."""
    monkeypatch.setattr(cli, "apart", lambda call: call())
    (tmp_path / ".git").mkdir()
    (tmp_path / "requirements.txt").write_text("Django==5.2.1\n")
    (tmp_path / "nuages.toml").write_text("workers = 3\n")
    (tmp_path / "src/shop").mkdir(parents=True)
    (tmp_path / "src/manage.py").write_text("from django.core.management import execute_from_command_line\n")
    return tmp_path


@pytest.mark.parametrize("verb", ["up", "check", "plan", "build", "serve"])
def test_a_folder_without_dependencies_gives_way_to_the_one_above_with_its_configuration(
    checkout: Path, verb: str
) -> None:
    found = cli.placed(command(verb), parse(command(verb), [str(checkout / "src")], {}, Console()))
    assert (found.project, found.within, found.named) == (checkout, "src", checkout / "src")
    assert found.file["workers"].texts == ("3",)


def test_what_is_named_whole_and_what_asks_servers_stays_where_it_is(checkout: Path) -> None:
    words = [str(checkout / "src"), "--settings", "shop.settings", "--app", "shop.wsgi:application"]
    for verb, given in (("serve", words), ("status", words[:1])):
        found = cli.placed(command(verb), parse(command(verb), given, {}, Console()))
        assert (found.project, found.within, dict(found.file)) == (checkout / "src", ".", {})


def test_each_of_several_projects_finds_its_own_folder(checkout: Path) -> None:
    (checkout / "own").mkdir()
    (checkout / "own/manage.py").write_text((checkout / "src/manage.py").read_text())
    (checkout / "own/requirements.txt").write_text("Django\n")
    words = ["compose", str(checkout / "own"), str(checkout / "src")]
    found = cli.placed(command("manifests"), parse(command("manifests"), words, {}, Console()))
    assert (found.project, found.within) == (checkout / "own", ".")
    (more,) = found.more
    assert (found.at(more).project, found.at(more).within) == (checkout, "src")


def test_without_a_repository_nothing_above_is_looked_at(checkout: Path) -> None:
    (checkout / ".git").rmdir()
    found = cli.placed(command("up"), parse(command("up"), [str(checkout / "src")], {}, Console()))
    assert found.project == checkout / "src"
    (checkout / "src/.git").mkdir()
    assert cli.repository(checkout / "src") is None
    assert cli.repository(checkout / "src/shop") == checkout / "src"


def test_ctrl_c_while_the_command_line_is_loaded_ends_it_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "nuages.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "nuages.cli")
    monkeypatch.delattr("nuages.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert started() == 130


def test_check_lists_the_variables_of_the_projects_own_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf")\n'
    )
    (tmp_path / "conf.py").write_text("INSTALLED_APPS = []\nROOT_URLCONF = 'urls'\n")
    (tmp_path / "Dockerfile").write_text("FROM python:3.13\nENV TZ=UTC API_TOKEN=hush\nENV HF_HOME=/models\n")
    _, out, _ = answer(capsys, "check", str(tmp_path))
    rows = [line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith("variable ")]

    assert [" ".join(row.split()) for row in rows] == [
        "TZ=UTC Dockerfile:2",
        "API_TOKEN is left out Dockerfile:2 secrets are given where it runs, and stand in no image",
        "HF_HOME is left out Dockerfile:3 it names a place that its own image alone has",
    ]
    assert "hush" not in out
