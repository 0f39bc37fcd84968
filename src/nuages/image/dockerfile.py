"""The Dockerfile of a plan: multi-stage, for any engine, with comments for the person who takes it over."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Sequence

from nuages.image.instructions import apt, comment, labels, quoted, run
from nuages.image.plan import FrontEnd, Package, Plan, Stated
from nuages.image.planner import APP, RUNTIME, VENV

FOLDER = ".nuages"
"""What travels in the context beside the project: requirements, this nuages, its server."""

_AHEAD = "/opt/ahead"
_LOCAL = "/opt/local"
_BUILD = "/build"
_PYTHON = f"{VENV}/bin/python"

_FETCH = (
    "--mount=type=secret,id=packages",
    "--mount=type=secret,id=ca",
    "--mount=type=cache,target=/root/.cache",
)
_INDEXES = "{ [ ! -e /run/secrets/packages ] || . /run/secrets/packages; }"


def render(plan: Plan) -> str:
    """Return the text of the Dockerfile."""
    stages = [_head(plan), _front_end(plan), _build(plan), _project(plan), _static(plan), _final(plan)]
    lines: list[str] = []
    for line in "\n".join(block.rstrip() + "\n" for block in stages if block).splitlines():
        # A comment belongs to what follows it, and stands apart from what was before.
        if line.startswith("#") and lines and lines[-1] and not lines[-1].startswith("#"):
            lines.append("")
        lines.append(line)
    return "\n".join(lines) + "\n"


def ignore(plan: Plan, patterns: Sequence[str]) -> str:
    """Return the text of .dockerignore: what neither the build nor the image may see."""
    lines = [
        "# Kept out of the build context: secrets, databases, uploads, and what is made again in the image.",
        *patterns,
        *plan.excluded,
    ]
    return "\n".join(lines) + "\n"


def files(plan: Plan) -> dict[str, str]:
    """Return the text files of `.nuages/` by name; the wheel of nuages lies beside them."""
    found = {"requirements.txt": plan.install.requirements, "runtime.txt": plan.runtime.requirements}
    if plan.install.constraints:
        found["constraints.txt"] = plan.install.constraints
    if plan.runtime.ahead:
        found["ahead.txt"] = _only(plan.runtime.requirements, plan.runtime.ahead)
    if plan.sources:
        found["sources.sha256"] = "".join(
            f"{digest}  {path}\n" for path, digest in sorted(plan.sources.items())
        )
    for path, text in plan.install.metadata.items():
        found[f"metadata/{path}"] = text
    return found


def _head(plan: Plan) -> str:
    text = comment(
        f"{plan.name}: the production image, written by nuages from the project's own files.",
        "It is an ordinary Dockerfile: `docker build .` builds it, and you may edit it. `nuages dockerfile --write`",
        f"writes it anew when dependencies change. {FOLDER}/ holds what it installs.",
        "",
        f"Python {plan.python.value}: {plan.python.origin}",
    )
    pinned = (
        ""
        if plan.base.digest
        else "# Not pinned: name a digest (…@sha256:…) to get the same base each time.\n"
    )
    return f"{text}\n{pinned}ARG BASE={plan.base.reference}\n"


def _build(plan: Plan) -> str:
    blocks = [
        comment(
            "Compilers, headers and installers stay in this stage; only their results are copied out of it.",
            rule="build",
        ),
        "FROM ${BASE} AS build",
    ]
    wanted = (*plan.build_packages, *plan.run_packages)
    if plan.messages:
        wanted = (*wanted, Package(name="gettext", wanted_by="message catalogues"))
    if wanted:
        blocks.append(apt(wanted))
    blocks += [
        comment("uv installs from hashed requirements, in seconds. Its release is fixed in uv.txt."),
        f"COPY {FOLDER}/uv.txt {_BUILD}/",
        run(
            _FETCH,
            [
                _INDEXES,
                f"python3 -m venv {_BUILD}/tools",
                f"{_BUILD}/tools/bin/pip install --quiet --disable-pip-version-check --require-hashes"
                f" -r {_BUILD}/uv.txt",
            ],
        ),
        _dependencies(plan),
        _runtime(plan),
    ]
    return "\n".join(blocks)


def _dependencies(plan: Plan) -> str:
    install = plan.install
    sources = [f"{FOLDER}/requirements.txt"]
    if install.constraints:
        sources.append(f"{FOLDER}/constraints.txt")
    return "\n".join(
        [
            comment(
                f"The project's dependencies, from {install.origin}. They change seldom: before its code.",
                "Private package indexes: `--secret id=packages,src=FILE` with lines such as `export UV_INDEX=…`;",
                "nothing of it stays in a layer. `--secret id=ca,src=FILE` is there for a certificate that it names.",
            ),
            f"COPY {' '.join(sources)} {_BUILD}/",
            *([f"COPY {FOLDER}/metadata {_BUILD}/metadata"] if install.metadata else []),
            run(
                _FETCH,
                [
                    _INDEXES,
                    f"python3 -m venv --without-pip {VENV}",
                    _uv_install(plan),
                    f"echo {RUNTIME} > {_site()}/nuages.pth",
                    *([f"cp -r {_BUILD}/metadata/. {_site()}/"] if install.metadata else []),
                    f"{_PYTHON} -m compileall -q --invalidation-mode unchecked-hash {VENV}/lib",
                ],
            ),
        ]
    )


def _site() -> str:
    return f'"$({_PYTHON} -c "import site; print(site.getsitepackages()[0])")"'


def _uv(*words: str) -> str:
    return " ".join([f"UV_LINK_MODE=copy {_BUILD}/tools/bin/uv pip install --quiet", *words])


def _uv_install(plan: Plan) -> str:
    install = plan.install
    words = [f"--python {VENV}"]
    words += ["--no-deps"] if install.closed else []
    words += ["--require-hashes"] if install.hashed else []
    words += ["--prerelease allow"] if install.prereleases else []
    words += [f"--constraints {_BUILD}/constraints.txt"] if install.constraints else []
    words += [f"--find-links {shlex.quote(place)}" for place in install.find_links]
    return _uv(*words, f"-r {_BUILD}/requirements.txt")


def _runtime(plan: Plan) -> str:
    runtime = plan.runtime
    copied = [f"{FOLDER}/runtime.txt", f"{FOLDER}/{runtime.wheel}"]
    python = f"--python {_PYTHON}"
    commands = [
        _INDEXES,
        _uv(python, f"--target {RUNTIME} --no-deps --require-hashes -r {_BUILD}/runtime.txt"),
        _uv(python, f"--target {RUNTIME} --no-deps {_BUILD}/{runtime.wheel}"),
    ]
    folders = RUNTIME
    if runtime.ahead:
        copied.append(f"{FOLDER}/ahead.txt")
        commands.append(_uv(python, f"--target {_AHEAD} --no-deps --require-hashes -r {_BUILD}/ahead.txt"))
        folders = f"{RUNTIME} {_AHEAD}"
    commands.append(f"{_PYTHON} -m compileall -q --invalidation-mode unchecked-hash {folders}")
    return "\n".join(
        [
            comment(
                "The server, behind the project's own packages on sys.path: it never replaces one of them."
                if not runtime.ahead
                else "The server. Of "
                + ", ".join(runtime.ahead)
                + " it takes its own release, in the server process alone.",
            ),
            f"COPY {' '.join(copied)} {_BUILD}/",
            run(_FETCH, commands),
        ]
    )


def _front_end(plan: Plan) -> str:
    end = plan.front_end
    if end is None:
        return ""
    folder = posixpath.normpath(posixpath.join(APP, end.directory))
    manifest = [
        posixpath.normpath(posixpath.join(end.directory, name)) for name in ("package.json", end.lock) if name
    ]
    return "\n".join(
        [
            comment(
                f"The front end: {end.origin} has a build script. Node stays in this stage.", rule="front end"
            ),
            f"FROM {end.image} AS front-end",
            f"WORKDIR {folder}",
            f"COPY {' '.join(manifest)} ./",
            run(["--mount=type=secret,id=npmrc,target=/root/.npmrc", "--mount=type=cache,target=/root/.npm"],
                 [_node_install(end)]),
            f"COPY . {APP}",
            f"RUN {_node_run(end)}",
        ]
    )  # fmt: skip


def _node_install(end: FrontEnd) -> str:
    if end.manager == "pnpm":
        return "corepack enable && pnpm install --frozen-lockfile"
    if end.manager == "yarn":
        return "corepack enable && yarn install --frozen-lockfile"
    return "npm ci --no-audit --no-fund" if end.lock else "npm install --no-audit --no-fund"


def _node_run(end: FrontEnd) -> str:
    return f"{end.manager} run {end.script}"


def _project(plan: Plan) -> str:
    commands = [f"rm -rf {APP}/{FOLDER}"]
    where = f"{APP}" if plan.directory == "." else f"{APP}/{plan.directory}"
    blocks = [
        comment("The project as it is served: without what .dockerignore keeps out.", rule="project"),
        "FROM build AS project",
        f"WORKDIR {where}",
        f"COPY --from=front-end {APP} {APP}" if plan.front_end else f"COPY . {APP}",
    ]
    if plan.sources:
        blocks += [
            comment(
                "Stops where a dependency file is newer than what was installed above: `nuages dockerfile --write`."
            ),
            f"RUN cd {APP} && sha256sum --check --quiet {FOLDER}/sources.sha256",
        ]
    if plan.install.local:
        places = " ".join(shlex.quote(_in_app(one)) for one in plan.install.local)
        target = (
            f"--python {_PYTHON} --target {_LOCAL} --no-deps" if plan.install.closed else f"--python {VENV}"
        )
        then = [f"echo {_LOCAL} >> {_site()}/nuages.pth"] if plan.install.closed else []
        blocks += [
            comment("Packages that lie in the project itself."),
            run(_FETCH, [_INDEXES, _uv(target, places), *then]),
        ]
    if plan.messages:
        blocks += [
            comment("Message catalogues."),
            f"RUN {_PYTHON} -m django compilemessages --verbosity 0 --ignore node_modules",
        ]
    commands.append(f"({_PYTHON} -m compileall -q --invalidation-mode unchecked-hash {APP} || true)")
    blocks += [
        comment(
            "Bytecode that is never checked against its source (PEP 552): nothing changes in an image, and a read-only",
            "file system could not keep it. A file for another Python may not compile; it is not imported either.",
        ),
        run((), commands),
    ]
    return "\n".join(blocks)


def _in_app(spec: str) -> str:
    return posixpath.normpath(posixpath.join(APP, spec))


def _static(plan: Plan) -> str:
    values = {name: stated.value for name, stated in {**plan.environ, **plan.stand_ins}.items()}
    for name in ("NUAGES_BIND", "NUAGES_MANAGEMENT"):
        values.pop(name, None)
    words = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    said = ["Static files: collected, hashed, compressed, with a manifest that the server starts from."]
    if plan.stand_ins:
        said.append("The settings need these to load. No value is real, and none is in the image:")
        said += [f"  {name}  {stated.origin}" for name, stated in plan.stand_ins.items()]
    return "\n".join(
        [
            comment(*said, rule="static files"),
            "FROM project AS static",
            "RUN " + " \\\n    ".join([*words, f"{_PYTHON} -m nuages collect ."]),
        ]
    )


def _final(plan: Plan) -> str:
    blocks = [
        comment("What runs. Each layer changes more often than the one before it.", rule="the image"),
        "FROM ${BASE}",
    ]
    if plan.run_packages:
        blocks.append(apt(plan.run_packages))
    # Packages of the project that are installed with their own dependencies change the environment.
    venv_from = "project" if plan.install.local and not plan.install.closed else "build"
    blocks.append(f"COPY --from={venv_from} {VENV} {VENV}")
    blocks.append(f"COPY --from=build {RUNTIME} {RUNTIME}")
    if plan.runtime.ahead:
        blocks.append(f"COPY --from=build {_AHEAD} {_AHEAD}")
    if plan.install.local and plan.install.closed:
        blocks.append(f"COPY --from=project {_LOCAL} {_LOCAL}")
    if plan.static_root is None:
        blocks.append(f"COPY --from=static {APP} {APP}")
    else:
        root = plan.static_root.value
        blocks += [f"COPY --from=static {root} {root}", f"COPY --from=project {APP} {APP}"]
    blocks.append(_environ(plan))
    blocks.append(labels(plan.labels))
    blocks += [
        f"WORKDIR {APP}" + ("" if plan.directory == "." else f"/{plan.directory}"),
        comment(
            "A number, so that Kubernetes can see that it is not root; any other number works as well. Nothing is",
            "written outside of /tmp: run it with a read-only root file system.",
        ),
        f"USER {plan.user}:{plan.user}",
        f"EXPOSE {plan.port} {plan.management_port}",
        "STOPSIGNAL SIGTERM",
    ]
    if plan.healthcheck:
        probe = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{plan.management_port}/-/live', timeout=3)"
        blocks.append(
            f"HEALTHCHECK --interval=30s --start-period=60s CMD {json.dumps([_PYTHON, '-c', probe])}"
        )
    blocks += [
        comment(
            "PID 1 without a shell. Another server's command line works here too: nothing in the image depends on this."
        ),
        f"ENTRYPOINT {json.dumps(_entry(plan))}",
        'CMD ["serve"]',
    ]
    return "\n".join(blocks)


def _entry(plan: Plan) -> list[str]:
    if not plan.runtime.ahead:
        return [_PYTHON, "-m", "nuages"]
    code = f"import sys; sys.path[1:1] = ['{_AHEAD}']; from nuages.cli import main; sys.exit(main())"
    return [_PYTHON, "-c", code]


def _environ(plan: Plan) -> str:
    values = {
        "PATH": f"{VENV}/bin:$PATH", "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip
    values.update({name: stated.value for name, stated in plan.environ.items()})
    lines = [f"{name}={quoted(value)}" for name, value in values.items()]
    said = "Read by the server, and by Django's commands."
    required = _required(plan.required)
    return comment(said, *required) + "\nENV " + " \\\n    ".join(lines)


def _required(required: Sequence[Stated]) -> list[str]:
    if not required:
        return []
    return [
        "Set at run time, for the settings need them:",
        *(f"  {one.value}  {one.origin}" for one in required),
    ]


def _only(requirements: str, names: Sequence[str]) -> str:
    """Return the lines of a hashed requirements file that are about these distributions."""
    found = []
    for line in requirements.replace("\\\n", " ").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)", line)
        if match and re.sub(r"[-_.]+", "-", match[1]).lower() in names:
            found.append(" ".join(line.split()))
    return "\n".join(found) + "\n"
