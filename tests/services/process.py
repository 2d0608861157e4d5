"""Start a server as a child process and be sure that it ends."""

import contextlib
import ctypes
import http.client
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1
START_SECONDS = 90.0
STOP_SECONDS = 10.0
ATTEMPTS = 3

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class DidNotStart(RuntimeError):
    """A server ended or stayed silent; the message has the end of its log."""


@contextlib.contextmanager
def server(name: str, command: Callable[[int], Sequence[str]]) -> Iterator[str]:
    """Run ``command(port)`` on a free port and yield its URL once it answers HTTP.

    Another program may take the port between our choice and the server's bind, so a failed
    start is tried again on another one.
    """
    with contextlib.ExitStack() as stack:
        yield _started(stack, name, command)


def _started(stack: contextlib.ExitStack, name: str, command: Callable[[int], Sequence[str]]) -> str:
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(DidNotStart):
            return stack.enter_context(_one_server(name, command))
    return stack.enter_context(_one_server(name, command))


@contextlib.contextmanager
def _one_server(name: str, command: Callable[[int], Sequence[str]]) -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command(port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone; the children are ended below
            preexec_fn=_end_with_parent,  # noqa: PLW1509  one system call, no lock, no allocation
        )
        try:
            _wait_until_it_answers(name, child, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            _stop(child)


def free_port() -> int:
    """A loopback port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_with_parent() -> None:
    """Ask Linux to end this child when the thread that started it ends, however that happens."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_until_it_answers(name: str, child: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if _answers(port) and child.poll() is None:
            return
        time.sleep(0.05)
    why = "is silent" if child.poll() is None else f"ended with {child.returncode}"
    log.seek(0)
    text = log.read()[-2000:].decode(errors="replace")
    raise DidNotStart(f"{name} {why} on port {port}\n{text}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
