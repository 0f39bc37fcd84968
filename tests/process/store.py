"""A store that speaks S3 over HTTP: moto's server in a process of its own, asked by boto3."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip


@dataclass(frozen=True)
class Store:
    """A running store; `endpoint` is its URL."""

    endpoint: str

    @property
    def client(self) -> Any:
        """A client of it."""
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=ENVIRON["AWS_ACCESS_KEY_ID"], aws_secret_access_key=ENVIRON["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def bucket(self, name: str) -> str:
        """Make a bucket and return its name."""
        client = self.client
        client.create_bucket(Bucket=name)
        client.close()
        return name

    def objects(self, bucket: str) -> dict[str, dict[str, Any]]:
        """Return what `head_object` says of each object, by its key, and its `Body`."""
        client, found = self.client, {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for row in page.get("Contents", ()):
                one = client.get_object(Bucket=bucket, Key=row["Key"])
                with one["Body"] as body:
                    found[row["Key"]] = {**one, "Body": body.read()}
        client.close()
        return found


@contextlib.contextmanager
def storing() -> Iterator[Store]:
    """Run a store until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        host, port = process.stdout.readline().decode().split()
        yield Store(f"http://{host}:{port}")
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
