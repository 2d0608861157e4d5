from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import Item
from airflow_dynamo_pipeline.engine import table_verify
from airflow_dynamo_pipeline.engine.manifest import checksum
from airflow_dynamo_pipeline.engine.ports import ScanCall, TableDescription
from airflow_dynamo_pipeline.errors import (
    InvalidExport,
    NotFound,
    PreflightFailed,
    Stopped,
    TableChanged,
    TableDiffers,
    Temporary,
)
from tests.unit.engine.verify_world import KEY, Compared, KeyedTable, some
from tests.unit.engine.world import data_keys


def changed(number: int, change: Callable[[Item], object]) -> Compared:
    """Ten items, one of them another in the table."""
    items = some()
    change(items[number])
    return Compared(target=KeyedTable(items))


def findings(compared: Compared, **settings: Any) -> dict[str, str]:
    with pytest.raises(TableDiffers) as caught:
        compared.verify(**settings)
    return {problem.where: problem.message for problem in caught.value.problems}


def key(number: int) -> str:
    return f'{{"n":{{"N":"{number}"}},"pk":{{"S":"k{number}"}}}}'


@pytest.mark.parametrize("file_format", ["dynamodb_json", "data_pipeline"])
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_i5_an_export_and_its_table_are_identical(file_format: str, compression: str) -> None:
    compared = Compared(export_settings={"file_format": file_format, "compression": compression})
    before = dict(compared.store.objects)

    result = compared.verify()

    assert (True, 10, 10) == (result.identical, result.item_count, result.table_item_count)
    assert (compared.uri, "orders") == (result.manifest_uri, result.table_name)
    assert before == compared.store.objects


def test_i5_an_equal_table_is_read_once() -> None:
    compared = Compared()
    result = compared.verify(segments=1)

    assert 5 == len(compared.target.scans)
    assert 2.5 == result.consumed_units


def test_i5_a_changed_attribute_fails_and_names_key_and_attribute() -> None:
    compared = changed(3, lambda item: item.update(state={"S": "shut"}))

    assert {key(3): "differs in state"} == findings(compared)


def test_i5_a_value_of_another_type_is_a_difference() -> None:
    assert {key(3): "differs in state"} == findings(changed(3, lambda item: item.update(state={"B": "open"})))


def test_i5_all_attributes_that_differ_are_named_whichever_side_lacks_them() -> None:
    def change(item: Item) -> None:
        item["inner"]["M"]["a"] = {"N": "8"}
        del item["state"]
        item["more"] = {"NULL": True}

    assert {key(7): "differs in inner, more, state"} == findings(changed(7, change))


def test_i5_an_item_that_only_one_side_has_is_named() -> None:
    items = some(11)
    del items[4]
    compared = Compared(target=KeyedTable(items))

    assert {key(4): "is only in the export", key(10): "is only in the table"} == findings(compared)


def test_i5_items_that_exchanged_a_value_are_both_named() -> None:
    items = some()
    items[1]["state"], items[2]["state"] = {"S": "b"}, {"S": "a"}
    source = some()
    source[1]["state"], source[2]["state"] = {"S": "a"}, {"S": "b"}

    assert {key(1), key(2)} == set(findings(Compared(source=source, target=KeyedTable(items))))


def test_i5_the_totals_count_what_is_not_named() -> None:
    items = some(20)[8:]
    for item in items[:2]:
        item["state"] = {"S": "shut"}
    compared = Compared(target=KeyedTable(items))

    with pytest.raises(TableDiffers) as caught:
        compared.verify(max_differences=3)
    error = caught.value

    assert (8, 10, 2) == (error.only_in_export, error.only_in_table, error.different)
    assert 3 == len(error.problems)
    assert "17 more are not named" == error.rest
    assert "8 items only in the export, 10 only in the table, 2 different" in str(error)
    assert not isinstance(error, Temporary)


