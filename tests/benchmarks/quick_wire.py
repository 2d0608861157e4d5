"""A wire that knows BatchWriteItem by a look at its head.

A client that writes 25 items in a few dozen microseconds would wait for a server that makes a dictionary of
every request's headers.
"""

from __future__ import annotations

from tests.faults.wire import Wire

END = b"\r\n\r\n"
OPERATION = b"\r\nx-amz-target: dynamodb_20120810.batchwriteitem\r\n"
LENGTH = b"\r\ncontent-length: "
UNUSUAL = (b"\r\nexpect:", b"\r\ntransfer-encoding:", b"\r\ncontent-encoding:")


class QuickWire(Wire):
    """Takes batches whole; every other request goes the ordinary way."""

    def read_batch(self) -> bytes | None:
        """The body of the next request if it is a BatchWriteItem of the usual form, else None.

        None leaves the request on the wire. Raises ``EOFError`` when the client leaves.
        """
        while (end := self._waiting.find(END)) < 0:
            self._receive()
        head = self._waiting[: end + 2].lower()
        at = head.find(LENGTH)
        if at < 0 or OPERATION not in head or any(mark in head for mark in UNUSUAL):
            return None
        at += len(LENGTH)
        length = int(head[at : head.index(b"\r\n", at)])
        self._waiting = self._waiting[end + len(END) :]
        return self._exactly(length)

    def send_whole(self, reply: bytes) -> None:
        """Send a reply that is written already."""
        self._sock.sendall(reply)
