"""`--health-path`: health checks on the main address, before Django, its ALLOWED_HOSTS and everything that counts."""

from __future__ import annotations

from nuages.runtime.exchange import Exchange
from nuages.runtime.response import plain


class HealthExchange(Exchange):
    """Answers 200 while balancers should send requests here, as `/-/ready` of the management socket does, else 503.

    It is neither counted nor logged: some balancers ask every second, each of them.
    """

    waiting = False

    def turn(self) -> None:
        """Answer once the whole request has come."""
        if not self.received and not self.request.expects_continue:
            self.waiting = True
            return
        connection, request = self.connection, self.request
        keep_alive = self.received and connection.keeps(request.keep_alive)
        self.status = 200 if self.hub.board.accepts else 503
        data = plain(
            self.status, keep_alive=keep_alive, defaults=connection.server_state.default_headers,
            extra="cache-control: no-store\r\n", body=request.method != "HEAD",
        )  # fmt: skip
        connection.transport.write(data)
        connection.done(self, keep_alive=keep_alive)

    def complete(self) -> None:
        """Answer if it is its turn."""
        super().complete()
        if self.waiting:
            self.waiting = False
            self.turn()

    def end(self) -> None:
        """Count nothing and log nothing."""
        self.ended = True
