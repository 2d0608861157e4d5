"""The endpoint's DynamoDB side: tables of any length out of a few pages kept in memory.

A table is named by its items and its length: ``std-100000`` has 100 000 items. They repeat after
``Pages.items`` items, so that tens of gigabytes need a few megabytes; only the key in LastEvaluatedKey
goes on counting. A page is a prebuilt run of items between a small head and tail, and its checksum is
combined from theirs.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from isal import isal_zlib

from tests.benchmarks.items import (
    KEY,
    Item,
    item_bytes,
    item_json,
    key_position,
    key_value,
    small_item,
    std_item,
)
from tests.faults.wire import Buffer, Reply

PAGE_BYTES = 1 << 20  # of item size, as the service counts it
UNIT_BYTES = 4096
SMALL_PAGES = 2  # some 36,000 items each
READ_UNITS_PER_SECOND = 1_000_000
NOT_SIMULATED = {"FilterExpression", "IndexName", "ProjectionExpression", "ScanFilter", "Select"}
SAME_FOR_ALL = {  # whatever table is asked about
    "DescribeTimeToLive": b'{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}',
    "ListTagsOfResource": b'{"Tags":[]}',
}
ERROR_PREFIX = "com.amazonaws.dynamodb.v20120810#"

Json = dict[str, Any]


class Refusal(Exception):
    """An error reply of DynamoDB's."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Run:
    """A run of items as they lie in a page, with what is known of it beforehand."""

    data: Buffer
    crc: int
    size_bytes: int  # item size
    count: int


