"""Secrets in the tree: what is committed is known to whoever can read the repository, and to every image of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, error
from nuages.project.environment import kind_of
from nuages.project.model import Assignment, VariableKind

ENV_FILE = error(70, "a file of variables with secrets is committed")
PRIVATE_KEY = error(71, "a private key is committed")
CLOUD_KEY = error(72, "an access key of AWS stands in the source")
SETTING = error(73, "a secret stands in the settings")
RULES = (ENV_FILE, PRIVATE_KEY, CLOUD_KEY, SETTING)

_ENV_NAME = re.compile(r"^\.env(\.(prod|production|live|staging|deploy))?$|^(prod|production)\.env$")
_LINE = re.compile(r"^[ \t]*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*[\"']?([^\"'#\s]+)", re.MULTILINE)
# «changeme», «your-key-here», «<secret>», «xxx», «example» … and values that only a local machine has.
# What bundlers write into the scripts that every browser gets (Vite, Create React App, Next, Nuxt, Vue, Gatsby, Expo).
_FOR_BROWSERS = re.compile(r"(VITE|REACT_APP|VUE_APP|GATSBY|PUBLIC|(NEXT|NUXT|EXPO)_PUBLIC)_")
_EMPTY_WORDS = re.compile(
    r"chang|replace|your|example|sample|dummy|secret|password|passwd|placeholder|insert|todo|fixme|test|local|dev|debug|"
    r"default|postgres|django|redis|admin|guest|foo|bar|fake|mock|none|null|undefined|<|\$\{|\{\{|\*{3}|x{3}|\.{3}|1234|abcd?|qwert",
    re.IGNORECASE,
)
_KEY_NAME = re.compile(r"\.(pem|key)$|(^|/)id_(rsa|dsa|ecdsa|ed25519)$")
_KEY = re.compile(r"^-----BEGIN (?:RSA |EC |DSA |OPENSSH )?PRIVATE KEY-----$", re.MULTILINE)
_AWS = re.compile(r"\b(AKIA[0-9A-Z]{16})\b")
_SETTING = re.compile(
    r"(^|_)(PASSWORD|SECRET|SECRET_KEY|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CLIENT_SECRET|AUTH_KEY)$"
)


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    yield from _env_files(facts)
    yield from _private_keys(facts)
    yield from _cloud_keys(facts)
    for assignment in facts.project.assignments:
        yield from _setting(facts, assignment)


def _env_files(facts: Facts) -> Iterator[Finding]:
    for path in facts.tracked:
        if not _ENV_NAME.match(posixpath.basename(path)) or facts.is_aside(path):
            continue
        text = facts.tree.text(path) or ""
        secrets = [found[1] for found in _LINE.finditer(text) if _is_secret(found[1], found[2])]
        if secrets:
            yield ENV_FILE.found(
                f"{path} is committed, with {', '.join(secrets[:3])}", facts.tree.line_of(path, rf"\b{secrets[0]}\s*="),
                why="a secret that was committed is known for ever, also when the file is deleted",
                fix=f"git rm --cached {path}; echo {posixpath.basename(path)} >> .gitignore; give each a new value",
            )  # fmt: skip


def _is_secret(name: str, value: str) -> bool:
    return (
        kind_of(name, None, None) is VariableKind.SECRET and not _FOR_BROWSERS.match(name) and _is_real(value)
    )


def _is_real(value: str) -> bool:
    """Return whether a text looks like a secret and not like a word that stands for one."""
    return (
        len(value) >= 12
        and not _EMPTY_WORDS.search(value)
        and len(set(value)) >= 8
        and not re.fullmatch(r"[a-z]+", value)
    )


def _private_keys(facts: Facts) -> Iterator[Finding]:
    for path in facts.tracked:
        if _KEY_NAME.search(path) and not facts.is_aside(path) and _KEY.search(facts.tree.text(path) or ""):
            yield PRIVATE_KEY.found(
                f"{path} is a private key", facts.tree.line_of(path, _KEY.pattern),
                why="whoever can read the repository can use it; nuages keeps it out of the image",
                fix=f"git rm --cached {path}; echo {path} >> .gitignore; make a new key",
            )  # fmt: skip


def _cloud_keys(facts: Facts) -> Iterator[Finding]:
    for path in facts.project.settings_files:
        found = _AWS.search(facts.tree.text(path) or "")
        if found and "EXAMPLE" not in found[1]:
            yield CLOUD_KEY.found(
                f"an access key of AWS stands in {path}", facts.tree.line_of(path, re.escape(found[1])),
                why=f"{found[1][:8]}… is looked for by robots within minutes after a push",
                fix='AWS_ACCESS_KEY_ID = os.environ["AWS_ACCESS_KEY_ID"]  # and make a new key: this one is burnt',
            )  # fmt: skip


def _setting(facts: Facts, assignment: Assignment) -> Iterator[Finding]:
    name, value = assignment.name, assignment.literal
    # What a browser is given is no secret.
    if (
        name == "SECRET_KEY"
        or re.search(r"PUBLIC|PUBLISHABLE|SITE_KEY|MAPS?_", name)
        or not _SETTING.search(name)
        or not isinstance(value, str)
        or not _is_real(value)
    ):
        return
    # A path, a URL or a dotted name is no secret.
    if value.startswith("/") or re.search(r"://|^[\w.]+\.\w+$|^[\w/]+/[\w.-]+$", value):
        return
    yield SETTING.found(
        f"{name} stands in the source", assignment.origin,
        why="who can read the repository can use it",
        fix=f"{facts.assignment(name, name, place=assignment.origin)}  # and give it a new value: this one is burnt",
    )  # fmt: skip
