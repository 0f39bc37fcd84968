"""The project's own code: migrations, middleware in front of async views, state that one process keeps to itself."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, error, notice, warning
from nuages.errors import Origin
from nuages.project import modules
from nuages.project.model import VariableKind
from nuages.project.tree import join

NO_MIGRATIONS = error(60, "an app has models and no migrations")
SYNC_MIDDLEWARE = warning(61, "sync middleware stands in front of async views")
LOST_SESSIONS = error(62, "sessions lie in the memory of one process")
LONELY_LAYER = error(63, "Channels' messages stay in one process")
LOG_FILE = warning(64, "a log handler writes a file")
SERVICE_HERE = warning(65, "the server of a cache, a broker or Channels is the machine itself")
NOT_READ = notice(66, "settings of an installed package are not read")
RULES = (NO_MIGRATIONS, SYNC_MIDDLEWARE, LOST_SESSIONS, LONELY_LAYER, LOG_FILE, SERVICE_HERE, NOT_READ)

_SYNC_ONLY = frozenset({"whitenoise.middleware.WhiteNoiseMiddleware"})
_MODEL = re.compile(
    r"(^|\.)(Model|AbstractUser|AbstractBaseUser|TimeStampedModel|MPTTModel|PolymorphicModel)$"
)
_SERVICES = (
    "CACHES", "CHANNEL_LAYERS", "CELERY_BROKER_URL", "BROKER_URL", "CELERY_RESULT_BACKEND", "RQ_QUEUES", "HUEY",
    "DRAMATIQ_BROKER",
)  # fmt: skip
_VARIABLES = {"CACHES": "CACHE_URL", "CELERY_BROKER_URL": "CELERY_BROKER_URL", "BROKER_URL": "BROKER_URL",
              "CELERY_RESULT_BACKEND": "CELERY_RESULT_BACKEND"}  # fmt: skip
_HERE = re.compile(
    r"://(?:[^@/'\"\s]*@)?(?P<url>localhost|127\.0\.0\.1|\[::1\])(?=[:/'\"]|$)"
    r"|['\"](?P<host>localhost|127\.0\.0\.1|\[::1\])(?=:\d+['\"]|['\"], \d+)"
)
_LOCAL_MEMORY = "locmem.LocMemCache"


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    yield from _migrations(facts)
    yield from _middleware(facts)
    yield from _sessions(facts)
    yield from _layers(facts)
    yield from _services(facts)
    yield from _logs(facts)
    yield from _foreign(facts)


def _foreign(facts: Facts) -> Iterator[Finding]:
    if facts.foreign is None or facts.setting("MEDIA_ROOT") is not None or facts.media.startswith("s3://"):
        return
    module, origin = facts.foreign
    yield NOT_READ.found(
        f"settings come from {module}, an installed package, and are not read", origin,
        why="they are in force; but an image has no volume for uploads or an SQLite file that only stand there, and "
        "what else is missing is not found either",
        fix='behind the import: MEDIA_ROOT = BASE_DIR / "media", if files are uploaded; DATABASES, if it is SQLite',
    )  # fmt: skip


def _migrations(facts: Facts) -> Iterator[Finding]:
    elsewhere = facts.setting("MIGRATION_MODULES")
    if elsewhere is not None and (not elsewhere.is_known or elsewhere.value):
        return
    for app in facts.apps:
        folder = _app_folder(facts, app)
        if f"{app}.models" in facts.apps:
            continue  # its models are an app of their own
        model = _first_model(facts, folder) if folder else None
        if folder is None or model is None:
            continue
        migrations = [
            path for path in facts.tree.files
            if path.startswith(f"{folder}/migrations/") and path.endswith(".py") and not path.endswith("__init__.py")
        ]  # fmt: skip
        if not migrations:
            label = posixpath.basename(folder)
            yield NO_MIGRATIONS.found(
                f"the app {label} has models and no migrations", model,
                why="migrate makes no tables for it: the first query fails",
                fix=f"nuages run -- makemigrations {label}, and commit {folder}/migrations",
            )  # fmt: skip


def _app_folder(facts: Facts, app: str) -> str | None:
    """Return the folder of an app of the project's own: `shop`, or `shop.apps.ShopConfig`."""
    parts = app.split(".")
    for end in (len(parts), len(parts) - 2):
        path = modules.resolve(facts.tree, ".".join(parts[:end]), facts.bases) if end > 0 else None
        if path is not None and path.endswith("/__init__.py"):
            return posixpath.dirname(path)
    # An app without __init__.py is a namespace package.
    for base in facts.bases:
        folder = join(base, app.replace(".", "/"))
        if f"{folder}/models.py" in facts.tree:
            return folder
    return None


