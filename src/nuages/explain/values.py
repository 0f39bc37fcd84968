"""How another server's value becomes ours: seconds, sizes, addresses, applications, proxies."""

from __future__ import annotations

import ipaddress
import re

from nuages.explain.facts import Context, Outcome, drop, keep, nothing, undecided
from nuages.explain.quantities import duration, in_seconds, number

TRUE = frozenset({"true", "1", "yes", "on", "y", "", "t"})
_CONVENTIONAL = re.compile(r"(?:[\w.]+\.)?(?:wsgi|asgi|routing):application")
_LONG = 60.0  # seconds; a view that may take longer is one of few, and has a path
_LEAST_MEGABYTES = 16
_SMALL_MEGABYTES = 100

_LEAVE = "better left out: "
AUTO_WORKERS = (
    _LEAVE + "auto takes a worker per CPU that the container may use, and as many as its memory holds"
)
FEW_THREADS = (
    _LEAVE
    + "a worker with 1 runs one sync view at a time, and all others wait; needed only where the code is not "
    "thread-safe"
)
LAZY_THREADS = (
    _LEAVE + "64 is a limit, and threads are added only while views wait for a database or a network"
)
RECYCLING = (
    _LEAVE
    + "the default replaces after 10,000, give or take a tenth, one worker at a time, and loses nothing"
)
SHORT_KEEP_ALIVE = (
    _LEAVE
    + "75s outlives the 60 s of the usual balancers; a server that closes first has requests answered 502"
)
SMALL_WORKER = (
    _LEAVE
    + "a worker that has loaded a large project takes as much, and would be replaced all the time; auto looks at "
    "the container's limit"
)
LONG_TIMEOUT = _LEAVE + "30s for all, and more for the slow paths alone: --timeout-path /reports/="


def workers(option: str, value: str, _context: Context) -> Outcome:
    """A number of worker processes."""
    count = number(value)
    if count < 1:
        raise ValueError("a server has at least one worker")
    return keep(option, str(count), advice=AUTO_WORKERS)


def threads(option: str, value: str, context: Context) -> Outcome:
    """A number of threads."""
    count = number(value)
    if context.server == "gunicorn" and count == 1 and is_asynchronous(context):
        return nothing("a worker of this class does not look at it")
    if count < 1:
        raise ValueError("a worker has at least one thread")
    return keep(option, str(count), advice=FEW_THREADS if count == 1 else LAZY_THREADS if count < 64 else "")


def is_asynchronous(context: Context) -> bool:
    """Whether gunicorn's worker class serves many requests at a time without threads."""
    return not re.search(
        r"sync$|gthread|SyncWorker|ThreadWorker", context.get("worker-class", default="sync")
    )


def timeout(option: str, value: str, _context: Context) -> Outcome:
    """How long a request may take, in seconds."""
    seconds = in_seconds(value)
    if seconds <= 0:
        return undecided(
            "it sets no limit to requests; here a sync view has 30 s to begin its response, then the client gets 504: "
            "--timeout-path /slow/=10m for what takes longer"
        )
    text = duration(seconds)
    if seconds <= _LONG:
        return keep(option, text)
    return keep(
        option, text, advice=LONG_TIMEOUT + text,
        decision=f"which views take longer than 30 s? --timeout-path /reports/={text} is for a path and all below it; "
        f"where nobody knows, keep --timeout {text}",
    )  # fmt: skip


def worker_silence(option: str, value: str, context: Context) -> Outcome:
    """gunicorn's `timeout`: a limit of requests only where a worker takes one at a time."""
    count = context.get("threads", default="1")
    has_threads = "gthread" in context.get("worker-class") or (count.isdigit() and int(count) > 1)
    if has_threads or is_asynchronous(context):
        return nothing(
            "with these workers it limits no request, only how long a worker's loop may stand still; here "
            "--stall-timeout is 30s"
        )
    return timeout(option, value, context)


def seconds(option: str, value: str, _context: Context) -> Outcome:
    """A time in seconds."""
    return keep(option, duration(max(0.0, in_seconds(value))))


def milliseconds(option: str, value: str, _context: Context) -> Outcome:
    """A time in milliseconds."""
    return keep(option, f"{max(100, number(value))}ms")


def age(option: str, value: str, _context: Context) -> Outcome:
    """A worker's lifetime in seconds, 0 for none."""
    lifetime = in_seconds(value)
    return keep(option, duration(lifetime) if lifetime > 0 else "off")


