from __future__ import annotations

import json

from airflow_dynamo_pipeline.lookup.result import LookupResult
from tests.unit.lookup.load_world import LoadTable, LoadWorld, product, products


def result(*, dry_run: bool = False) -> LookupResult:
    world = LoadWorld(table=LoadTable([product("a", "x"), product("b", "x"), product("c", "x")]))
    rows = products(("a", "x"), ("b", "y"), ("d", "x"))
    return world.load(rows, dry_run=dry_run, max_shrink=1.0)


def test_the_accounts_of_a_result_add_up() -> None:
    found = result()

    assert (
        3
        == found.rows
        == sum((found.unchanged, found.inserted, found.updated, found.skipped, found.rejected))
    )
    changes = found.inserted + found.updated + found.deleted
    assert 3 == changes == found.written + found.conflicted + found.refused


def test_a_result_goes_through_json_unchanged() -> None:
    found = result()

    assert found == LookupResult(**json.loads(json.dumps(found.to_json())))


def test_a_line_tells_what_became_of_the_rows() -> None:
    wanted = "3 rows: 1 unchanged; 1 {} inserted, 1 updated, 1 deleted; 0 skipped, 0 rejected"

    assert wanted.format("were") == result().line()
    assert wanted.format("would be") == result(dry_run=True).line()


def test_a_dry_run_has_written_nothing_and_names_the_changes() -> None:
    found = result(dry_run=True)

    assert (True, 0, 0.0) == (found.dry_run, found.written, found.consumed_units)
    assert ["delete c", "insert d", "update b"] == sorted(found.differences)
    assert [] == result().differences
