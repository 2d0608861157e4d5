"""Connections that are kept: each serves one thread at a time, and one call after the other.

Everything that goes wrong on the way is raised as the exception botocore's own session would raise.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections import deque
from dataclasses import dataclass

from botocore import exceptions as boto

from airflow_dynamo_pipeline.adapters.http_framing import HttpReply, Incoming, read_reply


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
        self._socket.settimeout(address.read_timeout)
        self._incoming = Incoming(self._socket.recv, self._socket.recv_into)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._decrypted = connected.pending if isinstance(connected, ssl.SSLSocket) else None

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._socket.close()

    def has_ended(self) -> bool:
        """Whether the other side has closed it, or said something that nobody asked for."""
        return bool(self._poll.poll(0)) or (self._decrypted is not None and self._decrypted() > 0)

    def exchange(self, head: bytes, body: bytes) -> HttpReply:
        """Send a request and read the reply."""
        url = self._url
        try:
            self._socket.sendall(head + body)
            return read_reply(self._incoming)
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
