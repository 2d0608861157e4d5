"""A proxy before DynamoDB Local that notes every Scan, and can hold or spoil a reply.

It shows what was read from the table, whatever became of the process that read it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HELD_AT_MOST_SECONDS = 120
NEVER = 10**9


@dataclass(frozen=True, slots=True)
class Scan:
    """One Scan that was answered, or would have been."""

    start_key: str | None
    scanned: int
    spoiled: bool


class Recorder(ThreadingHTTPServer):
    """Passes calls on; ``hold_from`` holds the replies of all Scans from this number on."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.scans: list[Scan] = []
        self.faults: Mapping[int, str] = {}
        self._hold_from = NEVER
        self._held = threading.Event()
        self._let_go = threading.Event()

    def spoil(self, faults: Mapping[int, str]) -> None:
        """Spoil Scans by number: ``cut`` ends the connection within the body, ``drop`` before any answer."""
        self.faults = faults

    def hold_from(self, number: int) -> None:
        """From now on hold the replies of Scans that come after so many."""
        self._held.clear()
        self._let_go.clear()
        self._hold_from = number

    def wait_until_held(self, process: subprocess.Popen[str]) -> None:
        """Return once a Scan of this process waits for its reply."""
        for _ in range(HELD_AT_MOST_SECONDS * 10):
            if self._held.wait(0.1):
                return
            assert process.poll() is None, f"it ended first: {process.communicate()}"
        raise AssertionError("no Scan came that far")

    def let_go(self) -> None:
        """Send what was held, and hold nothing more."""
        self._hold_from = NEVER
        self._let_go.set()

    def scanned(self) -> int:
        """Items evaluated by all Scans so far."""
        with self.lock:
            return sum(scan.scanned for scan in self.scans)

    def take(self, request: bytes, reply: bytes) -> str | None:
        """Note a Scan, hold it if that is asked; returns how to spoil it."""
        with self.lock:
            fault = self.faults.get(len(self.scans))
            start = json.loads(request).get("ExclusiveStartKey")
            scanned = json.loads(reply).get("ScannedCount", 0)
            self.scans.append(Scan(json.dumps(start) if start else None, scanned, fault is not None))
            held = len(self.scans) > self._hold_from
        if held:
            self._held.set()
            self._let_go.wait(HELD_AT_MOST_SECONDS)
        return fault

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: processes are killed here on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        connection.request("POST", self.path, body, dict(self.headers.items()))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        fault = None
        if self.headers.get("X-Amz-Target", "").endswith(".Scan"):
            fault = self.server.take(body, content)
        if fault != "drop":
            self.answer(response, content, content[: len(content) // 2] if fault == "cut" else content)
        self.close_connection = fault is not None

    def answer(self, response: http.client.HTTPResponse, content: bytes, sent: bytes) -> None:
        self.send_response_only(response.status, response.reason)
        for name in ("Content-Type", "x-amz-crc32", "x-amzn-RequestId"):
            if value := response.headers.get(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing."""


@contextlib.contextmanager
def recorder(upstream: str) -> Iterator[Recorder]:
    """Serve from a thread of this process."""
    server = Recorder(upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.let_go()
        server.shutdown()
        server.server_close()
        thread.join()
