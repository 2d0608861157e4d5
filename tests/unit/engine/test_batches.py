from __future__ import annotations

import json
from collections import Counter

import pytest

from airflow_dynamo_pipeline.engine.batches import (
    MOST_BYTES,
    MOST_ITEMS,
    BatchBody,
    batch_reply,
    first_that_fit,
    item_reply,
    mixed,
    units_of,
)
from airflow_dynamo_pipeline.errors import UnexpectedReply
from tests.unit.engine.import_parts import Parts, some


@pytest.mark.parametrize(("by_index", "mode"), [(True, "INDEXES"), (False, "TOTAL")])
def test_a_body_puts_every_item_as_it_was_read(by_index: bool, mode: str) -> None:
    items = some(3, v={"S": "é\u2028"})

    body = BatchBody('a"b', by_index=by_index).of(Parts().entries(*items))

    wanted = {
        "RequestItems": {'a"b': [{"PutRequest": {"Item": item}} for item in items]},
        "ReturnConsumedCapacity": mode,
    }
    assert wanted == json.loads(body)


def test_a_body_deletes_by_key_what_is_to_be_deleted() -> None:
    entries = Parts().entries(*some(3), deletes=[1])

    ((requests),) = json.loads(BatchBody("t", by_index=False).of(entries))["RequestItems"].values()

    assert ["PutRequest", "DeleteRequest", "PutRequest"] == [next(iter(request)) for request in requests]
    assert {"Key": {"pk": {"S": "001"}}} == requests[1]["DeleteRequest"]


def test_a_reply_names_what_was_not_processed_and_what_it_cost() -> None:
    reply = batch_reply(
        b'{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"pk":{"S":"a"}}}},{"DeleteRequest":{"Key":'
        b'{"pk":{"S":"b"}}}}]},"ConsumedCapacity":[{"TableName":"t","CapacityUnits":7.0}],"New":1}'
    )

    assert [b'{"pk":{"S":"a"}}', b'{"pk":{"S":"b"}}'] == [bytes(one.item) for one in reply.unprocessed]
    assert reply.consumed is not None
    assert 7.0 == reply.consumed.CapacityUnits
    assert None is batch_reply(b"{}").consumed


@pytest.mark.parametrize("body", [b"", b"[]", b'{"UnprocessedItems":1}', b"\xff"])
def test_a_reply_that_cannot_be_read_is_said(body: bytes) -> None:
    with pytest.raises(UnexpectedReply, match="BatchWriteItem"):
        batch_reply(body)
    with pytest.raises(UnexpectedReply, match="PutItem"):
        item_reply(body.replace(b"UnprocessedItems", b"ConsumedCapacity"))


def test_units_are_kilobytes_of_text_rounded_up_for_each_item() -> None:
    text = len(json.dumps({"pk": {"S": "000"}, "v": {"S": ""}}))
    entries = Parts().entries(*some(1, v={"S": "x" * (1024 - text)}), *some(2, v={"S": "x" * (1025 - text)}))

    assert [1, 2, 2] == [units_of([entry]) for entry in entries]
    assert 5 == units_of(entries)


@pytest.mark.parametrize("count", [0, 1, 25, 26, 49, 50, 51, 101])
def test_batches_of_a_window_hold_each_item_once_and_are_of_nearly_one_size(count: int) -> None:
    entries = Parts().entries(*some(count))

    batches = list(mixed(entries))

    assert Counter(entry.line for entry in entries) == Counter(entry.line for one in batches for entry in one)
    sizes = {len(batch) for batch in batches}
    assert all(0 < size <= MOST_ITEMS for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_a_batch_has_items_from_all_over_its_window() -> None:
    (first, *_) = mixed(Parts().entries(*some(100)))

    assert list(range(1, 100, 4)) == [entry.line for entry in first]


@pytest.mark.parametrize(
    ("sizes", "most_units", "fit"),
    [
        ([10] * 30, 1e9, 25),
        ([10] * 30, 4, 4),
        ([10] * 3, 1e9, 3),
        ([3000, 10], 1, 1),  # at least one, whatever it costs
        ([3000, 10], 3, 1),
        ([3000, 10], 4, 2),
    ],
)
def test_a_request_holds_as_many_items_as_its_units_allow(
    sizes: list[int], most_units: float, fit: int
) -> None:
    items = [{"pk": {"S": f"{n}"}, "v": {"S": "x" * (size - 10)}} for n, size in enumerate(sizes)]

    assert fit == first_that_fit(Parts().entries(*items), most_units)[0]


def test_a_request_ends_before_a_key_that_comes_again() -> None:
    items = [*some(3), *some(1), {"pk": {"S": "other"}}]

    assert 3 == first_that_fit(Parts().entries(*items), 1e9)[0]


def test_a_request_is_not_larger_than_its_bytes_allow() -> None:
    items = some(25, v={"S": "x" * 400_000})

    fit, units = first_that_fit(Parts().entries(*items), 1e9)

    assert (MOST_BYTES // 400_100, 391 * fit) == (fit, units)


@pytest.mark.parametrize("most_units", [1e9, 5, 4, 1])
def test_the_units_are_those_of_the_items_that_fit(most_units: float) -> None:
    entries = Parts().entries(
        *some(3), *[{"pk": {"S": f"large {n}"}, "v": {"S": "x" * 1500}} for n in range(3)]
    )

    fit, units = first_that_fit(entries, most_units)

    assert units_of(entries[:fit]) == units
