"""Exports of real tables to a real S3: what was in the table is in the files, whatever it was."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import random
import re
import threading
import uuid
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.engine.verify import verify_files
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from tests.integration.world import (
    QUICK,
    SUMMARY,
    FastClock,
    Item,
    World,
    binary,
    call,
    create_table,
    fill,
    key_of,
    multiset,
)
from tests.services import Services, aws_client

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

LARGEST_ITEM_BYTES = 400 * 1024


def text(value: str) -> Item:
    return {"S": value}


def number(value: object) -> Item:
    return {"N": str(value)}


# --- many items -----------------------------------------------------------------------------------


def realistic(count: int) -> list[Item]:
    """Orders, customers and events in one table, as people keep them."""
    chance = random.Random(20260102)  # the same each time
    return [KINDS[n % len(KINDS)](n, chance) for n in range(count)]


def _order(n: int, chance: random.Random) -> Item:
    return {
        "pk": text(f"order#{n}"),
        "sk": number(chance.randrange(10**9)),
        "total": number(f"{chance.randrange(1, 10**6)}.{chance.randrange(1, 10):d}"),
        "lines": {
            "L": [
                {"M": {"sku": text(f"sku-{chance.randrange(999)}"), "count": number(line + 1)}}
                for line in range(chance.randrange(4))
            ]
        },
        "paid": {"BOOL": chance.random() < 0.5},
        "note": text(
            chance.choice(["ring twice", 'say "hi"', "größer als 😀", "}},{", "a\nb\tc"]) + "!" * (n % 40)
        ),
    }


def _customer(n: int, chance: random.Random) -> Item:
    return {
        "pk": text(f"customer#{n}"),
        "sk": number(0),
        "tags": {"SS": sorted({chance.choice("abcdefgh") for _ in range(3)})},
        "scores": {"NS": [str(value) for value in sorted({chance.randrange(100) for _ in range(3)})]},
        "photo": binary(chance.randbytes(chance.randrange(1, 300))),
        "left": {"NULL": True},
        "address": {"M": {"city": text("東京"), "geo": {"L": [number("35.6"), number("-139.7")]}}},
    }


def _event(n: int, chance: random.Random) -> Item:
    return {
        "pk": text(f"event#{n % 500}"),
        "sk": number(n),
        "at": number(1_700_000_000 + n),
        "what": text("seen"),
    }


KINDS = (_order, _customer, _event, _event)


@pytest.mark.slow
def test_fifty_thousand_items_are_in_the_files_once_each(world: World, dynamodb: DynamoDBClient) -> None:
    items = realistic(50_000)
    table = create_table(dynamodb, (("pk", "S"), ("sk", "N")))
    fill(world.dynamodb_url, table, items)

    result = world.export(table, segments=3, part_bytes=1024 * 1024)

    assert 50_000 == result.item_count
    assert result.parts > 3
    assert multiset(items) == multiset(world.items(result.manifest_uri))
    assert [] == world.warned
    assert (
        result.item_count
        == verify_files(result.manifest_uri, world.ports(world.request(table)).store).item_count
    )


# --- the wire, exactly ----------------------------------------------------------------------------

NASTY_NAMES = [
    "Items",
    "Count",
    "ScannedCount",
    "LastEvaluatedKey",
    "ConsumedCapacity",
    "S",
    "M",
    "L",
    "NULL",
    "Item",
]
NASTY_TEXTS = [
    "}},{",
    '}},{"pk":{"S":"x"}},{',
    '"LastEvaluatedKey":{"pk":{"S":"x"}}',
    '\\"',
    "\\u0041",
    "\\",
    "/",
    "".join(chr(n) for n in range(1, 32)),
    "\x7f\x80\x9f\u2028\u2029\ufeff\ufffd\uffff",
    "😀👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿\U0010ffff",
    "e\u0301é",
    "<!--&amp;-->",
    "\x00",
    " ",
    "null",
    "\r\n",
]
NUMBERS = [
    "12345678901234567890123456789012345678",
    "-0.12345678901234567890123456789012345678",
    "9.9999999999999999999999999999999999999E+125",
    "-9.9999999999999999999999999999999999999E+125",
    "1E-130",
    "0",
    "-1",
    "100000000000000000000",
]


def nasty() -> list[Item]:
    """Every type, and whatever might be mistaken for something else."""
    values: list[Item] = [
        *(text(each) for each in NASTY_TEXTS),
        *(number(each) for each in NUMBERS),
        binary(bytes(range(256))),
        binary(b"\n"),
        {"SS": ["a", "}},{", "é😀"]},
        {"NS": ["1", "-2.5", NUMBERS[0]]},
        {"BS": [base64.b64encode(each).decode() for each in (b"\0", b"\xff\xfe")]},
        {"BOOL": True},
        {"BOOL": False},
        {"NULL": True},
        {"M": {}},
        {"L": []},
        {"L": [{"L": []}, {"M": {}}, {"L": [{"L": [{"M": {"L": {"L": [text("deep")]}}}]}]}]},
        {"M": {"M": {"M": {"S": text("S"), "Items": {"L": [number(1)]}}}}},
    ]
    items = [{"pk": text(f"value {n}"), "value": value} for n, value in enumerate(values)]
    items += [{"pk": text(f"name {name}"), name: text(name)} for name in NASTY_NAMES]
    items.append({"pk": text("names"), **{name: {"L": [text(name)]} for name in NASTY_NAMES}})
    items.append({"pk": text('"quoted"\\\x01é😀')})
    items.append(
        {"pk": text("odd names"), 'a"b': number(1), "a\\b": number(2), "a\nb": number(3), "😀": number(4)}
    )
    return items


@pytest.fixture(scope="module")
def nasty_table(services: Services, dynamodb: DynamoDBClient) -> str:
    table = create_table(dynamodb)
    fill(services.dynamodb_url, table, nasty())
    return table


def scanned_text(url: str, table: str) -> list[str]:
    """The JSON text of each item as it comes over the wire, in order."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    body = call(connection, "Scan", {"TableName": table}).decode()
    connection.close()
    assert "LastEvaluatedKey" not in json.loads(body)
    match = re.search(r'"Items"\s*:\s*\[', body)
    assert match is not None
    decoder, at, found = json.JSONDecoder(), match.end(), []
    while body[at] != "]":
        _, end = decoder.raw_decode(body, at)
        found.append(body[at:end])
        at = end + (body[end] == ",")
    return found