def _first_model(facts: Facts, folder: str) -> Origin | None:
    """Return where the app's first table is declared: not an abstract, proxy or unmanaged model."""
    paths = [
        f"{folder}/models.py",
        *(path for path in facts.tree.files if path.startswith(f"{folder}/models/")),
    ]
    for path in paths:
        module = facts.tree.module(path) if path in facts.tree and path.endswith(".py") else None
        for node in module.body if module else ():
            if isinstance(node, ast.ClassDef) and _is_table(node):
                return Origin(path, node.lineno)
    return None


def _is_table(node: ast.ClassDef) -> bool:
    if not any(_MODEL.search(ast.unparse(base)) for base in node.bases):
        return False
    meta = next((each for each in node.body if isinstance(each, ast.ClassDef) and each.name == "Meta"), None)
    text = ast.unparse(meta) if meta else ""
    label = re.search(r"app_label\s*=", text)
    return not re.search(r"(abstract|proxy)\s*=\s*True|managed\s*=\s*False", text) and not label


def _middleware(facts: Facts) -> Iterator[Finding]:
    view = _async_view(facts)
    if view is None:
        return
    sync = [(name, origin) for name in facts.middleware if (origin := _sync_only(facts, name)) is not None]
    if sync:
        yield SYNC_MIDDLEWARE.found(
            f"{sync[0][0]} is sync, and {view.place} has async views", sync[0][1], view,
            why="Django takes a thread for it in each async request, for as long as the view runs: "
            "nothing is gained over a sync view",
            fix=_able(facts, *sync[0]),
        )  # fmt: skip


def _able(facts: Facts, name: str, origin: Origin) -> str:
    """Return how a middleware learns to run on the event loop."""
    if name in _SYNC_ONLY:
        return f'remove "{name}": nuages serves static files before Django'
    line = (facts.tree.text(origin.place) or "").splitlines()[(origin.line or 1) - 1]
    if line.lstrip().startswith("class "):
        attribute = name.rpartition(".")[2]
        return f"from django.utils.deprecation import MiddlewareMixin\nclass {attribute}(MiddlewareMixin):"
    return (
        "decorate it with django.utils.decorators.sync_and_async_middleware, and await an async get_response"
    )


def _sync_only(facts: Facts, name: str) -> Origin | None:
    """Return where a middleware is that cannot run on the event loop, None for one that can or that is unknown."""
    if name in _SYNC_ONLY:
        setting = facts.setting("MIDDLEWARE")
        return facts.line_in(setting.origin, re.escape(name)) if setting else None
    module_name, _, attribute = name.rpartition(".")
    path = modules.resolve(facts.tree, module_name, facts.bases)
    module = facts.tree.module(path) if path else None
    for node in module.body if module and path else ():
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name != attribute:
            continue
        text = ast.unparse(node)
        # What derives from a class that is not looked at may be able to.
        plain = isinstance(node, ast.FunctionDef) or all(ast.unparse(base) == "object" for base in node.bases)
        able = re.search(
            r"async_capable|sync_and_async_middleware|async_only_middleware|iscoroutinefunction|async def",
            text,
        )
        return Origin(path or "", node.lineno) if plain and not able else None
    return None


