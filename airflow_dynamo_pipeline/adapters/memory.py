"""The ports in memory: for tests, dry runs and examples."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from airflow_dynamo_pipeline.engine.ports import (
    Absent,
    ScanCall,
    StoredObject,
    TableDescription,
    Throughput,
    VersionConflict,
)
from airflow_dynamo_pipeline.engine.sizing import BYTES_PER_UNIT
from airflow_dynamo_pipeline.errors import NotFound

PAGE_BYTES = 1024 * 1024
Item = dict[str, Any]


class MemoryStore:
    """A bucket in a dictionary, with S3's conditional writes and atomic uploads."""

    def __init__(self, region: str | None = "us-east-1") -> None:
        self.objects: dict[str, StoredObject] = {}
        self.uploads: set[MemoryWriter] = set()
        self._region = region
        self._lock = threading.Lock()
        self._count = 0

    def region(self) -> str | None:
        """Where the bucket is."""
        return self._region

    def probe(self, key: str) -> None:
        """Objects can always be written."""

    def get(self, key: str) -> StoredObject | None:
        """Read an object."""
        return self.objects.get(key)

    def read(self, key: str) -> Iterator[bytes]:
        """Stream an object."""
        yield self._found(key).body

    def size(self, key: str) -> int:
        """An object's size."""
        return len(self._found(key).body)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Some of an object's bytes."""
        return self._found(key).body[start : start + length]

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        """Write an object; raises VersionConflict."""
        with self._lock:
            found = self.objects.get(key)
            if isinstance(expect, Absent):
                conflict = found is not None
            else:
                conflict = expect is not None and (found is None or found.version != expect)
            if conflict:
                raise VersionConflict(key)
            self._count += 1
            self.objects[key] = StoredObject(bytes(body), f'"{self._count:032x}"')
            return self.objects[key].version

    def _found(self, key: str) -> StoredObject:
        found = self.objects.get(key)
        if found is None:
            raise NotFound("key", key)
        return found

    def create(self, key: str) -> MemoryWriter:
        """Begin to stream an object."""
        writer = MemoryWriter(self, key)
        self.uploads.add(writer)
        return writer

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key under a prefix, in order."""
        return iter(sorted(key for key in list(self.objects) if key.startswith(prefix)))

    def folders(self, prefix: str) -> Iterator[str]:
        """The folder names directly under a prefix."""
        rests = (key[len(prefix) :] for key in self.keys(prefix))
        return iter(sorted({rest.partition("/")[0] for rest in rests if "/" in rest}))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        for key in keys:
            self.objects.pop(key, None)

    def abort_uploads(self, prefix: str) -> int:
        """Drop unfinished uploads."""
        found = [writer for writer in self.uploads if writer.key.startswith(prefix)]
        for writer in found:
            writer.abort()
        return len(found)


class MemoryWriter:
    """An object being streamed into a MemoryStore."""

    def __init__(self, store: MemoryStore, key: str) -> None:
        self.key = key
        self._store = store
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._data += data

    def close(self) -> str:
        """Make the object visible."""
        if self not in self._store.uploads:
            raise NotFound("upload", self.key)
        self._store.uploads.discard(self)
        return self._store.put(self.key, bytes(self._data))

    def abort(self) -> None:
        """Drop everything."""
        self._store.uploads.discard(self)


class MemoryTable:
    """A table of typed items whose pages look like DynamoDB's: 1 MB, cut by Limit, costed by size."""

    def __init__(self, items: Iterable[Item], *, key: Sequence[str] = ("pk",), **described: object) -> None:
        """``described`` overrides fields of the table's description."""
        self._key = tuple(key)
        self.items = {self._key_text(item): item for item in items}
        self._described = described
        self.scans: list[ScanCall] = []

    def describe(self) -> TableDescription:
        """Describe the table."""
        fields: dict[str, Any] = {
            "name": "orders",
            "arn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
            "table_id": "0a1b2c3d",
            "created_at": "2026-01-01T00:00:00+00:00",
            "region": "us-east-1",
            "status": "ACTIVE",
            "on_demand": False,
            "size_bytes": sum(len(json.dumps(item)) for item in self.items.values()),
            "item_count": len(self.items),
            "throughput": Throughput(provisioned=1000.0),
            **self._described,
        }
        return TableDescription(**fields)

    def scan(self, call: ScanCall) -> bytes:
        """One page of a segment, in the order of a hash of the keys."""
        self.scans.append(call)
        start = self._position(json.loads(call.start_key)) if call.start_key else ""
        waiting = sorted(
            (self._position(item), item)
            for item in self.items.values()
            if self._segment(item, call.total_segments) == call.segment and self._position(item) > start
        )
        taken: list[Item] = []
        size = 0
        for _, item in waiting:
            if size >= PAGE_BYTES or (call.limit is not None and len(taken) >= call.limit):
                break
            taken.append(item)
            size += len(json.dumps(item))
        return json.dumps(self._reply(taken, size, complete=len(taken) == len(waiting))).encode()

    def _reply(self, taken: list[Item], size: int, *, complete: bool) -> Item:
        units = max(1, -(-size // (BYTES_PER_UNIT // 2))) / 2
        reply: Item = {
            "Items": taken,
            "Count": len(taken),
            "ScannedCount": len(taken),
            "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": units},
        }
        if not complete:
            reply["LastEvaluatedKey"] = {name: taken[-1][name] for name in self._key}
        return reply

    def _key_text(self, item: Item) -> str:
        return json.dumps([item[name] for name in self._key])

    def _position(self, item: Item) -> str:
        return base64.b16encode(
            hashlib.sha1(self._key_text(item).encode(), usedforsecurity=False).digest()
        ).decode()

    def _segment(self, item: Item, total: int) -> int:
        return int(self._position(item)[:8], 16) % total


class FixedCapacity:
    """A quota and a consumption that somebody chose."""

    def __init__(self, quota: float = 40_000.0, consumed: float = 0.0, written: float = 0.0) -> None:
        self.quota = quota
        self.consumed = consumed
        self.written = written

    def table_write_quota(self) -> float:
        """The quota chosen."""
        return self.quota

    def consumed_write_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """The consumption chosen."""
        del table_name, index_name
        return self.consumed

    def write_units_since(self, table_name: str, begin: datetime) -> float:
        """The sum chosen."""
        del table_name, begin
        return self.written

    def table_read_quota(self) -> float:
        """The quota chosen."""
        return self.quota

    def consumed_read_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """The consumption chosen."""
        del table_name, index_name
        return self.consumed
