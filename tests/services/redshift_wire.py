"""A door to PostgreSQL for Redshift's driver, which greets with parameters that PostgreSQL refuses."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from socketserver import BaseRequestHandler, ThreadingTCPServer

KNOWN = frozenset({b"user", b"database", b"application_name", b"client_encoding"})
PROTOCOL = 196608  # 3.0; whatever else comes first, as a request to cancel, passes unchanged
HEAD_BYTES = 8
READ_BYTES = 64 * 1024


@contextlib.contextmanager
def redshift_wire(port: int) -> Iterator[int]:
    """Listen before the PostgreSQL at a loopback port; yields the port for Redshift's driver."""
    with _Door(("127.0.0.1", 0), _Handler) as door:
        door.behind = port
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield door.server_address[1]
        finally:
            door.shutdown()
            thread.join()


class _Door(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    behind = 0


class _Handler(BaseRequestHandler):
    server: _Door

    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server.behind)) as up:
            for one in (up, self.request):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up.sendall(_greeting(self.request))
            back = threading.Thread(target=_pass_on, args=(up, self.request), daemon=True)
            back.start()
            _pass_on(self.request, up)
            back.join()


def _greeting(client: socket.socket) -> bytes:
    """The first message of a client, without what PostgreSQL does not know."""
    length, code = struct.unpack("!II", _exactly(client, HEAD_BYTES))
    body = _exactly(client, length - HEAD_BYTES)
    if code != PROTOCOL:
        return struct.pack("!II", length, code) + body
    words = body.rstrip(b"\0").split(b"\0")
    pairs = [pair for pair in zip(words[::2], words[1::2], strict=False) if pair[0] in KNOWN]
    body = b"".join(name + b"\0" + value + b"\0" for name, value in pairs) + b"\0"
    return struct.pack("!II", len(body) + HEAD_BYTES, code) + body


def _exactly(client: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        piece = client.recv(length - len(found))
        if not piece:
            raise ConnectionError("the client went before it had greeted")
        found += piece
    return found


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy until the source ends, and say so to the target."""
    with contextlib.suppress(OSError):
        while piece := source.recv(READ_BYTES):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
