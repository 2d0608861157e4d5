"""What every store promises: the one in memory, S3 (moto's and the fake's), and the retrying wrapper."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.adapters.retrying import RetryingStore
from airflow_dynamo_pipeline.adapters.s3 import PIECE_BYTES, S3Store
from airflow_dynamo_pipeline.engine.ports import ABSENT, ObjectStore, VersionConflict
from airflow_dynamo_pipeline.errors import NotFound, PipelineError
from tests.faults.s3 import S3
from tests.faults.serving import service_at_work
from tests.integration.faults import inject, s3_error
from tests.integration.world import World, bucket_in
from tests.services import Services

MIB = 1024 * 1024
KEYS = ["a/1", "a/10", "a/2", "a/b/1", "a/b/c/1", "a/d/1", "ab/1", "é/\u2028 +%25?#&=😀"]


@dataclass
class Case:
    """A store and what S3 was asked, where there is one."""

    store: ObjectStore
    calls: Counter[str] = field(default_factory=Counter)
    client: Any = None


def retrying(store: ObjectStore) -> ObjectStore:
    return RetryingStore(store, SystemClock(), threading.Event(), _no_warning)


def _no_warning(line: str) -> None:
    pytest.fail(f"nothing here is worth another try: {line}")


def s3_case(world: World) -> Case:
    client = world.fresh_client("s3")
    calls: Counter[str] = Counter()

    def count(model: Any, **_: object) -> None:
        calls[model.name] += 1

    client.meta.events.register("before-call.s3", count)
    return Case(S3Store(client, world.bucket), calls, client)


def retrying_s3_case(world: World) -> Case:
    case = s3_case(world)
    return Case(retrying(case.store), case.calls, case.client)


CASES: dict[str, Callable[[dict[str, World]], Case]] = {
    "memory": lambda _: Case(MemoryStore()),
    "memory-retrying": lambda _: Case(retrying(MemoryStore())),
    "s3": lambda worlds: s3_case(worlds["moto"]),
    "s3-retrying": lambda worlds: retrying_s3_case(worlds["moto"]),
    "s3-fake": lambda worlds: s3_case(worlds["fake"]),
}
ON_S3 = [name for name in CASES if name.startswith("s3")]
ATOMIC: dict[str, Callable[[dict[str, World]], Case]] = {  # moto looks first and writes then
    **{name: make for name, make in CASES.items() if name not in ("s3", "s3-retrying")},
    "s3-fake-retrying": lambda worlds: retrying_s3_case(worlds["fake"]),
}


@pytest.fixture(scope="module")
def fake_s3() -> Iterator[tuple[S3, str]]:
    """The fake and its address."""
    fake = S3()
    with service_at_work(fake) as url:
        yield fake, url


@pytest.fixture
def worlds(services: Services, bucket: str, fake_s3: tuple[S3, str]) -> dict[str, World]:
    """The same empty bucket in moto and in the fake."""
    fake, url = fake_s3
    fake.create_bucket(bucket)
    return {"moto": World.of(services, bucket), "fake": World(services.dynamodb_url, url, bucket)}


@pytest.fixture(params=["moto", "fake"])
def world(request: pytest.FixtureRequest, worlds: dict[str, World]) -> World:
    return worlds[request.param]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, worlds: dict[str, World]) -> Case:
    return CASES[request.param](worlds)


@pytest.fixture
def store(case: Case) -> ObjectStore:
    return case.store


@pytest.fixture(params=ON_S3)
def s3_store(request: pytest.FixtureRequest, worlds: dict[str, World]) -> Case:
    return CASES[request.param](worlds)


def body_of(store: ObjectStore, key: str) -> bytes | None:
    found = store.get(key)
    return None if found is None else found.body


def pieces(total: int, *, size: int = 700_001) -> Iterator[bytes]:
    """Bytes that do not repeat at a piece's length."""
    sent = 0
    while sent < total:
        chunk = hashlib.sha256(str(sent).encode()).digest() * (size // 32 + 1)
        yield chunk[: min(size, total - sent)]
        sent += min(size, total - sent)


# --- small objects --------------------------------------------------------------------------------


def test_what_is_not_there_is_none(store: ObjectStore) -> None:
    assert store.get("nothing/here") is None


@pytest.mark.parametrize("body", [b"", b"\x00\xff\r\n", b"x" * (3 * MIB)], ids=["empty", "binary", "large"])
def test_what_was_put_comes_back(store: ObjectStore, body: bytes) -> None:
    version = store.put("a/b", body)

    found = store.get("a/b")

    assert found is not None
    assert (body, version) == (found.body, found.version)


def test_put_without_a_condition_replaces(store: ObjectStore) -> None:
    store.put("k", b"one")
    store.put("k", b"two")

    assert b"two" == body_of(store, "k")


def test_every_content_has_a_version_of_its_own(store: ObjectStore) -> None:
    assert store.put("k", b"one") != store.put("k", b"two")


@pytest.mark.parametrize("key", KEYS)
def test_any_key_will_do(store: ObjectStore, key: str) -> None:
    store.put(key, key.encode())

    assert key.encode() == body_of(store, key)
    assert key.encode() == b"".join(store.read(key))
    assert [key] == list(store.keys(""))

    store.delete([key])

    assert [] == list(store.keys(""))


# --- conditional writes ---------------------------------------------------------------------------


def test_put_if_absent_writes_what_is_absent(store: ObjectStore) -> None:
    version = store.put("k", b"one", expect=ABSENT)

    found = store.get("k")
    assert found is not None
    assert (b"one", version) == (found.body, found.version)


def test_put_if_absent_leaves_what_is_there(store: ObjectStore) -> None:
    store.put("k", b"one")

    with pytest.raises(VersionConflict):
        store.put("k", b"two", expect=ABSENT)

    assert b"one" == body_of(store, "k")


def test_put_if_absent_writes_after_a_delete(store: ObjectStore) -> None:
    store.put("k", b"one")
    store.delete(["k"])
    store.put("k", b"two", expect=ABSENT)

    assert b"two" == body_of(store, "k")


def test_versions_form_a_chain(store: ObjectStore) -> None:
    version = store.put("k", b"0", expect=ABSENT)
    for n in range(1, 5):
        version = store.put("k", str(n).encode(), expect=version)

    assert b"4" == body_of(store, "k")


def test_the_version_that_get_gave_can_be_replaced(store: ObjectStore) -> None:
    store.put("k", b"one")
    found = store.get("k")
    assert found is not None

    store.put("k", b"two", expect=found.version)

    assert b"two" == body_of(store, "k")


def test_a_version_that_was_replaced_conflicts(store: ObjectStore) -> None:
    old = store.put("k", b"one")
    store.put("k", b"two", expect=old)

    with pytest.raises(VersionConflict):
        store.put("k", b"three", expect=old)

    assert b"two" == body_of(store, "k")


def test_a_version_of_an_object_that_is_gone_conflicts(store: ObjectStore) -> None:
    """A checkpoint that another attempt removed must not come back."""
    old = store.put("k", b"one")
    store.delete(["k"])

    with pytest.raises(VersionConflict):
        store.put("k", b"two", expect=old)

    assert store.get("k") is None


@pytest.mark.parametrize("name", ATOMIC)
def test_of_many_writers_that_found_nothing_one_wins(worlds: dict[str, World], name: str) -> None:
    """In memory and on S3 alike the condition is checked where the bytes are kept."""
    store = ATOMIC[name](worlds).store
    won: list[int] = []

    def write(n: int) -> None:
        try:
            store.put("k", str(n).encode(), expect=ABSENT)
        except VersionConflict:
            return
        won.append(n)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(won)
    assert str(won[0]).encode() == body_of(store, "k")


# --- streamed objects -----------------------------------------------------------------------------

SIZES = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 20 * MIB]