class Pages:
    """The items that exist in memory, cut into full pages."""

    def __init__(self, pages: int, make: Callable[[int], Item] = std_item, room: int = 16) -> None:
        """``room`` is for an item bigger, by so many bytes, than any of the sample."""
        self._make = make
        sample = max(item_bytes(make(position)) for position in range(2000))
        self.items_per_page = PAGE_BYTES // (sample + room)
        self.items = pages * self.items_per_page
        self._pages = [self._build(page) for page in range(pages)]

    def _build(self, page: int) -> tuple[Run, list[int], list[int]]:
        first = page * self.items_per_page
        positions = range(first, first + self.items_per_page)
        texts = [item_json(position, self._make) for position in positions]
        starts = [0, *itertools.accumulate(len(text) + 1 for text in texts)]
        sizes = [0, *itertools.accumulate(item_bytes(self._make(position)) for position in positions)]
        data = b",".join(texts)
        run = Run(memoryview(data), isal_zlib.crc32(data), sizes[-1], len(texts))
        return run, starts, sizes

    def run(self, first: int, end: int) -> Run:
        """The items of positions ``first`` to ``end``, which lie in one page; a full page is prebuilt."""
        full, starts, sizes = self._pages[first // self.items_per_page % len(self._pages)]
        here = first % self.items_per_page
        count = end - first
        if count == full.count:
            return full
        data = full.data[starts[here] : max(starts[here + count] - 1, 0)]
        return Run(data, isal_zlib.crc32(data), sizes[here + count] - sizes[here], count)

    def text(self, position: int) -> bytes:
        """The JSON of one item; ``position`` is below ``items``."""
        page, here = divmod(position, self.items_per_page)
        run, starts, _ = self._pages[page]
        return bytes(run.data[starts[here] : starts[here + 1] - 1])

    @property
    def page_json_bytes(self) -> int:
        """JSON bytes of the items of one cycle, divided by its pages."""
        return sum(len(run.data) for run, _, _ in self._pages) // len(self._pages)


@dataclass(slots=True)
class Counts:
    """What the endpoint has sent."""

    scans: int = 0
    scan_items: int = 0
    scan_bytes: int = 0


class Tables:
    """Answers DescribeTable, Scan, and what is the same for all tables."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.counts = Counts()
        self._small: Pages | None = None
        self._lock = threading.Lock()

    def answer(self, operation: str, request: Json) -> Reply:
        """Answer one call of the JSON protocol, with the checksum the service sends."""
        try:
            return self._work(operation, request)
        except Refusal as refusal:
            return refusal_reply(refusal)

    def _work(self, operation: str, request: Json) -> Reply:
        if operation in SAME_FOR_ALL:
            return json_reply([SAME_FOR_ALL[operation]])
        if operation not in ("DescribeTable", "Scan"):
            raise Refusal("UnknownOperationException", f"{operation} is not simulated")
        kind, length = table_items(request["TableName"])
        pages = self.pages if kind == "std" else self._small_pages()
        if operation == "Scan":
            return self._scan(request, pages, length)
        table = describe(request["TableName"], length, pages)
        return json_reply([json.dumps({"Table": table}).encode()])

    def _small_pages(self) -> Pages:
        """Built when first asked for: most runs have no use for them."""
        with self._lock:
            self._small = self._small or Pages(SMALL_PAGES, small_item, room=0)
            return self._small

    def _scan(self, request: Json, pages: Pages, length: int) -> Reply:
        first, end, more = window(request, pages.items_per_page, length)
        run = pages.run(first, end)
        head, tail = envelope(request, run, key_value(end - 1) if more else None)
        crc = isal_zlib.crc32_combine(isal_zlib.crc32(head), run.crc, len(run.data))
        crc = isal_zlib.crc32_combine(crc, isal_zlib.crc32(tail), len(tail))
        self.counts.scans += 1
        self.counts.scan_items += run.count
        self.counts.scan_bytes += len(head) + len(run.data) + len(tail)
        return json_reply([head, run.data, tail], crc=crc)


def window(request: Json, per_page: int, length: int) -> tuple[int, int, bool]:
    """First and end position of the page asked for, and whether it says LastEvaluatedKey.

    As in the service, a page that ends by Limit says it even when nothing follows.
    """
    segment_first, segment_end = segment_of(request, per_page, length)
    start_key = request.get("ExclusiveStartKey")
    first = key_position(start_key[KEY]["S"]) + 1 if start_key else segment_first
    page_end = (first // per_page + 1) * per_page
    limit_end = first + request["Limit"] if "Limit" in request else page_end + 1
    end = max(first, min(page_end, limit_end, segment_end))
    return first, end, end < segment_end or (end == limit_end and end > first)


def segment_of(request: Json, per_page: int, length: int) -> tuple[int, int]:
    """Positions of a segment: whole pages, shared out evenly."""
    if NOT_SIMULATED & request.keys():
        raise Refusal("ValidationException", f"not simulated: {sorted(NOT_SIMULATED & request.keys())}")
    segment, total = request.get("Segment", 0), request.get("TotalSegments", 1)
    if not 0 <= segment < total:
        raise Refusal("ValidationException", "Segment must be less than TotalSegments")
    pages = -(-length // per_page)
    first, end = pages * segment // total, pages * (segment + 1) // total
    return min(first * per_page, length), min(end * per_page, length)


def envelope(request: Json, run: Run, last_key: str | None) -> tuple[bytes, bytes]:
    """Write what stands before and after the items of a Scan reply."""
    head = f'"Count":{run.count},"Items":['
    if request.get("ReturnConsumedCapacity", "NONE") != "NONE":
        blocks = max(1, -(-run.size_bytes // UNIT_BYTES))
        units = blocks * (1.0 if request.get("ConsistentRead") else 0.5)
        head = f'"ConsumedCapacity":{{"CapacityUnits":{units},"TableName":"{request["TableName"]}"}},{head}'
    key = f'"LastEvaluatedKey":{{"{KEY}":{{"S":"{last_key}"}}}},' if last_key else ""
    return f"{{{head}".encode(), f'],{key}"ScannedCount":{run.count}}}'.encode()


def table_items(name: str) -> tuple[str, int]:
    """What the items of the table of this name or ARN are, and how many.

    >>> table_items("std-100000")
    ('std', 100000)
    """
    match = re.fullmatch(r"(?:arn:.*:table/)?(std|small)-(\d+)(?:-u\d+)?", name)
    if not match:
        raise Refusal("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
    return match[1], int(match[2])


def unprocessed_percent(name: str) -> int:
    """How many of a hundred items that are written to this table come back unprocessed.

    >>> unprocessed_percent("std-100000-u5"), unprocessed_percent("std-100000")
    (5, 0)
    """
    match = re.search(r"-u(\d+)$", name)
    return int(match[1]) if match else 0


def describe(name: str, length: int, pages: Pages) -> Json:
    """Describe a table as DescribeTable does: provisioned, with more capacity than can be used."""
    bytes_per_item = pages.run(0, pages.items_per_page).size_bytes / pages.items_per_page
    return {
        "TableName": name.rpartition("/")[2],
        "TableArn": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name.rpartition('/')[2]}",
        "TableId": f"00000000-0000-4000-8000-{length:012}",
        "TableStatus": "ACTIVE",
        "CreationDateTime": 1.7e9,
        "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
        "ItemCount": length,
        "TableSizeBytes": int(length * bytes_per_item),
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": READ_UNITS_PER_SECOND,
            "WriteCapacityUnits": 5,
        },
        "DeletionProtectionEnabled": False,
    }


def refusal_reply(refusal: Refusal) -> Reply:
    """Say in the JSON protocol what was refused."""
    body = {"__type": ERROR_PREFIX + refusal.kind, "message": str(refusal)}
    return json_reply([json.dumps(body).encode()], status=400)


def json_reply(body: Sequence[Buffer], *, status: int = 200, crc: int | None = None) -> Reply:
    """Reply in the JSON protocol; without ``crc`` the checksum is computed."""
    checksum = isal_zlib.crc32(b"".join(body)) if crc is None else crc
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "x-amz-crc32": str(checksum),
        "x-amzn-RequestId": "BENCHMARK0000000000000000000000000000000000000000000",
    }
    return Reply(status, body, headers)
