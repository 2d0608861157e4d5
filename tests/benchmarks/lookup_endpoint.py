"""The endpoint of nightly mirrors: a lookup table of any length, and a bucket, in a process of its own.

Table ``nightly-300000`` has so many products or a few more (``lookup_items``). What is written to it is
compared with what the night should write, counted and forgotten: each Scan finds it as it was yesterday.
Puts to a table ``reload-...`` are counted only. The bucket keeps everything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.endpoint import HOST, ROOT, STATS_PATH, AnyBucket, listening
from tests.benchmarks.lookup_items import (
    KEY,
    KEYS_PER_BLOCK,
    Pages,
    blocks_for,
    change_of,
    position_of,
    typed,
)
from tests.benchmarks.lookup_unload import unloaded
from tests.benchmarks.quick_wire import QuickWire
from tests.benchmarks.tables import SAME_FOR_ALL, Json, Refusal, json_reply, refusal_reply
from tests.benchmarks.worker import BUCKET
from tests.benchmarks.writes import MARK, NAME, TABLES, accepted, on_the_wire
from tests.faults.s3 import requests as s3_requests
from tests.faults.s3.objects import Stored
from tests.faults.wire import Reply, Request, Wire

UNLOAD_PATH = "/__unload/"
POINTER = "#"  # begins the key of an item that is no product and is not there
UNIT_BYTES = 4096
UNITS_PER_SECOND = 1_000_000
TABLE = re.compile(r"(?:arn:.*:table/)?(nightly|reload)-(\d+)")


@dataclass(slots=True)
class Counts:
    """What was asked of the tables called nightly, and how many puts the reloads made."""

    scanned_items: int = 0
    read_items: int = 0  # by BatchGetItem
    requests: int = 0  # that write
    writes: int = 0  # puts and deletes
    wrong_writes: int = 0  # not what the night should write
    distinct_writes: int = 0
    reloaded_items: int = 0
    cpu_seconds: float = 0.0


@dataclass(slots=True)
class Nightly:
    """DynamoDB's side."""

    pages: Pages = field(default_factory=Pages)
    counts: Counts = field(default_factory=Counts)
    seen: set[tuple[str, int]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def batch(self, body: bytes) -> bytes:
        """Answer BatchWriteItem."""
        name = NAME.match(body, max(body.find(TABLES), 0))
        if name is None:
            raise Refusal("ValidationException", "one table is simulated")
        table, _ = table_of(name[1].decode())
        if table == "reload":
            puts = body.count(MARK)
            with self.lock:
                self.counts.reloaded_items += puts
            return accepted("std-1", puts, False)
        ((whole, requests),) = json.loads(body)["RequestItems"].items()
        with self.lock:
            self.counts.requests += 1
            for request in requests:
                self._write(whole, request)
        used = [{"TableName": whole, "CapacityUnits": float(len(requests))}]
        return on_the_wire(reply({"UnprocessedItems": {}, "ConsumedCapacity": used}))

    def answer(self, operation: str, request: Json) -> Reply:
        """Answer any other call."""
        if operation in SAME_FOR_ALL:
            return json_reply([SAME_FOR_ALL[operation]])
        if operation == "DescribeTable":
            return reply({"Table": self._describe(request["TableName"])})
        if operation == "Scan":
            return self._scan(request)
        if operation == "BatchGetItem":
            return self._read(request)
        raise Refusal("UnknownOperationException", f"{operation} is not simulated")

    def _write(self, table: str, request: Json) -> None:
        ((kind, held),) = request.items()
        is_put = kind == "PutRequest"
        item = held["Item" if is_put else "Key"]
        position = position_of(item[KEY]["S"])
        change = change_of(position)
        due = change in ("insert", "update") if is_put else change == "delete"
        expected = typed(position, today=True) if is_put else {KEY: item[KEY]}
        self.counts.writes += 1
        self.counts.wrong_writes += not (due and item == expected)
        if (table, position) not in self.seen:
            self.seen.add((table, position))
            self.counts.distinct_writes += 1

    def _scan(self, request: Json) -> Reply:
        _, blocks = table_of(request["TableName"])
        segment, total = request.get("Segment", 0), request.get("TotalSegments", 1)
        last, block = blocks * segment // total, blocks * (segment + 1) // total - 1  # backwards
        first = 0
        if "ExclusiveStartKey" in request:
            block, index = self.pages.place(request["ExclusiveStartKey"][KEY]["S"])
            first = index + 1
            if first == KEYS_PER_BLOCK:
                block, first = block - 1, 0
        if block < last:
            return reply({"Items": [], "Count": 0, "ScannedCount": 0})
        end = min(KEYS_PER_BLOCK, first + request.get("Limit", KEYS_PER_BLOCK))
        return self._page(block, first, end, more=block > last or end < KEYS_PER_BLOCK)

    def _page(self, block: int, first: int, end: int, *, more: bool) -> Reply:
        count = end - first
        with self.lock:
            self.counts.scanned_items += count
        units = max(1, -(-count * self.pages.item_bytes // UNIT_BYTES)) / 2
        used = f'"ConsumedCapacity":{{"CapacityUnits":{units}}}'
        head = f'{{{used},"Count":{count},"ScannedCount":{count},"Items":['
        key = f',"LastEvaluatedKey":{{"{KEY}":{{"S":"{self.pages.last_key(block, end)}"}}}}' if more else ""
        return json_reply([head.encode(), self.pages.text(block, first, end), f"]{key}}}".encode()])

    def _read(self, request: Json) -> Reply:
        ((name, asked),) = request["RequestItems"].items()
        keys = [key[KEY]["S"] for key in asked["Keys"]]
        positions = [position_of(key) for key in keys if not key.startswith(POINTER)]
        items = [typed(position, today=False) for position in positions if change_of(position) != "insert"]
        with self.lock:
            self.counts.read_items += len(items)
        used = [{"TableName": name, "CapacityUnits": float(len(items))}]
        return reply({"Responses": {name: items}, "UnprocessedKeys": {}, "ConsumedCapacity": used})

    def _describe(self, name: str) -> Json:
        _, blocks = table_of(name)
        plain = name.rpartition("/")[2]
        return {
            "TableName": plain,
            "TableArn": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{plain}",
            "TableId": f"00000000-0000-4000-8000-{blocks:012}",
            "TableStatus": "ACTIVE",
            "CreationDateTime": 1.7e9,
            "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
            "ItemCount": blocks * KEYS_PER_BLOCK,
            "TableSizeBytes": blocks * KEYS_PER_BLOCK * self.pages.item_bytes,
            "ProvisionedThroughput": {
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": UNITS_PER_SECOND,
                "WriteCapacityUnits": UNITS_PER_SECOND,
            },
            "DeletionProtectionEnabled": False,
        }


def table_of(name: str) -> tuple[str, int]:
    """A table's kind and its blocks."""
    found = TABLE.fullmatch(name)
    if not found:
        raise Refusal("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
    return found[1], blocks_for(int(found[2]))


def reply(content: Any) -> Reply:
    """A reply of the JSON protocol."""
    return json_reply([json.dumps(content, separators=(",", ":")).encode()])


class Server:
    """Accepts connections until the process ends."""

    def __init__(self) -> None:
        self.nightly = Nightly()
        self.buckets = AnyBucket(lambda: datetime.now(UTC))

    def serve(self, listener: socket.socket) -> None:
        """Give each connection a thread."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(EOFError, ConnectionError):
            wire = QuickWire(connection)
            while True:
                batch = wire.read_batch()
                try:
                    if batch is None:
                        wire.send(self._answer(wire.read_head(), wire))
                    else:
                        wire.send_whole(self.nightly.batch(batch))
                except Refusal as refusal:
                    wire.send(refusal_reply(refusal))
                except (KeyError, ValueError) as problem:  # a silence would be retried for ten minutes
                    wire.send(refusal_reply(Refusal("ValidationException", repr(problem))))

    def _answer(self, request: Request, wire: Wire) -> Reply:
        if request.path == STATS_PATH:
            self.nightly.counts.cpu_seconds = time.process_time()
            return reply(asdict(self.nightly.counts))
        if request.path.startswith(UNLOAD_PATH):
            keys, _, prefix = request.path.removeprefix(UNLOAD_PATH).partition("/")
            self._unload(blocks_for(int(keys)), prefix)
            return Reply()
        target = request.headers.get("x-amz-target")
        body = wire.read_body(request)
        if target:
            return self.nightly.answer(target.rpartition(".")[2], json.loads(body))
        return s3_requests.answer(self.buckets, request, body)

    def _unload(self, blocks: int, prefix: str) -> None:
        for key, body in unloaded(blocks, prefix):
            with self.buckets.lock:
                objects = self.buckets.find(BUCKET).objects
                objects[key] = Stored(body, hashlib.md5(body).hexdigest(), datetime.now(UTC), {})


@dataclass(frozen=True, slots=True)
class LookupEndpoint:
    """A running endpoint."""

    url: str

    def counts(self) -> Counts:
        """Ask for the counters."""
        with urllib.request.urlopen(self.url + STATS_PATH) as answer:
            return Counts(**json.load(answer))


@contextlib.contextmanager
def running_lookup_endpoint() -> Iterator[LookupEndpoint]:
    """Run an endpoint in its own process while the block lasts."""
    command = [sys.executable, "-m", "tests.benchmarks.lookup_endpoint"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield LookupEndpoint(process.stdout.readline().strip())
        finally:
            process.terminate()


def main() -> None:
    """Serve on a free port and print the address."""
    server = Server()
    with listening() as listener:
        print(f"http://{HOST}:{listener.getsockname()[1]}", flush=True)
        server.serve(listener)


if __name__ == "__main__":
    main()
