# stockroom: the production image, written by nuages from the project's own files.
# It is an ordinary Dockerfile: `docker build .` builds it, and you may edit it. `nuages dockerfile --write`
# writes it anew when dependencies change. .nuages/ holds what it installs.
#
# Python 3.11: Pipfile:15 says ==3.11.*; the newest that is proven
# Not pinned: name a digest (…@sha256:…) to get the same base each time.
ARG BASE=python:3.11-slim-trixie

# ── build ───────────────────────────────────────────────────────────────────────────────────────────────
# Compilers, headers and installers stay in this stage; only their results are copied out of it.
FROM ${BASE} AS build

# Debian packages, and what wants them:
#   binutils         the server's libraries, which are stripped
#   build-essential  mysqlclient
#   libmariadb-dev   mysqlclient
#   libmariadb3      mysqlclient
#   pkg-config       mysqlclient
# Their releases are the suite's: security fixes come with the next build.
# hadolint ignore=DL3008
RUN --mount=type=cache,id=build-apt,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=build-lists,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
 && apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends binutils build-essential libmariadb-dev libmariadb3 pkg-config

# uv installs from hashed requirements, in seconds. Its release is fixed in uv.txt.
COPY .nuages/uv.txt /build/
RUN --mount=type=secret,id=packages \
    --mount=type=secret,id=ca \
    --mount=type=cache,target=/root/.cache \
    { [ ! -e /run/secrets/packages ] || . /run/secrets/packages; } \
 && python3 -m venv /build/tools \
 && /build/tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r /build/uv.txt

# The project's dependencies, from Pipfile.lock. They change seldom: before its code.
# Private package indexes: `--secret id=packages,src=FILE` with lines such as `export UV_INDEX=…`;
# nothing of it stays in a layer. `--secret id=ca,src=FILE` is there for a certificate that it names.
# Of message catalogues only the compiled form is kept: the other (8 MB of Django) is never read.
# The .pth file puts the server behind them, and other programs' uploads into a bucket if one is named.
COPY .nuages/requirements.txt /build/
RUN --mount=type=secret,id=packages \
    --mount=type=secret,id=ca \
    --mount=type=cache,target=/root/.cache \
    { [ ! -e /run/secrets/packages ] || . /run/secrets/packages; } \
 && python3 -m venv --without-pip /opt/venv \
 && UV_LINK_MODE=copy /build/tools/bin/uv pip install --quiet --python /opt/venv --no-deps --require-hashes -r /build/requirements.txt \
 && printf '%s\n' /opt/nuages 'import os; os.environ.get("NUAGES_MEDIA", "").startswith("s3://") and __import__("nuages.runtime.foreign").runtime.foreign.watch()' > "$(/opt/venv/bin/python -c "import site; print(site.getsitepackages()[0])")"/nuages.pth \
 && find /opt/venv '(' -name '*.po' -o -name .lock ')' -delete \
 && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib

# The server, behind the project's own packages on sys.path: it never replaces one of them.
COPY .nuages/runtime.txt .nuages/compressors.txt .nuages/nuages-VERSION-py3-none-any.whl /build/
RUN --mount=type=secret,id=packages \
    --mount=type=secret,id=ca \
    --mount=type=cache,target=/root/.cache \
    { [ ! -e /run/secrets/packages ] || . /run/secrets/packages; } \
 && UV_LINK_MODE=copy /build/tools/bin/uv pip install --quiet --python /opt/venv/bin/python --target /opt/nuages --no-deps --require-hashes -r /build/runtime.txt \
 && UV_LINK_MODE=copy /build/tools/bin/uv pip install --quiet --python /opt/venv/bin/python --target /opt/nuages --no-deps /build/nuages-VERSION-py3-none-any.whl \
 && UV_LINK_MODE=copy /build/tools/bin/uv pip install --quiet --python /opt/venv/bin/python --target /build/compressors --no-deps --require-hashes -r /build/compressors.txt \
 && find /opt/nuages -name '*.so' -exec strip --strip-unneeded {} + \
 && rm -f /opt/nuages/.lock \
 && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/nuages

