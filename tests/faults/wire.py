"""Just enough HTTP/1.1 for a fast server on blocking sockets."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

READ_BYTES = 1 << 18
# On Linux, TCP drops received bytes instead of copying them; elsewhere they are copied and ignored.
DROP = getattr(socket, "MSG_TRUNC", 0)

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Request:
    """A request's head: the body still waits on the wire."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case

    @property
    def length(self) -> int:
        """The body's size on the wire when it is told, else 0."""
        return int(self.headers.get("content-length", 0))

    @property
    def is_framed(self) -> bool:
        """Whether the body comes in chunks, by HTTP's framing or by AWS's own."""
        return "transfer-encoding" in self.headers or self.is_aws_chunked

    @property
    def is_aws_chunked(self) -> bool:
        """Whether the body has AWS's framing inside HTTP's."""
        return "aws-chunked" in self.headers.get("content-encoding", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and a body in pieces, sent by one system call."""

    status: int = 200
    body: Sequence[Buffer] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        """Write the status line and the headers; a Content-Length of its own (HEAD) is kept."""
        length = {"Content-Length": str(sum(map(len, self.body)))}
        lines = [f"{name}: {value}" for name, value in {**length, **self.headers}.items()]
        status = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"
        return "\r\n".join([status, *lines, "", ""]).encode()


class Wire:
    """One connection: heads and bodies in, replies out. Raises ``EOFError`` when the client leaves."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._waiting = b""
        self._scratch = bytearray(1 << 20)

    def read_head(self) -> Request:
        """Read one request up to its empty line, and let a client that asks first go on."""
        first, *rest = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in rest if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if headers.get("expect", "").lower() == "100-continue":
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Request(method, unquote(parts.path), query, headers)

    def read_body(self, request: Request) -> bytes:
        """Read a whole body and take off whatever framing it has."""
        if "transfer-encoding" in request.headers:
            body = b"".join(self._http_chunks())
        else:
            body = self._exactly(request.length)
        return unframe(body) if request.is_aws_chunked else body

    def drop_body(self, request: Request) -> None:
        """Take an unframed body off the wire without keeping it."""
        left = request.length - len(self._waiting)
        self._waiting = self._waiting[request.length :]
        while left > 0:
            got = self._sock.recv_into(self._scratch, min(left, len(self._scratch)), DROP)
            if not got:
                raise EOFError
            left -= got

    def send(self, reply: Reply) -> None:
        """Send a reply, in one system call unless the socket takes less."""
        pieces: list[Buffer] = [reply.head(), *reply.body]
        sent = self._sock.sendmsg(pieces)
        for piece in pieces:
            if sent < len(piece):
                self._sock.sendall(memoryview(piece)[max(sent, 0) :])
            sent -= len(piece)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._waiting:
            self._receive()
        found, _, self._waiting = self._waiting.partition(mark)
        return found

    def _exactly(self, count: int) -> bytes:
        pieces, left = [self._waiting[:count]], count - len(self._waiting)
        self._waiting = self._waiting[count:]
        while left > 0:
            pieces.append(self._sock.recv(min(left, READ_BYTES)))
            if not pieces[-1]:
                raise EOFError
            left -= len(pieces[-1])
        return b"".join(pieces)

    def _receive(self) -> None:
        data = self._sock.recv(READ_BYTES)
        if not data:
            raise EOFError
        self._waiting += data

    def _http_chunks(self) -> list[bytes]:
        chunks = []
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            chunks.append(self._exactly(size))
            self._exactly(2)
        while self._until(b"\r\n"):
            pass  # trailers
        return chunks


def unframe(body: bytes) -> bytes:
    r"""Take off the aws-chunked framing; signatures and trailers are passed over.

    >>> unframe(b"3;chunk-signature=00\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
    b'abcde'
    """
    pieces: list[bytes] = []
    at = 0
    while True:
        line_end = body.index(b"\r\n", at)
        size = int(body[at:line_end].split(b";")[0], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(body[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2
