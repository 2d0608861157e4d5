"""``dynamo-pipeline import``: every setting is an option, and what each outcome prints and ends with."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.cli import main as main_module
from airflow_dynamo_pipeline.cli import table_import as module
from airflow_dynamo_pipeline.cli.options import FLAGS, IMPORT_HELP
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_progress import ImportProgress
from airflow_dynamo_pipeline.engine.import_request import COERCIONS, REQUIRED, ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.prices import GB, PricesOf, prices_for
from airflow_dynamo_pipeline.errors import (
    ImportFailed,
    ImportRefused,
    LeaseHeld,
    PipelineError,
    Problem,
    Stopped,
)
from airflow_dynamo_pipeline.formats.reading import Attribute
from tests.unit.cli.world import messages_of

SOURCE = "s3://backups/daily"
IMPORT = ("import", "--table", "orders", SOURCE)
GIVEN: dict[str, tuple[str, Any]] = {
    "ratio": ("0.5", 0.5),
    "units_per_second": ("12.5", 12.5),
    "segments": ("7", 7),
    "file_format": ("csv", "csv"),
    "on_conflict": ("skip", "skip"),
    "max_rejected": ("3", 3),
    "rejects_s3_uri": ("s3://elsewhere", "s3://elsewhere"),
    "dry_run": ("", True),
    "on_existing": ("new", "new"),
    "expired_items": ("drop", "drop"),
    "allow_protected": ("", True),
    "expected_backup_id": ("0123", "0123"),
    "changes_from": ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    "attributes": ('{"id": "S"}', {"id": Attribute("id", "S")}),
    "csv_columns": ("id, n", ("id", "n")),
    "csv_delimiter": (";", ";"),
    "null_text": ("NULL", "NULL"),
    "s3_sse_kms_key_id": ("alias/k", "alias/k"),
}
TOGETHER = {  # refused without each other
    "version_attribute",
    "condition_expression",
    "expression_attribute_names",
    "expression_attribute_values",
}


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class Ports:
    """Of the ports, what the command puts in itself."""

    prices: PricesOf = prices_for


class World:
    """The engine behind the command: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.requests: list[ImportRequest] = []
        self.works: list[Work] = []
        self.profiles: list[tuple[str | None, str | None]] = []
        self.prices: list[PricesOf] = []
        self.error: PipelineError | None = None
        self.rejected = 1

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main_module.main, arguments, prog_name="dynamo-pipeline")

    def clients(self, profile: str | None, region_name: str | None) -> Callable[[str], Any]:
        self.profiles.append((profile, region_name))
        return lambda service: pytest.fail(f"a client of {service} was made")

    def ports(
        self, _: object, request: ImportRequest, *, stop: threading.Event, say: Any, warn: Any
    ) -> Ports:
        self.requests.append(request)
        assert not stop.is_set()
        say("resume: files")
        warn("it has a stream")
        return Ports()

    def import_table(
        self, request: ImportRequest, work: Work, ports: Ports, reports: ImportReports
    ) -> ImportResult:
        self.works.append(work)
        self.prices.append(ports.prices)
        if self.error is not None:
            raise self.error
        reports.to(progress())
        return replace(result(dry_run=request.dry_run), rejected=self.rejected)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(module, "clients", made.clients)
    monkeypatch.setattr(module, "import_ports", made.ports)
    monkeypatch.setattr(module, "import_table", made.import_table)
    return made


def progress() -> ImportProgress:
    return ImportProgress(
        items=5,
        rejected=1,
        under_way=0,
        files=2,
        files_done=2,
        share_done=1.0,
        consumed_units=5.0,
        units_per_second_asked=9.0,
        units_per_second_held=9.0,
        elapsed_seconds=1.0,
        eta_seconds=0.0,
    )


def result(*, dry_run: bool) -> ImportResult:
    return ImportResult(
        import_id="0123456789ab",
        table_name="orders",
        start="new",
        dry_run=dry_run,
        read=5,
        written=4,
        deleted=0,
        skipped=0,
        conflicted=0,
        rejected=1,
        expired=0,
        duplicates=0,
        duplicates_share=1.0,
        rejects_uri="s3://backups/daily/_imports/0123456789ab/rejects/",
        consumed_units=5.0,
        seconds=1.0,
        units_per_second_asked=9.0,
        units_per_second_held=9.0,
        backup_id="0123",
    )


def test_there_is_an_option_a_line_of_help_and_a_case_here_for_every_setting() -> None:
    assert set(COERCIONS) == set(IMPORT_HELP) == {*GIVEN, *REQUIRED, *TOGETHER}


def test_help_names_every_setting_and_how_it_is_called(world: World) -> None:
    shown = " ".join(world.run("import", "--help").stdout.split())

    assert [] == [name for name in COERCIONS if f"{option(name)} " not in shown]
    assert "dynamo-pipeline import --table-name orders" in shown
    for word in ("--table ", "--profile", "--region-name", "--json", "[SOURCE]..."):
        assert word in shown, word


