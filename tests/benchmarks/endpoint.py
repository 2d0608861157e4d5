"""The synthetic endpoint: DynamoDB and S3 on one port, in a process of its own.

One thread for each connection and blocking sockets: a page leaves in one system call, an upload is dropped
by the kernel, so that the endpoint's CPU is a small part of any client's. It models no latency, no limits
and no partitions, and it verifies neither signatures nor the checksums of uploads that are dropped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.tables import Pages, Tables
from tests.faults.s3 import requests as s3_requests
from tests.faults.s3.bodies import Body, Dropped
from tests.faults.s3.objects import Bucket, Buckets
from tests.faults.wire import Reply, Request, Wire

HOST = "127.0.0.1"
STATS_PATH = "/__stats"
ROOT = Path(__file__).parents[2]
PAGES = 16  # 24 MB of JSON kept
KEPT_BYTES = 1 << 20  # uploads of this size and above are dropped
REGION = "eu-west-1"


class AnyBucket(Buckets):
    """Whatever bucket is asked for is there, whatever the region, and says nothing of encryption."""

    def find(self, name: str, request: Request | None = None) -> Bucket:
        return self._buckets.setdefault(name, Bucket(name, REGION, encryption={}))


class Server:
    """Accepts connections until the process ends."""

    def __init__(self, pages: int) -> None:
        self.tables = Tables(Pages(pages))
        self.buckets = AnyBucket(lambda: datetime.now(UTC), kept_bytes=KEPT_BYTES)

    def serve(self, listener: socket.socket) -> None:
        """Give each connection a thread."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(EOFError, ConnectionError):
            wire = Wire(connection)
            while True:
                wire.send(self._answer(wire.read_head(), wire))

    def _answer(self, request: Request, wire: Wire) -> Reply:
        if request.path == STATS_PATH:
            return Reply(200, [json.dumps(self._stats()).encode()])
        target = request.headers.get("x-amz-target")
        if target:
            return self.tables.answer(target.rpartition(".")[2], json.loads(wire.read_body(request)))
        return s3_requests.answer(self.buckets, request, receive(request, wire))

    def _stats(self) -> dict[str, float]:
        used = {"cpu_seconds": time.process_time(), "page_json_bytes": self.tables.pages.page_json_bytes}
        shape = {"items_per_page": self.tables.pages.items_per_page, "items": self.tables.pages.items}
        return {**asdict(self.tables.counts), **used, **shape, "uploaded_bytes": self.buckets.uploaded_bytes}


def receive(request: Request, wire: Wire) -> Body:
    """Take a body off the wire; one that is too big to keep is not even copied, unless it is framed."""
    if request.is_framed or request.length < KEPT_BYTES:
        return wire.read_body(request)
    wire.drop_body(request)
    return Dropped(request.length)


@dataclass(frozen=True, slots=True)
class Stats:
    """What the endpoint has done so far, and the shape of its pages."""

    scans: int
    scan_items: int
    scan_bytes: int
    uploaded_bytes: int
    cpu_seconds: float
    page_json_bytes: int
    items_per_page: int
    items: int  # after so many they repeat


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running endpoint."""

    url: str

    def stats(self) -> Stats:
        """Ask for the counters."""
        with urllib.request.urlopen(self.url + STATS_PATH) as reply:
            return Stats(**json.load(reply))


@contextlib.contextmanager
def running_endpoint(pages: int = PAGES) -> Iterator[Endpoint]:
    """Run an endpoint in its own process while the block lasts."""
    command = [sys.executable, "-m", "tests.benchmarks.endpoint", "--pages", str(pages)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield Endpoint(process.stdout.readline().strip())
        finally:
            process.terminate()


def main() -> None:
    """Serve on a free port and print the address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    server = Server(arguments.pages)
    with socket.create_server((HOST, arguments.port), backlog=128) as listener:
        print(f"http://{HOST}:{listener.getsockname()[1]}", flush=True)
        server.serve(listener)


if __name__ == "__main__":
    main()
