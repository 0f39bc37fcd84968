"""Asks a server the rows of the table and says where its answers are not what they should be."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.static_rows import FILES, PREFIX, Row

SECONDS = 10.0
_PART = re.compile(rb"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response as it came; the names of `fields` are in lower case."""

    status: int
    fields: Mapping[str, str]
    body: bytes


def ask(port: int, row: Row, marks: Mapping[str, str]) -> Answer:
    """Send a row's request over a connection of its own; `marks` fill in its headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.putrequest(row.method, PREFIX + row.file, skip_accept_encoding=True)
        for header in row.headers:
            name, _, value = header.partition(":")
            connection.putheader(name, fill(value.strip(), marks))
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, fields=fields, body=body)
    finally:
        connection.close()


def marks(port: int) -> dict[str, str]:
    """Return the tags that the server gives to the files of the table, coded and not."""
    asked = {
        "etag": Row(),
        "sheet": Row(file="sheet.css"),
        "gzip": Row(file="sheet.css", headers=("Accept-Encoding: gzip",)),
    }
    return {name: ask(port, row, {}).fields.get("etag", '"none"') for name, row in asked.items()}


def fill(text: str, known: Mapping[str, str]) -> str:
    """Return the text with what stands in braces filled in."""
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def complaints(row: Row, answer: Answer, known: Mapping[str, str]) -> list[str]:
    """Return what of an answer is not as the row says, in words."""
    found = []
    if answer.status != row.status:
        found.append(f"status {answer.status}, not {row.status}")
    for name, wanted in row.fields.items():
        value = answer.fields.get(name)
        if value != (None if wanted is None else fill(wanted, known)):
            found.append(f"{name}: {value}, not {wanted}")
    body = answer.body
    if answer.fields.get("content-type", "").startswith("multipart/byteranges"):
        parts = split_parts(answer)
        wrong = [
            content for start, content in parts if FILES[row.file][start : start + len(content)] != content
        ]
        if wrong:
            found.append("a part is not the file's")
        body = b"".join(content for _, content in parts)
    if row.length is not None and len(body) != row.length:
        found.append(f"length {len(body)}, not {row.length}")
    return found


def split_parts(answer: Answer) -> list[tuple[int, bytes]]:
    """Return the parts of a multipart/byteranges body, each with its first byte's place in the file."""
    boundary = answer.fields["content-type"].partition("boundary=")[2].strip('"').encode()
    found = []
    for part in (b"\r\n" + answer.body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        match = _PART.search(head)
        if match is None or int(match[2]) - int(match[1]) + 1 != len(content):
            content = b"?"
        found.append((int(match[1]) if match else 0, content))
    return found