@pytest.mark.parametrize(
    "respelled",
    [
        {"total": {"N": "1.50"}},
        {"total": {"N": "15E-1"}},
        {"tags": {"SS": ["y", "x"]}},
        {"inner": {"M": {"b": {"L": []}, "a": {"N": "7.0"}}}},
        {"n": {"N": "3.0"}},
    ],
)
def test_i5_another_notation_of_the_same_value_is_identical(respelled: Item) -> None:
    compared = changed(3, lambda item: item.update(respelled))

    assert compared.verify().identical
    assert "shares differ: reading their items again" in compared.said[1]


def test_i5_the_order_of_attributes_is_no_difference_and_costs_no_second_look() -> None:
    target = KeyedTable([dict(reversed(item.items())) for item in some()])
    compared = Compared(target=target)

    assert compared.verify().identical
    assert 1 == len(compared.said)


@pytest.mark.parametrize(("exported", "stored"), [(0, 0), (0, 3), (3, 0)])
def test_i5_empty_sides_are_compared(exported: int, stored: int) -> None:
    compared = Compared(source=some(exported), target=KeyedTable(some(stored)))
    if exported == stored:
        assert (0, 0) == (compared.verify().item_count, compared.verify().table_item_count)
        return

    assert exported + stored == len(findings(compared))


def test_i5_no_name_is_needed_to_tell_that_sides_differ() -> None:
    compared = changed(3, lambda item: item.update(state={"S": "shut"}))

    assert {} == findings(compared, max_differences=0)


def test_i5_an_item_that_is_twice_in_the_export_is_named() -> None:
    compared = Compared(export_settings={"compression": "none"})
    where = data_keys(compared.store)[0]
    body = compared.store.objects[where].body
    doubled = body.splitlines(keepends=True)[0] + body
    write_file(compared, where, doubled)

    assert ["is in the export more than once"] == list(findings(compared).values())


def write_file(compared: Compared, where: str, body: bytes) -> None:
    """Put another file into the export, the manifest telling of it."""
    store, layout = compared.store, compared.layout
    store.put(where, body)
    lines = [json.loads(line) for line in store.objects[layout.files_key].body.splitlines()]
    for line in lines:
        if line["dataFileS3Key"] == where:
            line["itemCount"] = body.count(b"\n")
            line["md5Checksum"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    listed = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    store.put(layout.files_key, listed)
    store.put(layout.files_checksum_key, checksum(listed))
    compared.rewrite_summary(itemCount=sum(line["itemCount"] for line in lines), airflowDynamoPipeline=None)


def test_i5_differences_of_what_was_read_inconsistently_are_looked_at_again() -> None:
    stale = some()
    stale[5]["state"] = {"S": "old"}
    compared = Compared(target=KeyedTable(stale), consistent=KeyedTable(some()))

    assert compared.verify().identical


def test_i5_what_needs_too_much_memory_is_still_found_to_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_verify, "HELD_BYTES", 1)
    items = some()
    items[3]["state"] = {"S": "shut"}
    compared = Compared(target=KeyedTable(items))

    with pytest.raises(TableDiffers) as caught:
        compared.verify()

    assert (0, 0, 0) == (
        caught.value.only_in_export,
        caught.value.only_in_table,
        caught.value.different,
    )
    assert "1 of 1,024 groups of keys differ" in caught.value.rest


# --- the export ------------------------------------------------------------------------------------


def test_a_damaged_file_is_named_and_its_items_are_not_compared() -> None:
    compared = Compared(export_settings={"compression": "none"})
    where = data_keys(compared.store)[0]
    compared.store.put(where, compared.store.objects[where].body.replace(b"open", b"shut", 1))

    with pytest.raises(InvalidExport, match="its MD5 is") as caught:
        compared.verify()
    assert [where] == [problem.where for problem in caught.value.problems]


def test_a_missing_file_is_named() -> None:
    compared = Compared()
    where = data_keys(compared.store)[0]
    compared.store.delete([where])

    with pytest.raises(InvalidExport, match="not in the bucket"):
        compared.verify()


