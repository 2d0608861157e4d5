"""As much of HTTP/1.1 as the replies to one POST after another need."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from botocore import exceptions as boto

from airflow_dynamo_pipeline.items.page import ReplyText

MAX_BODY_BYTES = 32 << 20  # twice the largest reply DynamoDB knows (16 MB), and no more of a broken one
MAX_HEAD_BYTES = 1 << 16
MAX_HEADERS = 100
MOST_DIGITS = 10  # of a length
CONTINUE = 100
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
HTTP_1_1 = "HTTP/1.1 "
VERSIONS = (HTTP_1_1, "HTTP/1.0 ")
KEEP_ALIVE = "keep-alive"
HEAD_END = b"\r\n\r\n"
LINE_END = b"\r\n"


class OddReplyError(Exception):
    """A reply that this module does not read; a better HTTP client may."""


class HttpReply(NamedTuple):
    """A whole reply; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: ReplyText
    reusable: bool = False  # whether the connection may be used again


class Incoming:
    """What comes over one connection. A small reply is one call of ``receive``."""

    def __init__(
        self, receive: Callable[[int], bytes], receive_into: Callable[[memoryview], int | None]
    ) -> None:
        """Take the connection's ``recv`` and ``recv_into``: no bytes, or 0, are its end."""
        self._receive = receive
        self._receive_into = receive_into
        self._held = b""

    @property
    def has_more(self) -> bool:
        """Whether more has come than was asked for."""
        return bool(self._held)

    def until(self, end: bytes) -> bytes:
        """All up to and with ``end``; raises IncompleteReadError when the connection ends before it.

        Without a single byte it raises EOFError.
        """
        while (at := self._held.find(end)) < 0:
            if len(self._held) > MAX_HEAD_BYTES:
                odd(f"has more than {MAX_HEAD_BYTES:,} bytes before its body")
            more = self._receive(MAX_HEAD_BYTES)
            if not more:
                count = len(self._held)
                if not count:
                    raise EOFError("the connection was closed before any reply")
                raise boto.IncompleteReadError(actual_bytes=count, expected_bytes=count + len(end))
            self._held += more
        at += len(end)
        found, self._held = self._held[:at], self._held[at:]
        return found

    def exactly(self, count: int) -> ReplyText:
        """So many bytes; raises IncompleteReadError when the connection ends before."""
        if count <= len(self._held):
            found, self._held = self._held[:count], self._held[count:]
            return found
        if count > MAX_BODY_BYTES:
            odd(f"has {count:,} bytes, more than {MAX_BODY_BYTES:,}")
        whole = bytearray(count)
        have = len(self._held)
        whole[:have], self._held = self._held, b""
        with memoryview(whole) as view:
            while have < count:
                got = self._receive_into(view[have:])
                if not got:
                    raise boto.IncompleteReadError(actual_bytes=have, expected_bytes=count)
                have += got
        return whole


def read_reply(incoming: Incoming) -> HttpReply:
    """Read one reply; raises EOFError before its first byte, IncompleteReadError within, OddReplyError."""
    status, is_current, headers = _head(incoming)
    while status == CONTINUE:
        status, is_current, headers = _head(incoming)
    if "transfer-encoding" in headers:
        body = _chunked(incoming, headers)
    else:
        body = incoming.exactly(_announced(headers))
    words = headers.get("connection", KEEP_ALIVE)
    stays = words == KEEP_ALIVE or "close" not in [word.strip().lower() for word in words.split(",")]
    return HttpReply(status, headers, body, is_current and stays and not incoming.has_more)


def _head(incoming: Incoming) -> tuple[int, bool, dict[str, str]]:
    """The status, whether the reply is of HTTP/1.1, and its headers."""
    text = incoming.until(HEAD_END).decode("latin-1")
    first, *lines = text[: -len(HEAD_END)].split("\r\n")
    if text.count("\n") != len(lines) + 2:
        odd("has a line among its headers that does not end as it should")
    version, status = first[:9], first[9:12]
    if version not in VERSIONS or not status.isdecimal() or first[12:13].isdecimal():
        odd(f"begins with {first[:40]!r}")
    number = int(status)
    if number < CONTINUE or CONTINUE < number < http.client.OK:
        odd(f"has the status {number}")
    return number, version == HTTP_1_1, _headers(lines)


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > MAX_HEADERS:
        odd(f"has more than {MAX_HEADERS} headers")
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            odd("has a line among its headers that is none")
        name, text = name.lower(), value.strip()
        found[name] = text if name not in found else f"{found[name]}, {text}"
    return found


def _announced(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "")
    if not text.isdecimal() or len(text) > MOST_DIGITS:  # of Latin-1 these are 0 to 9
        odd(f"has the length {text[:40]!r}")
    return int(text)


def _chunked(incoming: Incoming, headers: Mapping[str, str]) -> ReplyText:
    if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
        odd(f"is framed as {headers['transfer-encoding']!r}")
    chunks: list[ReplyText] = []
    left = MAX_BODY_BYTES
    while size := _chunk_size(incoming):
        if size > left:
            odd(f"has more than {MAX_BODY_BYTES:,} bytes")
        left -= size
        chunks.append(incoming.exactly(size))
        if incoming.exactly(len(LINE_END)) != LINE_END:
            odd("has a chunk that is longer than it says")
    _skip_trailers(incoming)
    return b"".join(chunks)


def _skip_trailers(incoming: Incoming) -> None:
    for _ in range(MAX_HEADERS):
        if _line(incoming) == LINE_END:
            return
    odd(f"has more than {MAX_HEADERS} trailers")


def _chunk_size(incoming: Incoming) -> int:
    text = _line(incoming).partition(b";")[0].strip()
    if not CHUNK_SIZE.fullmatch(text):
        odd("has a chunk without a size")
    return int(text, 16)


def _line(incoming: Incoming) -> bytes:
    try:
        return incoming.until(LINE_END)
    except EOFError as end:
        raise boto.IncompleteReadError(actual_bytes=0, expected_bytes=len(LINE_END)) from end


def odd(what: str) -> NoReturn:
    """Say what a reply is or has that is not read here."""
    raise OddReplyError(f"a reply {what}")
