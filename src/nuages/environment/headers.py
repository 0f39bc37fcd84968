"""What a compiler or a build script misses → the Debian packages that have it (Debian 12 and 13, `apt-file search`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

HEADERS = {
    "Python.h": "python3-dev",
    "cairo.h": "libcairo2-dev",
    "curl/curl.h": "libcurl4-openssl-dev libssl-dev",
    "expat.h": "libexpat1-dev",
    "ffi.h": "libffi-dev",
    "ft2build.h": "libfreetype-dev",
    "gdal.h": "libgdal-dev",
    "geos_c.h": "libgeos-dev",
    "graphviz/cgraph.h": "libgraphviz-dev",
    "gssapi/gssapi.h": "libkrb5-dev",
    "jpeglib.h": "libjpeg-dev",
    "lber.h": "libldap-dev libsasl2-dev",
    "ldap.h": "libldap-dev libsasl2-dev",
    "libmemcached/memcached.h": "libmemcached-dev zlib1g-dev",
    "libpq-fe.h": "libpq-dev",
    "libxml/xmlversion.h": "libxml2-dev libxslt1-dev",
    "libxml/xpath.h": "libxml2-dev libxslt1-dev",
    "libxslt/xslt.h": "libxslt1-dev",
    "magic.h": "libmagic-dev",
    "mysql.h": "libmariadb-dev pkg-config",
    "openssl/opensslv.h": "libssl-dev",
    "openssl/ssl.h": "libssl-dev",
    "pcre.h": "libpcre3-dev",
    "proj.h": "libproj-dev",
    "rrd.h": "librrd-dev",
    "sasl/sasl.h": "libsasl2-dev",
    "snappy-c.h": "libsnappy-dev",
    "sql.h": "unixodbc-dev",
    "sqlite3.h": "libsqlite3-dev",
    "xmlsec/xmlsec.h": "libxmlsec1-dev pkg-config",
    "yaml.h": "libyaml-dev",
    "zbar.h": "libzbar-dev",
    "zlib.h": "zlib1g-dev",
    "zmq.h": "libzmq3-dev",
}

TOOLS = {
    "cargo": "cargo",
    "cmake": "cmake",
    "cc": "build-essential",
    "curl-config": "libcurl4-openssl-dev libssl-dev",
    "g++": "build-essential",
    "gcc": "build-essential",
    "gdal-config": "libgdal-dev",
    "geos-config": "libgeos-dev",
    "git": "git",
    "krb5-config": "libkrb5-dev",
    "make": "make",
    "meson": "meson",
    "mariadb_config": "libmariadb-dev pkg-config",
    "mysql_config": "libmariadb-dev pkg-config",
    "ninja": "ninja-build",
    "pg_config": "libpq-dev",
    "pkg-config": "pkg-config",
    "rustc": "rustc cargo",
    "swig": "swig",
    "x86_64-linux-gnu-gcc": "build-essential",
    "aarch64-linux-gnu-gcc": "build-essential",
    "xml2-config": "libxml2-dev",
    "xslt-config": "libxslt1-dev",
}

MODULES = {
    "cairo": "libcairo2-dev pkg-config",
    "libffi": "libffi-dev",
    "libmemcached": "libmemcached-dev",
    "libpq": "libpq-dev",
    "libxml-2.0": "libxml2-dev",
    "libxslt": "libxslt1-dev",
    "mariadb": "libmariadb-dev pkg-config",
    "mysqlclient": "libmariadb-dev pkg-config",
    "openssl": "libssl-dev",
    "vips": "libvips-dev",
    "xmlsec1": "libxmlsec1-dev pkg-config",
}

LIBRARIES = {
    "crypt": "libcrypt-dev",
    "gdal": "libgdal-dev",
    "jpeg": "libjpeg-dev",
    "lber": "libldap-dev",
    "ldap": "libldap-dev",
    "ldap_r": "libldap-dev",
    "mariadb": "libmariadb-dev",
    "mysqlclient": "libmariadb-dev pkg-config",
    "pq": "libpq-dev",
    "sasl2": "libsasl2-dev",
    "ssl": "libssl-dev",
    "xml2": "libxml2-dev",
    "xslt": "libxslt1-dev",
    "z": "zlib1g-dev",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a build missed, in words, and the Debian packages that bring it; empty where we do not know."""

    what: str
    debian: str = ""


