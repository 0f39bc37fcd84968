"""The Dockerfile of a plan: multi-stage, for any engine, with comments for the person who takes it over."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Sequence

from nuages.image import front_end_stage, links
from nuages.image.build_stage import (
    AHEAD,
    COMPRESSORS,
    FETCH,
    FOLDER,
    INDEXES,
    LOCAL,
    PYTHON,
    build_stage,
    only,
    site_packages,
    uv,
)
from nuages.image.instructions import apt, comment, labels, quoted, run
from nuages.image.plan import Plan, Stated
from nuages.image.planner import RUNTIME, VENV
from nuages.image.state import APP, DATA

_UNSETUID = "find / -xdev -type f -perm /6000 -exec chmod a-s {} +"
"""No program may make anybody root: the base has su, mount and passwd."""


def render(plan: Plan) -> str:
    """Return the text of the Dockerfile."""
    stages = [
        _head(plan),
        front_end_stage.render(plan.front_end),
        build_stage(plan),
        _project(plan),
        _static(plan),
        _final(plan),
    ]
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
    if plan.install.build_constraints:
        found["build-constraints.txt"] = plan.install.build_constraints
    if plan.runtime.ahead:
        found["ahead.txt"] = only(plan.runtime.requirements, plan.runtime.ahead)
    if plan.sources:
        found["sources.sha256"] = "".join(
            f"{digest}  {APP}/{path}\n" for path, digest in sorted(plan.sources.items())
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


def _project(plan: Plan) -> str:
    commands = [f"rm -rf {APP}/{FOLDER}"]
    where = f"{APP}" if plan.directory == "." else f"{APP}/{plan.directory}"
    blocks = [
        comment("The project as it is served: without what .dockerignore keeps out.", rule="project"),
        "FROM build AS project",
        f"WORKDIR {where}",
        f"COPY --from=front-end {APP} {APP}" if plan.front_end else f"COPY . {APP}",
    ]
    if plan.front_end and plan.front_end.copies:
        blocks.append(comment(f"Where {plan.front_end.origin} has what the build makes."))
        blocks += [
            f"COPY --from=front-end {front_end_stage.made(plan.front_end, made)} {APP}/{place}"
            for made, place in plan.front_end.copies
        ]
    if plan.sources:
        blocks += [
            comment(
                "Stops where a dependency file is newer than what was installed above: `nuages dockerfile --write`."
            ),
            f"RUN sha256sum --check --quiet {APP}/{FOLDER}/sources.sha256",
        ]
    if plan.install.local:
        places = " ".join(shlex.quote(_in_app(one)) for one in plan.install.local)
        target = (
            f"--python {PYTHON} --target {LOCAL} --no-deps" if plan.install.closed else f"--python {VENV}"
        )
        then = [f"echo {LOCAL} >> {site_packages()}/nuages.pth"] if plan.install.closed else []
        # uv's, which everybody may write (I003).
        then.append(f"rm -f {LOCAL if plan.install.closed else VENV}/.lock")
        blocks += [
            comment("Packages that lie in the project itself."),
            run(FETCH, [INDEXES, uv(target, places), *then]),
        ]
    for folder in plan.messages:
        compiling = f"{PYTHON} -m django compilemessages --verbosity 0 --ignore node_modules"
        away = "" if folder == plan.directory else f"cd {shlex.quote(_in_app(folder))} && "
        commands.append(f"({away}{compiling})" if away else compiling)
    if plan.state:
        blocks += [
            comment("What the project writes beside its code lies in the volume."),
            run((), links.inside(plan.state)),
        ]
    commands += [f"mkdir -p {shlex.quote(each.value)}" for each in plan.folders]
    commands.append(f"({PYTHON} -m compileall -q --invalidation-mode unchecked-hash {APP} || true)")
    blocks += [
        *([comment("Message catalogues, compiled.")] if plan.messages else []),
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
    words = [f"{name}={_shell(value)}" for name, value in values.items()]
    mounts, given = front_end_stage.programs(plan.front_end)
    # A project without static files collects none, but the folder is copied all the same.
    made = f" \\\n && mkdir -p {shlex.quote(plan.static_root.value)}" if plan.static_root else ""
    # Behind all else on this one command's sys.path: the project is to see no more than it does when it is served.
    code = f'import sys; sys.path.append("{COMPRESSORS}"); from nuages.cli import main; sys.exit(main())'
    said = ["Static files: collected, hashed, compressed, with a manifest that the server starts from."]
    if plan.stand_ins:
        said.append("The settings need these to load. No value is real, and none is in the image:")
        said += [f"  {name}  {stated.origin}" for name, stated in plan.stand_ins.items()]
    blocks = [
        comment(*said, rule="static files"),
        "FROM project AS static",
        *front_end_stage.modules(plan.front_end),
        "RUN "
        + " \\\n    ".join([*mounts, *given, *words, f"{PYTHON} -c {shlex.quote(code)} collect . --sealed"])
        + made,
    ]
    if plan.static_root and _is_below(plan.static_root.value):
        blocks += [
            comment(
                "The project without what was collected there before: it would lie over what was collected now."
            ),
            "FROM project AS code",
            f"RUN rm -rf {shlex.quote(plan.static_root.value)}",
        ]
    return "\n".join(blocks)


def _is_below(root: str) -> bool:
    return root.startswith(f"{APP}/")


def _shell(value: str) -> str:
    """Return a value as a word of the shell; a Dockerfile has no line breaks inside of one."""
    if "\n" not in value:
        return shlex.quote(value)
    lines = " \\\n      ".join(shlex.quote(line) for line in value.splitlines())
    return f"\"$(printf '%s\\n' {lines})\""


def _final(plan: Plan) -> str:
    volume_said = (
        ["The group of the volume's folder is that of a user of any other number."] if plan.state else []
    )
    blocks = [
        comment("What runs. Each layer changes more often than the one before it.", rule="the image"),
        "FROM ${BASE}",
        comment(
            "No program of it makes its user root: su, mount and passwd are setuid in the base.", *volume_said
        ),
    ]
    # COPY gives a folder that it makes 0755, whatever it was: the group must be able to write into the volume.
    volume = f"install -d -m 775 -o {links.OWNER.partition(':')[0]} -g 0 {DATA}"
    then = [_UNSETUID, *([volume] if plan.state else []), *links.outside(plan.state)]
    blocks.append(apt(plan.run_packages, "run", then) if plan.run_packages else run((), then))
    # Packages of the project that are installed with their own dependencies change the environment.
    venv_from = "project" if plan.install.local and not plan.install.closed else "build"
    blocks.append(f"COPY --from={venv_from} {VENV} {VENV}")
    blocks.append(f"COPY --from=build {RUNTIME} {RUNTIME}")
    if plan.runtime.ahead:
        blocks.append(f"COPY --from=build {AHEAD} {AHEAD}")
    if plan.install.local and plan.install.closed:
        blocks.append(f"COPY --from=project {LOCAL} {LOCAL}")
    if plan.static_root is None:
        blocks.append(f"COPY --from=static {APP} {APP}")
    else:
        root = plan.static_root.value
        code = "code" if _is_below(root) else "project"
        blocks += [f"COPY --from=static {root} {root}", f"COPY --from={code} {APP} {APP}"]
    if plan.state:
        said = [f"  {path} → {stated.value}  {stated.origin}" for path, stated in sorted(plan.state.items())]
        blocks += [
            comment("Mount a volume here, or what is written is lost with the container:", *said),
            f"COPY --from=project --chown={links.OWNER} {DATA} {DATA}",
            f"VOLUME {DATA}",
        ]
    blocks.append(_environ(plan))
    blocks.append(labels(plan.labels))
    blocks += [
        f"WORKDIR {APP}" + ("" if plan.directory == "." else f"/{plan.directory}"),
        comment(
            "A number, so that Kubernetes can see that it is not root; any other number works as well. Nothing is",
            "written outside of /tmp: run it with a read-only root file system.",
        ),
        f"USER {plan.user}:{plan.user}",
        *_port(plan),
        f"EXPOSE {plan.port} {plan.management_port}",
        "STOPSIGNAL SIGTERM",
    ]
    if plan.healthcheck:
        probe = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{plan.management_port}/-/live', timeout=3)"
        blocks.append(
            f"HEALTHCHECK --interval=30s --start-period=60s CMD {json.dumps([PYTHON, '-c', probe])}"
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
    agent = [f"{VENV}/bin/{plan.agent[0]}", *plan.agent[1:]] if plan.agent else []
    if not plan.runtime.ahead:
        return [*agent, PYTHON, "-m", "nuages"]
    code = f"import sys; sys.path[1:1] = ['{AHEAD}']; from nuages.cli import main; sys.exit(main())"
    return [*agent, PYTHON, "-c", code]


def _environ(plan: Plan) -> str:
    values = {
        "PATH": f"{VENV}/bin:$PATH", "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip
    values.update({name: stated.value for name, stated in plan.environ.items()})
    lines = [f"{name}={quoted(value)}" for name, value in values.items()]
    said = ["Read by the server, and by Django's commands."]
    own = [each for each in plan.environ.items() if each[0] in plan.own]
    if own:
        said += ["Of the project's own image:", *(f"  {name}  {stated.origin}" for name, stated in own)]
    return comment(*said, *_required(plan.required)) + "\nENV " + " \\\n    ".join(lines)


def _port(plan: Plan) -> list[str]:
    origin = plan.environ["NUAGES_BIND"].origin
    if origin in {"default", "--port"}:
        return []
    return [comment(f"The port of the project's own image, {origin}; --port takes another one.")]


def _required(required: Sequence[Stated]) -> list[str]:
    if not required:
        return []
    return [
        "Set at run time, for the settings need them:",
        *(f"  {one.value}  {one.origin}" for one in required),
    ]
