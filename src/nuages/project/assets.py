"""What is known of a front-end build."""

from __future__ import annotations

from dataclasses import dataclass

from nuages.errors import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """A front-end build, by `commands` in a folder; they are none where libraries are served as they are.

    `lock` is empty where there is none, `node` is the major release that the project names. `beside` are the names of
    what the manager reads besides package.json and its lock, folders with a `/` behind; `tools` are packages that are
    installed for their programs alone. `copies` are what is made and where it belongs, for what does not stay where it
    is made; `environ` what the manager and the commands are given. `installer` is the package that the manager comes
    in, "" for npm; `collects` tells that collectstatic runs programs of the packages; `git` is where the lock names a
    package that is fetched by git, "" where none is.
    """

    directory: str
    manager: str
    lock: str
    commands: tuple[str, ...]
    node: str
    origin: Origin
    beside: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    environ: tuple[tuple[str, str], ...] = ()
    installer: str = ""
    collects: bool = False
    git: str = ""
