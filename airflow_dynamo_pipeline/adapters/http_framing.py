"""As much of HTTP/1.1 as one POST after another needs, over connections that are kept.

Everything that goes wrong on the way is raised as the exception botocore's own session would raise.
"""

from __future__ import annotations

import http.client
import re
import select
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, NoReturn, cast

from botocore import exceptions as boto

if TYPE_CHECKING:
    from io import BufferedReader

MAX_BODY_BYTES = 32 << 20  # twice the largest reply DynamoDB knows (16 MB), and no more of a broken one
MAX_LINE_BYTES = 1 << 16
MAX_HEADERS = 100
BUFFER_BYTES = 1 << 16
CONTINUE = 100
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class OddReplyError(Exception):
    """A reply that this module does not read; a better HTTP client may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where connections lead, and how long they may take, in seconds. ``tls`` is None for plain HTTP."""

    url: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    connect_timeout: float | None
    read_timeout: float | None
    keep_alive_probes: bool = False


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole reply; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reusable: bool = False  # whether the connection may be used again


class Connections:
    """Connections to one address; each serves one thread at a time and is kept for the next call."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: deque[_Connection] = deque()

    def exchange(self, head: bytes, body: bytes) -> HttpReply:
        """Send one request, once, and read its reply; raises botocore's exceptions and OddReplyError."""
        connection = self._kept() or _Connection(_connected(self._address), self._address)
        try:
            reply = connection.exchange(head, body)
        except BaseException:
            connection.close()
            raise
        if reply.reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    def _kept(self) -> _Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not connection.has_ended():
                return connection
            connection.close()


class _Connection:
    def __init__(self, connected: socket.socket, address: Address) -> None:
        self._url = address.url
        self._socket = connected
        self._read_timeout = address.read_timeout
        self._socket.settimeout(self._read_timeout)
        self._reader = cast("BufferedReader", self._socket.makefile("rb", BUFFER_BYTES))
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._reader.close()
        self._socket.close()

    def has_ended(self) -> bool:
        """Whether the other side has closed it, or said something that nobody asked for."""
        return bool(self._poll.poll(0))

    def _has_more(self) -> bool:
        """Whether bytes came after a reply: the next call would take them for its own."""
        self._socket.setblocking(False)  # noqa: FBT003
        try:
            return bool(self._reader.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self._socket.settimeout(self._read_timeout)

    def exchange(self, head: bytes, body: bytes) -> HttpReply:
        """Send a request and read the reply."""
        url = self._url
        try:
            self._socket.sendall(head + body)
            reply = read_reply(self._reader)
            return replace(reply, reusable=reply.reusable and not self._has_more())
        except TimeoutError as error:
            raise boto.ReadTimeoutError(endpoint_url=url, error=error) from error
        except EOFError as error:
            raise boto.ConnectionClosedError(endpoint_url=url, error=error, request=None) from error
        except ssl.SSLError as error:
            raise boto.SSLError(endpoint_url=url, error=error) from error
        except OSError as error:
            raise boto.ConnectionClosedError(endpoint_url=url, error=error, request=None) from error


def _connected(address: Address) -> socket.socket:
    """A socket with TLS, if it is wanted, and without Nagle's algorithm (http.client switches it off)."""
    where = (address.host, address.port)
    if address.tls is None:
        plain = http.client.HTTPConnection(*where, timeout=address.connect_timeout)
    else:
        plain = http.client.HTTPSConnection(*where, timeout=address.connect_timeout, context=address.tls)
    try:
        plain.connect()
    except TimeoutError as error:
        raise boto.ConnectTimeoutError(endpoint_url=address.url, error=error) from error
    except ssl.SSLError as error:
        raise boto.SSLError(endpoint_url=address.url, error=error) from error
    except OSError as error:
        raise boto.EndpointConnectionError(endpoint_url=address.url, error=error) from error
    if address.keep_alive_probes:
        plain.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    found: socket.socket = plain.sock
    return found


def read_reply(reader: IO[bytes]) -> HttpReply:
    """Read one reply; raises EOFError before its first byte, IncompleteReadError within, OddReplyError."""
    status, is_current = _status(reader)
    headers = _headers(reader)
    while status == CONTINUE:
        status, is_current = _status(reader)
        headers = _headers(reader)
    if "transfer-encoding" in headers:
        body = _chunked(reader, headers)
    else:
        body = _exactly(reader, _announced(headers))
    words = [word.strip().lower() for word in headers.get("connection", "").split(",")]
    reusable = is_current and "close" not in words
    return HttpReply(status, headers, body, reusable)


def _status(reader: IO[bytes]) -> tuple[int, bool]:
    """The status, and whether the reply is of HTTP/1.1."""
    line = reader.readline(MAX_LINE_BYTES)
    if not line:
        raise EOFError("the connection was closed before any reply")
    version, _, rest = line.partition(b" ")
    status = rest[:3]
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not (len(status) == len(b"200") and status.isdigit()):
        _odd(f"begins with {line[:40]!r}")
    if int(status) < CONTINUE or CONTINUE < int(status) < http.client.OK:
        _odd(f"has the status {int(status)}")
    return int(status), version == b"HTTP/1.1"


def _headers(reader: IO[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = reader.readline(MAX_LINE_BYTES)
        if line == b"\r\n":
            return found
        if not line.endswith(b"\n"):
            raise boto.IncompleteReadError(actual_bytes=len(line), expected_bytes=len(line) + 2)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name[-1].isspace() or name[0].isspace():
            _odd("has a line among its headers that is none")
        name, text = name.lower(), value.strip()
        found[name] = f"{found[name]}, {text}" if name in found else text
    raise OddReplyError(f"a reply has more than {MAX_HEADERS} headers")


def _announced(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "")
    if not (text.isascii() and text.isdigit()):
        _odd(f"has the length {text!r}")
    return int(text)


def _exactly(reader: IO[bytes], count: int) -> bytes:
    if count > MAX_BODY_BYTES:
        _odd(f"has {count:,} bytes, more than {MAX_BODY_BYTES:,}")
    body = reader.read(count)
    if len(body) < count:
        raise boto.IncompleteReadError(actual_bytes=len(body), expected_bytes=count)
    return body


def _chunked(reader: IO[bytes], headers: Mapping[str, str]) -> bytes:
    if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
        _odd(f"is framed as {headers['transfer-encoding']!r}")
    chunks: list[bytes] = []
    left = MAX_BODY_BYTES
    while size := _chunk_size(reader):
        if size > left:
            _odd(f"has more than {MAX_BODY_BYTES:,} bytes")
        left -= size
        chunks.append(_exactly(reader, size))
        if _exactly(reader, 2) != b"\r\n":
            _odd("has a chunk that is longer than it says")
    _headers(reader)  # trailers
    return b"".join(chunks)


def _chunk_size(reader: IO[bytes]) -> int:
    line = reader.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise boto.IncompleteReadError(actual_bytes=len(line), expected_bytes=len(line) + 2)
    text = line.partition(b";")[0].strip()
    if not CHUNK_SIZE.fullmatch(text):
        _odd("has a chunk without a size")
    return int(text, 16)


def _odd(what: str) -> NoReturn:
    raise OddReplyError(f"a reply {what}")