@pytest.mark.parametrize("size", SIZES)
def test_a_streamed_object_is_what_was_written(store: ObjectStore, size: int) -> None:
    writer = store.create("a/stream")
    written = hashlib.sha256()
    for piece in pieces(size):
        writer.write(piece)
        written.update(piece)
    version = writer.close()

    read = hashlib.sha256()
    total = 0
    for chunk in store.read("a/stream"):
        read.update(chunk)
        total += len(chunk)
    assert (size, written.hexdigest()) == (total, read.hexdigest())
    found = store.get("a/stream")
    assert found is not None
    assert version == found.version


@pytest.mark.parametrize("size", [1, 6 * MIB])
def test_a_streamed_object_is_invisible_before_it_is_closed(store: ObjectStore, size: int) -> None:
    writer = store.create("a/stream")
    for piece in pieces(size):
        writer.write(piece)

    assert store.get("a/stream") is None
    assert [] == list(store.keys("a/"))

    writer.close()

    assert ["a/stream"] == list(store.keys("a/"))


def test_a_streamed_object_replaces_the_one_before_only_when_it_is_closed(store: ObjectStore) -> None:
    store.put("k", b"old")
    writer = store.create("k")
    writer.write(b"new")

    assert b"old" == body_of(store, "k")

    writer.close()

    assert b"new" == body_of(store, "k")


