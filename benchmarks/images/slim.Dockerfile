# What good advice of today comes to, by hand: slim in both stages, a virtual environment that is copied, hashed
# requirements, no caches, a numeric user, and the client library as a Debian package.
ARG BASE=python:3.11-slim-trixie
FROM ${BASE} AS builder
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential libmariadb-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/pipenv && /opt/pipenv/bin/pip install --no-cache-dir pipenv
RUN python3 -m venv /opt/venv
WORKDIR /build
COPY Pipfile Pipfile.lock ./
RUN /opt/pipenv/bin/pipenv requirements --hash --exclude-index > requirements.txt \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt \
    && /opt/venv/bin/pip install --no-cache-dir "uvicorn[standard]" \
    && /opt/venv/bin/pip uninstall -y pip

FROM ${BASE}
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY . .
RUN SECRET_KEY=build python3 manage.py collectstatic --noinput --settings stockroom.settings.production
USER 65532:65532
EXPOSE 8000
CMD ["uvicorn", "stockroom.wsgi:application", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "4"]