_RULES: tuple[tuple[str, Callable[[str], Missing]], ...] = (
    (r"fatal error: '?([\w./+-]+\.(?:h|hpp))'?(?::| file not found)",
     lambda name: Missing(what=f"the header {name}", debian=HEADERS.get(name, ""))),
    (r"Can not find valid pkg-config name", lambda _: Missing(what="the headers of MariaDB or MySQL",
                                                              debian="libmariadb-dev pkg-config")),
    (r"(pg_config|mysql_config|curl-config|krb5-config|gdal-config) (?:executable )?(?:is )?not found",
     lambda name: Missing(what=f"the program {name}", debian=TOOLS.get(name, ""))),
    (r"[Pp]lease make sure the libxml2 and libxslt development packages are installed",
     lambda _: Missing(what="the headers of libxml2 and libxslt", debian="libxml2-dev libxslt1-dev")),
    (r"(?:No package '|Package '?)([\w.+-]+)'?(?:' found| was not found in the pkg-config|, required by)",
     lambda name: Missing(what=f"the library {name} (pkg-config)", debian=MODULES.get(name, ""))),
    (r"Unable to find (\w[\w.+-]*) (?:library|headers)",
     lambda name: Missing(what=f"the library {name}", debian=MODULES.get(name, ""))),
    (r"cannot find -l([\w.+-]+)",
     lambda name: Missing(what=f"the library lib{name}", debian=LIBRARIES.get(name.rstrip(":"), ""))),
    (r"No such file or directory: '([\w./+-]+)'",
     lambda name: Missing(what=f"the program {name}", debian=TOOLS.get(name.rpartition("/")[2], ""))
     if name.rpartition("/")[2] in TOOLS else Missing(what="")),
    (r"(?:sh|bash|dash): (?:line )?(?:\d+: )?([\w./+-]+): (?:command )?not found",
     lambda name: Missing(what=f"the program {name}", debian=TOOLS.get(name, ""))),
    (r"(?:unable to execute|command) '([\w./+-]+)'(?: failed)?: No such file or directory",
     lambda name: Missing(what=f"the program {name}", debian=TOOLS.get(name.rpartition("/")[2], ""))),
    (r"[Uu]nknown compiler\(s\): \[\['(cc)'", lambda _: Missing(what="a C compiler", debian="build-essential")),
    (r"you need a C compiler|Cannot find a C compiler|no acceptable C compiler found",
     lambda _: Missing(what="a C compiler", debian="build-essential")),
    (r"(?:can't find|requires|install) (?:the )?[Rr]ust(?: compiler|c|up)?|cargo, the Rust package manager, is not",
     lambda _: Missing(what="a Rust compiler", debian="rustc cargo")),
    (r"CMake must be installed|Could not find CMake", lambda _: Missing(what="CMake", debian="cmake")),
)  # fmt: skip


def missing(output: str) -> Missing | None:
    """Return what the output of a failed build says is missing, or None if it says nothing that we know."""
    for pattern, made in _RULES:
        for match in re.finditer(pattern, output):
            found = made(match[1] if match.groups() else "")
            if found.what:
                return found
    return None


# What removed a feature from a tool of builds: the release without it, for `setuptools<N` (their changelogs).
_REMOVED = (
    (r"use_2to3 is invalid", "setuptools", 58),
    (r"cannot import name '(?:convert_path|Feature)' from 'setuptools'", "setuptools", 70),
    (
        r"No module named 'setuptools\.command\.test'|cannot import name 'test' from 'setuptools",
        "setuptools",
        72,
    ),
    (r"Invalid dash-separated key|Invalid uppercase key", "setuptools", 78),
    (r"No module named 'pkg_resources'|cannot import name 'pkg_resources'", "setuptools", 81),
    (r"No module named 'setuptools\.(?:_distutils\.)?(?:msvc|extern)", "setuptools", 71),
    (
        r"object has no attribute 'cython_sources'|AttributeError: cython_sources|"
        r"undeclared name not builtin: (?:long|unicode|basestring)",
        "Cython",
        3,
    ),
)


def older_tools(output: str) -> dict[str, int]:
    """Return N by tool where a build failed for want of something that only `TOOL<N` has; empty where it did not."""
    found: dict[str, int] = {}
    for pattern, tool, bound in _REMOVED:
        if re.search(pattern, output):
            found[tool] = min(bound, found.get(tool, bound))
    return found


def bounds(tools: Mapping[str, int]) -> str:
    """Return the text of a file of build constraints."""
    return "".join(f"{tool}<{bound}\n" for tool, bound in sorted(tools.items()))
