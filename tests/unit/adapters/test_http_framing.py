from __future__ import annotations

import io

import pytest
from botocore import exceptions as boto

from airflow_dynamo_pipeline.adapters.http_framing import (
    MAX_BODY_BYTES,
    HttpReply,
    Incoming,
    OddReplyError,
    read_reply,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def incoming(text: bytes, most: int = 1 << 20) -> Incoming:
    """A connection that brings this text, at most so many bytes at a time."""
    stream = io.BytesIO(text)
    return Incoming(lambda count: stream.read(min(count, most)), lambda view: stream.readinto(view[:most]))


def read(text: bytes) -> HttpReply:
    return read_reply(incoming(text))


def test_a_body_is_as_long_as_announced() -> None:
    reply = read(HEAD + b"Content-Length: 3\r\nX-Amz-Crc32:  7 \r\n\r\nabc")

    assert HttpReply(200, {"content-length": "3", "x-amz-crc32": "7"}, b"abc", reusable=True) == reply


@pytest.mark.parametrize("most", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("kept", [True, False])
def test_a_reply_may_come_in_pieces_and_another_after_it(most: int, kept: bool) -> None:
    long = bytes(range(256)) * 5
    connection = incoming(
        HEAD + b"Content-Length: 1280\r\n\r\n" + long + CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + HEAD * kept, most
    )

    bodies = [read_reply(connection).body for _ in range(2)]

    assert [long, b"abc"] == bodies


def test_a_connection_over_which_more_comes_than_was_announced_is_not_used_again() -> None:
    connection = incoming(HEAD + b"Content-Length: 3\r\n\r\nabcHTTP/1.1")

    reply = read_reply(connection)

    assert (b"abc", False) == (reply.body, reply.reusable)
    assert b"HTTP/1.1" == connection.exactly(8)


def test_an_empty_body_is_a_body() -> None:
    assert b"" == read(HEAD + b"Content-Length: 0\r\n\r\n").body


def test_chunks_their_extensions_and_trailers_are_taken_off() -> None:
    connection = incoming(CHUNKED + b"3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX-Late: 1\r\n\r\nrest")

    assert b"abc0123456789" == read_reply(connection).body
    assert b"rest" == connection.exactly(4)


def test_the_reply_after_a_continue_is_the_reply() -> None:
    assert 200 == read(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n").status


@pytest.mark.parametrize(
    ("first", "more", "reusable"),
    [
        (b"HTTP/1.1 200 OK", b"", True),
        (b"HTTP/1.1 200", b"", True),
        (b"HTTP/1.0 200 OK", b"", False),
        (b"HTTP/1.1 200 OK", b"Connection: Close\r\n", False),
        (b"HTTP/1.1 200 OK", b"Connection: keep-alive\r\n", True),
    ],
)
def test_a_connection_is_used_again_unless_it_ends(first: bytes, more: bytes, reusable: bool) -> None:
    assert reusable == read(first + b"\r\nContent-Length: 0\r\n" + more + b"\r\n").reusable


def test_no_reply_is_the_end() -> None:
    with pytest.raises(EOFError):
        read(b"")


@pytest.mark.parametrize(
    "text",
    [
        HEAD + b"Content-Le",
        HEAD + b"Content-Length: 3\r\n",
        HEAD + b"Content-Length: 3\r\n\r\nab",
        CHUNKED,
        CHUNKED + b"3",
        CHUNKED + b"3\r\nab",
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n",
    ],
)
def test_a_reply_that_is_cut_is_incomplete(text: bytes) -> None:
    with pytest.raises(boto.IncompleteReadError):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"garbage\r\n\r\n",
        HEAD + b"\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: +1\r\n\r\na",
        HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"Space : 1\r\n\r\n",
        HEAD + b" folded: 1\r\n\r\n",
        HEAD + b"A: 1\r\n" * 200 + b"\r\n",
        HEAD + b"A: 1\nB: 2\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 ²00 OK\r\nContent-Length: 0\r\n\r\n".encode("latin-1"),
        "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\nab".encode("latin-1"),
        HEAD + b"A: " + b"x" * 100_000,
        HEAD + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
        CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"+1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_plain_http_is_odd(text: bytes) -> None:
    with pytest.raises(OddReplyError, match="a reply"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(),
        CHUNKED + f"{MAX_BODY_BYTES + 1:x}\r\n".encode(),
        CHUNKED + b"1\r\na\r\n" + f"{MAX_BODY_BYTES:x}\r\n".encode(),
    ],
)
def test_a_body_without_end_is_not_read(text: bytes) -> None:
    with pytest.raises(OddReplyError, match="bytes"):
        read(text)
