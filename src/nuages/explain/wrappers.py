"""Programs that start another one (agents, tools, PID 1, what fetches secrets), and which words are theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from nuages.errors import Origin
from nuages.explain.facts import Fate, Outcome, Row, drop, nothing

Words = tuple[str, ...]
"""A wrapper as it stands before the program that it starts: its name, its own options and arguments."""

_AGENTS = frozenset(
    ["newrelic-admin", "ddtrace-run", "opentelemetry-instrument", "elasticapm-run", "splunk-py-trace"]
)
_SECRETS = frozenset(["doppler", "infisical", "op", "chamber", "aws-vault", "dotenv", "envdir"])
_PID_1 = frozenset({"dumb-init", "tini", "catatonit"})
_TOOLS = frozenset(["poetry", "pipenv", "pdm", "rye", "uv", "hatch", "conda", "mamba", "micromamba"])
_WAITS = re.compile(r"wait-for|dockerize$")

# How many words of their own stand before the program, where no `--` says so; the shell's keywords stand there too.
_NO_WORDS = (
    "exec export env nohup dumb-init tini catatonit nice ionice time stdbuf setpriv sudo runuser ddtrace-run "
    "opentelemetry-instrument elasticapm-run splunk-py-trace start-nginx start-pgbouncer xvfb-run command chpst "
    "dockerize numactl systemd-cat uvx if then elif else fi while until do done !"
)
_ONE_WORD = (
    "timeout gosu su-exec s6-setuidgid setuidgid newrelic-admin doppler infisical op dotenv wait-for-it wait-for-it.sh "
    "wait-for poetry pipenv pdm rye uv hatch envdir conda mamba micromamba taskset"
)
_TWO_WORDS = "chamber aws-vault"
OWN = {
    name: count for count, names in enumerate((_NO_WORDS, _ONE_WORD, _TWO_WORDS)) for name in names.split()
}

_VALUED = {
    "exec": "-a", "env": "-u -C", "dumb-init": "-r --rewrite", "tini": "-p -e", "nice": "-n", "ionice": "-c -n",
    "timeout": "-k -s", "stdbuf": "-o -e -i", "chpst": "-u", "sudo": "-u -g", "runuser": "-u -g",
    "setpriv": "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set",
    "doppler": "-p -c -t --project --config --token --config-dir --scope --fallback --mount --name-transformer",
    "infisical": "-e --env --path --projectId --token --domain --tags", "op": "--env-file --account",
    "dotenv": "-f --file", "wait-for-it": "-t", "wait-for-it.sh": "-t", "wait-for": "-t",
    "dockerize": "-wait -timeout -wait-retry-interval -template -stdout -stderr", "systemd-cat": "-t -p",
    "conda": "-n -p --name --prefix --cwd", "mamba": "-n -p --name --prefix", "micromamba": "-n -p --name --prefix",
    "uv": "--extra --group --project --with --python --env-file --directory -p", "uvx": "--from --with --python -p",
    "opentelemetry-instrument": "*",  # each of some eighty, and what its distributions add
    "elasticapm-run": "--config",
}  # fmt: skip


SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_LINE = re.compile(r"-[a-z]*c")
_LINES = {
    **dict.fromkeys((*SHELLS, "su", "runuser"), _LINE),
    **dict.fromkeys(("doppler", "infisical"), re.compile(r"--command")),
}
_SECRET = re.compile(r"token|secret|password|headers|^-t$")


def behind(words: Sequence[str], is_program: re.Pattern[str]) -> list[str]:
    """Return the words behind a wrapper that is the first of them: behind its `--`, or its options and arguments.

    A `--` behind a word that `is_program` knows is not the wrapper's.
    """
    name = words[0].rpartition("/")[2]
    own, with_value = OWN[name], _VALUED.get(name, "").split()
    for at, word in enumerate(words):
        if word == "--":
            return list(words[at + 1 :])
        if at >= max(own, 1) and is_program.fullmatch(word.rpartition("/")[2]):  # not the `exec` of chamber's
            break
    rest = list(words[1:])
    while rest and (own or rest[0].startswith("-")):
        word = rest.pop(0)
        takes = word in with_value or ("*" in with_value and word.startswith("-") and "=" not in word)
        if takes and rest:
            rest.pop(0)
        elif not word.startswith("-"):
            own -= 1
    return rest


def line_of_shell(words: Sequence[str]) -> int | None:
    """Return where in the words the line stands that they give to a shell, None where they give none.

    They are those of `sh -c LINE`, `su USER -c LINE`, `doppler run --command LINE`.
    """
    name = words[0].rpartition("/")[2] if words else ""
    option = _LINES.get(name)
    for at in range(1, len(words) - 1 if option else 0):
        if words[at] == "--" or (
            name in SHELLS and words[at][0:1] not in {"-", "+"} and words[at - 1][1:] != "o"
        ):
            return None
        if option and option.fullmatch(words[at]):
            return at + 1
    return None


def kept(wrappers: Iterable[Words]) -> Iterator[str]:
    """Yield the words of those wrappers that belong around nuages too."""
    for words in wrappers:
        if words[0] in _AGENTS | _SECRETS:
            yield from _masked(words)


def _masked(words: Words) -> Iterator[str]:
    """Yield the words without what may be secret among them."""
    for before, word in zip(("", *words), words, strict=False):
        name, equals, _ = word.partition("=")
        if equals and _SECRET.search(name):
            yield f"{name}=…"
        else:
            yield "…" if before.startswith("-") and "=" not in before and _SECRET.search(before) else word


def rows(wrappers: Iterable[Words], origin: Origin) -> Iterator[Row]:
    """Yield a row for each program around the server that means something to nuages."""
    for words in dict.fromkeys(wrappers):
        name = words[0]
        if name in _PID_1:
            said = nothing("nuages is PID 1 itself: it passes signals on and reaps")
        elif name in _AGENTS or name in _SECRETS:
            said = Outcome(fate=Fate.KEPT, why=" ".join((*_masked(words), "nuages serve")))
        elif name in _TOOLS:
            name = f"{name} run"
            said = drop("nuages is started from the environment that the tool has made, without the tool")
        elif _WAITS.match(name):
            said = drop("`nuages migrate` waits for the database; the server starts without one")
        else:
            continue
        yield Row(origin=origin, name=name, text="", outcome=said)