def test_help_names_the_defaults_that_hold(world: World) -> None:
    shown = " ".join(world.run("import", "--help").stdout.split())

    world.run(*IMPORT)
    (request,) = world.requests
    for default in (
        request.effective_ratio,
        request.file_format,
        request.on_conflict,
        request.max_rejected,
        request.on_existing,
        request.expired_items,
    ):
        assert f"[default: {default}]" in shown, default
    assert (None, ",", "") == (request.segments, request.csv_delimiter, request.null_text)
    assert (False, False) == (request.dry_run, request.allow_protected)


@pytest.mark.parametrize("name", GIVEN)
def test_an_option_reaches_the_request(world: World, name: str) -> None:
    text, value = GIVEN[name]

    world.run(*IMPORT, option(name), *([] if name in FLAGS else [text]))

    (request,) = world.requests
    assert value == getattr(request, name)
    assert value != getattr(ImportRequest(table_name="orders", s3_uri=(SOURCE,)), name), (
        "the default shows nothing"
    )


def test_a_version_attribute_goes_with_newer(world: World) -> None:
    world.run(*IMPORT, "--on-conflict", "newer", "--version-attribute", "v")

    assert ["v"] == [request.version_attribute for request in world.requests]


def test_a_condition_goes_with_its_names_and_values_as_json(world: World) -> None:
    names, values = '{"#n": "name"}', '{":v": {"S": "x"}}'
    given = ("--condition-expression", "#n = :v", "--expression-attribute-names", names)

    world.run(*IMPORT, "--on-conflict", "condition", *given, "--expression-attribute-values", values)

    (request,) = world.requests
    assert "#n = :v" == request.condition_expression
    assert {"#n": "name"} == request.expression_attribute_names
    assert {":v": {"S": "x"}} == request.expression_attribute_values


def test_sources_stand_by_themselves_or_after_the_flag_in_their_order(world: World) -> None:
    world.run("import", "--table-name", "orders", "s3://b/full", "--s3-uri", "s3://b/two", "s3://b/one")

    assert [("s3://b/full", "s3://b/one", "s3://b/two")] == [request.s3_uri for request in world.requests]


def test_an_import_says_what_became_of_the_items(world: World) -> None:
    done = world.run(*IMPORT)

    assert "imported" in done.stdout
    assert "s3://backups/daily/_imports/0123456789ab/rejects/" in done.stdout
    assert "warning: it has a stream" in done.stderr
    assert "100%: 5 items, 1 rejected, 2/2 files" in done.stderr


def test_json_is_one_object_on_stdout_and_the_rest_goes_to_stderr(world: World) -> None:
    done = world.run(*IMPORT, "--json")

    assert result(dry_run=False).to_json() == json.loads(done.stdout)
    assert 1 == done.stdout.count("\n")
    assert ["message", "warning", "status"] == [each["message_type"] for each in messages_of(done)]


@pytest.mark.parametrize(("rejected", "code"), [(0, 0), (1, 3)])
@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--json",)])
def test_items_that_were_or_would_be_rejected_are_in_the_exit_code(
    world: World, rejected: int, code: int, more: tuple[str, ...]
) -> None:
    world.rejected = rejected

    done = world.run(*IMPORT, *more)

    assert code == done.exit_code
    assert done.stdout, "the result is printed all the same"


def test_a_dry_run_is_called_one(world: World) -> None:
    assert "dry run" in world.run(*IMPORT, "--dry-run").stdout


def test_a_command_line_is_no_run_so_that_a_second_call_may_go_on(world: World) -> None:
    world.run(*IMPORT)
    world.run(*IMPORT)

    assert [None, None] == [work.run for work in world.works]
    assert 2 == len({work.generation for work in world.works})


def test_prices_of_ones_own_are_handed_on(world: World, tmp_path: Path) -> None:
    ours = tmp_path / "ours.json"
    ours.write_text('{"import_gb": 7}', "utf-8")

    world.run(*IMPORT, "--prices", str(ours))

    assert 7.0 == world.prices[0]("eu-west-1").native_import(GB)


def test_profile_and_region_are_handed_on(world: World) -> None:
    world.run(*IMPORT, "--profile", "backup", "--region-name", "eu-west-1")

    assert [("backup", "eu-west-1")] == world.profiles


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ImportFailed("1 items were rejected, max_rejected is 0"), 1),
        (ImportRefused([Problem("s3_uri", "holds no files")]), 10),
        (LeaseHeld("another live run began this import"), 11),
        (Stopped("told to stop"), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_on_stderr_and_in_the_exit_code(world: World, error: PipelineError, code: int) -> None:
    world.error = error

    done = world.run(*IMPORT)

    assert (code, "") == (done.exit_code, done.stdout)
    assert f"error: {error}\n" in done.stderr


def test_settings_that_cannot_work_end_with_10_and_are_all_named(world: World) -> None:
    done = world.run(*IMPORT, "--ratio", "7", "--units-per-second", "5", "--max-rejected", "none at all")

    assert (10, "") == (done.exit_code, done.stdout)
    assert "ratio, units_per_second: both are given" in done.stderr
    assert "max_rejected: 'none at all' is not a number" in done.stderr
    assert [] == world.requests


def test_without_table_or_source_both_are_asked_for(world: World) -> None:
    done = world.run("import")

    assert 10 == done.exit_code
    assert "table_name: is required" in done.stderr
    assert "s3_uri: is required" in done.stderr
