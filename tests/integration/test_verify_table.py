"""Exports and tables of the real services compared: all types, another notation, every difference."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.verify_wiring import verify_ports
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.table_verify import TableVerifyResult, verify_table
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest
from airflow_dynamo_pipeline.errors import TableDiffers
from tests.integration.world import QUICK, Item, World, binary, create_table, fill

COUNT = 600


def items() -> list[Item]:
    return [
        {
            "pk": {"S": f"customer é {number % 70}"},
            "sk": {"N": str(number)},
            "text": {"S": "😀\n\u2028" + "x" * (number % 300)},
            "data": binary(bytes([number % 256, 1, 2])),
            "numbers": {"NS": ["1.50", str(number + 2), "-1E-7"]},
            "words": {"SS": ["b", "a", f"w{number}"]},
            "parts": {"BS": [binary(b"b")["B"], binary(b"a")["B"]]},
            "map": {"M": {"a": {"L": [{"NULL": True}, {"BOOL": False}]}, "b": {"M": {}}}},
        }
        for number in range(COUNT)
    ]


@pytest.fixture
def tables(world: World) -> Iterator[tuple[str, str]]:
    """Two tables of the same items, filled in another order."""
    client = world.fresh_client("dynamodb")
    source, target = (create_table(client, [("pk", "S"), ("sk", "N")]) for _ in range(2))
    fill(world.dynamodb_url, source, items())
    fill(world.dynamodb_url, target, reversed(items()))
    names = (source, target)
    yield names
    for name in names:
        client.delete_table(TableName=name)


def verify(world: World, **settings: Any) -> TableVerifyResult:
    request = VerifyRequest.from_settings({"units_per_second": QUICK, "segments": 3, **settings})
    ports = verify_ports(
        world.fresh_client, request, stop=threading.Event(), say=world.said.append, warn=world.warned.append
    )
    return verify_table(request, ports, Reports(world.reports.append))


@pytest.mark.parametrize(
    ("file_format", "compression"),
    [("dynamodb_json", "gzip"), ("dynamodb_json", "none"), ("data_pipeline", "zstd")],
)
def test_i5_a_copy_of_a_table_is_identical_to_an_export_of_it(
    world: World, tables: tuple[str, str], file_format: str, compression: str
) -> None:
    source, target = tables
    uri = world.export(source, file_format=file_format, compression=compression).manifest_uri

    result = verify(world, manifest_uri=uri, table_name=target)

    assert (True, COUNT, COUNT) == (result.identical, result.item_count, result.table_item_count)


def test_i5_every_difference_of_a_copy_is_named(world: World, tables: tuple[str, str]) -> None:
    source, target = tables
    uri = world.export(source, segments=3).manifest_uri
    client = world.fresh_client("dynamodb")
    first, second, third = items()[:3]
    changed = {**first, "numbers": {"NS": ["1.5", "2", "3"]}, "data": binary(b"x")}
    added = {"pk": third["pk"], "sk": {"N": "9999.5"}}
    fill(world.dynamodb_url, target, [changed, added])
    client.delete_item(TableName=target, Key={name: second[name] for name in ("pk", "sk")})

    with pytest.raises(TableDiffers) as caught:
        verify(world, manifest_uri=uri, table_name=target)

    assert {
        '{"pk":{"S":"customer é 0"},"sk":{"N":"0"}}': "differs in data, numbers",
        '{"pk":{"S":"customer é 1"},"sk":{"N":"1"}}': "is only in the export",
        '{"pk":{"S":"customer é 2"},"sk":{"N":"9999.5"}}': "is only in the table",
    } == {problem.where: problem.message for problem in caught.value.problems}
    assert (1, 1, 1) == (
        caught.value.only_in_export,
        caught.value.only_in_table,
        caught.value.different,
    )


def test_i5_an_empty_table_is_identical_to_an_empty_export(world: World) -> None:
    client = world.fresh_client("dynamodb")
    name = create_table(client)
    uri = world.export(name).manifest_uri

    result = verify(world, manifest_uri=uri, table_name=name)

    assert (0, 0) == (result.item_count, result.table_item_count)
    client.delete_table(TableName=name)
