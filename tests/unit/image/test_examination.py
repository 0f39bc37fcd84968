"""A built image as it is read: layers over each other, ELF files, secrets, what is wrong and what could go."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from pathlib import Path

import pytest

from nuages.errors import UsageError
from nuages.image import archive, contents, elf, leaks, linking
from nuages.image.audit import Finding, audit, savings

KEY = (
    b"-----BEGIN PRIVATE KEY-----\n"
    + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 4
    + b"\n-----END PRIVATE KEY-----\n"
)


def shared_object(
    *needed: str, soname: str = "", rpath: str = "", machine: int = 62, symbols: int = 0
) -> bytes:
    """Return the smallest ELF file (64 bits, little-endian) that says this, by elf(5)."""
    strings = b"\0"
    tags = []
    for tag, text in [*((1, name) for name in needed), (14, soname), (29, rpath)]:
        if text:
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    tags += [(5, 0x1000), (0, 0)]
    names = b"\0.symtab\0.dynstr\0"
    at = 64 + 2 * 56
    dynamic = at + len(strings)
    table = dynamic + 16 * len(tags)
    sections = table + len(names)
    data = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 3, machine, 1, 0, 64, sections, 0, 64, 56, 2,
                       64, 3, 2)  # fmt: skip
    data += struct.pack("<IIQQQQQQ", 1, 5, at, 0x1000, 0, len(strings), len(strings), 1)
    data += struct.pack("<IIQQQQQQ", 2, 6, dynamic, 0x2000, 0, 16 * len(tags), 16 * len(tags), 8)
    data += strings + b"".join(struct.pack("<qQ", *tag) for tag in tags) + names
    data += bytes(64) + struct.pack("<IIQQQQIIQQ", 1, 2, 0, 0, 0, symbols, 0, 0, 0, 0)
    return data + struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, table, len(names), 0, 0, 0, 0)


def layer(files: dict[str, bytes | str], modes: dict[str, int] | None = None) -> bytes:
    """Return a layer's tar: bytes are files, texts are links, a path that ends with `/` is a folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path.rstrip("/"))
            member.mode = (modes or {}).get(path, 0o755)
            if path.endswith("/"):
                member.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return made.getvalue()