def test_a_broken_manifest_and_its_files_are_named_before_the_table_is_read() -> None:
    compared = Compared()
    compared.store.put(compared.layout.data_prefix + "extra.json.gz", b"")
    compared.store.delete([data_keys(compared.store)[0]])

    with pytest.raises(InvalidExport) as caught:
        compared.verify()
    assert 2 == len(caught.value.problems)
    assert [] == compared.target.scans


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"file_format": "plain_json"}, "plain_json is lossy"),
        (
            {
                "filter_expression": "#s = :s",
                "expression_attribute_names": {"#s": "state"},
                "expression_attribute_values": {":s": {"S": "open"}},
            },
            "was filtered",
        ),
    ],
)
def test_an_export_that_cannot_hold_the_tables_items_is_refused(settings: Any, why: str) -> None:
    compared = Compared(export_settings=settings)

    with pytest.raises(PreflightFailed, match=why):
        compared.verify()
    assert [] == compared.target.scans


def test_an_export_in_an_unknown_format_is_refused() -> None:
    compared = Compared()
    compared.rewrite_summary(outputFormat="CLAY", airflowDynamoPipeline=None)

    with pytest.raises(PreflightFailed, match="exports in format CLAY cannot be read as items"):
        compared.verify()


def test_an_export_of_an_index_is_refused() -> None:
    compared = Compared()
    compared.rewrite_summary(airflowDynamoPipeline={"version": 1, "indexName": "by-day"})

    with pytest.raises(PreflightFailed, match="an export of index by-day, not of a table"):
        compared.verify()


def test_a_native_export_is_compared() -> None:
    compared = Compared()
    compared.rewrite_summary(airflowDynamoPipeline=None)

    assert compared.verify().identical


# --- the table -------------------------------------------------------------------------------------


def test_all_findings_about_export_and_table_come_at_once() -> None:
    compared = Compared(
        target=KeyedTable(some(), status="CREATING"), export_settings={"file_format": "plain_json"}
    )

    with pytest.raises(PreflightFailed) as caught:
        compared.verify()
    assert {"manifest_uri", "table_name"} == {problem.where for problem in caught.value.problems}


def test_a_table_that_is_not_there_is_refused() -> None:
    compared = Compared()

    def gone() -> TableDescription:
        raise NotFound("table", "orders")

    compared.target.describe = gone  # type: ignore[method-assign]
    with pytest.raises(PreflightFailed, match="no such table: orders"):
        compared.verify()


class Fickle(KeyedTable):
    """A table that is made anew, or deleted, at the third Scan."""

    def __init__(self, *, deleted: bool) -> None:
        super().__init__(some())
        self._deleted = deleted

    def scan(self, call: ScanCall) -> bytes:
        if len(self.scans) == 2:
            self._described["table_id"] = "another"
            if self._deleted:
                raise NotFound("table", "orders")
        return super().scan(call)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_table_that_is_replaced_meanwhile_is_no_proof(deleted: bool) -> None:
    with pytest.raises(TableChanged, match="was deleted"):
        Compared(target=Fickle(deleted=deleted)).verify()


def test_a_stop_ends_the_comparison() -> None:
    compared = Compared()
    compared.stop.set()

    with pytest.raises(Stopped):
        compared.verify()
    assert [] == compared.target.scans


def test_the_rate_is_held_over_both_looks() -> None:
    compared = changed(3, lambda item: item.update(total={"N": "1.50"}))
    result = compared.verify(units_per_second=1.0, segments=1)

    assert 5.0 == result.consumed_units
    assert 1.0 == pytest.approx(compared.reports[-1].units_per_second_held, rel=0.01)


def test_progress_counts_items_and_files_of_both_sides() -> None:
    compared = Compared()
    compared.verify()
    last = compared.reports[-1]

    assert 20 == last.items
    assert len(data_keys(compared.store)) == last.parts
    assert (last.segments, 1.0) == (last.segments_done, last.share_done)
    assert KEY == compared.target.describe().key
