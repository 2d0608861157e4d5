"""Exports of DynamoDB Local imported into it again, from the bucket of moto, through real sockets.

What this DynamoDB Local cannot show, and the fake shows instead: empty strings and binaries, which
it refuses; tags, which it does not know (so every import here says ``allow_protected``); and throttling.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.table_import import import_table
from airflow_dynamo_pipeline.errors import ImportFailed, ImportRefused
from tests.faults.any_items import DEEPEST, NUMBERS, TEXTS, large, meanings, nested
from tests.integration.world import FastClock, Item, World, create_table, fill

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

EVERY_TYPE: Item = {
    "pk": {"S": "every type"},
    "S": {"S": "\x00"},
    "N": {"N": "-0"},
    "B": {"B": "AA=="},
    "SS": {"SS": ["x", "\u2028", "\x00"]},
    "NS": {"NS": ["1E-130", "9.99E+125", "9" * 38]},
    "BS": {"BS": ["AA==", "/+8="]},
    "M": {"M": {"inner": {"M": {}}, "sets": {"L": [{"SS": ["a"]}, {"NS": ["1"]}]}}},
    "L": {"L": [{"NULL": True}, {"BOOL": False}, {"M": {"S": {"S": "S"}}}]},
    "BOOL": {"BOOL": True},
    "NULL": {"NULL": True},
}
EDGES: list[Item] = [
    EVERY_TYPE,
    *({"pk": {"S": f"number {n}"}, "n": {"N": text}} for n, text in enumerate(NUMBERS)),
    *({"pk": {"S": f"text {n} {text}"}, "t": {"S": text}} for n, text in enumerate(TEXTS) if text),
    nested(DEEPEST),
    large(400 * 1024),
    {"pk": {"S": "large in JSON"}, "t": {"S": "\x00" * 400_000}},
    *({"pk": {"S": f"filler {n}"}} for n in range(60)),
]


def run_import(
    world: World, table: str, uri: str, *, is_lean: bool = True, run: str | None = None, **settings: Any
) -> ImportResult:
    """Import as an operator does."""
    request = ImportRequest.from_settings(
        {"table_name": table, "s3_uri": uri, "units_per_second": 1_000_000, "segments": 3, **settings}
        | {"allow_protected": True}
    )
    ports = import_ports(
        world.fresh_client,
        request,
        stop=threading.Event(),
        say=world.said.append,
        warn=world.warned.append,
        clock=FastClock(),
        is_lean=is_lean,
    )
    work = Work(run=run, generation=secrets.token_hex(8), began_at=datetime.now(UTC))
    return import_table(request, work, ports, ImportReports(lambda _: None))


def items_of(dynamodb: DynamoDBClient, table: str) -> list[Item]:
    """Every item as the client gives it, binaries in base64 again."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return [json.loads(json.dumps(item, default=_base64)) for page in pages for item in page["Items"]]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.mark.parametrize("is_lean", [True, False])
@pytest.mark.parametrize("file_format", ["dynamodb_json", "data_pipeline"])
def test_i4_every_type_comes_back_as_it_was(
    world: World, dynamodb: DynamoDBClient, file_format: str, is_lean: bool
) -> None:
    source, target = create_table(dynamodb), create_table(dynamodb)
    fill(world.dynamodb_url, source, EDGES)
    uri = world.export(source, file_format=file_format).manifest_uri

    result = run_import(world, target, uri, is_lean=is_lean)

    assert (len(EDGES), len(EDGES), 0) == (result.read, result.written, result.rejected)
    assert meanings(items_of(dynamodb, source)) == meanings(items_of(dynamodb, target))
    assert meanings(EDGES) == meanings(items_of(dynamodb, target))


def some(count: int, **more: Item) -> list[Item]:
    return [{"pk": {"S": f"{n:04}"}, "v": {"N": "1"}, **more} for n in range(count)]


def put_lines(world: World, *texts: bytes) -> str:
    world.put("in/part-1", b"".join(text + b"\n" for text in texts))
    return f"s3://{world.bucket}/in"


def line(item: Item) -> bytes:
    return json.dumps({"Item": item}).encode()