def test_every_kind_of_value_comes_out_as_it_went_in(world: World, nasty_table: str) -> None:
    result = world.export(nasty_table)

    assert multiset(nasty()) == multiset(world.items(result.manifest_uri))


def test_the_lines_are_the_items_as_they_came_over_the_wire(world: World, nasty_table: str) -> None:
    """Character for character: nothing was parsed and written again."""
    wire = scanned_text(world.dynamodb_url, nasty_table)

    result = world.export(nasty_table, segments=1)

    assert [f'{{"Item":{each}}}'.encode() for each in wire] == world.lines(result.manifest_uri)
    assert len(nasty()) == len(wire)


def test_an_item_as_large_as_items_get_comes_out(world: World, dynamodb: DynamoDBClient) -> None:
    table = create_table(dynamodb)
    rest = LARGEST_ITEM_BYTES - len("pk1") - len("textbin") - 100_000
    item = {"pk": text("1"), "text": text("x" * rest), "bin": binary(random.Random(1).randbytes(100_000))}
    fill(world.dynamodb_url, table, [item, {"pk": text("2")}])

    result = world.export(table)

    assert multiset([item, {"pk": text("2")}]) == multiset(world.items(result.manifest_uri))
    with pytest.raises(ClientError, match="exceeded"):
        dynamodb.put_item(TableName=table, Item={**item, "bin": {"B": b"x" * 100_001}})