def image(folder: Path, *layers: bytes, user: str = "65532", env: tuple[str, ...] = ()) -> archive.Image:
    """Write an archive as `docker save` does and read it."""
    config = {
        "config": {"User": user, "Env": list(env)},
        "history": [{"created_by": "RUN make"}] * len(layers),
    }
    parts = {f"{number}.tar": data for number, data in enumerate(layers)}
    manifest = [{"Config": "config.json", "Layers": list(parts)}]
    parts |= {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    path = folder / "image.tar"
    path.write_bytes(layer(dict(parts)))
    return archive.read(path)


def told(found: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(each.id, each.severity, each.where) for each in found]


def test_an_elf_file_says_what_it_needs_and_what_could_be_stripped() -> None:
    found = elf.parse(
        shared_object("libmariadb.so.3", "libc.so.6", soname="x.so", rpath="$ORIGIN:/y", symbols=99)
    )
    assert found == elf.Elf(
        machine=62,
        soname="x.so",
        needed=("libmariadb.so.3", "libc.so.6"),
        runpath=("$ORIGIN", "/y"),
        strippable=99,
    )


@pytest.mark.parametrize("length", [0, 3, 52, 63, 100, 200, 300])
def test_a_file_that_is_cut_off_is_none_or_read_as_far_as_it_goes(length: int) -> None:
    whole = shared_object("libc.so.6")
    found = elf.parse(whole[:length])
    assert found is None or found.machine == 62


def test_a_library_is_looked_for_where_the_linker_looks(tmp_path: Path) -> None:
    built = image(
        tmp_path,
        layer(
            {
                "lib": "usr/lib",
                "etc/ld.so.conf.d/here.conf": b"/opt/here\n",
                "usr/lib/x86_64-linux-gnu/libc.so.6": shared_object(soname="libc.so.6"),
                "opt/here/libhere.so.1": "libhere.so.1.2",
                "opt/here/libhere.so.1.2": shared_object("libc.so.6"),
                "opt/app/own/libown.so": shared_object("libc.so.6"),
                "opt/app/module.so": shared_object(
                    "libc.so.6", "libhere.so.1", "libown.so", rpath="$ORIGIN/own"
                ),
                "opt/app/broken.so": shared_object("libmariadb.so.3", "libown.so"),
                "opt/app/for-arm.so": shared_object("libelsewhere.so", machine=183),
                "v/site-packages/a.libs/libinner.so": shared_object("libc.so.6"),
                "v/site-packages/a/mod.so": shared_object("libinner.so"),
            }
        ),
    )
    merged = contents.merge(built)
    files = {f"/{path}": each.elf for path, each in merged.entries.items() if each.elf}
    assert linking.missing(files, merged.resolve, ("/opt/here",)) == (
        linking.Missing(path="/opt/app/broken.so", library="libmariadb.so.3"),
        linking.Missing(path="/opt/app/broken.so", library="libown.so"),
    )
    assert {each.where for each in audit(built) if each.id == "I002"} == {"/opt/app/broken.so"}


def test_later_layers_hide_what_lies_below_and_the_bytes_stay(tmp_path: Path) -> None:
    built = image(
        tmp_path,
        layer({"a/": "", "a/one": b"1" * 300_000, "a/two": b"22", "b/three": b"333", "c": b"old"}),
        layer({"a/.wh.one": b"", "b/.wh..wh..opq": b"", "b/four": b"4", "c": b"newer"}),
    )
    merged = contents.merge(built)
    assert sorted(merged.entries) == ["a", "a/two", "b/four", "c"]
    assert dict(merged.hidden) == {"a/one": 300_000, "b/three": 3, "c": 3}
    assert [each.size for each in savings(merged)] == [300_006]


def test_a_secret_is_found_in_the_layer_that_a_later_one_covers(tmp_path: Path) -> None:
    built = image(
        tmp_path,
        layer({"app/.env": b"SECRET_KEY=x", "app/keys/jwt.pem": KEY, "etc/ssl/certs/ca.pem": b"CERTIFICATE"}),
        layer(
            {
                "app/.wh..env": b"",
                "app/pip.conf": b"index-url = https://me:hunter22@packages.example.com/simple",
            }
        ),
        layer(
            {
                "opt/venv/lib/python3.13/site-packages/tornado/test.key": KEY,
                "app/.env.example": b"SECRET_KEY=",
            }
        ),
        env=("DATABASE_PASSWORD=hunter2", "PATH=/bin", "SECRET_KEY_FILE=/run/secrets/key"),
    )
    assert told(audit(built)) == [
        ("I001", "error", "/app/.env (layer 1, deleted or replaced later: it is in the layer)"),
        ("I001", "error", "/app/keys/jwt.pem (layer 1)"),
        ("I001", "error", "/app/pip.conf (layer 2)"),
        ("I001", "error", "environment: DATABASE_PASSWORD"),
    ]


def test_a_key_that_lies_among_tests_and_samples_is_a_warning_that_says_how_to_leave_it_out(
    tmp_path: Path,
) -> None:
    files: dict[str, bytes | str] = {
        f"app/{path}": KEY
        for path in (
            "scripts/test-environments/oidc/conf.yml",
            "shop/conftest.py",
            "shop/key_test.py",
            "latest/conf.yml",
        )
    }
    found = audit(image(tmp_path, layer(files)))
    assert told(found) == [
        ("I001", "error", "/app/latest/conf.yml (layer 1)"),
        ("I001", "warning", "/app/scripts/test-environments/oidc/conf.yml (layer 1)"),
        ("I001", "warning", "/app/shop/conftest.py (layer 1)"),
        ("I001", "warning", "/app/shop/key_test.py (layer 1)"),
    ]
    assert next(each.hint for each in found) == (
        "leave it out: --exclude latest/conf.yml, and give it at run time; a secret that was pushed is to be changed"
    )


def test_what_everybody_may_write_or_become_and_tools_and_root_are_named(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "tmp/": "", "app/": "", "app/open": b"x", "usr/bin/su": b"x", "usr/bin/x86_64-linux-gnu-gcc-14": b"x",
        "var/lib/dpkg/info/libmariadb-dev:amd64.list": b"/usr/include\n",
    }  # fmt: skip
    modes = {"tmp/": 0o1777, "app/open": 0o666, "usr/bin/su": 0o4755}
    assert told(audit(image(tmp_path, layer(files, modes), user=""))) == [
        ("I003", "error", "/app/open (0666)"),
        ("I006", "error", "USER"),
        ("I004", "warning", "/usr/bin/su (4755)"),
        ("I005", "warning", "/usr/bin/x86_64-linux-gnu-gcc-14, libmariadb-dev"),
    ]


def test_a_file_belongs_to_its_debian_package_its_distribution_or_its_folder(tmp_path: Path) -> None:
    site = "opt/venv/lib/python3.13/site-packages"
    built = image(
        tmp_path,
        layer(
            {
                "lib": "usr/lib",
                "usr/lib/libz.so.1": b"zz",
                "var/lib/dpkg/info/zlib1g:amd64.list": b"/.\n/lib/libz.so.1\n",
                f"{site}/django/apps.py": b"123",
                f"{site}/django/__pycache__/apps.cpython-313.pyc": b"1234",
                f"{site}/django-5.2.1.dist-info/RECORD": b"django/apps.py,sha256=x,3\n",
                "usr/local/lib/python3.13/os.py": b"12345",
                "app/shop/views.py": b"123456",
            }
        ),
    )
    merged = contents.merge(built)
    assert contents.by_owner(merged) == {
        "django 5.2.1": 7, "/app/shop": 6, "Python": 5, "/var/lib": 18, "zlib1g (Debian)": 2,
        f"/{site}/django-5.2.1.dist-info": 26,
    }  # fmt: skip
    assert contents.by_kind(merged)["bytecode"] == 4


def test_links_that_go_round_lead_nowhere(tmp_path: Path) -> None:
    merged = contents.merge(image(tmp_path, layer({"a": "b", "b": "a", "c": "/d/../e", "e": b"x"})))
    assert merged.resolve("/a") is None
    assert merged.resolve("c") == "e"


def test_an_oci_layout_is_read_as_well_and_anything_else_is_refused(tmp_path: Path) -> None:
    manifest = {"config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:l"}]}
    parts: dict[str, bytes | str] = {
        "index.json": json.dumps({"manifests": [{"digest": "sha256:m"}]}).encode(),
        "blobs/sha256/m": json.dumps(manifest).encode(),
        "blobs/sha256/c": json.dumps({"config": {}, "history": [{"created_by": "COPY"}]}).encode(),
        "blobs/sha256/l": layer({"app/x": b"1"}),
    }
    path = tmp_path / "image.tar"
    path.write_bytes(layer(parts))
    assert list(archive.read(path).layers[0].entries) == ["app/x"]
    path.write_bytes(b"no tar at all" * 100)
    with pytest.raises(UsageError) as caught:
        archive.read(path)
    assert caught.value.what == "that is no image archive"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"aws = AKIAIOSFODNN7EXAMPLE", ("the id of an access key of AWS",)),
        (b"https://user:${PASSWORD}@host.example.com/", ()),
        (b"see https://example.com/a:b@c", ()),
        (b"//registry.example.com/:_authToken=0123456789abcdef", ("a token of a package registry",)),
        (b"-----BEGIN CERTIFICATE-----\nMIIE", ()),
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_shape(text: bytes, found: tuple[str, ...]) -> None:
    assert leaks.scan(text) == found
