from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.batch_writing import BatchWriting
from airflow_dynamo_pipeline.engine.batches import BatchBody
from airflow_dynamo_pipeline.engine.single_writes import SingleBody
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    ItemRefused,
    ServiceTrouble,
    Stopped,
    Throttled,
)
from airflow_dynamo_pipeline.items.keys import KeyReader
from tests.unit.engine.import_parts import KEY, Answer, Item, Parts, ScriptedTable, keys_of, some

INDEX = "arn:aws:dynamodb:us-east-1:123456789012:table/t/index/by-g"
SLOW_INDEX = Throttled("no", [("IndexWriteProvisionedThroughputExceeded", INDEX)])


def writing(*answers: Answer) -> tuple[Parts, BatchWriting]:
    parts = Parts(ScriptedTable(list(answers)))
    parts.calls._has_learned = True  # before that, calls hold one item each
    return parts, BatchWriting(
        calls=parts.calls,
        ledger=parts.ledger,
        body=BatchBody("t", by_index=False),
        single=SingleBody("t", by_index=False),
        key=KEY,
        keys=KeyReader(KEY),
    )


def back(*items: Item) -> dict[str, Any]:
    """A reply that hands items back."""
    return {"UnprocessedItems": {"t": [{"PutRequest": {"Item": item}} for item in items]}}


def test_twenty_five_items_are_sent_at_once_and_what_is_left_at_the_end() -> None:
    parts, one = writing()

    one.write(parts.entries(*some(20)))
    assert [] == parts.table.calls
    one.write(parts.entries(*[{"pk": {"S": f"x{n}"}} for n in range(20)]))
    one.finish()

    assert [25, 15] == [len(keys_of(body)) for _, body in parts.table.calls]
    assert 40 == parts.ledger.accounts.written


def test_what_comes_back_is_sent_again_and_counts_once() -> None:
    items = some(25)
    parts, one = writing(back(*items[3:5]), back(items[4]))

    one.write(parts.entries(*items))
    one.finish()

    assert [25, 2, 1] == [len(keys_of(body)) for _, body in parts.table.calls]
    assert (25, 0) == (parts.ledger.accounts.written, parts.ledger.under_way)
    assert ["004"] == keys_of(parts.table.calls[2][1])


def test_a_reply_that_hands_back_what_was_not_sent_leads_to_all_being_sent_again() -> None:
    parts, one = writing(back({"pk": {"S": "stranger"}}))

    one.write(parts.entries(*some(25)))
    one.finish()

    assert [25, 25] == [len(keys_of(body)) for _, body in parts.table.calls]
    assert 25 == parts.ledger.accounts.written


def test_while_most_comes_back_pauses_grow_and_the_rate_falls() -> None:
    items = some(25)
    parts, one = writing(back(*items), back(*items))

    one.write(parts.entries(*items))

    assert [0.2, 0.4] == parts.clock.waits
    assert parts.calls.throttle.units_per_second < 0.75 * 1e9


def test_after_three_such_rounds_a_single_write_is_made_whose_refusal_names_the_index() -> None:
    items = some(25)
    parts, one = writing(back(*items), back(*items), back(*items), SLOW_INDEX)

    one.write(parts.entries(*items))

    assert ["BatchWriteItem"] * 3 + ["PutItem", "BatchWriteItem"] == parts.table.operations
    assert ["index by-g cannot keep up and throttles the import"] == [
        line.partition(" (")[0] for line in parts.warned
    ]
    assert 25 == parts.ledger.accounts.written


def test_the_single_write_counts_when_it_succeeds() -> None:
    items = some(25)
    parts, one = writing(back(*items), back(*items), back(*items))

    one.write(parts.entries(*items))
    one.finish()

    assert [24] == [len(keys_of(body)) for _, body in parts.table.calls[4:]]
    assert 25 == parts.ledger.accounts.written


@pytest.mark.parametrize("trouble", [ServiceTrouble("500"), CorruptReply("cut")])
def test_trouble_with_the_single_write_is_no_end(trouble: Exception) -> None:
    items = some(25)
    parts, one = writing(back(*items), back(*items), back(*items), trouble)

    one.write(parts.entries(*items))

    assert 25 == parts.ledger.accounts.written


def test_of_a_batch_that_was_refused_the_bad_items_are_rejected_and_the_others_sent_again() -> None:
    items = some(24)
    parts, one = writing(ItemRefused("ValidationException"))

    one.write(parts.entries(*items, {"pk": {"S": "bad"}, "n": {"N": "x"}}))
    one.finish()

    assert (24, 1) == (parts.ledger.accounts.written, parts.ledger.rejected)
    ((reject,)) = parts.ledger.take()[1]
    assert (25, "attribute 'n': 'x' is not a number") == (reject.line, reject.reason)
    assert 24 == len(keys_of(parts.table.calls[1][1]))


def test_where_no_item_looks_bad_each_is_written_alone_and_dynamodb_says_which_it_is() -> None:
    parts, one = writing(ItemRefused("a batch"), {}, ItemRefused("Type mismatch for Index Key"), {})

    one.write(parts.entries(*some(25)))

    assert ["BatchWriteItem"] + ["PutItem"] * 25 == parts.table.operations
    assert (24, 1) == (parts.ledger.accounts.written, parts.ledger.accounts.rejected)
    ((reject,)) = parts.ledger.take()[1]
    assert (2, "Type mismatch for Index Key") == (reject.line, reject.reason)


def test_deletes_are_sent_by_key_alone_too() -> None:
    parts, one = writing(ItemRefused("a batch"))

    one.write(parts.entries(*some(2), deletes=[1]))
    one.finish()

    assert ["BatchWriteItem", "PutItem", "DeleteItem"] == parts.table.operations
    assert {"pk": {"S": "001"}} == parts.table.calls[2][1]["Key"]


@pytest.mark.parametrize("temporary", [Throttled("slow"), ServiceTrouble("500")])
def test_a_call_that_failed_for_a_while_is_made_again(temporary: Exception) -> None:
    parts, one = writing(temporary, temporary)

    one.write(parts.entries(*some(25)))

    assert 3 == len(parts.table.calls)
    assert 25 == parts.ledger.accounts.written


def test_whatever_ends_a_batch_its_items_are_not_called_written() -> None:
    parts, one = writing(AccessDenied("dynamodb:BatchWriteItem", "t"))

    with pytest.raises(AccessDenied):
        one.write(parts.entries(*some(25)))

    assert (0, 25, 25) == (parts.ledger.accounts.written, parts.ledger.under_way, len(one.left))


def test_a_stop_ends_a_pause() -> None:
    items = some(25)
    parts, one = writing(back(*items))
    parts.clock.on_wait = lambda seconds: parts.stop.set()

    with pytest.raises(Stopped):
        one.write(parts.entries(*items))

    assert 25 == parts.ledger.under_way
