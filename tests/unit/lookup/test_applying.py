from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.lease import BEAT_SECONDS, Lease
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    ImportFailed,
    InvalidExport,
    ItemRefused,
    StaleAttempt,
)
from airflow_dynamo_pipeline.formats.changes import delete_line, put_line
from airflow_dynamo_pipeline.lookup.applying import MEND, apply, import_request
from airflow_dynamo_pipeline.lookup.change_files import ChangeFiles
from airflow_dynamo_pipeline.lookup.progress import LookupReports
from airflow_dynamo_pipeline.lookup.records import ChangeSet, Counts
from tests.unit.lookup.load_world import Item, LoadTable, LoadWorld, overwrite, printed, product


def change_set(here: LoadWorld, puts: list[Item], deletes: list[Item], **counts: int) -> ChangeSet:
    """Files of a change set as a comparison leaves them."""
    files = []
    for name, items in (("puts", puts), ("deletes", deletes)):
        out = ChangeFiles(here.store, here.plan().place.key("changes", name) + "/", "k3x9")
        keys, digests, texts = printed(*items)
        for key, digest, text in zip(keys, digests, texts, strict=True):
            is_put = name == "puts"
            made = (
                put_line(key, None, digest.decode(), text)
                if is_put
                else delete_line(key, digest.decode(), text)
            )
            out.write([made])
        out.close()
        files.append(tuple(out.done))
    return ChangeSet(
        counts=Counts(inserted=len(puts), deleted=len(deletes), **counts),
        puts=files[0],
        deletes=files[1],
        table_identity=here.table.describe().identity,
        compared_with="table",
    )


def applied(here: LoadWorld, changes: ChangeSet, **settings: Any) -> ImportResult | None:
    lease = Lease(MemoryStore(), "lease.json", "k3x9", here.clock)
    lease.acquire(here.stop, here.said.append)
    return apply(here.plan(**settings), here.ports, LookupReports(here.reports.append), changes, lease)


def test_nothing_to_change_is_no_import() -> None:
    here = LoadWorld()

    assert applied(here, change_set(here, [], [])) is None
    assert ({}, []) == (here.store.objects, here.table.calls)


def test_a_change_set_is_brought_into_the_table() -> None:
    here = LoadWorld(table=LoadTable([product("a", "x"), product("b", "x")]))
    result = applied(here, change_set(here, [product("b", "y"), product("c", "y")], [product("a")]))

    assert [product("b", "y"), product("c", "y")] == here.table.held
    assert (3, 3, 1) == (result and result.read, result and result.written, result and result.deleted)


def test_puts_come_first_and_deletes_last() -> None:
    old = [product(f"old-{n:03}") for n in range(60)]
    here = LoadWorld(table=LoadTable(old))
    applied(here, change_set(here, [product(f"new-{n:03}") for n in range(60)], old))

    kinds = [
        next(iter(request))
        for _, asked in here.table.calls
        for requests in asked["RequestItems"].values()
        for request in requests
    ]
    assert ["PutRequest"] * 60 + ["DeleteRequest"] * 60 == kinds


def test_an_attempt_after_a_finished_one_adopts_it() -> None:
    here = LoadWorld()
    changes = change_set(here, [product("a")], [])
    applied(here, changes)
    calls = len(here.table.calls)

    result = applied(here, changes)

    assert ("adopt", 1) == (result and result.start, result and result.written)
    assert calls == len(here.table.calls)


def test_an_attempt_after_a_broken_one_writes_the_rest() -> None:
    here = LoadWorld()
    changes = change_set(here, [product("a"), product("b")], [])

    def away(_operation: str, _body: Item) -> None:
        raise AccessDenied("dynamodb:BatchWriteItem", "table/products")

    here.table.before = away
    with pytest.raises(AccessDenied):
        applied(here, changes)
    here.anew()

    result = applied(here, changes)

    assert [product("a"), product("b")] == here.table.held
    assert ("resume", 2) == (result and result.start, result and result.written)


def test_other_changes_of_the_same_run_are_another_import() -> None:
    here = LoadWorld()
    applied(here, change_set(here, [product("a")], []))
    result = applied(here, change_set(here, [product("b")], []))

    assert [product("a"), product("b")] == here.table.held
    assert ("new", 1) == (result and result.start, result and result.written)


