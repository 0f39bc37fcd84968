"""What a file is, by its name and else by its lines."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

from nuages.explain import services
from nuages.explain.facts import normal
from nuages.explain.gunicorn_options import HOOKS
from nuages.explain.servers import TABLES, in_file

KINDS = (
    "uwsgi.ini, .yaml, .json or .xml, gunicorn.conf.py, hypercorn.toml, nginx.conf, a Procfile, a Dockerfile, a "
    "systemd unit, a shell script, and supervisor's, Compose's, Kubernetes' and Fly's files"
)
_SERVERS = "|".join(TABLES)
_SERVER_WORD = re.compile(rf"(?<![\w.-])(?:{_SERVERS})(?![\w.-])")
_PROXY_BLOCK = re.compile(
    r"^[ \t]*(?:(?:http|server|events)|(?:upstream|location)[ \t][^\n;{}]*)\s*\{", re.MULTILINE
)
_PROXY_DIRECTIVE = re.compile(
    r"^[ \t]*(?:\w+_pass|listen|server_name|root|alias|return)[ \t][^\n]*;", re.MULTILINE
)


def recognised(text: str, path: str) -> str:
    """Return what a file is, by its name and else by its lines; "" for none of them."""
    name = posixpath.basename(path).lower()
    if name.startswith(("dockerfile", "containerfile")) or name.endswith((".dockerfile", ".containerfile")):
        return "Dockerfile"
    if name.startswith("procfile"):
        return "Procfile"
    ending = name.rpartition(".")[2]
    if ending in _BY_ENDING:
        return _BY_ENDING[ending](name, text)
    if re.search(r"^[ \t]*\[uwsgi\]", text, re.MULTILINE) or (name.endswith(".ini") and "uwsgi" in name):
        return "uwsgi.ini"
    if re.search(r"^[ \t]*\[Service\]", text, re.MULTILINE):
        return "unit"
    if re.search(r"^[ \t]*\[(program|supervisord)[\]:]", text, re.MULTILINE):
        return "supervisor"
    if "gunicorn" in name and name.endswith((".conf", ".cfg", ".config")) and _sets("gunicorn", text):
        return "gunicorn.conf.py"
    is_proxy = _PROXY_BLOCK.search(text) is not None
    if is_proxy and ("nginx" in name or _PROXY_DIRECTIVE.search(text)):
        return "nginx.conf"
    if re.match(r"#![ \t]*(?:\S*/env[ \t]+)?\S*sh\b", text):
        return "script"
    if re.search(r"^FROM\s+\S+", text, re.MULTILINE) and re.search(
        r"^(CMD|ENTRYPOINT|RUN|COPY)\s", text, re.MULTILINE
    ):
        return "Dockerfile"
    if name.endswith((".sh", ".bash")) or "entrypoint" in name:
        return "script"
    return "Procfile" if re.search(rf"^[\w-]+:\s.*{_SERVER_WORD.pattern}", text, re.MULTILINE) else ""


def _yaml(_name: str, text: str) -> str:
    if re.search(r"^uwsgi\s*:", text, re.MULTILINE):
        return "uwsgi.yaml"
    is_known = _SERVER_WORD.search(text) or re.search(r"^(services|apiVersion)\s*:", text, re.MULTILINE)
    return "YAML" if is_known and services.has_commands(text) else ""


def _json(_name: str, text: str) -> str:
    return "uwsgi.json" if re.search(r"\"uwsgi\"\s*:\s*\{", text) else ""


def _xml(_name: str, text: str) -> str:
    return "uwsgi.xml" if re.search(r"<uwsgi[\s>]", text) else ""


def _python(name: str, text: str) -> str:
    if "hypercorn" in name:
        return "hypercorn.conf.py"
    return "gunicorn.conf.py" if "gunicorn" in name or _sets("gunicorn", text) else ""


def _toml_of(name: str, text: str) -> str:
    if re.fullmatch(r"fly[\w.-]*\.toml", name) or re.search(r"^\[http_service\]", text, re.MULTILINE):
        return "fly.toml"
    top = re.split(r"^[ \t]*\[", text, maxsplit=1, flags=re.MULTILINE)[0]
    return "hypercorn.toml" if "hypercorn" in name or _sets("hypercorn", top) else ""


_BY_ENDING: Mapping[str, Callable[[str, str], str]] = {
    "yml": _yaml, "yaml": _yaml, "json": _json, "js": _json, "xml": _xml, "py": _python, "toml": _toml_of,
}  # fmt: skip


def _sets(server: str, text: str) -> bool:
    """Whether a file sets at least two of a server's settings at its top."""
    names = {normal(match) for match in re.findall(r"^([a-z_]+)\s*(?::[^=\n]+)?=(?!=)", text, re.MULTILINE)}
    if server == "gunicorn":
        names |= {hook for hook in HOOKS if re.search(rf"^def {hook}\b", text, re.MULTILINE)}
    return sum(in_file(server, name) is not None for name in names) >= 2