def test_an_empty_set_cannot_be_in_a_table(dynamodb: DynamoDBClient) -> None:
    """Why no case here has one."""
    table = create_table(dynamodb)

    with pytest.raises(ClientError, match="empty"):
        dynamodb.put_item(TableName=table, Item={"pk": {"S": "1"}, "set": {"SS": []}})


def test_a_table_without_items_gives_an_export_without_files(world: World, dynamodb: DynamoDBClient) -> None:
    result = world.export(create_table(dynamodb), segments=3)

    assert (0, 0) == (result.item_count, result.parts)
    assert [] == world.file_entries(result.manifest_uri)
    assert [] == world.data_keys()
    assert 0 == world.summary(result.manifest_uri)["itemCount"]
    assert 0 == verify_files(result.manifest_uri, world.ports(world.request("unused")).store).files


KEYS = {
    "S": (("LastEvaluatedKey", "S"),),
    "N": (("Items", "N"),),
    "B": (("S", "B"),),
    "S and N": (("Items", "S"), ("Count", "N")),
    "N and B": (("pk", "N"), ("B", "B")),
    "B and S": (("B", "B"), ("LastEvaluatedKey", "S")),
    "B and B": (("B", "B"), ("M", "B")),
}
OF_KIND: dict[str, Any] = {
    "S": lambda n: text(f'"\\}}\x02é😀{n:03}'),
    "N": lambda n: number(n - 10**37),
    "B": lambda n: binary(bytes([0, 255, 128 + n % 100, n // 100])),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_any_kind_continues_the_scan(world: World, dynamodb: DynamoDBClient, key: str) -> None:
    """At a low rate pages are small, so that many keys go back to the service."""
    kinds = KEYS[key]
    items = [
        {
            **{
                name: OF_KIND[kind](n if part or len(kinds) == 1 else n // 50)
                for part, (name, kind) in enumerate(kinds)
            }
        }
        | {"fill": text("x" * 2000)}
        for n in range(150)
    ]
    table = create_table(dynamodb, kinds)
    fill(world.dynamodb_url, table, items)
    calls = count_calls(world, "Scan")

    result = world.export(table, clock=FastClock(), segments=2, units_per_second=8)

    assert multiset(items) == multiset(world.items(result.manifest_uri))
    assert calls["Scan"] > 15


def count_calls(world: World, operation: str) -> Counter[str]:
    calls: Counter[str] = Counter()

    def count(model: Any, **_: object) -> None:
        calls[model.name] += 1

    world.client("dynamodb").meta.events.register(f"before-call.dynamodb.{operation}", count)
    return calls


# --- indexes, filters, projections ----------------------------------------------------------------


@pytest.fixture(scope="module")
def indexed(services: Services, dynamodb: DynamoDBClient) -> str:
    """300 items; a third of them are in the global index, by a key that many share."""

    def index(name: str, *key: str, **projection: Any) -> dict[str, Any]:
        schema = [{"AttributeName": k, "KeyType": t} for k, t in zip(key, ("HASH", "RANGE"), strict=False)]
        return {"IndexName": name, "KeySchema": schema, "Projection": projection}

    units = {"ProvisionedThroughput": {"ReadCapacityUnits": 50, "WriteCapacityUnits": 50}}
    table = create_table(
        dynamodb,
        (("pk", "B"), ("sk", "N")),
        attributes=[
            {"AttributeName": "shop", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "B"},
        ],
        GlobalSecondaryIndexes=[
            index("everything", "shop", "at", ProjectionType="ALL") | units,
            index("keys", "shop", ProjectionType="KEYS_ONLY") | units,
            index("some", "shop", ProjectionType="INCLUDE", NonKeyAttributes=["n"]) | units,
        ],
        LocalSecondaryIndexes=[index("local", "pk", "at", ProjectionType="ALL")],
    )
    fill(services.dynamodb_url, table, indexed_items())
    return table


def indexed_items() -> list[Item]:
    return [
        {"pk": binary(bytes([n % 7, 255])), "sk": number(n), "n": number(n), "text": text("x" * 500)}
        | ({"shop": text(f"shop {n % 2}"), "at": binary(bytes([n % 5]))} if n % 3 == 0 else {})
        for n in range(300)
    ]


def projected(*names: str) -> list[Item]:
    return [{name: item[name] for name in names} for item in indexed_items() if "shop" in item]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("everything", projected("pk", "sk", "n", "text", "shop", "at")),
        ("keys", projected("pk", "sk", "shop")),
        ("some", projected("pk", "sk", "shop", "n")),
        ("local", projected("pk", "sk", "n", "text", "shop", "at")),
    ],
)
def test_an_index_gives_what_it_projects(
    world: World, indexed: str, index: str, expected: list[Item]
) -> None:
    calls = count_calls(world, "Scan")

    result = world.export(indexed, index_name=index, clock=FastClock(), units_per_second=4, segments=2)

    assert multiset(expected) == multiset(world.items(result.manifest_uri))
    assert index == world.summary(result.manifest_uri)["airflowDynamoPipeline"]["indexName"]
    assert calls["Scan"] > 2


def test_a_global_index_by_ratio_is_read_at_its_own_capacity(world: World, indexed: str) -> None:
    result = world.export(indexed, index_name="keys", ratio=0.5)

    assert 25 == result.units_per_second_asked


def test_a_filter_keeps_what_it_says(world: World, indexed: str) -> None:
    result = world.export(
        indexed,
        filter_expression="#n between :low and :high",
        expression_attribute_names={"#n": "n"},
        expression_attribute_values={":low": {"N": "100"}, ":high": {"N": "149"}},
    )

    assert set(range(100, 150)) == {int(item["n"]["N"]) for item in world.items(result.manifest_uri)}
    ours = world.summary(result.manifest_uri)["airflowDynamoPipeline"]
    assert (50, 300, True) == (result.item_count, ours["scannedCount"], ours["filtered"])


def test_a_filter_by_a_binary_value_is_given_in_base64(world: World, indexed: str) -> None:
    result = world.export(
        indexed, filter_expression="pk = :pk", expression_attribute_values={":pk": binary(bytes([3, 255]))}
    )

    expected = [item for item in indexed_items() if item["pk"] == binary(bytes([3, 255]))]
    assert expected
    assert multiset(expected) == multiset(world.items(result.manifest_uri))


def test_a_filter_by_values_within_values(world: World, indexed: str) -> None:
    result = world.export(
        indexed,
        filter_expression="pk in (:one, :two) and not contains (:list, n)",
        expression_attribute_values={
            ":one": binary(bytes([1, 255])),
            ":two": binary(bytes([2, 255])),
            ":list": {"L": [{"N": "1"}, {"B": "AAH/"}, {"M": {"b": {"BS": ["AA=="]}}}]},
        },
    )

    numbers = {int(item["n"]["N"]) for item in world.items(result.manifest_uri)}
    assert {n for n in range(300) if n % 7 in (1, 2) and n != 1} == numbers


def test_a_filter_that_keeps_nothing_gives_no_files(world: World, indexed: str) -> None:
    result = world.export(indexed, filter_expression="attribute_exists(there_is_none)")

    assert (0, 0) == (result.item_count, result.parts)
    assert 300 == world.summary(result.manifest_uri)["airflowDynamoPipeline"]["scannedCount"]


def test_a_projection_keeps_the_attributes_it_names(world: World, indexed: str) -> None:
    result = world.export(
        indexed, projection_expression="sk, #t", expression_attribute_names={"#t": "there_is_none"}
    )

    expected = [{"sk": item["sk"]} for item in indexed_items()]
    assert multiset(expected) == multiset(world.items(result.manifest_uri))


def test_a_projection_of_nothing_that_is_there_gives_empty_items(world: World, indexed: str) -> None:
    result = world.export(indexed, projection_expression="there_is_none")

    assert [{}] * 300 == world.items(result.manifest_uri)


def test_a_consistent_read_costs_twice(world: World, indexed: str) -> None:
    weak = world.export(indexed, segments=1)
    strong = world.export(indexed, segments=1, consistent_read=True)

    assert 2 * weak.consumed_units == strong.consumed_units
    assert multiset(indexed_items()) == multiset(world.items(strong.manifest_uri))


def test_an_on_demand_table_is_exported_by_ratio(world: World, dynamodb: DynamoDBClient) -> None:
    name = f"table-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    fill(world.dynamodb_url, name, [{"pk": text("1")}])

    result = world.export(name, ratio=0.5)

    assert 1 == result.item_count
    assert 20_000 == result.units_per_second_asked


# --- formats and compressions ---------------------------------------------------------------------

SMALL = [
    {
        "pk": text("a\nb"),
        "n": number("1.5"),
        "set": {"SS": ["x"]},
        "m": {"M": {"L": {"L": [{"NULL": True}]}}},
    },
    {"pk": text("2"), "b": binary(b"\xff"), "yes": {"BOOL": True}},
]
LINES: dict[str, list[Item]] = {
    "dynamodb_json": [{"Item": item} for item in SMALL],
    "data_pipeline": [
        {
            "pk": {"s": "a\nb"},
            "n": {"n": "1.5"},
            "set": {"sS": ["x"]},
            "m": {"m": {"L": {"l": [{"nULL": True}]}}},
        },
        {"pk": {"s": "2"}, "b": {"b": "/w=="}, "yes": {"bOOL": True}},
    ],
    "plain_json": [
        {"pk": "a\nb", "n": 1.5, "set": ["x"], "m": {"L": [None]}},
        {"pk": "2", "b": "/w==", "yes": True},
    ],
}


@pytest.fixture(scope="module")
def small(services: Services, dynamodb: DynamoDBClient) -> str:
    table = create_table(dynamodb)
    fill(services.dynamodb_url, table, SMALL)
    return table


def test_there_is_a_case_for_every_format() -> None:
    assert set(FORMATS) == set(LINES)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("file_format", FORMATS)
def test_each_format_and_compression_is_read_back(
    world: World, small: str, file_format: str, compression: str
) -> None:
    result = world.export(small, file_format=file_format, compression=compression)

    found = [json.loads(line) for line in world.lines(result.manifest_uri)]
    assert multiset(LINES[file_format]) == multiset(found)
    summary = world.summary(result.manifest_uri)
    assert FORMATS[file_format].output_format == summary["outputFormat"]
    ours = summary["airflowDynamoPipeline"]
    assert (file_format, compression) == (ours["fileFormat"], ours["compression"])
    assert 2 == verify_files(result.manifest_uri, world.ports(world.request(small)).store).item_count


@pytest.mark.parametrize("file_format", FORMATS)
def test_only_a_lossy_format_gives_a_warning(world: World, small: str, file_format: str) -> None:
    world.export(small, file_format=file_format)

    assert [True] * (not FORMATS[file_format].lossless) == ["lossy" in line for line in world.warned]


def test_a_data_pipeline_export_has_the_manifest_emr_looks_for(world: World, small: str) -> None:
    result = world.export(small, file_format="data_pipeline")

    manifest = json.loads(world.get(key_of(result.manifest_uri).replace(SUMMARY, "manifest")))
    assert 3 == manifest["version"]
    assert [
        f"s3://{world.bucket}/{entry['dataFileS3Key']}" for entry in world.file_entries(result.manifest_uri)
    ] == [entry["url"] for entry in manifest["entries"]]


# --- two ways to read a page ----------------------------------------------------------------------


def relabel(response_dict: dict[str, Any], **_: object) -> None:
    response_dict["headers"]["content-type"] = "text/json"


def test_the_plain_path_gives_the_bytes_of_the_fast_one(
    world: World, services: Services, nasty_table: str
) -> None:
    plain = World.of(services, world.bucket)
    plain.client("dynamodb").meta.events.register_first("before-parse.dynamodb.Scan", relabel)

    fast_result = world.export(nasty_table, segments=3, generation="fast")
    plain_result = plain.export(nasty_table, segments=3, generation="plain")

    assert world.data(fast_result.manifest_uri) == plain.data(plain_result.manifest_uri)
    checksums = [
        [entry["md5Checksum"] for entry in world.file_entries(result.manifest_uri)]
        for result in (fast_result, plain_result)
    ]
    assert checksums[0] == checksums[1] != []


def test_the_plain_path_is_one_line_in_the_log(world: World, nasty_table: str) -> None:
    world.client("dynamodb").meta.events.register_first("before-parse.dynamodb.Scan", relabel)

    world.export(nasty_table, segments=1)

    assert [True] == ["text/json" in line for line in world.warned]


# --- another DynamoDB -----------------------------------------------------------------------------


def test_a_table_in_moto_is_exported_too(services: Services, bucket: str) -> None:
    """Unlike DynamoDB Local it takes empty strings and binaries, as the service does."""
    world = World(services.moto_url, services.moto_url, bucket)
    table = create_table(aws_client("dynamodb", services.moto_url))
    items = [*nasty(), {"pk": text("empty"), "s": text(""), "b": binary(b""), "l": {"L": [text("")]}}]
    fill(services.moto_url, table, items)

    result = world.export(table, segments=3)

    assert multiset(items) == multiset(world.items(result.manifest_uri))


# --- manifests and what else lies there -----------------------------------------------------------

NATIVE = {
    "version",
    "startTime",
    "endTime",
    "tableArn",
    "exportTime",
    "s3Bucket",
    "s3Prefix",
    "manifestFilesS3Key",
    "itemCount",
    "outputFormat",
}


def test_the_summary_has_the_keys_of_a_native_one_and_one_of_ours(world: World, small: str) -> None:
    result = world.export(small)

    summary = world.summary(result.manifest_uri)
    table = world.fresh_client("dynamodb").describe_table(TableName=small)["Table"]
    assert NATIVE | {"airflowDynamoPipeline"} == summary.keys() - {"tableId"}
    assert ("2020-06-30", table["TableArn"], table.get("TableId")) == (
        summary["version"],
        summary["tableArn"],
        summary.get("tableId"),
    )
    assert (world.bucket, "out", 2) == (summary["s3Bucket"], summary["s3Prefix"], summary["itemCount"])
    instants = [datetime.fromisoformat(summary[name]) for name in ("startTime", "exportTime", "endTime")]
    assert instants == sorted(instants)
    assert all(instant.tzinfo is not None for instant in instants)


def test_our_part_of_the_summary_says_what_it_took(world: World, small: str) -> None:
    result = world.export(small, segments=2)

    ours = world.summary(result.manifest_uri)["airflowDynamoPipeline"]
    assert (1, __version__, 2, 2, QUICK) == (
        ours["version"],
        ours["packageVersion"],
        ours["segments"],
        ours["scannedCount"],
        ours["unitsPerSecondAsked"],
    )
    assert ours["consumedUnits"] == result.consumed_units > 0
    assert ours["bytes"] == sum(len(content) for content in world.data(result.manifest_uri))
    assert ours["storedBytes"] == sum(len(world.get(key)) for key in world.data_keys())
    assert ours["firstPageAt"] <= ours["lastPageAt"]


def test_the_list_of_files_describes_each_of_them(world: World, nasty_table: str) -> None:
    result = world.export(nasty_table, segments=4)

    entries = world.file_entries(result.manifest_uri)
    assert sorted(entry["dataFileS3Key"] for entry in entries) == world.data_keys()
    assert len(nasty()) == sum(entry["itemCount"] for entry in entries)
    for entry, content in zip(entries, world.data(result.manifest_uri), strict=True):
        assert {"itemCount", "md5Checksum", "etag", "dataFileS3Key"} == entry.keys()
        stored = world.get(entry["dataFileS3Key"])
        assert base64.b64encode(hashlib.md5(stored).digest()).decode() == entry["md5Checksum"]
        head = world.fresh_client("s3").head_object(Bucket=world.bucket, Key=entry["dataFileS3Key"])
        assert head["ETag"].strip('"') == entry["etag"]
        assert content.count(b"\n") == entry["itemCount"]


def test_nothing_lies_at_the_target_but_what_a_native_export_has(world: World, small: str) -> None:
    result = world.export(small, segments=1)

    root = key_of(result.manifest_uri).removesuffix(SUMMARY)
    (data,) = world.data_keys()
    names = ["_started", "manifest-files.json", "manifest-files.md5", SUMMARY, "manifest-summary.md5"]
    assert sorted([data, *(root + name for name in names)]) == world.listed()
    assert b"" == world.get(root + "_started")
    assert re.fullmatch(r"out/AWSDynamoDB/\d{4}(-\d\d){5}-[0-9a-f]{8}/", root)
    assert re.fullmatch(root + r"data/0000-00000-[0-9a-f]{8}\.json\.gz", data)
    assert [] == world.uploads()


@pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
def test_each_manifest_has_its_checksum_beside_it(world: World, small: str, name: str) -> None:
    result = world.export(small)

    key = key_of(result.manifest_uri).replace("manifest-summary", name)
    digest = base64.b64encode(hashlib.md5(world.get(key)).digest())
    assert digest == world.get(key.replace(".json", ".md5"))


@pytest.mark.parametrize("kept", [True, False])
def test_the_checkpoint_stays_if_asked_and_goes_otherwise(world: World, small: str, kept: bool) -> None:
    world.export(small, segments=2, keep_checkpoint=kept)

    assert kept == any("/_checkpoint/" in key for key in world.listed())
    assert ([True, True] if kept else []) == [state["done"] for state in world.checkpoints()]


def test_the_same_arguments_make_another_export_once_the_first_is_complete(world: World, small: str) -> None:
    first = world.export(small)
    before = {key: world.get(key) for key in world.listed()}

    second = world.export(small)

    assert first.export_id != second.export_id
    assert before == {key: world.get(key) for key in before}
    assert "new" == second.start


def test_a_retry_after_the_commit_adopts_what_is_there(world: World, small: str) -> None:
    first = world.export(small, generation="one")
    before = world.listed()
    calls = count_calls(world, "Scan")

    second = world.export(small, generation="one")

    assert (first.export_id, "adopt", 2) == (second.export_id, second.start, second.item_count)
    assert before == world.listed()
    assert 0 == calls["Scan"]


def test_an_export_to_the_top_of_a_bucket_has_no_stray_slash(world: World, small: str) -> None:
    result = world.export(small, s3_uri=f"s3://{world.bucket}")

    assert all(key.startswith("AWSDynamoDB/") for key in world.listed())
    assert key_of(result.manifest_uri).startswith("AWSDynamoDB/")


def test_progress_is_reported_from_the_calling_thread_and_ends_with_everything(
    world: World, small: str
) -> None:
    threads: list[int] = []
    world.reports = _Listening(threads)

    world.export(small, segments=2)

    assert {threading.get_ident()} == set(threads)
    last = world.reports[-1]
    assert (2, 2, 1.0) == (last.items, last.segments_done, last.share_done)


class _Listening(list[Any]):
    def __init__(self, threads: list[int]) -> None:
        super().__init__()
        self._threads = threads

    def append(self, report: Any) -> None:
        self._threads.append(threading.get_ident())
        super().append(report)
