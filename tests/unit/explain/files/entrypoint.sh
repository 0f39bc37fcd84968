#!/bin/sh
set -e
until pg_isready -h "$DB_HOST"; do sleep 1; done
python manage.py migrate --noinput
python manage.py collectstatic --noinput
exec gunicorn shop.wsgi:application \
    --bind 0.0.0.0:${PORT:-8000} \
    --workers $((2 * $(nproc) + 1)) \
    --timeout ${TIMEOUT:-120} --threads 4 "$@"
