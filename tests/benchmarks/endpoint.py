"""The synthetic endpoint: DynamoDB and S3 on one port, in a process of its own.

One thread for each connection and blocking sockets: a page leaves in one system call, an upload is dropped
by the kernel, so that the endpoint's CPU is a small part of any client's. It models no limits and
no partitions, no latency unless asked for, and it verifies neither signatures nor the checksums of uploads
that are dropped. Writes are counted and forgotten (``writes``); backups to import are made when they are
first named (``backups``).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.backups import MADE_AT, Backup, make
from tests.benchmarks.quick_wire import QuickWire
from tests.benchmarks.tables import Pages, Tables
from tests.benchmarks.tls_wire import TlsWire
from tests.benchmarks.worker import BUCKET, REGION
from tests.benchmarks.writes import Checker, Writes
from tests.contract.raw_server import throw_away_certificate
from tests.faults.s3 import requests as s3_requests
from tests.faults.s3.bodies import Body, Dropped
from tests.faults.s3.objects import Bucket, Buckets, Stored
from tests.faults.wire import Reply, Request, Wire

HOST = "127.0.0.1"
STATS_PATH = "/__stats"
BACKUP_PATH = "/__backup/"
ROOT = Path(__file__).parents[2]
PAGES = 16  # 24 MB of JSON kept
KEPT_BYTES = 1 << 20  # uploads of this size and above are dropped


class AnyBucket(Buckets):
    """Whatever bucket is asked for is there, whatever the region, and says nothing of encryption."""

    def find(self, name: str, request: Request | None = None) -> Bucket:
        return self._buckets.setdefault(name, Bucket(name, REGION, encryption={}))


class Server:
    """Accepts connections until the process ends."""

    def __init__(self, pages: int, *, checks: bool, scan_seconds: float = 0.0) -> None:
        """With ``checks``, what is written is parsed and compared with what the backups hold.

        Every reply to a Scan waits for ``scan_seconds``.
        """
        self.scan_seconds = scan_seconds
        self.tables = Tables(Pages(pages))
        self.writes = Writes(Checker(self.tables.pages) if checks else None)
        self.buckets = AnyBucket(lambda: datetime.now(UTC), kept_bytes=KEPT_BYTES)

    def serve(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Give each connection a thread."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._converse, args=(connection, tls), daemon=True).start()

    def _converse(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(EOFError, ConnectionError, ssl.SSLError):
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            stack.enter_context(connection)
            wire = TlsWire(connection) if tls else QuickWire(connection)
            while True:
                batch = wire.read_batch()
                if batch is None:
                    wire.send(self._answer(wire.read_head(), wire))
                else:
                    wire.send_whole(self.writes.batch(batch))

    def _answer(self, request: Request, wire: Wire) -> Reply:
        if request.path == STATS_PATH:
            return Reply(200, [json.dumps(self._stats()).encode()])
        if request.path.startswith(BACKUP_PATH):
            self._make(Backup.named(request.path.removeprefix(BACKUP_PATH)))
            return Reply()
        target = request.headers.get("x-amz-target")
        if target:
            return self._call(target.rpartition(".")[2], wire.read_body(request))
        return s3_requests.answer(self.buckets, request, receive(request, wire))

    def _call(self, operation: str, body: bytes) -> Reply:
        if operation == "PutItem":
            return self.writes.put(json.loads(body), len(body))
        if operation == "Scan" and self.scan_seconds:
            time.sleep(self.scan_seconds)
        return self.tables.answer(operation, json.loads(body))

    def _make(self, backup: Backup) -> None:
        """Put a backup where S3 finds it, whatever its size; once."""
        with self.buckets.lock:
            objects = self.buckets.find(BUCKET).objects
            if backup.layout.summary_key not in objects:
                for key, body in make(backup, self.tables.pages).items():
                    objects[key] = Stored(body, hashlib.md5(body).hexdigest(), MADE_AT, {})

    def _stats(self) -> dict[str, float]:
        used = {"cpu_seconds": time.process_time(), "page_json_bytes": self.tables.pages.page_json_bytes}
        shape = {"items_per_page": self.tables.pages.items_per_page, "items": self.tables.pages.items}
        counts = {**asdict(self.tables.counts), **asdict(self.writes.counts)}
        return {**counts, **used, **shape, "uploaded_bytes": self.buckets.uploaded_bytes}


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
    writes: int
    write_bytes: int
    written_items: int
    returned_items: int
    distinct_items: int
    repeated_items: int
    wrong_items: int
    uploaded_bytes: int
    cpu_seconds: float
    page_json_bytes: int
    items_per_page: int
    items: int  # after so many they repeat


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running endpoint. It speaks plain HTTP, and HTTPS with a certificate of its own."""

    url: str
    tls_url: str
    certificate: Path

    def stats(self) -> Stats:
        """Ask for the counters."""
        with urllib.request.urlopen(self.url + STATS_PATH) as reply:
            return Stats(**json.load(reply))

    def make(self, backup: Backup) -> None:
        """Have a backup made, unless it is there."""
        with urllib.request.urlopen(self.url + BACKUP_PATH + backup.name) as reply:
            reply.read()


@contextlib.contextmanager
def running_endpoint(
    pages: int = PAGES, *, checks: bool = False, scan_seconds: float = 0.0
) -> Iterator[Endpoint]:
    """Run an endpoint in its own process while the block lasts; arguments as for ``Server``."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.endpoint", "--pages", str(pages)]
        command += [
            "--scan-seconds",
            str(scan_seconds),
            "--folder",
            folder,
            *(["--checks"] if checks else []),
        ]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                url, tls_url, certificate = process.stdout.readline().split()
                yield Endpoint(url, tls_url, Path(certificate))
            finally:
                process.terminate()


def main() -> None:
    """Serve on two free ports and print their addresses, and the certificate of the second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--folder", type=Path, required=True, help="for a certificate")
    parser.add_argument("--checks", action="store_true")
    parser.add_argument("--scan-seconds", type=float, default=0.0)
    arguments = parser.parse_args()
    server = Server(arguments.pages, checks=arguments.checks, scan_seconds=arguments.scan_seconds)
    certificate, context = throw_away_certificate(arguments.folder)
    with listening() as plain, listening() as encrypted:
        threading.Thread(target=server.serve, args=(encrypted, context), daemon=True).start()
        addresses = f"http://{HOST}:{plain.getsockname()[1]} https://{HOST}:{encrypted.getsockname()[1]}"
        print(addresses, certificate, flush=True)
        server.serve(plain)


def listening() -> socket.socket:
    """A socket on a free port."""
    return socket.create_server((HOST, 0), backlog=128)


if __name__ == "__main__":
    main()