@pytest.mark.parametrize(
    ("settings", "written", "kept"),
    [
        ({"on_conflict": "overwrite"}, 40, 0),
        ({"on_conflict": "skip"}, 30, 10),
        ({"on_conflict": "newer", "version_attribute": "v"}, 35, 5),
        (
            {
                "on_conflict": "condition",
                "condition_expression": "attribute_not_exists(pk) OR #v = :two",
                "expression_attribute_names": {"#v": "v"},
                "expression_attribute_values": {":two": {"N": "2"}},
            },
            35,
            5,
        ),
    ],
)
def test_items_that_are_there_are_treated_as_asked(
    world: World, dynamodb: DynamoDBClient, settings: dict[str, Any], written: int, kept: int
) -> None:
    table = create_table(dynamodb)
    there = [
        {"pk": {"S": f"{n:04}"}, "v": {"N": "0" if n < 5 else "2"}, "old": {"BOOL": True}} for n in range(10)
    ]
    fill(world.dynamodb_url, table, there)

    result = run_import(world, table, put_lines(world, *map(line, some(40))), **settings)

    assert (40, written, 40 - written) == (result.read, result.written, result.skipped)
    found = items_of(dynamodb, table)
    assert (40, kept) == (len(found), sum("old" in item for item in found))


def test_a_conflict_fails_the_import_with_its_line_when_that_is_asked(
    world: World, dynamodb: DynamoDBClient
) -> None:
    table = create_table(dynamodb)
    fill(world.dynamodb_url, table, [{"pk": {"S": "0007"}}])

    with pytest.raises(
        ImportFailed, match=r"in/part-1 line 8: table .* already has an item with the key 0007"
    ):
        run_import(world, table, put_lines(world, *map(line, some(10))), on_conflict="fail")


BAD = [
    line({"pk": {"S": ""}}),
    line({"pk": {"S": "a"}, "n": {"N": "1E126"}}),
    line({"pk": {"S": "b"}, "n": {"NS": ["1", "1"]}}),
    line({"pk": {"S": "d"}, "t": {"S": "x" * 410_000}}),
    b'{"Item":{"pk":{"S":"e"}}},{"DeleteRequest":{}}',
]


@pytest.mark.parametrize("on_conflict", ["overwrite", "skip"])
def test_i6_what_dynamodb_refuses_is_rejected_and_the_rest_written(
    world: World, dynamodb: DynamoDBClient, on_conflict: str
) -> None:
    table = create_table(dynamodb)
    uri = put_lines(world, *map(line, some(40)), *BAD)

    result = run_import(world, table, uri, max_rejected=len(BAD), on_conflict=on_conflict)

    assert (40, len(BAD)) == (result.written, result.rejected)
    assert meanings(some(40)) == meanings(items_of(dynamodb, table))
    keys = [key for key in world.listed() if "/rejects/" in key]
    rejects = [json.loads(text) for key in keys for text in world.get(key).splitlines()]
    assert list(range(41, 41 + len(BAD))) == sorted(one["rejected"]["line"] for one in rejects)


def test_a_wrong_type_of_an_index_key_is_rejected_in_dynamodbs_words(
    world: World, dynamodb: DynamoDBClient
) -> None:
    index = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
    }
    table = create_table(
        dynamodb, attributes=[{"AttributeName": "g", "AttributeType": "S"}], GlobalSecondaryIndexes=[index]
    )
    uri = put_lines(world, *map(line, some(30, g={"S": "g"})), line({"pk": {"S": "x"}, "g": {"N": "1"}}))

    result = run_import(world, table, uri, max_rejected=1)

    assert (30, 1) == (result.written, result.rejected)
    (key,) = [key for key in world.listed() if "/rejects/" in key]
    assert "ValidationException" in json.loads(world.get(key))["rejected"]["reason"]


def test_a_backup_is_not_imported_twice_unless_that_is_asked(world: World, dynamodb: DynamoDBClient) -> None:
    table = create_table(dynamodb)
    uri = put_lines(world, *map(line, some(30)))
    run_import(world, table, uri)

    with pytest.raises(ImportRefused, match="was imported into table"):
        run_import(world, table, uri)

    assert 30 == run_import(world, table, uri, on_existing="new").written


def test_a_dry_run_writes_nothing_anywhere(world: World, dynamodb: DynamoDBClient) -> None:
    table = create_table(dynamodb)
    uri = put_lines(world, *map(line, some(30)), *BAD)

    result = run_import(world, table, uri, dry_run=True)

    assert (30, len(BAD), True) == (result.written, result.rejected, result.dry_run)
    assert ["in/part-1"] == world.listed()
    assert [] == items_of(dynamodb, table)
