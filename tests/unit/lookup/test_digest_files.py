from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryWriter
from airflow_dynamo_pipeline.errors import ServiceTrouble, UnexpectedReply
from airflow_dynamo_pipeline.lookup.digest_files import DigestSide, DigestsUnreadable, DigestWriter
from airflow_dynamo_pipeline.lookup.records import DigestFile
from tests.unit.lookup.load_world import overwrite, prints_of, product

KEY = "digests/r1-k3x9"


def some(count: int, prefix: str = "P") -> list[bytes]:
    return prints_of(*(product(f"{prefix}{number:04}") for number in range(count)))


def written(store: MemoryStore, *buckets: list[bytes]) -> DigestFile:
    writer = DigestWriter(store, KEY)
    for bucket in buckets:
        writer.bucket(bucket)
    return writer.close()


def test_buckets_come_back_as_they_were_written() -> None:
    store = MemoryStore()
    buckets = [some(3, "a"), [], some(1, "b"), []]
    side = DigestSide(store, written(store, *buckets))

    assert buckets == [side.prints(number) for number in range(4)]
    assert (4, 4) == (side.buckets, side.count)


def test_a_table_without_items_has_digests_too() -> None:
    store = MemoryStore()
    side = DigestSide(store, written(store, [], []))

    assert ([[], []], 0, []) == ([side.prints(0), side.prints(1)], side.count, side.sample(10, "seed"))


def test_nothing_is_visible_before_all_of_it_is_written() -> None:
    store = MemoryStore()
    writer = DigestWriter(store, KEY)
    writer.bucket(some(3))
    assert [] == list(store.keys(""))

    writer.abort()

    assert ([], 0) == (list(store.keys("")), len(store.uploads))


@pytest.mark.parametrize("change", ["gone", "damaged", "other bytes", "cut"])
def test_a_file_that_is_not_what_was_written_is_unreadable(change: str) -> None:
    store = MemoryStore()
    file = written(store, some(20), some(20, "Q"))
    body = store.objects[KEY].body
    if change == "gone":
        store.delete([KEY])
    else:
        other = {"damaged": body[:-9] + b"x" * 9, "other bytes": b"y" * len(body), "cut": body[:-5]}[change]
        overwrite(store, KEY, other)

    with pytest.raises(DigestsUnreadable, match=KEY):
        DigestSide(store, file).prints(1)


@pytest.mark.parametrize("left", [0, "the first bucket"])
def test_a_file_cut_where_a_bucket_begins_is_unreadable(left: int | str) -> None:
    store = MemoryStore()
    file = written(store, some(20), some(20, "Q"))
    length = left if isinstance(left, int) else file.buckets[1][0]
    overwrite(store, KEY, store.objects[KEY].body[:length])

    with pytest.raises(DigestsUnreadable, match=KEY):
        DigestSide(store, file).prints(1)


def test_a_range_that_is_not_there_any_more_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    side = DigestSide(store, written(store, some(20)))

    def refuse(*_range: object) -> bytes:
        raise UnexpectedReply("s3:GetObject: InvalidRange")  # as S3 says of a range behind the end

    monkeypatch.setattr(store, "read_range", refuse)
    with pytest.raises(DigestsUnreadable, match="InvalidRange"):
        side.prints(0)


@pytest.mark.parametrize(("most", "wanted"), [(0, 0), (1, 1), (10, 10), (39, 39), (40, 40), (1000, 40)])
def test_a_sample_has_as_many_prints_as_asked_where_there_are_as_many(most: int, wanted: int) -> None:
    store = MemoryStore()
    side = DigestSide(store, written(store, *(some(5, f"{bucket}-") for bucket in range(8))))

    found = side.sample(most, "seed")

    assert wanted == len(set(found)) == len(found)


def test_a_sample_is_from_all_over_the_table() -> None:
    store = MemoryStore()
    buckets = [some(50, f"{bucket}-") for bucket in range(64)]
    side = DigestSide(store, written(store, *buckets))

    found = side.sample(80, "seed")

    shares = [len(set(bucket) & set(found)) for bucket in buckets]
    assert [10] * 8 == [share for share in shares if share]


def test_another_seed_samples_other_items() -> None:
    store = MemoryStore()
    side = DigestSide(store, written(store, *(some(50, f"{bucket}-") for bucket in range(64))))

    assert side.sample(80, "one") == side.sample(80, "one")
    assert set(side.sample(80, "one")) != set(side.sample(80, "two"))


def test_trouble_with_dropping_a_digest_file_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def away(writer: MemoryWriter) -> None:
        tried.append(writer.key)
        raise ServiceTrouble("s3 is away")

    monkeypatch.setattr(MemoryWriter, "abort", away)
    DigestWriter(MemoryStore(), KEY).abort()

    assert [KEY] == tried
