"""The build stage of the Dockerfile: compilers, the project's dependencies, the server."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from nuages import STARTER
from nuages.image.instructions import apt, comment, run
from nuages.image.plan import Package, Plan
from nuages.image.planner import RUNTIME, VENV
from nuages.project.model import normalized

FOLDER = ".nuages"
"""What travels in the context beside the project: requirements, this nuages, its server."""

AHEAD = "/opt/ahead"
LOCAL = "/opt/local"
BUILD = "/build"
COMPRESSORS = f"{BUILD}/compressors"
PYTHON = f"{VENV}/bin/python"

FETCH = (
    "--mount=type=secret,id=packages",
    "--mount=type=secret,id=ca",
    "--mount=type=cache,target=/root/.cache",
)
INDEXES = "{ [ ! -e /run/secrets/packages ] || . /run/secrets/packages; }"


def site_packages() -> str:
    return f'"$({PYTHON} -c "import site; print(site.getsitepackages()[0])")"'


def uv(*words: str) -> str:
    return " ".join([f"UV_LINK_MODE=copy {BUILD}/tools/bin/uv pip install --quiet", *words])


def build_stage(plan: Plan) -> str:
    blocks = [
        comment(
            "Compilers, headers and installers stay in this stage; only their results are copied out of it.",
            rule="build",
        ),
        "FROM ${BASE} AS build",
    ]
    strip = Package(name="binutils", wanted_by="the server's libraries, which are stripped")
    wanted = (*plan.build_packages, *plan.run_packages, strip)
    if plan.messages:
        wanted = (*wanted, Package(name="gettext", wanted_by="message catalogues"))
    blocks += [
        apt(wanted, "build"),
        comment("uv installs from hashed requirements, in seconds. Its release is fixed in uv.txt."),
        f"COPY {FOLDER}/uv.txt {BUILD}/",
        run(
            FETCH,
            [
                INDEXES,
                f"python3 -m venv {BUILD}/tools",
                f"{BUILD}/tools/bin/pip install --quiet --disable-pip-version-check --require-hashes"
                f" -r {BUILD}/uv.txt",
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
    if install.build_constraints:
        sources.append(f"{FOLDER}/build-constraints.txt")
    return "\n".join(
        [
            comment(
                f"The project's dependencies, from {install.origin}. They change seldom: before its code.",
                "Private package indexes: `--secret id=packages,src=FILE` with lines such as `export UV_INDEX=…`;",
                "nothing of it stays in a layer. `--secret id=ca,src=FILE` is there for a certificate that it names.",
                "Of message catalogues only the compiled form is kept: the other (8 MB of Django) is never read.",
                "The .pth file puts the server behind them, and other programs' uploads into a bucket if one is named.",
            ),
            f"COPY {' '.join(sources)} {BUILD}/",
            *([f"COPY {FOLDER}/metadata {BUILD}/metadata"] if install.metadata else []),
            run(
                FETCH,
                [
                    INDEXES,
                    f"python3 -m venv --without-pip {VENV}",
                    _uv_install(plan),
                    f"printf '%s\\n' {RUNTIME} {shlex.quote(STARTER)} > {site_packages()}/nuages.pth",
                    *([f"cp -r {BUILD}/metadata/. {site_packages()}/"] if install.metadata else []),
                    f"find {VENV} '(' -name '*.po' -o -name .lock ')' -delete",
                    f"{PYTHON} -m compileall -q --invalidation-mode unchecked-hash {VENV}/lib",
                ],
            ),
        ]
    )


def _uv_install(plan: Plan) -> str:
    install = plan.install
    words = [f"--python {VENV}"]
    words += ["--no-deps"] if install.closed else []
    words += ["--require-hashes"] if install.hashed else []
    words += ["--prerelease allow"] if install.prereleases else []
    words += [f"--constraints {BUILD}/constraints.txt"] if install.constraints else []
    words += [f"--build-constraints {BUILD}/build-constraints.txt"] if install.build_constraints else []
    words += [f"--find-links {shlex.quote(place)}" for place in install.find_links]
    return uv(*words, f"-r {BUILD}/requirements.txt")


def _runtime(plan: Plan) -> str:
    runtime = plan.runtime
    copied = [f"{FOLDER}/runtime.txt", f"{FOLDER}/compressors.txt", f"{FOLDER}/{runtime.wheel}"]
    python = f"--python {PYTHON}"
    commands = [
        INDEXES,
        uv(python, f"--target {RUNTIME} --no-deps --require-hashes -r {BUILD}/runtime.txt"),
        uv(python, f"--target {RUNTIME} --no-deps {BUILD}/{runtime.wheel}"),
        # For static files; it stays in this stage.
        uv(python, f"--target {COMPRESSORS} --no-deps --require-hashes -r {BUILD}/compressors.txt"),
    ]
    folders = RUNTIME
    if runtime.ahead:
        copied.append(f"{FOLDER}/ahead.txt")
        commands.append(uv(python, f"--target {AHEAD} --no-deps --require-hashes -r {BUILD}/ahead.txt"))
        folders = f"{RUNTIME} {AHEAD}"
    commands += [
        f"find {folders} -name '*.so' -exec strip --strip-unneeded {{}} +",
        f"rm -f {RUNTIME}/.lock" + (f" {AHEAD}/.lock" if runtime.ahead else ""),
        f"{PYTHON} -m compileall -q --invalidation-mode unchecked-hash {folders}",
    ]
    return "\n".join(
        [
            comment(
                "The server, behind the project's own packages on sys.path: it never replaces one of them."
                if not runtime.ahead
                else "The server. Of "
                + ", ".join(runtime.ahead)
                + " it takes its own release, in the server process alone.",
            ),
            f"COPY {' '.join(copied)} {BUILD}/",
            run(FETCH, commands),
        ]
    )


def only(requirements: str, names: Sequence[str]) -> str:
    """Return the lines of a hashed requirements file that are about these distributions."""
    found = []
    for line in requirements.replace("\\\n", " ").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)", line)
        if match and normalized(match[1]) in names:
            found.append(" ".join(line.split()))
    return "\n".join(found) + "\n"
