from __future__ import annotations

import base64
import hashlib
import threading
import zlib

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryWriter
from airflow_dynamo_pipeline.errors import AccessDenied, ServiceTrouble
from airflow_dynamo_pipeline.lookup import partition as partitions
from airflow_dynamo_pipeline.lookup.partition import (
    MOST_BUCKETS,
    ROWS_PER_BUCKET,
    Partition,
    buckets_for,
    digest_of,
    digests_of,
    key_of,
    may_repeat,
    packed,
    repeated,
    unpacked,
)
from tests.unit.lookup.load_world import Item, partition_of, printed, prints_of, product

BUCKETS = 16


def many(count: int) -> list[Item]:
    return [product(f"P{number:04}", "x" * 20) for number in range(count)]


def held(partition: Partition) -> dict[bytes, bytes]:
    """Every print and the item that came with it."""
    return {
        line: item
        for bucket in range(partition.buckets)
        for piece in partition.pieces(bucket)
        for line, item in zip(piece.prints, piece.items(), strict=True)
    }


@pytest.mark.parametrize(
    ("rows", "buckets"),
    [
        (0, 16),
        (1, 16),
        (16 * ROWS_PER_BUCKET, 16),
        (16 * ROWS_PER_BUCKET + 1, 32),
        (10_000_000, 256),
        (10**12, MOST_BUCKETS),
    ],
)
def test_rows_are_cut_into_a_power_of_two_of_buckets(rows: int, buckets: int) -> None:
    assert buckets == buckets_for(rows)


def test_a_digest_is_the_base64_of_twelve_bytes_of_blake2b() -> None:
    wanted = [
        base64.b64encode(hashlib.blake2b(item, digest_size=12).digest()) for item in (b"{}", b'{"a":1}')
    ]

    assert wanted == digests_of([b"{}", b'{"a":1}'])
    assert [] == digests_of([])


def test_a_print_gives_its_key_and_its_digest_back() -> None:
    (line,) = prints_of(product("tab\tand\nline"))

    assert b'["tab\\tand\\nline"]' == key_of(line)
    assert 16 == len(digest_of(line))
    assert line == key_of(line) + b"\t" + digest_of(line).encode()


def test_equal_items_have_equal_prints_however_they_are_written() -> None:
    one = {"id": {"S": "a"}, "n": {"N": "1.50"}, "s": {"SS": ["x", "y"]}}
    same = {"s": {"SS": ["y", "x"]}, "n": {"N": "15E-1"}, "id": {"S": "a"}}

    assert prints_of(one) == prints_of(same)
    assert prints_of(one) != prints_of({**one, "n": {"N": "1.51"}})
    assert prints_of(one) != prints_of({**one, "n": {"S": "1.5"}})


@pytest.mark.parametrize("spill_bytes", [1, 3000, 1 << 20])
def test_what_is_added_comes_out_with_its_items_spilled_or_not(spill_bytes: int) -> None:
    store = MemoryStore()
    items = many(100)
    partition = partition_of(store, *items[:60], spill_bytes=spill_bytes)
    partition.add(*printed(*items[60:]))
    keys, _, texts = printed(*items)

    assert dict(zip(keys, texts, strict=True)) == {
        key_of(line): item for line, item in held(partition).items()
    }
    assert 100 == partition.count
    assert {1: 2, 3000: 2, 1 << 20: 0}[spill_bytes] == len(store.objects)


def test_a_key_is_in_the_bucket_of_its_hash_on_both_sides() -> None:
    store = MemoryStore()
    rows, table = (partition_of(store, *many(50), prefix=side, spill_bytes=1) for side in ("a", "b"))
    found = {key_of(line): bucket for bucket in range(BUCKETS) for line in rows.prints(bucket)}

    assert {key: zlib.crc32(key) % BUCKETS for key in found} == found
    assert [sorted(rows.prints(n)) for n in range(BUCKETS)] == [
        sorted(table.prints(n)) for n in range(BUCKETS)
    ]
    assert 1 < len(set(found.values()))


def test_pieces_come_in_the_order_in_which_they_were_added() -> None:
    store = MemoryStore()
    partition = partition_of(store, buckets=1, spill_bytes=1)
    for key in "abc":
        partition.add(*printed(product(key)))

    assert [b'["a"]', b'["b"]', b'["c"]'] == [key_of(line) for line in partition.prints(0)]
    assert 3 == len(list(partition.pieces(0)))


def test_prints_without_items_are_spilled_alone() -> None:
    store = MemoryStore()
    partition = partition_of(store, buckets=1, spill_bytes=1)
    keys, digests, _ = printed(*many(3))
    partition.add(keys, digests)

    (piece,) = partition.pieces(0)
    assert (3, []) == (len(piece.prints), piece.items())


def test_as_many_items_as_keys_are_taken_and_no_fewer() -> None:
    partition = partition_of(MemoryStore())
    keys, digests, texts = printed(*many(3))

    with pytest.raises(ValueError, match="3 keys, 3 digests and 2 items"):
        partition.add(keys, digests, texts[:2])


