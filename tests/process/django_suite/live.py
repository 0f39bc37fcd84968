"""`LiveServerTestCase` with our server in the place of wsgiref's."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import testcases

from django_suite.background import Background


class LiveServerThread(testcases.LiveServerThread):
    """Serves with our protocol; its own thread only waits for our loop's."""

    def run(self) -> None:
        """Start the server; it runs in threads of its own."""
        try:
            application = self.static_handler(testcases._MediaFilesHandler(WSGIHandler()))
            overrides = self.connections_override or {}

            def shared(environ: dict[str, Any], start_response: Any) -> Any:
                for alias, connection in overrides.items():
                    connections[alias] = connection
                return application(environ, start_response)

            self.background = Background(wsgi=shared, host=self.host, port=self.port)
            self.port = self.background.address[1]
        except Exception as error:  # noqa: BLE001 - LiveServerTestCase raises it
            self.error = error
        self.is_ready.set()

    def terminate(self) -> None:
        """End the server."""
        if hasattr(self, "background"):
            self.background.close()
        self.join()


def install() -> None:
    """Let every LiveServerTestCase use our server."""
    testcases.LiveServerTestCase.server_thread_class = LiveServerThread