def test_a_change_set_that_somebody_edited_is_not_applied() -> None:
    here = LoadWorld()
    changes = change_set(here, [product("a")], [])
    other = change_set(LoadWorld(store=here.store), [product("evil")], [])
    overwrite(here.store, changes.puts[0].key, here.store.objects[other.puts[0].key].body)

    with pytest.raises((InvalidExport, ImportFailed)):
        applied(here, changes)


@pytest.mark.parametrize(
    ("settings", "on_conflict", "condition"),
    [
        ({}, "overwrite", None),
        ({"mode": "upsert"}, "overwrite", None),
        ({"mode": "insert_only"}, "skip", None),
        ({"mode": "update_existing"}, "condition", "attribute_exists(#k)"),
    ],
)
def test_a_mode_says_what_is_written_over_what(
    settings: dict[str, Any], on_conflict: str, condition: str | None
) -> None:
    request = import_request(LoadWorld().plan(**settings), max_rejected=0)

    assert (on_conflict, condition) == (request.on_conflict, request.condition_expression)
    assert ({"#k": "id"} if condition else {}) == request.expression_attribute_names


@pytest.mark.parametrize(
    ("mode", "wanted", "written", "skipped"),
    [
        ("insert_only", [product("a", "theirs"), product("b", "ours")], 1, 1),
        ("update_existing", [product("a", "ours")], 1, 1),
        ("upsert", [product("a", "ours"), product("b", "ours")], 2, 0),
    ],
)
def test_what_others_wrote_meanwhile_is_kept_where_the_mode_says_so(
    mode: str, wanted: list[Item], written: int, skipped: int
) -> None:
    here = LoadWorld(table=LoadTable([product("a", "theirs")]))
    changes = change_set(here, [product("a", "ours"), product("b", "ours")], [])

    result = applied(here, changes, mode=mode)

    assert wanted == here.table.held
    assert (written, skipped) == (result and result.written, result and result.skipped)


def test_the_import_goes_as_fast_as_the_load_was_asked_to() -> None:
    request = import_request(
        LoadWorld().plan(units_per_second=77.0, read_units_per_second=None, segments=3, ratio=0.5),
        max_rejected=2,
    )

    assert (77.0, None, 3, 2) == (
        request.units_per_second,
        request.ratio,
        request.segments,
        request.max_rejected,
    )
    by_ratio = import_request(LoadWorld().plan(units_per_second=None, ratio=0.5), max_rejected=-4)
    assert (None, 0.5, 0) == (by_ratio.units_per_second, by_ratio.ratio, by_ratio.max_rejected)


def test_rows_that_were_rejected_are_among_those_that_may_be() -> None:
    here = LoadWorld()
    changes = change_set(here, [product("a")], [], rejected=2, rows=3)

    result = applied(here, changes, max_rejected=1)

    assert 1 == (result and result.written)


def test_an_attempt_whose_lease_another_run_took_writes_no_more() -> None:
    """Silent for as long as a live holder beats: what it meets then is another's lease."""
    here = LoadWorld()
    changes = change_set(here, [product(f"P{n:03}") for n in range(60)], [])
    lease = Lease(here.store, "lease.json", "k3x9", here.clock)
    lease.acquire(here.stop, here.said.append)

    def taken(_operation: str, _body: Item) -> None:
        overwrite(here.store, "lease.json", b"{}")
        here.clock.wait(threading.Event(), BEAT_SECONDS)

    here.table.after = taken
    with pytest.raises(StaleAttempt, match=r"\(lease\.json\)"):
        apply(here.plan(segments=1), here.ports, LookupReports(here.reports.append), changes, lease)

    assert 1 == len(here.table.calls)


def test_what_to_do_about_items_that_dynamodb_refused_is_said_of_the_load() -> None:
    here = LoadWorld()

    def refuse(_operation: str, body: Item) -> None:
        if "bad" in json.dumps(body):
            raise ItemRefused("BatchWriteItem on table products", "too strange")

    here.table.before = refuse
    with pytest.raises(ImportFailed, match="1 items were rejected") as caught:
        applied(here, change_set(here, [product("bad"), product("good")], []))

    _, _, hint = str(caught.value).partition("\nHINT: ")
    assert MEND == hint
    assert "the next run compares anew and writes what is still missing" in hint
