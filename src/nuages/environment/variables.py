"""The variables that a project's settings get from `up`: given, kept secrets, DEBUG off; and what is still missing."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nuages.environment.home import disk, write
from nuages.errors import NuagesError, Origin, ProjectError, UsageError
from nuages.project.model import Project, Variable, VariableKind

_FOREIGN = re.compile(
    r"AWS|S3|GCS|AZURE|STRIPE|PAYPAL|BRAINTREE|RECAPTCHA|HCAPTCHA|TURNSTILE|GOOGLE|GITHUB|GITLAB|FACEBOOK|TWITTER|"
    r"LINKEDIN|OAUTH|OIDC|SAML|LDAP|SOCIAL|TWILIO|SENDGRID|MAILGUN|MAILJET|POSTMARK|SLACK|SENTRY|CLOUDINARY|"
    r"MINIO|RAZORPAY|MOLLIE|PLAID|AUTH0|OKTA|KEYCLOAK|CLIENT|VAPID|TELEGRAM|DISCORD|ZOOM|DROPBOX|EMAIL|SMTP|DATABASE|DB_"
)
"""Words of services that issue their secrets themselves: one of our making would only be refused later."""

_HOST = re.compile(r"([a-z][a-z0-9+.-]*://(?:[^/@]*@)?)?([a-z][a-z0-9_-]*)(:\d{2,5})?(?:/.*)?")
_HERE = re.compile(r"\*|localhost|127\.0\.0\.1")
_OF_DEBIAN = re.compile(r"/(usr|bin|sbin|etc|dev)(/|$)")

_SECRET_KEY = re.compile(r"(.*_)?(SECRET_?KEY|SIGNING_KEY|HASHID_SALT|SECRET_KEY_BASE|JWT_SECRET)")
_OWN_SETTINGS = ("SECRET_KEY", "SIGNING_KEY", "JWT_SECRET", "SIMPLE_JWT", "SESSION_SECRET", "HASHIDS_SALT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is set for the project. `generated` are secrets made now, `lines` what the user should hear."""

    values: Mapping[str, str]
    generated: Mapping[str, str]
    lines: tuple[str, ...]


def fill(
    project: Project,
    environ: Mapping[str, str],
    env_file: Mapping[str, str],
    kept: Mapping[str, str],
    *,
    secret: str,
    is_there: Callable[[str], bool] = os.path.exists,
) -> Given:
    """Return the variables to add to `environ`. A real variable wins over the file, as with docker and systemd.

    Both win over what the project's own image has. `kept` are secrets of earlier runs, `secret` is taken for a new
    one. Raises ProjectError that names every variable which the settings need and nobody gave.
    """
    image, lines = _of_image(project, {**env_file, **environ}, is_there)
    values = {name: text for name, text in {**image, **env_file}.items() if name not in environ}
    given = {**values, **environ}
    generated, missing = {}, []
    for variable in unset(project, given):
        if not is_own_secret(variable, project):
            missing.append(variable)
        elif variable.name in kept:
            values[variable.name] = kept[variable.name]
        else:
            values[variable.name] = generated[variable.name] = secret
            lines.append(f"{variable.name} was not set: a secret was generated for it ({variable.origin})")
    if missing:
        first = missing[0].name
        raise missing_error(
            missing,
            hint=f"write NAME=value lines to a file and name it: --env-file FILE\nor set them: {first}=… nuages up",
        )
    switch = project.debug
    if switch and switch.off is not None and switch.variable not in given:
        values[switch.variable] = switch.off
        lines.append(f"DEBUG is turned off: {switch.variable}={switch.off} ({switch.origin})")
    if project.settings and "DJANGO_SETTINGS_MODULE" not in given:
        values["DJANGO_SETTINGS_MODULE"] = project.settings.value
    if project.configuration and "DJANGO_CONFIGURATION" not in given:
        values["DJANGO_CONFIGURATION"] = project.configuration.value
    return Given(values=values, generated=generated, lines=tuple(lines))