@pytest.mark.parametrize("size", [0, 1, 6 * MIB])
def test_an_aborted_object_leaves_nothing(store: ObjectStore, size: int) -> None:
    writer = store.create("a/stream")
    for piece in pieces(size):
        writer.write(piece)
    writer.abort()
    writer.abort()

    assert store.get("a/stream") is None
    assert 0 == store.abort_uploads("a/")


@pytest.mark.parametrize("size", [1, 6 * MIB])
def test_abort_after_close_leaves_the_object(store: ObjectStore, size: int) -> None:
    writer = store.create("a/stream")
    for piece in pieces(size):
        writer.write(piece)
    writer.close()
    writer.abort()

    assert ["a/stream"] == list(store.keys("a/"))


def test_unfinished_uploads_are_dropped_and_counted(store: ObjectStore) -> None:
    writers = [store.create(key) for key in ("a/1", "a/2", "b/1")]
    for writer in writers:
        for piece in pieces(6 * MIB):
            writer.write(piece)

    assert 2 == store.abort_uploads("a/")
    assert 0 == store.abort_uploads("a/")
    assert 1 == store.abort_uploads("")
    assert [] == list(store.keys(""))


def test_an_upload_that_somebody_dropped_cannot_be_closed(case: Case) -> None:
    writer = case.store.create("a/stream")
    for piece in pieces(6 * MIB):
        writer.write(piece)
    case.store.abort_uploads("a/")
    if case.client is not None:  # moto answers 500 to pieces of an upload that is gone; S3 does not
        gone = s3_error("NoSuchUpload", "The specified upload does not exist.", status=404)
        for operation in ("UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"):
            inject(case.client, operation, gone)

    with pytest.raises(PipelineError):
        writer.close()
    writer.abort()

    assert [] == list(case.store.keys(""))


def test_two_streams_do_not_mix(store: ObjectStore) -> None:
    one, two = store.create("one"), store.create("two")
    for piece in pieces(6 * MIB):
        one.write(piece)
        two.write(piece[::-1])
    one.close()
    two.close()

    assert b"".join(pieces(6 * MIB)) == body_of(store, "one")
    assert b"".join(piece[::-1] for piece in pieces(6 * MIB)) == body_of(store, "two")


def test_a_stream_that_is_not_there_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(NotFound, match="nothing/here") as caught:
        list(store.read("nothing/here"))

    assert "key" == caught.value.kind


# --- listing and deleting -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3 * MIB])
def test_a_size_is_that_of_the_stored_bytes(store: ObjectStore, size: int) -> None:
    store.put("k", b"x" * size)

    assert size == store.size("k")


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (0, 5), (3, 4), (95, 5), (95, 100), (0, 1000), (99, 1)]
)
def test_a_range_is_what_stands_there_and_ends_with_the_object(
    store: ObjectStore, start: int, length: int
) -> None:
    body = bytes(range(100))
    store.put("k", body)

    assert body[start : start + length] == store.read_range("k", start, length)


@pytest.mark.parametrize("look", ["size", "read_range"])
def test_what_is_not_there_has_neither_size_nor_range(store: ObjectStore, look: str) -> None:
    looks: dict[str, Callable[[], object]] = {
        "size": lambda: store.size("nothing/here"),
        "read_range": lambda: store.read_range("nothing/here", 0, 1),
    }

    with pytest.raises(NotFound, match="nothing/here") as caught:
        looks[look]()

    assert "key" == caught.value.kind


def test_a_range_is_one_call_and_moves_no_more_than_it_says(s3_store: Case) -> None:
    s3_store.store.put("k", b"x" * (3 * MIB))
    before = s3_store.calls["GetObject"]

    assert b"x" * 10 == s3_store.store.read_range("k", MIB, 10)

    assert before + 1 == s3_store.calls["GetObject"]


def test_keys_are_those_under_the_prefix_in_order(store: ObjectStore) -> None:
    for key in reversed(KEYS):
        store.put(key, b"")

    assert KEYS == list(store.keys(""))
    assert KEYS[:6] == list(store.keys("a/"))
    assert ["a/1", "a/10"] == list(store.keys("a/1"))
    assert [] == list(store.keys("zz"))


