"""What every source of pages promises: the one in memory, DynamoDB's paths, and the retrying wrapper."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.dynamodb import DynamoDBTable
from airflow_dynamo_pipeline.adapters.memory import MemoryTable
from airflow_dynamo_pipeline.adapters.retrying import RetryingTable
from airflow_dynamo_pipeline.adapters.wiring import transport_for
from airflow_dynamo_pipeline.engine.ports import ScanCall, TableReader, Throughput
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import CorruptReply, NotFound
from airflow_dynamo_pipeline.items.page import cut_page
from tests.integration.world import Item, World, binary, create_table, fill, multiset
from tests.services import Services

Key = tuple[tuple[str, str], ...]

KEYS: tuple[Key, ...] = (
    (("pk", "S"),),
    (("pk", "N"),),
    (("pk", "B"),),
    (("pk", "S"), ("sk", "N")),
    (("pk", "N"), ("sk", "B")),
    (("pk", "B"), ("sk", "S")),
)
VALUES: dict[str, Callable[[int], Item]] = {
    "S": lambda n: {"S": f'é😀"\\\x01{n}'},
    "N": lambda n: {"N": str(n * 10**30 + 1)},
    "B": lambda n: binary(bytes([255, n // 256, n % 256, 0])),
}
COUNT = 60


@dataclass
class Source:
    """A table to be read, and what it holds."""

    reader: TableReader
    items: list[Item]
    warnings: list[str]


Make = Callable[[Key, list[Item]], TableReader]


class Memory:
    """The table in memory."""

    def __init__(self, world: World, warnings: list[str]) -> None:
        self.warnings = warnings

    def make(self, key: Key, items: list[Item]) -> TableReader:
        return MemoryTable(items, key=[name for name, _ in key], throughput=Throughput(provisioned=100.0))


class Service:
    """DynamoDB Local, read by the fast path."""

    def __init__(self, world: World, warnings: list[str]) -> None:
        self.world = world
        self.warnings = warnings

    def make(self, key: Key, items: list[Item]) -> TableReader:
        client = self.world.fresh_client("dynamodb")
        name = create_table(client, key)
        fill(self.world.dynamodb_url, name, items)
        return self.reader(name)

    def reader(self, name: str, **more: Any) -> TableReader:
        client = self.world.fresh_client("dynamodb")
        self.prepare(client)
        request = ExportRequest(table_name=name, s3_uri="s3://unused", **more)
        return DynamoDBTable(client, request, self.warnings.append)

    def prepare(self, client: Any) -> None:
        """Nothing to prepare."""


class LeanService(Service):
    """DynamoDB Local, read over sockets of our own; the first page of a reader comes by botocore."""

    def reader(self, name: str, **more: Any) -> TableReader:
        client = self.world.fresh_client("dynamodb")
        self.prepare(client)
        request = ExportRequest(table_name=name, s3_uri="s3://unused", **more)
        transport = transport_for(client, name, self.warnings.append)
        return DynamoDBTable(client, request, self.warnings.append, transport)


class PlainService(Service):
    """DynamoDB Local, seen through something that changes the content type."""

    def prepare(self, client: Any) -> None:
        client.meta.events.register_first("before-parse.dynamodb.Scan", relabel)


def relabel(response_dict: dict[str, Any], **_: object) -> None:
    response_dict["headers"]["content-type"] = "text/json"


class Retried:
    """Any of the others, behind the wrapper that tries again."""

    def __init__(self, inner: Memory | Service) -> None:
        self.inner = inner
        self.warnings = inner.warnings

    def make(self, key: Key, items: list[Item]) -> TableReader:
        return self.wrapped(self.inner.make(key, items))

    def reader(self, name: str, **more: Any) -> TableReader:
        assert isinstance(self.inner, Service)
        return self.wrapped(self.inner.reader(name, **more))

    def wrapped(self, reader: TableReader) -> TableReader:
        return RetryingTable(reader, SystemClock(), threading.Event(), self.warnings.append)


Kind = Memory | Service | Retried

IN_MEMORY: dict[str, Callable[[World], Kind]] = {
    "memory": lambda world: Memory(world, world.warned),
    "memory-retrying": lambda world: Retried(Memory(world, world.warned)),
}
AT_THE_SERVICE: dict[str, Callable[[World], Service | Retried]] = {
    "dynamodb": lambda world: Service(world, world.warned),
    "dynamodb-retrying": lambda world: Retried(Service(world, world.warned)),
    "dynamodb-lean": lambda world: LeanService(world, world.warned),
    "dynamodb-plain": lambda world: PlainService(world, world.warned),
    "dynamodb-plain-retrying": lambda world: Retried(PlainService(world, world.warned)),
}
ALL = {**IN_MEMORY, **AT_THE_SERVICE}


@pytest.fixture
def world(services: Services) -> World:
    return World(services.dynamodb_url, services.moto_url, "no-bucket")


@pytest.fixture(params=ALL)
def kind(request: pytest.FixtureRequest, world: World) -> Kind:
    return ALL[request.param](world)


@pytest.fixture(params=AT_THE_SERVICE)
def service(request: pytest.FixtureRequest, world: World) -> Service | Retried:
    return AT_THE_SERVICE[request.param](world)


def items_of(key: Key, count: int = COUNT) -> list[Item]:
    """Items with every type in them; where there is a sort key, three share a partition."""
    return [
        {
            **{
                name: VALUES[kind](n if part else n // (len(key) * 2 - 1))
                for part, (name, kind) in enumerate(key)
            },
            "n": {"N": str(n)},
            "text": {"S": "x" * n + "z"},
            "set": {"SS": ["a", "b"]},
            "b": binary(b"\0"),
            "deep": {"M": {"S": {"L": [{"NULL": True}, {"BOOL": False}, {"M": {}}, {"L": []}]}}},
        }
        for n in range(count)
    ]


def source(kind: Kind, key: Key = KEYS[0], count: int = COUNT) -> Source:
    items = items_of(key, count)
    return Source(kind.make(key, items), items, kind.warnings)


def page_of(reader: TableReader, **call: Any) -> Item:
    """One page, parsed by no code of ours."""
    body = reader.scan(
        ScanCall(**{"segment": 0, "total_segments": 1, "limit": None, "start_key": None, **call})
    )
    page: Item = json.loads(body)
    return page


def pages(
    reader: TableReader, *, segment: int = 0, total: int = 1, limit: int | None = None
) -> Iterator[Item]:
    """Every page of a segment, each asked for by the raw key of the one before, as the engine does."""
    start: bytes | None = None
    while True:
        body = reader.scan(ScanCall(segment=segment, total_segments=total, limit=limit, start_key=start))
        page: Item = json.loads(body)
        yield page
        start = cut_page(body).last_key
        if start is None:
            return


@pytest.mark.parametrize("total", [1, 3, 16])
def test_the_pages_of_all_segments_hold_every_item_once(kind: Kind, total: int) -> None:
    table = source(kind)

    found = [
        item
        for segment in range(total)
        for page in pages(table.reader, segment=segment, total=total, limit=4)
        for item in page["Items"]
    ]

    assert multiset(table.items) == multiset(found)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: "-".join(kind for _, kind in key))
def test_a_scan_goes_on_exactly_after_the_key_of_the_last_page(kind: Kind, key: Key) -> None:
    table = source(kind, key)
    whole = [item for page in pages(table.reader) for item in page["Items"]]

    found = [page["Items"] for page in pages(table.reader, limit=7)]

    assert whole == [item for items in found for item in items]
    assert COUNT == len(whole)
    assert len(found) > 8


def test_the_same_key_gives_the_same_page(kind: Kind) -> None:
    table = source(kind)
    start = json.dumps(page_of(table.reader, limit=5)["LastEvaluatedKey"]).encode()

    assert page_of(table.reader, limit=5, start_key=start) == page_of(table.reader, limit=5, start_key=start)


@pytest.mark.parametrize("limit", [1, 9, COUNT - 1])
def test_no_page_holds_more_items_than_its_limit(kind: Kind, limit: int) -> None:
    table = source(kind)

    sizes = [len(page["Items"]) for page in pages(table.reader, limit=limit)]

    assert limit == max(sizes)
    assert COUNT == sum(sizes)


def test_the_last_page_has_no_key_and_all_before_it_have_one(kind: Kind) -> None:
    found = list(pages(source(kind).reader, limit=11))

    assert ["LastEvaluatedKey" in page for page in found] == [True] * (len(found) - 1) + [False]


def test_a_key_names_the_key_attributes_and_nothing_else(kind: Kind) -> None:
    page = page_of(source(kind, KEYS[4]).reader, limit=5)

    assert {name: page["Items"][-1][name] for name in ("pk", "sk")} == page["LastEvaluatedKey"]


def test_a_table_without_items_is_one_page_without_any(kind: Kind) -> None:
    (page,) = pages(source(kind, count=0).reader)

    assert [] == page["Items"]
    assert 0 == page["Count"]


def test_a_segment_without_items_ends_at_once(kind: Kind) -> None:
    table = source(kind, count=1)

    found = [page for segment in range(8) for page in pages(table.reader, segment=segment, total=8)]

    assert 8 == len(found)
    assert 1 == sum(page["Count"] for page in found)


def test_a_page_says_how_many_items_it_read_and_what_it_cost(kind: Kind) -> None:
    page = page_of(source(kind).reader, limit=10)

    assert 10 == page["Count"] == page["ScannedCount"]
    assert page["ConsumedCapacity"]["CapacityUnits"] >= 0.5


def test_pages_are_read_by_many_threads_at_once(kind: Kind) -> None:
    """One reader serves all threads; no thread may be given another's page."""
    table = source(kind, count=200)
    found: list[list[Item]] = [[] for _ in range(8)]

    def read(segment: int) -> None:
        for page in pages(table.reader, segment=segment, total=8, limit=3):
            found[segment] += page["Items"]

    threads = [threading.Thread(target=read, args=(segment,)) for segment in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert multiset(table.items) == multiset(item for items in found for item in items)


def test_a_table_describes_itself_the_same_way_each_time(kind: Kind) -> None:
    reader = source(kind).reader

    first, second = reader.describe(), reader.describe()

    assert first == second
    assert "ACTIVE" == first.status
    assert COUNT == first.item_count
    assert first.size_bytes > 0
    assert first.throughput.provisioned == 100
    assert not first.on_demand
    assert first.arn.endswith(f"table/{first.name}")
    assert first.identity not in ("", "/")


# --- what only a service can show -----------------------------------------------------------------


def test_a_missing_table_is_not_found_when_described(service: Service | Retried) -> None:
    with pytest.raises(NotFound, match="there-is-none") as caught:
        service.reader("there-is-none").describe()

    assert "table" == caught.value.kind


def test_a_missing_table_is_not_found_when_scanned(service: Service | Retried) -> None:
    with pytest.raises(NotFound, match="there-is-none") as caught:
        page_of(service.reader("there-is-none"))

    assert "table" == caught.value.kind


def test_a_table_made_anew_has_another_identity(service: Service | Retried, world: World) -> None:
    client = world.fresh_client("dynamodb")
    name = create_table(client)
    reader = service.reader(name)
    before = reader.describe().identity

    client.delete_table(TableName=name)
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    assert before != reader.describe().identity
    assert reader.describe().on_demand


def test_a_filtered_page_counts_what_was_read_apart_from_what_was_found(
    service: Service | Retried, world: World
) -> None:
    name = create_table(world.fresh_client("dynamodb"))
    fill(world.dynamodb_url, name, items_of(KEYS[0]))
    reader = service.reader(
        name,
        filter_expression="#n < :five",
        expression_attribute_names={"#n": "n"},
        expression_attribute_values={":five": {"N": "5"}},
    )

    (page,) = pages(reader)

    assert {"0", "1", "2", "3", "4"} == {item["n"]["N"] for item in page["Items"]}
    assert 5 == page["Count"]
    assert COUNT == page["ScannedCount"]


def test_only_the_plain_path_gives_a_warning(service: Service | Retried, world: World) -> None:
    name = create_table(world.fresh_client("dynamodb"))
    reader = service.reader(name)
    plain = isinstance(service.inner if isinstance(service, Retried) else service, PlainService)

    for _ in range(3):
        page_of(reader)

    assert [True] * plain == ["text/json" in line for line in service.warnings]


class _Meeting(dict[str, str]):
    """Headers whose readers wait until all threads read theirs, so that a race is lost each time."""

    def __init__(self, headers: dict[str, str], barrier: threading.Barrier) -> None:
        super().__init__(headers)
        self._barrier = barrier

    def get(self, name: str, default: Any = None) -> Any:
        if name == "content-type":
            try:
                self._barrier.wait(2)
            except threading.BrokenBarrierError:
                return super().get(name, default)
        return super().get(name, default)


def test_the_warning_is_given_once_however_many_threads_find_the_cause_together(world: World) -> None:
    name = create_table(world.fresh_client("dynamodb"))
    client = world.fresh_client("dynamodb")
    barrier = threading.Barrier(4)

    def meet(response_dict: dict[str, Any], **_: object) -> None:
        response_dict["headers"] = _Meeting(
            {**response_dict["headers"], "content-type": "text/json"}, barrier
        )

    client.meta.events.register_first("before-parse.dynamodb.Scan", meet)
    reader = DynamoDBTable(client, ExportRequest(table_name=name, s3_uri="s3://unused"), world.warned.append)
    threads = [threading.Thread(target=page_of, args=(reader,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(world.warned)


def test_readers_of_two_tables_share_a_client(world: World) -> None:
    client = world.fresh_client("dynamodb")
    readers = []
    for n in range(2):
        name = create_table(client)
        fill(world.dynamodb_url, name, items_of(KEYS[0], 5 + n))
        request = ExportRequest(table_name=name, s3_uri="s3://unused")
        readers.append(DynamoDBTable(client, request, world.warned.append))

    assert [5, 6] == [page_of(reader)["Count"] for reader in readers]


def test_a_client_that_a_reader_uses_still_parses_what_others_scan(world: World) -> None:
    client = world.fresh_client("dynamodb")
    name = create_table(client)
    fill(world.dynamodb_url, name, items_of(KEYS[0], 5))
    reader = DynamoDBTable(client, ExportRequest(table_name=name, s3_uri="s3://unused"), world.warned.append)

    page_of(reader)

    assert 5 == len(client.scan(TableName=name)["Items"])


@pytest.mark.parametrize("kind", AT_THE_SERVICE)
def test_a_reply_that_does_not_match_its_checksum_is_refused(world: World, kind: str) -> None:
    service = AT_THE_SERVICE[kind](world)
    name = create_table(world.fresh_client("dynamodb"))
    fill(world.dynamodb_url, name, items_of(KEYS[0], 5))
    plain = service.inner if isinstance(service, Retried) else service
    assert isinstance(plain, Service)
    prepare = plain.prepare

    def prepare_and_damage(client: Any) -> None:
        prepare(client)
        client.meta.events.register_first("before-parse.dynamodb.Scan", damage)

    plain.prepare = prepare_and_damage  # type: ignore[method-assign]

    with pytest.raises(CorruptReply):
        page_of(service.reader(name))


def damage(response_dict: dict[str, Any], **_: object) -> None:
    """What a bad line may do: still JSON, another value."""
    assert b"xxz" in response_dict["body"]
    response_dict["body"] = response_dict["body"].replace(b"xxz", b"xyz", 1)
