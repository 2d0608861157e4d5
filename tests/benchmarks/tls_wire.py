"""The same wire inside TLS, as clients of AWS always have it."""

from __future__ import annotations

from tests.benchmarks.quick_wire import QuickWire
from tests.faults.wire import Reply, Request


class TlsWire(QuickWire):
    """A TLS socket knows neither flags nor several buffers at once."""

    def drop_body(self, request: Request) -> None:
        """Decrypt an unframed body without keeping it."""
        left = request.length - len(self._waiting)
        self._waiting = self._waiting[request.length :]
        while left > 0:
            got = self._sock.recv_into(self._scratch, min(left, len(self._scratch)))
            if not got:
                raise EOFError
            left -= got

    def send(self, reply: Reply) -> None:
        """Send a reply, piece by piece."""
        for piece in (reply.head(), *reply.body):
            self._sock.sendall(piece)
