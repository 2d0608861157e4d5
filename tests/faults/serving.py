"""One service of the fake on a free port, without scripts and doors: for the contract suites."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from tests.faults.calls import Service
from tests.faults.endpoint import identify
from tests.faults.wire import Reply, Request, Wire

Answer = Callable[[Request, bytes], Reply]


@contextlib.contextmanager
def served(answer: Answer) -> Iterator[str]:
    """Listen while the block lasts; yields the address."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener, answer), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def service_at_work(service: Service) -> contextlib.AbstractContextManager[str]:
    """Let one service answer whatever comes."""
    return served(lambda request, body: service.answer(identify(request, body, at=0.0)))


def _accept(listener: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_converse, args=(connection, answer), daemon=True).start()


def _converse(connection: socket.socket, answer: Answer) -> None:
    with connection, contextlib.suppress(EOFError, OSError):
        wire = Wire(connection)
        while True:
            request = wire.read_head()
            wire.send(answer(request, wire.read_body(request)))
