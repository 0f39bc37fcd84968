"""Collected static files in a bucket: what it does not hold already, and the manifest last.

Names with a hash come first and nothing is ever deleted, so at every moment each page of each release finds its files.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages.errors import NuagesError, OutsideError, ProjectError
from nuages.runtime.bucket import Bucket
from nuages.runtime.manifest import Item
from nuages.runtime.shelves import Manner

Report = Callable[..., None]
DJANGO_MANIFEST = "staticfiles.json"
_THREADS = 8
_PROGRESS_SECONDS = 1.0
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_HINTS = {
    "NoSuchBucket": "make the bucket first, or correct its name",
    "AccessDenied": "the key wants s3:ListBucket on the bucket and s3:PutObject below the prefix",
    "InvalidAccessKeyId": "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "SignatureDoesNotMatch": "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a bucket holds under a key; `md5` is "" where the store does not tell."""

    size: int
    md5: str


def order(items: Iterable[Item]) -> list[list[Item]]:
    """Return the files in the waves in which they may go up: hashed names, others, the manifest that names them."""
    found = sorted(items, key=lambda item: item.path)
    last = [item for item in found if item.path == DJANGO_MANIFEST]
    rest = [item for item in found if item.path != DJANGO_MANIFEST]
    return [[item for item in rest if item.is_hashed], [item for item in rest if not item.is_hashed], last]


def is_there(item: Item, stored: Stored | None, md5: Callable[[Item], str]) -> bool:
    """Return whether the bucket holds a file already; a name with a hash tells by itself what is in it."""
    if stored is None or stored.size != item.size:
        return False
    return item.is_hashed or stored.md5 == md5(item)


def publish(root: Path, items: Mapping[str, Item], bucket: Bucket, manner: Manner, report: Report) -> None:
    """Upload what the bucket lacks; raises ProjectError without boto3 and OutsideError where the store refuses."""
    try:
        import boto3  # noqa: F401 - whether it is there
    except ImportError:
        raise ProjectError(
            "the project lacks boto3", where=f"--to {bucket}",
            why="static files go to a bucket through it, and it is not in the project's environment",
            hint="add this line to the project's requirements and lock them again:\nboto3",
        ) from None  # fmt: skip
    with _speaking(bucket):
        client = _client(bucket)
        try:
            _publish(client, root, items, bucket, manner, report)
        finally:
            client.close()


def _publish(
    client: Any, root: Path, items: Mapping[str, Item], bucket: Bucket, manner: Manner, report: Report
) -> None:
    start = f"{bucket.prefix}/" if bucket.prefix else ""
    held = _held(client, bucket.name, start)

    def lacks(item: Item) -> bool:
        return not is_there(item, held.get(start + item.path), lambda one: _md5(root / one.path))

    waves = [[item for item in wave if lacks(item)] for wave in order(items[path] for path in items)]
    wanted = [item for wave in waves for item in wave]
    total = sum(item.size for item in wanted)

    def upload(item: Item) -> int:
        control = (
            "no-cache" if item.path == DJANGO_MANIFEST else manner.cache_control(is_hashed=item.is_hashed)
        )
        more = {"CacheControl": control} if control else {}
        if "default_acl" in bucket.parameters:
            more["ACL"] = bucket.parameters["default_acl"]
        with (root / item.path).open("rb") as body:
            client.put_object(
                Bucket=bucket.name, Key=start + item.path, Body=body, ContentType=item.media, **more
            )
        return item.size

    done, sent, said = 0, 0, time.monotonic()
    with ThreadPoolExecutor(_THREADS, "nuages-upload") as executor:
        for wave in waves:
            futures = [executor.submit(upload, item) for item in wave]
            try:
                for future in as_completed(futures):
                    done, sent = done + 1, sent + future.result()
                    if time.monotonic() - said > _PROGRESS_SECONDS:
                        said = time.monotonic()
                        _say(
                            report,
                            f"{done} of {len(wanted)} files, {_mega(sent)} of {_mega(total)}",
                            done,
                            len(wanted),
                        )
            except BaseException:
                executor.shutdown(wait=True, cancel_futures=True)
                raise
    kept = len(items) - len(wanted)
    there = f", {kept} were there" if kept else ""
    _say(report, f"{len(wanted)} static files, {_mega(sent)}, uploaded to {bucket}{there}", done, len(wanted))


def _say(report: Report, text: str, done: int, total: int) -> None:
    report("publish", text, done=done, total=total)


def _held(client: Any, name: str, start: str) -> dict[str, Stored]:
    held = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=start):
        for row in page.get("Contents", ()):
            # The tag is the MD5 of what was sent in one piece and not encrypted by a key of the store's own.
            match = _MD5.fullmatch(row["ETag"])
            held[row["Key"]] = Stored(size=row["Size"], md5=match[1] if match else "")
    return held


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _client(bucket: Bucket) -> Any:
    import boto3
    from botocore.config import Config

    options = bucket.options
    style = {"addressing_style": options["addressing_style"]} if "addressing_style" in options else None
    config = Config(
        signature_version=options["signature_version"], s3=style, max_pool_connections=_THREADS,
        retries={"mode": "standard", "max_attempts": 5},
    )  # fmt: skip
    session = boto3.Session(profile_name=options.get("session_profile"))
    known = {name: options[name] for name in ("endpoint_url", "region_name", "verify") if name in options}
    return session.client("s3", config=config, **known)


@contextmanager
def _speaking(bucket: Bucket) -> Iterator[None]:
    """Turn what boto3 raises into an error of ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except NuagesError:
        raise
    except OSError as error:
        raise OutsideError(
            "the static files cannot be uploaded", where=str(error.filename or f"--to {bucket}"),
            why=error.strerror or str(error), hint="collect them again: nuages collect",
        ) from None  # fmt: skip
    except (BotoCoreError, ClientError) as error:
        code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
        hint = _HINTS.get(
            code, "what has gone up stays unused until the manifest follows: run it again to go on"
        )
        if type(error).__name__ == "NoCredentialsError":
            hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
        endpoint = bucket.options.get("endpoint_url", "")
        raise OutsideError(
            "the static files cannot be uploaded", where=f"--to {bucket}{f' at {endpoint}' if endpoint else ''}",
            why=str(error), hint=hint,
        ) from None  # fmt: skip


def _mega(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