# ── project ─────────────────────────────────────────────────────────────────────────────────────────────
# The project as it is served: without what .dockerignore keeps out.
FROM build AS project
WORKDIR /app
COPY . /app

# Stops where a dependency file is newer than what was installed above: `nuages dockerfile --write`.
RUN sha256sum --check --quiet /app/.nuages/sources.sha256

# What the project writes beside its code lies in the volume.
RUN mkdir -p /app /data \
 && ln -sfn /data/stockroom.sqlite3 /app/stockroom.sqlite3 \
 && chown -R 65532:0 /data && chmod -R ug+rwX /data

# Bytecode that is never checked against its source (PEP 552): nothing changes in an image, and a read-only
# file system could not keep it. A file for another Python may not compile; it is not imported either.
RUN rm -rf /app/.nuages \
 && (/opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /app || true)

# ── static files ────────────────────────────────────────────────────────────────────────────────────────
# Static files: collected, hashed, compressed, with a manifest that the server starts from.
# The settings need these to load. No value is real, and none is in the image:
#   SECRET_KEY  stockroom/settings/production.py:7
FROM project AS static
RUN DJANGO_SETTINGS_MODULE=stockroom.settings.production \
    NUAGES_APP=stockroom.wsgi:application \
    SECRET_KEY=stand-in-that-only-the-build-sees-000000000000000000000000000000 \
    /opt/venv/bin/python -c 'import sys; sys.path.append("/build/compressors"); from nuages.cli import main; sys.exit(main())' collect . --sealed \
 && mkdir -p /app/staticfiles

# The project without what was collected there before: it would lie over what was collected now.
FROM project AS code
RUN rm -rf /app/staticfiles

# ── the image ───────────────────────────────────────────────────────────────────────────────────────────
# What runs. Each layer changes more often than the one before it.
FROM ${BASE}

# No program of it makes its user root: su, mount and passwd are setuid in the base.
# The group of the volume's folder is that of a user of any other number.
# Debian packages, and what wants them:
#   libmariadb3  mysqlclient
# Their releases are the suite's: security fixes come with the next build.
# hadolint ignore=DL3008
RUN --mount=type=cache,id=run-apt,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=run-lists,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
 && apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends libmariadb3 \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && install -d -m 775 -o 65532 -g 0 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/nuages /opt/nuages
COPY --from=static /app/staticfiles /app/staticfiles
COPY --from=code /app /app

# Mount a volume here, or what is written is lost with the container:
#   /app/stockroom.sqlite3 → /data/stockroom.sqlite3  stockroom/settings/base.py:53
COPY --from=project --chown=65532:0 /data /data
VOLUME /data

# Read by the server, and by Django's commands.
# Set at run time, for the settings need them:
#   SECRET_KEY  stockroom/settings/production.py:7
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    DJANGO_SETTINGS_MODULE=stockroom.settings.production \
    NUAGES_APP=stockroom.wsgi:application \
    NUAGES_BIND=0.0.0.0:8000 \
    NUAGES_MANAGEMENT=0.0.0.0:9000
LABEL nuages.variables=SECRET_KEY=secret \
      org.opencontainers.image.base.name=python:3.11-slim-trixie \
      org.opencontainers.image.title=stockroom
WORKDIR /app

# A number, so that Kubernetes can see that it is not root; any other number works as well. Nothing is
# written outside of /tmp: run it with a read-only root file system.
USER 65532:65532
EXPOSE 8000 9000
STOPSIGNAL SIGTERM

# PID 1 without a shell. Another server's command line works here too: nothing in the image depends on this.
ENTRYPOINT ["/opt/venv/bin/python", "-m", "nuages"]
CMD ["serve"]