def test_keys_beyond_a_page_of_the_listing_are_listed(store: ObjectStore) -> None:
    wanted = [f"many/{n:04}" for n in range(1005)]
    for key in wanted:
        store.put(key, b"")

    assert wanted == list(store.keys("many/"))

    store.delete(iter(wanted))

    assert [] == list(store.keys("many/"))


def test_folders_are_the_names_up_to_the_next_slash(store: ObjectStore) -> None:
    for key in KEYS:
        store.put(key, b"")

    assert ["b", "d"] == list(store.folders("a/"))
    assert ["c"] == list(store.folders("a/b/"))
    assert ["a", "ab", "é"] == list(store.folders(""))
    assert [] == list(store.folders("zz/"))


def test_deleting_what_is_not_there_is_no_error(store: ObjectStore) -> None:
    store.put("k", b"")
    store.delete(["nothing", "k", "nothing either"])
    store.delete([])

    assert [] == list(store.keys(""))


def test_a_probe_leaves_nothing(store: ObjectStore) -> None:
    store.probe("a/_probe")

    assert [] == list(store.keys(""))
    assert 0 == store.abort_uploads("")


def test_a_store_says_where_it_is(store: ObjectStore) -> None:
    assert "us-east-1" == store.region()


# --- what only S3 can show ------------------------------------------------------------------------


def test_a_small_stream_is_one_call(s3_store: Case) -> None:
    writer = s3_store.store.create("k")
    for piece in pieces(PIECE_BYTES - 1):
        writer.write(piece)

    assert {} == s3_store.calls

    writer.close()

    assert {"PutObject": 1} == s3_store.calls


def test_a_large_stream_is_sent_in_pieces_while_it_is_written(s3_store: Case) -> None:
    writer = s3_store.store.create("k")
    for piece in pieces(20 * MIB):
        writer.write(piece)

    before = dict(s3_store.calls)
    writer.close()

    assert {"CreateMultipartUpload", "UploadPart"} == before.keys()
    assert before["UploadPart"] >= 2
    assert 1 == s3_store.calls["CreateMultipartUpload"] == s3_store.calls["CompleteMultipartUpload"]
    assert 0 == s3_store.calls["PutObject"]


def test_a_read_holds_a_piece_not_the_object(s3_store: Case) -> None:
    s3_store.store.put("k", b"x" * (3 * MIB))

    assert max(len(chunk) for chunk in s3_store.store.read("k")) <= MIB


@pytest.mark.parametrize(
    "look", ["region", "get", "read", "put", "keys", "folders", "delete", "probe", "create", "read_range"]
)
def test_a_missing_bucket_is_named(world: World, look: str) -> None:
    missing = f"bucket-{uuid.uuid4().hex}"
    store = S3Store(world.fresh_client("s3"), missing)
    looks: dict[str, Callable[[], object]] = {
        "region": store.region,
        "get": lambda: store.get("k"),
        "read": lambda: list(store.read("k")),
        "put": lambda: store.put("k", b"", expect=ABSENT),
        "keys": lambda: list(store.keys("")),
        "folders": lambda: list(store.folders("")),
        "delete": lambda: store.delete(["k"]),
        "probe": lambda: store.probe("k"),
        "create": lambda: store.create("k").close(),
        "read_range": lambda: store.read_range("k", 0, 1),
    }

    with pytest.raises(NotFound, match=missing) as caught:
        looks[look]()

    assert "bucket" == caught.value.kind


def test_a_bucket_elsewhere_says_where(world: World) -> None:
    client = world.fresh_client("s3")

    assert "eu-west-1" == S3Store(client, bucket_in(client, "eu-west-1")).region()


@pytest.mark.parametrize("size", [1, 6 * MIB])
def test_what_is_written_is_encrypted_with_the_key_asked_for(world: World, size: int) -> None:
    client, key = world.fresh_client("s3"), "arn:aws:kms:us-east-1:111122223333:key/k"
    store = S3Store(client, world.bucket, kms_key_id=key)
    writer = store.create("streamed")
    for piece in pieces(size):
        writer.write(piece)
    writer.close()
    store.put("put", b"")

    for name in ("streamed", "put"):
        head = client.head_object(Bucket=world.bucket, Key=name)
        assert ("aws:kms", key) == (head["ServerSideEncryption"], head["SSEKMSKeyId"]), name