def keep_alive(option: str, value: str, _context: Context) -> Outcome:
    """How long an idle connection stays open, in seconds."""
    wanted = in_seconds(value)
    return keep(option, duration(wanted), advice=SHORT_KEEP_ALIVE if wanted < _LONG else "")


def requests(option: str, value: str, _context: Context) -> Outcome:
    """After how many requests a worker is replaced; 0 for never."""
    count = number(value)
    return keep(option, str(count) if count > 0 else "off", advice=RECYCLING)


def megabytes(option: str, value: str, _context: Context) -> Outcome:
    """A worker's memory in megabytes."""
    size = number(value)
    if size < _LEAST_MEGABYTES:
        return drop(
            f"no worker is smaller than {_LEAST_MEGABYTES} MB: it would be replaced as soon as it is there"
        )
    advice = SMALL_WORKER if size < _SMALL_MEGABYTES else ""
    return keep(option, f"{size}M", why="measured as PSS: what workers share is counted once", advice=advice)


def size(option: str, value: str, _context: Context) -> Outcome:
    """A size in bytes."""
    count = number(value)
    for unit, power in (("G", 30), ("M", 20), ("K", 10)):
        if count and count % (1 << power) == 0:
            return keep(option, f"{count >> power}{unit}")
    return keep(option, str(count)) if count > 0 else nothing("0 means no limit; here it is 1G")


def file(option: str, value: str, _context: Context) -> Outcome:
    """The name of a file."""
    return keep(option, value) if value else drop("it names none")


def place(text: str, default_port: int = 8000) -> str:
    """Return a place to listen in our words; raise ValueError."""
    text = text.strip().strip("\"'").removeprefix("tcp://").removeprefix("http://")
    if text.startswith(("@", "unix:@")):
        raise ValueError("nuages has no abstract sockets: name one in the file system, unix:/run/shop.sock")
    if text.startswith(("unix:", "/", "./")) or text.endswith(".sock"):
        return "unix:" + re.sub(r"^unix:(//)?(?=/)", "", text).removeprefix("unix:")
    host, colon, port = text.rpartition(":")
    if text.isdigit() or (port.startswith("${") and not colon):
        return f"0.0.0.0:{text}"
    if not colon or "]" in port:
        host, port = text, str(default_port)
    host = {"": "0.0.0.0", "*": "0.0.0.0"}.get(host, host)
    return f"{f'[{host}]' if host.count(':') > 1 and host[0] != '[' else host}:{port}"


def bind(option: str, value: str, _context: Context) -> Outcome:
    """One or several places to listen, as gunicorn and hypercorn write them."""
    if value.startswith("fd://"):
        return nothing("a socket that systemd hands over is taken as it is")
    places = [place(each) for each in value.split(",") if each.strip()]
    return keep(option, *places) if places else nothing("it names no place to listen")


def joined(context: Context) -> str:
    """Return the address of which host and port stand in two options."""
    host = context.get("host", "bind", default="127.0.0.1").split(",")[0]
    port = context.get("port", default="8000")
    return f"{f'[{host}]' if ':' in host and '$' not in host else host}:{port}"


def host_and_port(option: str, value: str, context: Context) -> Outcome:
    """An address of which host and port stand in two options; `value` is what `joined` made of them."""
    if context.get("uds"):
        return drop("the Unix socket (--uds) is where it listens, and there alone")
    return keep(option, place(value))


def unix_socket(option: str, value: str, _context: Context) -> Outcome:
    """The path of a Unix socket."""
    return keep(option, f"unix:{value.removeprefix('unix:')}")


def application(option: str, value: str, context: Context) -> Outcome:
    """What is imported: `shop.wsgi:application`, `shop.wsgi`, a path of a file."""
    if not value.strip():
        raise ValueError("it names no module")
    module, _, name = value.strip().partition(":")
    if module.endswith(".py") or "/" in module:
        module = re.sub(r"^(\.?/)+", "", module).removesuffix(".py").replace("/", ".")
    name = name or context.get("callable", default="application")
    if (
        "(" in name
        or context.get("factory", default="false").lower() in TRUE
        or not re.fullmatch(r"\w+(\.\w+)*", module)
    ):
        return undecided(
            f"{value} is called to get the application, or is no module; nuages imports an object: assign it in a "
            "module and name it with --app"
        )
    path = f"{module}:{name}"
    if _CONVENTIONAL.fullmatch(path):
        return nothing("found in the project, WSGI for sync and ASGI for async views")
    return keep(option, path, why="not where Django puts it, so it has to be named")