def _async_view(facts: Facts) -> Origin | None:
    """Return the first view that is a coroutine: a function of a views module, or a method that answers requests."""
    for path in facts.tree.files:
        name = posixpath.basename(path)
        if not (name == "views.py" or "/views/" in path) or not path.endswith(".py") or facts.is_aside(path):
            continue
        if "async def" not in (facts.tree.text(path) or ""):
            continue
        module = facts.tree.module(path)
        for node in module.body if module else ():
            if (
                isinstance(node, ast.AsyncFunctionDef)
                and node.args.args
                and node.args.args[0].arg == "request"
            ):
                return Origin(path, node.lineno)
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.AsyncFunctionDef) and inner.name in {
                        "get",
                        "post",
                        "put",
                        "patch",
                        "delete",
                    }:
                        return Origin(path, inner.lineno)
    return None


def _sessions(facts: Facts) -> Iterator[Finding]:
    engine = facts.setting("SESSION_ENGINE")
    if engine is None or engine.value != "django.contrib.sessions.backends.cache":
        return
    caches = facts.setting("CACHES")
    default = (
        caches.value.get(str(facts.value("SESSION_CACHE_ALIAS", "default")))
        if caches and isinstance(caches.value, dict)
        else None
    )
    backend = default.get("BACKEND") if isinstance(default, dict) else None
    if facts.is_unset("CACHES") or (
        isinstance(backend, str) and backend.endswith((_LOCAL_MEMORY, "DummyCache"))
    ):
        yield LOST_SESSIONS.found(
            "sessions are kept in the memory of one process", engine.origin,
            *([caches.origin] if caches else []),
            why="each worker has its own: users are logged out at random, and by every deployment",
            fix='SESSION_ENGINE = "django.contrib.sessions.backends.db"',
        )  # fmt: skip


def _layers(facts: Facts) -> Iterator[Finding]:
    layers = facts.setting("CHANNEL_LAYERS")
    default = layers.value.get("default") if layers and isinstance(layers.value, dict) else None
    backend = default.get("BACKEND") if isinstance(default, dict) else None
    if layers is not None and backend == "channels.layers.InMemoryChannelLayer":
        yield LONELY_LAYER.found(
            "Channels' messages stay in one process", layers.origin,
            why="a message reaches only the sockets of the worker that sent it, and there is more than one",
            fix='CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer",\n'
            '    "CONFIG": {"hosts": [os.environ["REDIS_URL"]]}}}',
        )  # fmt: skip


def _services(facts: Facts) -> Iterator[Finding]:
    """Yield a finding for each setting that names a server on this machine, where nothing but an edit names another."""
    for name in _SERVICES:
        setting = facts.setting(name)
        if setting is None or not setting.is_known or setting.variables:
            continue
        match = _HERE.search(setting.value if isinstance(setting.value, str) else repr(setting.value))
        if match:
            yield SERVICE_HERE.found(
                f"{name} is on {match['url'] or match['host']}, and nothing but an edit says otherwise",
                facts.line_in(setting.origin, r"localhost|127\.0\.0\.1|\[::1\]"),
                why="in a container that is the container itself, where no such server runs",
                fix=f'read the address from a variable: os.environ.get("{_VARIABLES.get(name, "REDIS_URL")}", …)',
            )  # fmt: skip


def _logs(facts: Facts) -> Iterator[Finding]:
    logging = facts.setting("LOGGING")
    handlers = logging.value.get("handlers") if logging and isinstance(logging.value, dict) else None
    if logging is None or not isinstance(handlers, dict):
        return
    used = str(logging.value)
    paths = {each.name for each in facts.project.variables if each.kind is VariableKind.PATH}
    for name, handler in handlers.items():
        kind = handler.get("class") if isinstance(handler, dict) else None
        if not isinstance(kind, str) or not re.search(r"FileHandler$", kind) or used.count(f"'{name}'") < 2:
            continue
        place = handler.get("filename")
        # The temporary directory can be written everywhere; a folder that a variable names is the operator's choice.
        if (isinstance(place, str) and place.startswith(("/dev/", "/tmp/"))) or paths & set(
            logging.variables
        ):
            continue
        yield LOG_FILE.found(
            f"the log handler {name!r} writes {place or 'a file'}",
            facts.line_in(logging.origin, rf"[\"']{re.escape(name)}[\"']\s*:"),
            why="a container's root is read-only: Django does not start; and nobody reads files in a container",
            fix=f'"{name}": {{"class": "logging.StreamHandler"}}',
        )  # fmt: skip
