"""A proxy that remembers every call of a service, and holds back the replies a test wants held."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
PATIENCE_SECONDS = 600.0  # for a call that must come
HELD_AT_MOST_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request and, of DynamoDB's, what it asked and got."""

    method: str
    path: str
    operation: str  # of DynamoDB; "" at S3
    asked: dict[str, Any]
    got: dict[str, Any]


Wanted = Callable[[Call], bool]


@dataclass(slots=True)
class Hold:
    """Replies that do not reach their callers before ``release``, although the service has done its work."""

    wanted: Wanted
    passing: int = 0  # so many of them are let through first
    _waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _go: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, calls: int) -> None:
        """Return when so many replies are held; raises TimeoutError."""
        for number in range(calls):
            if not self._waiting.acquire(timeout=PATIENCE_SECONDS):
                raise TimeoutError(f"{number} of {calls} calls came to be held")

    def release(self) -> None:
        """Let go what is held, and hold nothing any more."""
        self._go.set()

    def takes(self, call: Call) -> bool:
        """Whether this one is to be held; asked once for each call, by one thread at a time."""
        if not self.wanted(call):
            return False
        self.passing -= 1
        return self.passing < 0

    def keep(self) -> None:
        """Called with a reply in hand."""
        if not self._go.is_set():
            self._waiting.release()
            self._go.wait(HELD_AT_MOST_SECONDS)


class Tap:
    """What passed through one proxy."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._holds: list[Hold] = []

    def calls(self, wanted: Wanted) -> list[Call]:
        """The calls so far, in the order of their replies."""
        with self._lock:
            return [call for call in self._calls if wanted(call)]

    def hold(self, wanted: Wanted, *, passing: int = 0) -> Hold:
        """Hold the replies of such calls from now on, or after some that are let through."""
        hold = Hold(wanted, passing)
        with self._lock:
            self._holds.append(hold)
        return hold

    def release_all(self) -> None:
        """Nothing waits any more."""
        with self._lock:
            holds = list(self._holds)
        for hold in holds:
            hold.release()

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> urllib3.BaseHTTPResponse:
        """Pass a request on, note it, and hold its reply if that is wanted."""
        reply = self._pool.request(
            method, self._upstream + path, headers=headers, body=body, redirect=False, decode_content=False
        )
        call = _call(method, path, headers.get("X-Amz-Target", ""), body, reply.data)
        with self._lock:
            self._calls.append(call)
            holds = [hold for hold in self._holds if hold.takes(call)]
        for hold in holds:
            hold.keep()
        return reply


def _call(method: str, path: str, target: str, body: bytes, reply: bytes) -> Call:
    if not target:
        return Call(method, path.partition("?")[0], "", {}, {})
    return Call(method, path, target.rpartition(".")[2], json.loads(body), json.loads(reply))


@contextlib.contextmanager
def tapped(upstream: str) -> Iterator[tuple[str, Tap]]:
    """Serve a proxy of ``upstream`` from threads of this process; yields its URL and what it sees."""
    tap = Tap(upstream)
    listener = _Listener(tap)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}", tap
    finally:
        tap.release_all()
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # clients that keep their connections open do not hold up the end
    request_queue_size = 128

    def __init__(self, tap: Tap) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tap = tap


class _Handler(BaseHTTPRequestHandler):
    """One client connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            reply = self.server.tap.ask(self.command, self.path, headers, body)
        except urllib3.exceptions.HTTPError as error:
            self.send_error(502, explain=repr(error))
            return
        with contextlib.suppress(ConnectionError):  # whoever asked may have been killed meanwhile
            self._answer(reply)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815  the base class looks for these

    def _answer(self, reply: urllib3.BaseHTTPResponse) -> None:
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = reply.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(reply.data))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(reply.data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing: one line per call would drown the tests' own output."""