def _of_image(
    project: Project, given: Mapping[str, str], is_there: Callable[[str], bool]
) -> tuple[dict[str, str], list[str]]:
    """Return what the project's own image has and nobody else gives, and what to say of it.

    Not what is about where that image runs: hosts of its network, names that nobody here asks for, programs and files
    that are not on this machine. A dotenv file that the settings load wins.
    """
    known = {each.name: each for each in project.variables}
    origins = _origins(project)
    dotenv = {
        each.name
        for each in known.values()
        if each.given and each.given not in origins and not each.is_defaulted
    }
    own = [each for each in project.hints.taken if each.name not in given and each.name not in dotenv]
    lines, values = list(project.hints.notes), dict[str, str]()
    for each in own:
        text = each.text(str(project.root))
        is_hosts = each.name in known and known[each.name].kind is VariableKind.HOSTS
        if _names_host(each.name, text) or (is_hosts and not _HERE.search(text)):
            lines.append(f"{each.name} is not set to {text}, a name of where its image runs ({each.origin})")
        elif _OF_DEBIAN.match(text) and not is_there(text):
            lines.append(f"{each.name} is not set to {text}, which is not on this machine ({each.origin})")
        else:
            values[each.name] = text
    return values, lines


def _names_host(name: str, text: str) -> bool:
    """Return whether a value names a host that only a network of containers knows: `db`, `redis://redis:6379/0`.

    So does `memcached:11211`, and a list with one of these in it.
    """
    is_address = re.search(r"(HOST|HOSTNAME|SERVERS?|ADDR|ADDRESS)$", name.upper()) is not None
    is_owner = re.search(r"(USER|GROUP|OWNER)$", name.upper()) is not None  # `app:1000`
    for part in re.split(r"[,;\s]+", text):
        match = _HOST.fullmatch(part)
        has_port = match is not None and match[3] and not is_owner
        if match and match[2] != "localhost" and (match[1] or has_port or is_address):
            return True
    return False


def _origins(project: Project) -> set[Origin]:
    return {each.origin for each in project.hints.taken}


def unset(project: Project, given: Mapping[str, str]) -> tuple[Variable, ...]:
    """Return the variables that the settings need and that are not among the given ones, by file and line."""
    needed = [each for each in project.variables if each.name not in given and _needed(each, project)]
    once = {each.name: each for each in reversed(needed)}.values()
    return tuple(sorted(once, key=lambda each: (each.origin.place, each.origin.line or 0)))


def _needed(variable: Variable, project: Project) -> bool:
    if variable.given is not None and variable.given not in _origins(project):
        # A dotenv file that the settings load has it; what an image has, this machine need not have.
        return False
    if project.debug and project.debug.off is not None and project.debug.variable == variable.name:
        # `fill` turns DEBUG off through it.
        return False
    if variable.required:
        return True
    # Read without raising, but Django itself refuses an empty SECRET_KEY.
    empty = variable.default is None or variable.default in {"None", "''", '""'}
    return empty and variable.condition is None and _is_whole_secret_key(variable, project)


def _is_whole_secret_key(variable: Variable, project: Project) -> bool:
    """Return whether SECRET_KEY is nothing but what this variable holds: no `or`, no `if`, no second read."""
    texts = [each.text for each in project.assignments if each.name == "SECRET_KEY"]
    if len(texts) != 1 or not re.search(rf"""["']{re.escape(variable.name)}["']""", texts[0]):
        return False
    return not re.search(r"\bor\b|\bif\b|\bopen\(|read_text|get_random_secret_key", texts[0])


def is_own_secret(variable: Variable, project: Project) -> bool:
    """Return whether the variable holds a secret that only this project knows, so that any text will do."""
    quoted = rf"""["']{re.escape(variable.name)}["']"""
    if any(each.name in _OWN_SETTINGS and re.search(quoted, each.text) for each in project.assignments):
        return True
    if (
        variable.shape is not None
        or variable.kind is not VariableKind.SECRET
        or _FOREIGN.search(variable.name)
    ):
        return False
    return bool(_SECRET_KEY.fullmatch(variable.name))


