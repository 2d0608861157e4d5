"""Native imports against the fake: begun once, adopted, judged, and what they leave when they fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters import native_imports
from airflow_dynamo_pipeline.engine.native_import_end import CLOCKS_DIFFER, LINES, RECENT
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition, TimeToLive
from airflow_dynamo_pipeline.engine.table_settings import (
    AttributeDefinition,
    KeyPart,
    LocalIndex,
    Projection,
    TableSettings,
    Tag,
)
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    ImportFailed,
    ImportRefused,
    NativeJobConflict,
    NotFound,
    ServiceTrouble,
    Stopped,
)
from tests.faults.attempts import BUCKET, items
from tests.faults.dynamodb.asking import ask
from tests.faults.endpoint import Killed
from tests.faults.import_backups import Laid, chain, exported, files, native_base, native_window
from tests.faults.native_import_world import TAKES, TARGET, NativeWorld
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

COUNT = 12
CHANGING = {"ImportTable", "CreateTable", "DeleteTable", "UpdateTable"}


@pytest.fixture
def world() -> NativeWorld:
    """An export of our own, and no table."""
    return NativeWorld(exported(COUNT))


def sorted_items(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda item: str(item["pk"]["S"]))


def definition(**more: Any) -> TableDefinition:
    settings = {
        "table_name": "orders",
        "attribute_definitions": (AttributeDefinition(attribute_name="pk", attribute_type="S"),),
        "key_schema": (KeyPart(attribute_name="pk", key_type="HASH"),),
        "billing_mode": "PAY_PER_REQUEST",
    }
    table = TableSettings(**{**settings, **more.pop("table", {})})
    return TableDefinition(version=1, table=table, **more)


# --- the source ---------------------------------------------------------------------------------


def test_an_export_becomes_a_new_table_with_its_items(world: NativeWorld) -> None:
    attempt = world.run()

    assert sorted_items(items(COUNT)) == sorted_items(world.items)
    result = attempt.result.to_json()
    assert (COUNT, COUNT, 0, "COMPLETED") == tuple(
        result[name] for name in ("items", "processed_items", "errors", "status")
    )
    assert (TARGET, world.book.made[0].arn) == (result["table_name"], result["import_arn"])
    assert world.book.made[0].table.arn == result["table_arn"]
    assert result == json.loads(json.dumps(result))
    source = world.book.made[0].request["S3BucketSource"]
    assert f"s3://{BUCKET}/{source['S3KeyPrefix']}" == world.uri.rpartition("/")[0] + "/data/"


@pytest.mark.parametrize("is_zipped", [False, True], ids=["plain", "gzip"])
def test_a_folder_of_files_without_a_manifest_is_imported(is_zipped: bool) -> None:
    world = NativeWorld(files(items(COUNT)[:5], items(COUNT)[5:], zipped=is_zipped))
    world.run().result  # noqa: B018  raises unless it succeeded

    assert sorted_items(items(COUNT)) == sorted_items(world.items)
    assert ("GZIP" if is_zipped else "NONE") == world.book.made[0].request["InputCompressionType"]


def test_a_native_export_is_imported_by_its_manifest() -> None:
    world = NativeWorld(native_base(items(COUNT)[:5], items(COUNT)[5:]))
    attempt = world.run(manifest_uri=world.uri)

    assert COUNT == attempt.result.items
    assert sorted_items(items(COUNT)) == sorted_items(world.items)


def test_one_csv_file_is_imported_with_its_columns_and_delimiter() -> None:
    world = NativeWorld(Laid((f"s3://{BUCKET}/in/rows.csv",), {"in/rows.csv": b"a;1\nb;2\n"}, 2))
    world.run(csv_delimiter=";", csv_columns="pk,n")

    assert [{"pk": {"S": "a"}, "n": {"S": "1"}}, {"pk": {"S": "b"}, "n": {"S": "2"}}] == sorted_items(
        world.items
    )
    assert "in/rows.csv" == world.book.made[0].request["S3BucketSource"]["S3KeyPrefix"]


def test_a_file_that_the_manifest_does_not_list_is_refused_before_anything_is_touched(
    world: NativeWorld,
) -> None:
    data = world.uri.rpartition("/")[0].removeprefix(f"s3://{BUCKET}/") + "/data"
    world.aws.s3.put(BUCKET, f"{data}/stranger.json", b"{}")
    attempt = world.run()

    attempt.failed(ImportRefused, "1 files that are not of the backup", f"{data}/stranger.json")
    assert not CHANGING & set(attempt.operations)


def test_a_file_beside_the_named_one_whose_name_begins_alike_is_refused() -> None:
    objects = {"in/rows.csv": b"pk\na\n", "in/rows.csv.old": b"pk\nb\n"}
    world = NativeWorld(Laid((f"s3://{BUCKET}/in/rows.csv",), objects, 1))

    world.run().failed(ImportRefused, "in/rows.csv.old")


def test_incremental_exports_are_refused() -> None:
    changes = chain(native_base(items(2)), [native_window(1, [({"pk": {"S": "a"}}, None)])])
    world = NativeWorld(changes)
    attempt = world.run(s3_uri=changes.uris[1])

    attempt.failed(ImportRefused, "1 problem", "is an incremental export, which ImportTable does not read")
    assert [] == world.book.made


def test_what_import_table_does_not_read_is_refused() -> None:
    world = NativeWorld(Laid((f"s3://{BUCKET}/in/a",), {"in/a": b'{"pk":"a"}\n'}, 1))

    world.run(s3_uri=f"s3://{BUCKET}/in").failed(ImportRefused, "'plain_json'", "DynamoDBImportOperator")


def test_files_compressed_in_several_ways_are_refused() -> None:
    zipped, plain = files(items(1), zipped=True), files(items(2)[1:])
    mixed = Laid(plain.uris, {**zipped.objects, "given/part-1.json": plain.objects["given/part-0.json"]}, 2)

    NativeWorld(mixed).run().failed(ImportRefused, "compressed in several ways")


# --- the definition -----------------------------------------------------------------------------


def test_the_definition_beside_the_manifest_makes_the_table_and_what_is_missing_is_named(
    world: NativeWorld,
) -> None:
    stored = definition(
        table={"tags": (Tag(key="team", value="data"),), "deletion_protection_enabled": True},
        time_to_live=TimeToLive(attribute_name="expires"),
    )
    uri = world.define(stored.to_json())
    attempt = world.run(table_definition=None)

    assert {"deletion protection", "tags", "time to live"} == set(attempt.result.not_restored)
    assert any(f"`dynamo-pipeline table restore` of {uri}" in line for line in attempt.warned)
    assert COUNT == len(world.items)


def test_restore_settings_puts_back_what_import_table_does_not_make(world: NativeWorld) -> None:
    stored = definition(
        table={"tags": (Tag(key="team", value="data"),), "deletion_protection_enabled": True},
        time_to_live=TimeToLive(attribute_name="expires"),
    )
    world.define(stored.to_json())
    result = world.run(table_definition=None, restore_settings=True).result

    table = world.aws.dynamodb.table(TARGET)
    assert ("expires", True) == (table.time_to_live, table.deletion_protected)
    assert [{"Key": "team", "Value": "data"}] == table.tags
    assert {"deletion protection", "tag team", "time to live"} == set(result.restored)
    assert [] == list(result.not_restored)


def test_a_retry_that_adopts_a_finished_import_restores_its_settings(world: NativeWorld) -> None:
    world.define(definition(time_to_live=TimeToLive(attribute_name="expires")).to_json())
    first = world.run(Fault(Kind.KILL, on="UpdateTimeToLive"), table_definition=None, restore_settings=True)
    first.failed(Killed)

    assert ["time to live"] == world.run(table_definition=None, restore_settings=True).result.restored
    assert "expires" == world.aws.dynamodb.table(TARGET).time_to_live
    assert 1 == len(world.book.made)


def test_a_definition_elsewhere_is_found_by_its_uri(world: NativeWorld) -> None:
    world.aws.s3.create_bucket("definitions")
    world.aws.s3.put("definitions", "orders.json", definition().to_json())
    attempt = world.run(table_definition=None, definition_s3_uri="s3://definitions/orders.json")

    assert () == attempt.result.not_restored
    assert COUNT == len(world.items)


def test_a_definition_with_a_local_index_is_refused(world: NativeWorld) -> None:
    index = LocalIndex(
        index_name="by-day",
        key_schema=(KeyPart(attribute_name="pk", key_type="HASH"),),
        projection=Projection(projection_type="ALL"),
    )
    world.define(definition(table={"local_secondary_indexes": (index,)}).to_json())

    world.run(table_definition=None).failed(ImportRefused, "local indexes (by-day)")
    assert [] == world.book.made


def test_every_problem_is_told_at_once_and_nothing_is_touched(world: NativeWorld) -> None:
    world.aws.dynamodb.create_table(TARGET)
    data = world.uri.rpartition("/")[0].removeprefix(f"s3://{BUCKET}/") + "/data"
    world.aws.s3.put(BUCKET, f"{data}/stranger.json", b"{}")
    attempt = world.run(table_definition=None, definition_s3_uri=f"s3://{BUCKET}/nowhere.json")

    attempt.failed(ImportRefused, "3 problems", "exists and is ACTIVE", "stranger.json", "nowhere.json")
    assert not CHANGING & set(attempt.operations)


# --- one run, one import ------------------------------------------------------------------------


def test_a_table_that_exists_is_refused_with_the_way_to_fill_it(world: NativeWorld) -> None:
    world.aws.dynamodb.create_table(TARGET)
    world.run().failed(ImportRefused, f"table {TARGET} exists", "DynamoDBImportOperator")

    assert [] == world.book.made


def test_a_table_that_another_run_imports_is_refused(world: NativeWorld) -> None:
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)

    world.run(run="another").failed(ImportRefused, f"table {TARGET} exists and is CREATING")
    assert 1 == len(world.book.made)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a2_an_attempt_killed_at_any_call_is_followed_by_one_that_adopts_its_import(
    is_after: bool, record_property: Any
) -> None:
    """The worker is lost before or after each call; whatever was begun is billed once."""
    whole = NativeWorld(exported(COUNT)).run().operations
    points = list(some_of(range(1, len(whole) + 1)))
    for number in points:
        world = NativeWorld(exported(COUNT))
        world.run(Fault(Kind.KILL, at=number, after=is_after)).failed(Killed)
        attempt = world.run()

        assert COUNT == attempt.result.items, number
        assert 1 == len(world.book.made), number
        assert sorted_items(items(COUNT)) == sorted_items(world.items), number
    record_property("fault_points", len(points))


def test_a2_an_attempt_that_is_told_to_stop_leaves_its_import_to_the_retry(world: NativeWorld) -> None:
    first = world.run(stop_on="DescribeImport")
    first.failed(Stopped, "a retry adopts it")
    second = world.run()

    assert world.book.made[0].arn == second.result.import_arn
    assert 1 == len(world.book.made)
    assert any(line.startswith("adopted: ") for line in second.said)
    assert "ImportTable" not in second.operations


def test_a2_an_import_is_adopted_when_its_token_is_no_longer_valid(world: NativeWorld) -> None:
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    world.clock.advance(timedelta(days=3).total_seconds())
    attempt = world.run()

    assert COUNT == attempt.result.items
    assert 1 == len(world.book.made)


def test_a2_a_table_that_cannot_be_seen_yet_is_adopted_by_the_token(world: NativeWorld) -> None:
    """DescribeTable may lag; ImportTable with the same token answers with the import that runs."""
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    attempt = world.run(before=hidden_until_import_table(world))

    assert "ImportTable" in attempt.operations
    assert (1, COUNT) == (len(world.book.made), attempt.result.items)


def hidden_until_import_table(world: NativeWorld) -> Callable[[Any], None]:
    hidden = world.aws.dynamodb._database.tables.pop(TARGET)

    def show(call: Any) -> None:
        if call.operation == "ImportTable":
            world.aws.dynamodb._database.tables[TARGET] = hidden

    return show


def test_a2_clear_adopts_an_import_whose_table_cannot_be_seen_yet(world: NativeWorld) -> None:
    """Its token is another one, so ImportTable refuses the name; the import is found by the table."""
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    attempt = world.run(before=hidden_until_import_table(world), generation="1")

    assert (1, COUNT) == (len(world.book.made), attempt.result.items)


def test_a_table_that_somebody_makes_at_the_last_moment_is_refused(world: NativeWorld) -> None:
    def make(call: Any) -> None:
        if call.operation == "ImportTable":
            world.aws.dynamodb.create_table(TARGET)

    world.run(before=make).failed(ImportRefused, f"table {TARGET} exists", "DynamoDBImportOperator")
    assert [] == world.book.made


def test_a_table_that_comes_and_goes_is_for_a_retry(world: NativeWorld) -> None:
    def make_and_delete(call: Any) -> None:
        if call.operation == "ImportTable":
            world.aws.dynamodb.create_table(TARGET)
        elif TARGET in world.tables:
            delete(world)

    world.run(before=make_and_delete).failed(ServiceTrouble, "by somebody else")


def test_clear_adopts_an_import_that_runs(world: NativeWorld) -> None:
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)

    assert COUNT == world.run(generation="1").result.items
    assert 1 == len(world.book.made)


def test_clear_after_success_is_refused_while_the_table_is_there(world: NativeWorld) -> None:
    assert COUNT == world.run().result.items

    world.run(generation="1").failed(ImportRefused, "of this run made it, and is COMPLETED")
    assert 1 == len(world.book.made)


def test_a_table_made_anew_under_the_name_is_not_taken_for_the_imported_one(world: NativeWorld) -> None:
    assert COUNT == world.run().result.items
    _replace(world)

    world.run().failed(ImportRefused, "exists and is ACTIVE")


def test_a_source_that_changed_meanwhile_is_told_from_a_retry(world: NativeWorld) -> None:
    world.define(definition().to_json())
    assert COUNT == world.run(table_definition=None).result.items
    delete(world)
    number = (AttributeDefinition(attribute_name="pk", attribute_type="N"),)
    changed = definition(table={"attribute_definitions": number})
    world.define(changed.to_json())

    world.run(table_definition=None).failed(NativeJobConflict, "Clear the task")


def test_trouble_while_waiting_is_waited_out(world: NativeWorld) -> None:
    attempt = world.run(Fault(Kind.SERVER_ERROR, on="DescribeImport", times=2))

    assert COUNT == attempt.result.items
    assert 2 == len([line for line in attempt.warned if "looking again in 60 s" in line])


# --- failures -----------------------------------------------------------------------------------


def bad_items() -> NativeWorld:
    """Three good items, and more that the table refuses than a message names."""
    bad = [{"pk": {"N": str(number)}} for number in range(LINES + 5)]
    return NativeWorld(files([*items(3), *bad]))


def test_a_failed_import_names_counts_log_lines_and_the_partial_table() -> None:
    world = bad_items()
    message = world.run().failed(
        ImportFailed,
        "is FAILED (ItemValidationError: ",
        "3 items imported, 25 errors, 28 items",
        f"table {TARGET} is left and may be partial",
        "and 5 more lines",
    )

    assert LINES == message.count("itemS3Pointer")
    assert 3 == len(world.items)


def test_a_log_of_several_pages_is_read_to_its_end() -> None:
    world = bad_items()
    world.aws.logs.page = 7
    message = world.run().failed(ImportFailed, "and 5 more lines")

    assert LINES == message.count("itemS3Pointer")


def test_a_log_that_is_too_long_to_count_is_said_to_be_longer() -> None:
    world = bad_items()
    world.aws.logs.page = 1

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(native_imports, "LOG_PAGES", LINES + 1)
        world.run().failed(ImportFailed, "and at least 1 more lines")


def test_a_log_that_cannot_be_read_does_not_hide_the_failure() -> None:
    bad_items().run(Fault(Kind.DENY, on="GetLogEvents")).failed(
        ImportFailed, "is FAILED", "its error log could not be read: access denied: logs:GetLogEvents"
    )


def test_a_service_that_fails_half_way_leaves_a_partial_table_that_is_named(world: NativeWorld) -> None:
    world.book.breaks_after = 5
    world.run().failed(ImportFailed, "InternalServerError", f"table {TARGET} is left")

    assert 5 == len(world.items)


def test_a_file_that_import_table_stopped_reading_is_no_success() -> None:
    """Counts of a success are compared with the manifest: a damaged object is passed over quietly."""
    world = NativeWorld(exported(COUNT))
    world.book.breaks_after = 5
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    world.book.made[0].status = "COMPLETED"

    world.run(delete_partial=True).failed(
        ImportFailed,
        "processed 5 items; the manifest lists 12",
        f"table {TARGET} is kept: the import is COMPLETED",
    )
    assert [TARGET] == world.tables


@pytest.mark.parametrize(
    ("status", "errors", "words"),
    [
        ("CANCELLED", [], "is CANCELLED"),
        ("COMPLETED", ["one"], "is COMPLETED, but with 1 errors"),
    ],
)
def test_an_end_that_is_not_a_clean_success_fails(
    world: NativeWorld, status: str, errors: list[str], words: str
) -> None:
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    world.book.made[0].status, world.book.made[0].errors = status, errors

    world.run().failed(ImportFailed, words, f"table {TARGET} is left")


def half_done(laid: Laid) -> NativeWorld:
    """An import that says it is complete, and has read less than its files have; nobody has looked yet."""
    world = NativeWorld(laid)
    world.book.breaks_after = 5
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    world.book.made[0].status, world.book.made[0].code = "COMPLETED", ""
    world.clock.advance(TAKES)
    return world


ALWAYS = 100  # calls; more than an attempt makes


@pytest.mark.parametrize("ending", ["", "/manifest-summary.json"], ids=["folder", "manifest"])
def test_a_manifest_that_a_retry_may_not_read_is_no_success(ending: str) -> None:
    export = exported(COUNT)
    world = half_done(replace(export, uris=(export.uris[0].rpartition("/")[0] + ending,)))
    attempt = world.run(Fault(Kind.DENY, on="GetObject", times=ALWAYS))

    attempt.failed(AccessDenied, "s3:GetObject", "manifest-summary.json")
    assert any(line.startswith("adopted: ") for line in attempt.said)
    world.run().failed(ImportFailed, "processed 5 items; the manifest lists 12")


def test_a_manifest_that_can_be_read_the_second_time_is_compared() -> None:
    half_done(exported(COUNT)).run(Fault(Kind.DENY, on="GetObject")).failed(
        ImportFailed, "processed 5 items; the manifest lists 12"
    )


def test_a_source_that_is_no_longer_fit_for_an_import_is_still_compared_with_its_manifest() -> None:
    world = half_done(exported(COUNT))
    data = world.uri.rpartition("/")[0].removeprefix(f"s3://{BUCKET}/") + "/data"
    world.aws.s3.put(BUCKET, f"{data}/stranger.json", b"{}")

    world.run().failed(ImportFailed, "processed 5 items; the manifest lists 12")


def test_a_manifest_that_is_gone_when_a_retry_looks_is_no_success() -> None:
    world = half_done(exported(COUNT))
    world.aws.s3.delete(BUCKET, world.uri.removeprefix(f"s3://{BUCKET}/"))

    world.run().failed(NotFound, world.uri, "compare its count of items")


def test_an_export_that_can_no_longer_be_told_from_another_below_its_folder_is_no_success() -> None:
    export = exported(COUNT)
    folder = export.uris[0].partition("/AWSDynamoDB/")[0]
    world = half_done(replace(export, uris=(folder,)))
    (manifest,) = (key for key in export.objects if key.endswith("manifest-summary.json"))
    world.aws.s3.put(BUCKET, manifest.replace("/AWSDynamoDB/", "/AWSDynamoDB/later-"), b"{}")

    world.run().failed(ImportRefused, "cannot be read, and", "manifest-summary.json lies below it")


def test_files_without_a_manifest_have_nothing_to_be_compared_with() -> None:
    world = half_done(files(items(COUNT)))
    attempt = world.run(Fault(Kind.DENY, on="HeadObject", times=ALWAYS))

    assert any("access denied" in line for line in attempt.warned)
    assert 5 == attempt.result.processed_items


def at_the_end(world: NativeWorld, change: Callable[[NativeWorld], None]) -> Callable[[Any], None]:
    """Somebody does something to the table between the end of the import and the look at its table."""
    looks: list[str] = []

    def meanwhile(call: Any) -> None:
        if call.operation == "DescribeTable" and "DescribeImport" in looks:
            change(world)
            looks.clear()
        looks.append(call.operation)

    return meanwhile


def test_a_table_that_is_gone_when_its_import_is_complete_is_no_success(world: NativeWorld) -> None:
    world.run(before=at_the_end(world, delete)).failed(
        ImportFailed, "its table was deleted since", f"there is no table {TARGET}"
    )


def test_a_table_that_was_replaced_when_its_import_is_complete_is_no_success(world: NativeWorld) -> None:
    attempt = world.run(before=at_the_end(world, _replace), delete_partial=True)

    attempt.failed(ImportFailed, "its table was replaced since", f"table {TARGET} is kept")
    assert [TARGET] == world.tables


def test_an_import_is_found_among_many_of_a_table_of_its_name(world: NativeWorld) -> None:
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    (mine,) = world.book.made
    strangers = [
        replace(mine, arn=f"{mine.arn}{number}", request={**mine.request, "ClientToken": f"{number}"})
        for number in range(30)
    ]
    world.book.made[:0] = strangers

    assert mine.arn == world.run().result.import_arn


def test_delete_partial_deletes_what_the_failed_import_made(world: NativeWorld) -> None:
    world.book.breaks_after = 5
    world.run(delete_partial="true").failed(ImportFailed, f"the partial table {TARGET}", "was deleted")

    assert [] == world.tables


def test_i12_delete_partial_keeps_a_table_that_people_filled_since_the_import_failed() -> None:
    """The worker is lost, the import fails, its table is filled by hand; hours later comes the retry."""
    world = bad_items()
    world.run(Fault(Kind.KILL, on="DescribeImport"), delete_partial=True).failed(Killed)
    world.clock.advance(timedelta(hours=8).total_seconds())
    world.aws.dynamodb.put_items(TARGET, items(500))
    attempt = world.run(delete_partial=True)

    attempt.failed(
        ImportFailed,
        f"table {TARGET} is kept: the import ended at 2026-01-02T03:06:35+00:00",
        "not within the last 15 minutes",
        f"delete it by `aws dynamodb delete-table --table-name {TARGET}`",
    )
    assert "DeleteTable" not in attempt.operations
    assert 500 == len(world.items)


@pytest.mark.parametrize(
    ("since_its_end", "tables"),
    [
        (RECENT - timedelta(seconds=5), []),
        (RECENT + timedelta(seconds=5), [TARGET]),
        (-CLOCKS_DIFFER + timedelta(seconds=5), []),
        (-CLOCKS_DIFFER - timedelta(seconds=5), [TARGET]),
        (None, [TARGET]),
    ],
)
def test_i12_delete_partial_deletes_only_what_an_import_left_a_moment_ago(
    world: NativeWorld, since_its_end: timedelta | None, tables: list[str]
) -> None:
    world.book.breaks_after = 5
    world.run(Fault(Kind.KILL, on="DescribeImport"), delete_partial=True).failed(Killed)
    world.clock.advance(timedelta(hours=1).total_seconds())
    (made,) = world.book.made
    if since_its_end is None:
        made.seconds = None
    else:
        made.seconds = (world.clock.now() - since_its_end - made.started_at).total_seconds()
    world.run(delete_partial=True).failed(ImportFailed, "is FAILED")

    assert tables == world.tables


def test_a_retry_of_a_failed_import_whose_table_was_deleted_fails_alike_and_imports_nothing(
    world: NativeWorld,
) -> None:
    world.book.breaks_after = 5
    world.run(Fault(Kind.KILL, on="GetLogEvents"), delete_partial=True).failed(Killed)
    world.book.breaks_after = None

    world.run(delete_partial=True).failed(ImportFailed, "is FAILED", f"there is no table {TARGET}")
    assert 1 == len(world.book.made)


def test_clear_after_a_failure_imports_anew(world: NativeWorld) -> None:
    world.book.breaks_after = 5
    world.run(delete_partial=True).failed(ImportFailed)
    world.book.breaks_after = None

    assert COUNT == world.run(generation="1").result.items
    assert 2 == len(world.book.made)


def delete(world: NativeWorld) -> None:
    ask(world.aws.dynamodb, "DeleteTable", TableName=TARGET)
    assert [] == world.tables


def _replace(world: NativeWorld) -> None:
    delete(world)
    world.aws.dynamodb.create_table(TARGET)


def _age(world: NativeWorld) -> None:
    world.aws.dynamodb.table(TARGET).created_at -= timedelta(hours=1)


def _protect(world: NativeWorld) -> None:
    world.aws.dynamodb.table(TARGET).deletion_protected = True


def _stream(world: NativeWorld) -> None:
    table = world.aws.dynamodb.table(TARGET)
    world.aws.dynamodb._database.enable_stream(table, "KEYS_ONLY")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_replace, "not known to be the table that the import made"),
        (_age, "not known to be made after the import began"),
        (_protect, "protected against deletion"),
        (_stream, "replicas or a stream"),
    ],
)
def test_i12_delete_partial_keeps_any_table_that_is_not_just_what_the_import_left(
    world: NativeWorld, change: Any, reason: str
) -> None:
    world.book.breaks_after = 5
    attempt = world.run(before=at_the_end(world, change), delete_partial=True)

    attempt.failed(ImportFailed, f"table {TARGET} is kept: ", reason)
    assert [TARGET] == world.tables
    assert "DeleteTable" not in attempt.operations


def test_i12_a_table_is_never_deleted_after_success(world: NativeWorld) -> None:
    attempt = world.run(delete_partial=True)

    assert COUNT == attempt.result.items
    assert "DeleteTable" not in attempt.operations


def test_items_with_the_same_key_are_told(world: NativeWorld) -> None:
    world = NativeWorld(files([*items(3), *items(2)]))
    world.run(Fault(Kind.KILL, on="DescribeImport")).failed(Killed)
    world.book.made[0].items = 3
    attempt = world.run()

    assert (3, 5) == (attempt.result.items, attempt.result.processed_items)
    assert any("2 items share their key" in line for line in attempt.warned)
