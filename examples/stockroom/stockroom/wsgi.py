"""The WSGI application that uwsgi.ini serves."""

import os
import sys
from pathlib import Path

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stockroom.settings.production")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "apps"))


class BehindBalancer:
    """Believe the load balancer about the scheme, and note which machine answered."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        if environ.get("HTTP_X_FORWARDED_SSL") == "on":
            environ["wsgi.url_scheme"] = "https"

        def start_with_name(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Served-By", "stockroom")], exc_info)

        return self.application(environ, start_with_name)


application = BehindBalancer(get_wsgi_application())
