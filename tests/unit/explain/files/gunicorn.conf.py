import multiprocessing
import os

wsgi_app = "shop.wsgi:application"
bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
workers = int(os.getenv("WEB_CONCURRENCY", multiprocessing.cpu_count() * 2 + 1))
threads = 1
worker_class = "sync"
timeout = 300
graceful_timeout = 30
keepalive = 5
max_requests, jitter = 1000, 50
max_requests_jitter = 50
preload_app = True
forwarded_allow_ips = "*"
accesslog = "-"
loglevel = os.environ.get("LOG_LEVEL", "info")
raw_env = [
    "DJANGO_SETTINGS_MODULE=shop.settings.production",
    "STRIPE_KEY=not-for-the-log",
]
max_worker_memory = 400

if os.environ.get("DEBUG"):
    reload = True


def post_fork(server, worker):
    server.log.info("worker %s", worker.pid)


def post_worker_init(worker):
    from shop import prices

    prices.warm()


def child_exit(server, worker):
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
