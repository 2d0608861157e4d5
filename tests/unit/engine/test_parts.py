from __future__ import annotations

import base64
import hashlib

import msgspec
import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.parts import PartWriter
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS

ITEMS = [msgspec.Raw(b'{"pk":{"S":"%d"}}' % number) for number in range(5)]


def opened(store: MemoryStore, compression: str = "gzip") -> PartWriter:
    return PartWriter(store, "data/part", FORMATS["dynamodb_json"], COMPRESSIONS[compression])


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_part_is_counted_and_hashed_as_it_is_stored(compression: str) -> None:
    store = MemoryStore()
    part = opened(store, compression)
    part.write(ITEMS[:2])
    part.write(ITEMS[2:])
    done = part.close()
    stored = store.objects["data/part"]
    text = b"".join(COMPRESSIONS[compression].decompress([stored.body]))

    assert b"".join(b'{"Item":%s}\n' % bytes(item) for item in ITEMS) == text
    assert (5, len(text), len(stored.body)) == (done.item_count, done.bytes, done.stored_bytes)
    assert hashlib.md5(stored.body).digest() == base64.b64decode(done.md5)
    assert (stored.version, "data/part") == (done.etag, done.key)


def test_nothing_is_visible_before_a_part_is_closed() -> None:
    store = MemoryStore()
    part = opened(store)
    part.write(ITEMS)
    assert {} == store.objects

    part.close()
    assert ["data/part"] == list(store.objects)


def test_a_part_that_is_dropped_never_becomes_visible() -> None:
    store = MemoryStore()
    part = opened(store)
    part.write(ITEMS)
    part.abort()
    part.abort()

    assert ({}, set()) == (store.objects, store.uploads)