def missing_error(
    variables: Sequence[Variable], *, hint: str, kind: type[NuagesError] = ProjectError
) -> NuagesError:
    """Return the error that names every variable that is missing, with file and line."""
    width = max(len(each.name) for each in variables)
    rows = [f"{each.name:<{width}}  {each.origin}  ({each.kind.value})" for each in variables]
    count = len(variables)
    noun = "a variable" if count == 1 else f"{count} variables"
    return kind(
        f"{noun} that the settings need {'is' if count == 1 else 'are'} not set",
        where="\n".join(rows),
        why=f"without {'it' if count == 1 else 'them'} the settings cannot be loaded",
        hint=hint,
    )


_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$", "`": "`"}


def parse_env_file(text: str, place: str) -> dict[str, str]:
    """Return the variables of NAME=value lines; quotes, `export` and `#` comments are those of dotenv files.

    Nothing is expanded. Raises UsageError, with the line, for anything else.
    """
    found: dict[str, str] = {}
    lines = iter(enumerate(text.lstrip("\ufeff").splitlines(), 1))
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise _not_a_line(place, number, "it is not a NAME=value line")
        name, value = match[1], match[2]
        quote = value[:1]
        if quote in {'"', "'"}:
            # A quoted value may have several lines.
            while (end := _closing(value, quote)) is None:
                following = next(lines, None)
                if following is None:
                    raise _not_a_line(place, number, f"the quote {quote} is never closed")
                value += "\n" + following[1]
            rest = value[end + 1 :].strip()
            if rest and not rest.startswith("#"):
                raise _not_a_line(place, number, "something stands behind the closing quote")
            value = value[1:end]
            if quote == '"':
                value = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), value, flags=re.DOTALL)
        else:
            value = re.sub(r"(^|\s)#.*$", "", value).strip()
        found[name] = value
    return found


def _closing(value: str, quote: str) -> int | None:
    index = 1
    while index < len(value):
        if value[index] == "\\" and quote == '"':
            index += 2
            continue
        if value[index] == quote:
            return index
        index += 1
    return None


def _not_a_line(place: str, number: int, why: str) -> UsageError:
    return UsageError(
        "the file of --env-file cannot be read",
        where=Origin(place, number),
        why=why,
        hint='write NAME=value or NAME="value with spaces", one a line',
    )


def read_env_file(path: str | None) -> dict[str, str]:
    """Return what the file of `--env-file` sets; nothing where none is named. Raises UsageError."""
    if path is None:
        return {}
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--env-file cannot be {path!r}",
            where="given by --env-file",
            why=getattr(error, "strerror", None) or str(error),
            hint="--env-file FILE, for example --env-file .env",
        ) from None
    return parse_env_file(text, path)


SECRETS = "secrets.env"


def read_kept(private: Path) -> dict[str, str]:
    """Return the secrets that earlier runs generated for this project."""
    path = private / SECRETS
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError:
        with disk(path):
            raise
    return parse_env_file(text, str(path))


def keep(private: Path, kept: Mapping[str, str]) -> Path:
    """Write the generated secrets where only the user can read them, and return the file."""
    path = private / SECRETS
    header = "# Secrets that nuages generated for this project; delete a line to have a new one made.\n"
    write(path, header + "".join(f"{name}='{value}'\n" for name, value in sorted(kept.items())), mode=0o600)
    return path


def new_secret() -> str:
    """Return 67 random characters that need no quoting anywhere."""
    return secrets.token_urlsafe(50)


def read_by_settings(variables: Iterable[Variable], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of those variables that the settings read, for the digest of a state."""
    return {each.name: environ[each.name] for each in variables if each.name in environ}
