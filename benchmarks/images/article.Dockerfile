# A Dockerfile as teams have written it by hand for years: the full image builds with `pipenv sync --system`, the slim one
# gets site-packages and the MySQL client's libraries copied into it. Kept as it was found but for the names: the
# application, its Python, and uvicorn's WSGI interface, for this one has no asgi.py.
ARG FULL=python:3.11-trixie
ARG BASE=python:3.11-slim-trixie
FROM ${FULL} AS builder

# Copy Pipfile
COPY Pipfile /tmp/Pipfile
COPY Pipfile.lock /tmp/Pipfile.lock

# pipenv sync
RUN python3 -m pip install pipenv \
    && PIPENV_PIPFILE=/tmp/Pipfile pipenv sync --system \
    && python3 -m pip install uvicorn

FROM ${BASE}

# Copy necessary SOs for MySQL client from the builder stage
COPY --from=builder \
    /usr/lib/x86_64-linux-gnu/libmariadb.a \
    /usr/lib/x86_64-linux-gnu/libmariadb.so.3 \
    /usr/lib/x86_64-linux-gnu/
COPY --from=builder /usr/lib/x86_64-linux-gnu/libmariadb3/ /usr/lib/x86_64-linux-gnu/libmariadb3/

# Copy libraries installed by Pipenv from the builder stage
COPY --from=builder /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages
COPY --from=builder /usr/local/lib/python3.11/lib-dynload /usr/local/lib/python3.11/lib-dynload
COPY --from=builder /usr/local/bin /usr/local/bin

# Create symbolic links for SOs
RUN ln -s /usr/lib/x86_64-linux-gnu/libmariadb.a /usr/lib/x86_64-linux-gnu/libmariadbclient.a \
    && ln -s /usr/lib/x86_64-linux-gnu/libmariadb.so.3 /usr/lib/x86_64-linux-gnu/libmariadb.so \
    && ln -s /usr/lib/x86_64-linux-gnu/libmariadb.so.3 /usr/lib/x86_64-linux-gnu/libmariadbclient.so

COPY . /var/app/stockroom
RUN chown -R nobody:nogroup /var/app
USER nobody
WORKDIR /var/app/stockroom
RUN cd /var/app/stockroom && SECRET_KEY=build python3 ./manage.py collectstatic --noinput --settings stockroom.settings.production
EXPOSE 8002
CMD ["uvicorn", "stockroom.wsgi:application", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8002", "--workers", "4"]
