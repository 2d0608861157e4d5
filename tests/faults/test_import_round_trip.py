"""What an export wrote is imported into another table: the two hold the same, whatever the items are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings

from tests.faults.any_items import DEEPEST, NUMBERS, TEXTS, large, meanings, nested, tables
from tests.faults.attempts import World
from tests.faults.import_files import Attempt, Files, lines

Item = dict[str, Any]
FORMATS = ("dynamodb_json", "data_pipeline")
COMPRESSIONS = ("none", "gzip", "zstd")
LARGEST = 400 * 1024
EVERY_TYPE: Item = {
    "pk": {"S": "every type"},
    "S": {"S": ""},
    "N": {"N": "-0"},
    "B": {"B": ""},
    "SS": {"SS": ["", "\u2028", "\x00"]},
    "NS": {"NS": ["1E-130", "9.99E+125", "9" * 38]},
    "BS": {"BS": ["", "AA==", "/+8="]},
    "M": {"M": {"inner": {"M": {}}, "sets": {"L": [{"SS": ["a"]}, {"NS": ["1"]}]}}},
    "L": {"L": [{"NULL": True}, {"BOOL": False}, {"M": {"S": {"S": "S"}}}]},
    "BOOL": {"BOOL": True},
    "NULL": {"NULL": True},
}
EDGES: list[Item] = [
    EVERY_TYPE,
    *({"pk": {"S": f"number {n}"}, "n": {"N": text}} for n, text in enumerate(NUMBERS)),
    *({"pk": {"S": f"text {n} {text}"}, "t": {"S": text}} for n, text in enumerate(TEXTS)),
    nested(DEEPEST),
    large(LARGEST),
    {"pk": {"S": "large in JSON"}, "t": {"S": "\x00" * 400_000}},  # six bytes each where it is escaped
]


def there_and_back(held: list[Item], **export: Any) -> tuple[World, Files, Attempt]:
    """Export a table and import the export into an empty one beside it."""
    world = World(held, page_items=5)
    files = Files(aws=world.aws, bucket="imports")
    uri = world.export(part_bytes=2000, **export).result.manifest_uri
    attempt = files.attempt(s3_uri=uri, rejects_s3_uri="s3://imports/records", segments=2)
    return world, files, attempt


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_i4_the_edges_of_every_type_come_back_as_they_were(file_format: str, compression: str) -> None:
    _, files, attempt = there_and_back(EDGES, file_format=file_format, compression=compression)

    result = attempt.result
    assert (len(EDGES), len(EDGES), 0) == (result.read, result.written, result.rejected)
    assert meanings(EDGES) == meanings(files.items)


@pytest.mark.parametrize("file_format", FORMATS)
@settings(max_examples=25, deadline=None)
@given(held=tables())
@example(held=[EVERY_TYPE])
def test_i4_any_items_come_back_as_they_were(file_format: str, held: list[Item]) -> None:
    world, files, attempt = there_and_back(held, file_format=file_format)

    assert len(held) == attempt.result.written
    assert meanings(held) == meanings(files.items)
    assert world.aws.dynamodb.items("orders") == world.aws.dynamodb.items("copy")


@pytest.mark.parametrize("tag", ["N", "B"])
def test_i4_keys_of_numbers_and_binaries_come_back_as_they_were(tag: str) -> None:
    texts = ["-1E-130", "0", "1.5", "9" * 38] if tag == "N" else ["AA==", "/+8=", "/////w=="]
    held = [{"k": {tag: text}, "s": {tag: other}, "v": {"S": text}} for text in texts for other in texts]
    files = Files(key=(("k", tag), ("s", tag)))
    files.aws.dynamodb.create_table("orders", key=(("k", tag), ("s", tag)))
    files.aws.dynamodb.put_items("orders", held)
    files.put("part", lines(files.aws.dynamodb.items("orders")))

    assert len(held) == files.attempt().result.written
    assert files.aws.dynamodb.items("orders") == files.aws.dynamodb.items("copy")


@pytest.mark.parametrize("on_conflict", ["skip", "newer", "condition"])
def test_i4_items_that_are_written_one_by_one_come_back_as_they_were_too(on_conflict: str) -> None:
    held = [{**item, "version": {"N": "1"}} for item in EDGES if item["pk"]["S"] != "large"]
    world = World(held, page_items=5)
    files = Files(aws=world.aws, bucket="imports")
    uri = world.export(part_bytes=2000).result.manifest_uri
    settings_of: dict[str, dict[str, Any]] = {
        "newer": {"version_attribute": "version"},
        "condition": {
            "condition_expression": "attribute_not_exists(#k) OR #k = :never",
            "expression_attribute_names": {"#k": "pk"},
            "expression_attribute_values": {":never": {"S": "\u2028\x00😀"}},
        },
    }
    more = settings_of.get(on_conflict, {})

    attempt = files.attempt(
        s3_uri=uri, rejects_s3_uri="s3://imports/records", on_conflict=on_conflict, **more
    )

    assert len(held) == attempt.result.written
    assert meanings(held) == meanings(files.items)
