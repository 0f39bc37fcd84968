#!/bin/sh
set -e
export PGHOST=${DB_HOST:-db}
http_port=${HTTP_PORT:-8000}
until pg_isready; do
  >&2 echo "Waiting for the database"
  sleep 1
done
cmd="uwsgi \
    --http :$http_port --module shop.wsgi \
    --processes ${WORKERS:-16} --harakiri 30 \
"
cat > /tmp/motd << 'EOF'
gunicorn is not started here
EOF
exec $cmd