def test_several_threads_lose_nothing() -> None:
    store = MemoryStore()
    partition = partition_of(store, spill_bytes=500)
    shares = [many(200)[start::4] for start in range(4)]

    def add(share: list[Item]) -> None:
        for item in share:
            partition.add(*printed(item))

    threads = [threading.Thread(target=add, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 200 == partition.count
    assert set(prints_of(*many(200))) == set(held(partition))


def test_what_was_spilled_is_removed_and_nothing_beside_it() -> None:
    store = MemoryStore()
    store.put("scratch/other", b"x")
    partition = partition_of(store, *many(3), spill_bytes=1)
    assert 2 == len(store.objects)

    partition.remove()
    partition.remove()

    assert ["scratch/other"] == list(store.keys(""))


def test_a_spill_that_fails_leaves_no_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()

    def full(_writer: MemoryWriter, _data: bytes) -> None:
        raise ServiceTrouble("s3", "no room")

    monkeypatch.setattr(MemoryWriter, "write", full)
    with pytest.raises(ServiceTrouble):
        partition_of(store, *many(3), spill_bytes=1)

    assert (0, 0) == (len(store.uploads), len(store.objects))


def test_damage_to_what_was_spilled_is_refused() -> None:
    store = MemoryStore()
    partition = partition_of(store, *many(1), buckets=1, spill_bytes=1)
    (key,) = store.keys("")
    store.put(key, b"x" * store.size(key))

    with pytest.raises(ValueError, match=r"."):
        partition.prints(0)


def test_lines_come_back_as_they_were_packed() -> None:
    assert [b"a", b"", b"c"] == unpacked(packed(b"a\n\nc\n"))
    assert (b"", []) == (packed(b""), unpacked(b""))
    assert packed(b"a\n" * 100) == packed(bytearray(b"a\n" * 100))


def test_keys_that_stand_more_than_once_are_named_once() -> None:
    once, twice = prints_of(product("a"))[0], prints_of(product("b"))[0]
    (changed,) = prints_of(product("b", "other"))

    assert [b'["b"]'] == list(repeated([twice, once, changed, twice]))
    assert [] == list(repeated([once, twice]))
    assert [] == list(repeated([]))


def test_what_is_left_goes_after_what_was_spilled_when_no_more_comes() -> None:
    store = MemoryStore()
    partition = partition_of(store, *many(60), spill_bytes=3000)
    partition.add(*printed(*many(61)[60:]))
    before = len(store.objects)

    partition.close()
    partition.close()

    assert (1, 2) == (before, len(store.objects))
    assert set(prints_of(*many(61))) == set(held(partition))


def test_what_fits_into_memory_stays_there_when_no_more_comes() -> None:
    store = MemoryStore()
    partition = partition_of(store, *many(60))

    partition.close()

    assert {} == store.objects
    assert set(prints_of(*many(60))) == set(held(partition))


@pytest.mark.parametrize(("ahead_bytes", "calls"), [(1, 16), (1 << 20, 1)])
def test_neighbouring_buckets_are_read_at_once(
    monkeypatch: pytest.MonkeyPatch, ahead_bytes: int, calls: int
) -> None:
    monkeypatch.setattr(partitions, "AHEAD_BYTES", ahead_bytes)
    store = MemoryStore()
    asked: list[int] = []
    read_range = store.read_range

    def counted(key: str, start: int, length: int) -> bytes:
        asked.append(start)
        return read_range(key, start, length)

    monkeypatch.setattr(store, "read_range", counted)
    partition = partition_of(store, *many(400), spill_bytes=1)

    assert set(prints_of(*many(400))) == set(held(partition))
    assert calls == len(asked)


def test_buckets_may_be_asked_for_in_any_order_and_again() -> None:
    partition = partition_of(MemoryStore(), *many(200), spill_bytes=1)
    there = [sorted(partition.prints(bucket)) for bucket in range(BUCKETS)]
    back = [sorted(partition.prints(bucket)) for bucket in reversed(range(BUCKETS))]

    assert there == back[::-1]


A, B, OTHER_A, OTHER_B = prints_of(product("a"), product("b"), product("a", "other"), product("b", "other"))


@pytest.mark.parametrize(
    ("prints", "theirs", "wanted"),
    [
        ([A, B], [], False),
        ([A, B], [A, B], False),
        ([A, B], [OTHER_A, B], False),
        ([A, B], [OTHER_A, OTHER_B], False),
        ([A, A], [], True),
        ([A, A], [A], True),
        ([A, OTHER_A], [], True),
        ([A, OTHER_A], [A], True),
        ([B, A, OTHER_A], [B, OTHER_A], True),
    ],
)
def test_that_a_key_repeats_is_seen_by_what_the_other_side_has_not(
    prints: list[bytes], theirs: list[bytes], wanted: bool
) -> None:
    different = frozenset(prints)

    assert wanted == may_repeat(prints, different, different - frozenset(theirs))
    assert wanted == (list(repeated(prints)) != [])


def test_why_a_spill_failed_is_not_hidden_by_an_upload_that_cannot_be_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[MemoryWriter] = []

    def denied(_writer: MemoryWriter, _data: bytes) -> None:
        raise AccessDenied("s3:PutObject", "work")

    def away(writer: MemoryWriter) -> None:
        tried.append(writer)
        raise ServiceTrouble("s3 is away")

    monkeypatch.setattr(MemoryWriter, "write", denied)
    monkeypatch.setattr(MemoryWriter, "abort", away)
    with pytest.raises(AccessDenied):
        partition_of(MemoryStore(), *many(3), spill_bytes=1)

    assert 1 == len(tried)


def test_of_prints_without_items_fewer_bytes_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "AHEAD_PRINTS_BYTES", 1)
    store = MemoryStore()
    asked: list[int] = []
    read_range = store.read_range

    def counted(key: str, start: int, length: int) -> bytes:
        asked.append(start)
        return read_range(key, start, length)

    monkeypatch.setattr(store, "read_range", counted)
    partition = partition_of(store, spill_bytes=1)
    keys, digests, _ = printed(*many(400))
    partition.add(keys, digests)

    found = [line for bucket in range(BUCKETS) for line in partition.prints(bucket)]

    assert sorted(prints_of(*many(400))) == sorted(found)
    assert BUCKETS == len(asked)
