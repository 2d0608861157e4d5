"""The endpoint's side of writes: counted, and forgotten.

A batch is not parsed. How many puts it holds is how often it says ``"PutRequest"``, with the quotation marks:
inside a string JSON writes them with a backslash, so that only a value or a name that is this very word would
deceive, and the items here hold none. ``Checker`` parses, and proves on few items what is counted on many.

A table called ``std-1000-u5`` hands five items of every hundred back as unprocessed, the last of their
batch, but like the service never all of a batch.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.benchmarks.items import KEY, key_position
from tests.benchmarks.tables import (
    Pages,
    Refusal,
    json_reply,
    refusal_reply,
    table_items,
    unprocessed_percent,
)
from tests.faults.wire import Reply

Json = dict[str, Any]

MARK = b'"PutRequest"'
TABLES = b'"RequestItems"'
NAME = re.compile(rb'"RequestItems"\s*:\s*\{\s*"([^"]+)"\s*:')
CAPACITY = b'"ReturnConsumedCapacity"'
WANTED = re.compile(CAPACITY + rb'\s*:\s*"(?:TOTAL|INDEXES)"')
MOST_PUTS = 25
UNITS_PER_ITEM = 1.0  # every item here is smaller than the KiB that one unit pays for


@dataclass(slots=True)
class WriteCounts:
    """What the endpoint was sent."""

    writes: int = 0  # requests
    write_bytes: int = 0  # of their bodies
    written_items: int = 0  # accepted
    returned_items: int = 0  # handed back unprocessed
    distinct_items: int = 0  # of those accepted; this and what follows only by an endpoint that checks
    repeated_items: int = 0  # accepted once more
    wrong_items: int = 0  # accepted, but not what the backup holds under that key


class Checker:
    """Parses what is written, compares it with what the backup holds, and remembers it by a hash."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._seen: set[bytes] = set()

    def batch(self, body: bytes, puts: int, returned: int) -> list[Json]:
        """The items a batch has accepted; raises Refusal for what the service would refuse."""
        tables = json.loads(body)["RequestItems"]
        requests = [request for each in tables.values() for request in each]
        if len(tables) != 1 or any(request.keys() != {"PutRequest"} for request in requests):
            raise Refusal("ValidationException", "not simulated: deletes, and several tables in one batch")
        items = [request["PutRequest"]["Item"] for request in requests]
        if len(items) != puts:
            raise Refusal("ValidationException", f"{len(items)} puts were counted as {puts}")
        if len({item[KEY]["S"] for item in items}) < len(items):
            raise Refusal("ValidationException", "Provided list of item keys contains duplicates")
        return items[: len(items) - returned]

    def accept(self, table: str, items: Sequence[Json], counts: WriteCounts) -> None:
        """Take items as written."""
        for item in items:
            position = key_position(item[KEY]["S"])
            seen = hashlib.blake2b(f"{table} {position}".encode(), digest_size=16).digest()
            counts.repeated_items += seen in self._seen
            self._seen.add(seen)
            expected = json.loads(self._pages.text(position % self._pages.items)) | {KEY: item[KEY]}
            counts.wrong_items += item != expected
        counts.distinct_items = len(self._seen)


class Writes:
    """Answers BatchWriteItem and PutItem."""

    def __init__(self, checker: Checker | None = None) -> None:
        self.counts = WriteCounts()
        self._checker = checker
        self._owed: dict[str, int] = {}  # by table: hundredths of an item still to be handed back
        self._lock = threading.Lock()

    def batch(self, body: bytes) -> bytes:
        """Answer one BatchWriteItem with a whole reply as it goes over the wire."""
        try:
            return self._batch(body)
        except Refusal as refusal:
            return on_the_wire(refusal_reply(refusal))

    def put(self, request: Json, size: int) -> Reply:
        """Answer one PutItem; conditions always hold."""
        table = request["TableName"]
        table_items(table)
        with self._lock:
            if self._checker:
                self._checker.accept(table, [request["Item"]], self.counts)
            self._count(1, 0, size)
        wanted = request.get("ReturnConsumedCapacity", "NONE") != "NONE"
        capacity = {"TableName": table, "CapacityUnits": UNITS_PER_ITEM}
        return json_reply([json.dumps({"ConsumedCapacity": capacity} if wanted else {}).encode()])

    def _batch(self, body: bytes) -> bytes:
        name = NAME.match(body, max(body.find(TABLES), 0))
        puts = body.count(MARK)
        if name is None or not 0 < puts <= MOST_PUTS:
            raise Refusal("ValidationException", f"one table and 1 to {MOST_PUTS} puts are simulated")
        table = name[1].decode()
        with self._lock:
            back = self._share_of(table, puts)
            if self._checker:
                self._checker.accept(table, self._checker.batch(body, puts, back), self.counts)
            self._count(puts - back, back, len(body))
        asked = body.rfind(CAPACITY)
        wants_capacity = asked >= 0 and WANTED.match(body, asked) is not None
        if not back:
            return accepted(table, puts, wants_capacity)
        return on_the_wire(batch_reply(table, puts - back, wants_capacity, last_requests(body, back)))

    def _share_of(self, table: str, puts: int) -> int:
        """How many of so many puts go back."""
        percent = percent_of(table)
        owed = self._owed.get(table, 0) + puts * percent
        back = min(owed // 100, puts - 1)
        self._owed[table] = owed - back * 100
        return back

    def _count(self, accepted: int, returned: int, size: int) -> None:
        self.counts.writes += 1
        self.counts.write_bytes += size
        self.counts.written_items += accepted
        self.counts.returned_items += returned


def last_requests(body: bytes, count: int) -> bytes:
    """Cut the last puts of a batch out as they were written, without the list's brackets.

    >>> last_requests(b'{"RequestItems":{"t":[{"PutRequest":{"Item":{"a":{"L":[]}}}}]}}', 1)
    b'{"PutRequest":{"Item":{"a":{"L":[]}}}}'
    """
    end = at = body.rindex(b"]")  # of the list of requests: an item's lists lie inside it
    for _ in range(count):
        at = body.rindex(MARK, 0, at)
    return body[body.rindex(b"{", 0, at) : end]


def batch_reply(table: str, written: int, wants_capacity: bool, unprocessed: bytes) -> Reply:
    """Reply to a batch of which so many items were written; ``unprocessed``: the requests handed back."""
    left = b'"%s":[%s]' % (table.encode(), unprocessed) if unprocessed else b""
    used = f',"ConsumedCapacity":[{{"TableName":"{table}","CapacityUnits":{written * UNITS_PER_ITEM}}}]'
    return json_reply([b'{"UnprocessedItems":{%s}' % left, used.encode() if wants_capacity else b"", b"}"])


@lru_cache
def accepted(table: str, puts: int, wants_capacity: bool) -> bytes:
    """The whole reply when nothing is handed back: there are few different ones."""
    return on_the_wire(batch_reply(table, puts, wants_capacity, b""))


@lru_cache
def percent_of(table: str) -> int:
    """How many items of a hundred this table hands back; raises Refusal when there is no such table."""
    table_items(table)
    return unprocessed_percent(table)


def on_the_wire(reply: Reply) -> bytes:
    """Write a reply as one piece."""
    return b"".join([reply.head(), *reply.body])