def callable_name(_option: str, value: str, context: Context) -> Outcome:
    """The name of the application in its module, which stands in another option."""
    if not context.get("module", "wsgi-file", "file", "mount"):
        return undecided(f"{value} of which module? nuages takes --app MODULE:{value}")
    return nothing("part of the application's name, which another line gives")


def proxies(option: str, value: str, context: Context) -> Outcome:
    """Addresses of proxies, with commas."""
    found, unfit = [], []
    for word in (word.strip() for word in value.split(",")):
        if word == "*":
            found += ["0.0.0.0/0", "::/0", "unix"]
            continue
        try:
            found.append(str(ipaddress.ip_network(word, strict=False)))
        except ValueError:
            unfit += [word] if word else []
    if unfit:
        return undecided(
            f"{', '.join(unfit)} is no address: --trusted-proxies takes networks, such as 10.0.0.0/8"
        )
    if not found:
        return keep(option, "127.0.0.0/8", why="nobody is believed but this machine")
    if set(found) <= {"127.0.0.1/32", "::1/128"}:
        return nothing("this machine is believed by default")
    if "0.0.0.0/0" in found and context.get("bind", "uds", "unix-socket").startswith(("unix:", "/")):
        return nothing("peers on a Unix socket are believed by default")
    if "0.0.0.0/0" in found:
        return keep(
            option, *found,
            decision="who may say where a client comes from: with * everybody who reaches the port. Name the "
            "balancer's network, such as --trusted-proxies 10.0.0.0/8",
        )  # fmt: skip
    return keep(option, *found)


def access_log(option: str, value: str, _context: Context) -> Outcome:
    """Where requests are logged; nothing or None: nowhere."""
    if value in {"", "None", "none", "/dev/null"}:
        return keep(option, "off")
    if value in {"-", "/dev/stdout", "/proc/1/fd/1", "/dev/fd/1", "/dev/stderr"} or value.lower() == "true":
        return nothing("requests are logged on stdout, as JSON where it is no terminal")
    return drop("requests are logged on stdout; the container's or systemd's log keeps them")


def off_when_set(option: str, value: str, _context: Context) -> Outcome:
    """A switch that turns ours off."""
    return keep(option, "off") if value.lower() in TRUE else nothing("it is on by default")


def variable(option: str, value: str, _context: Context) -> Outcome:
    """A variable that the server sets for the project."""
    name, _, text = value.partition("=")
    if name == "DJANGO_SETTINGS_MODULE" and text:
        return keep(option, text)
    if name == "LANG" or name.startswith(("LC_", "PYTHON", "UWSGI_")):
        return undecided(
            f"{name} is set by the server: set it in the environment (ENV, ConfigMap, EnvironmentFile)"
        )
    return undecided(f"{name} is set by the server: set it in the environment (ENV, Secret, EnvironmentFile)")


def folder(_option: str, value: str, _context: Context) -> Outcome:
    """The folder that the server changes to."""
    path = value.rstrip("/") or "."
    if path == ".":
        return nothing("the folder that it is called in is the project")
    return keep("project", path, why="the argument PROJECT; in an image WORKDIR says it")


def mapped(option: str, value: str, _context: Context) -> Outcome:
    """A folder of files under a URL: /static=/srv/static."""
    url, equals, path = value.partition("=")
    if not equals or not url.startswith("/") or not path:
        raise ValueError("it is not /URL=FOLDER")
    last = url.strip("/").rpartition("/")[2].lower()
    if last in {"static", "assets", "staticfiles"}:
        return nothing(
            f"collected files are served below STATIC_URL; another folder: --static-map {url}={path}"
        )
    if last in {"media", "uploads", "upload"}:
        return keep("media", "on", why="MEDIA_ROOT, live and sandboxed")
    if re.search(r"\.\w{1,5}$", path.rstrip("/")) or not last:
        return undecided(
            f"{url} is one file or the whole site: nuages maps folders; a view or nginx serves it"
        )
    return keep(option, f"/{url.strip('/')}={path.rstrip('/')}")


def expires(option: str, value: str, _context: Context) -> Outcome:
    """A pattern and for how many seconds browsers keep what it matches."""
    words = value.split()
    if len(words) == 2 and words[1].isdigit():
        return keep(option, duration(float(words[1])), why="hashed names are kept for a year by themselves")
    return keep(option, duration(in_seconds(value)), why="hashed names are kept for a year by themselves")
