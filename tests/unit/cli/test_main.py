"""What each command does with its arguments, what it prints and how it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.cli import table_export as module
from airflow_dynamo_pipeline.cli.exit_codes import ExitCode
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    LeaseHeld,
    NotFound,
    PipelineError,
    ServiceTrouble,
    Stopped,
    TableChanged,
    Throttled,
)
from tests.unit.cli.world import EXPORT, World, messages_of

COMMANDS = ("export", "estimate", "verify")


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command_and_exit_code(world: World, flag: str) -> None:
    done = world.run(flag)

    assert 0 == done.exit_code
    for word in (*COMMANDS, *(f"{code.value} {code.meaning}" for code in ExitCode)):
        assert word in " ".join(done.stdout.split()), word


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_how_it_is_called(world: World, command: str) -> None:
    done = world.run(command, "--help")

    assert 0 == done.exit_code
    assert f"dynamo-pipeline {command} " in done.stdout
    assert "--profile" in done.stdout
    assert "--region-name" in done.stdout
    assert "--json" in done.stdout


def test_the_version_is_the_package_version(world: World) -> None:
    assert f"dynamo-pipeline, version {__version__}\n" == world.run("--version").stdout


@pytest.mark.parametrize("arguments", [("restore",), ("export", "--tabel", "orders"), ("verify",)])
def test_wrong_usage_ends_with_2(world: World, arguments: tuple[str, ...]) -> None:
    done = world.run(*arguments)

    assert (2, "") == (done.exit_code, done.stdout)
    assert "Usage: dynamo-pipeline" in done.stderr


# --- export ---------------------------------------------------------------------------------------


def test_an_export_ends_with_0_and_says_where_it_is(world: World) -> None:
    done = world.run(*EXPORT)

    assert 0 == done.exit_code
    (key,) = world.manifests()
    assert f"s3://backups/{key}" in done.stdout
    assert "item_count" in done.stdout


def test_json_is_one_object_on_stdout_and_the_rest_goes_to_stderr(world: World) -> None:
    done = world.run(*EXPORT, "--json")

    assert 0 == done.exit_code
    assert 1 == done.stdout.count("\n")
    assert {"item_count", "manifest_uri", "export_id", "start"} < world.result(*EXPORT).keys()
    messages = messages_of(done)
    assert any("about 5 items" in each["message"] for each in messages if each["message_type"] == "message")
    assert [(5, 1.0)] == [
        (each["items"], each["share_done"]) for each in messages if each["message_type"] == "status"
    ]


def test_a_warning_goes_to_stderr(world: World) -> None:
    done = world.run(*EXPORT, "--file-format", "plain_json", "--json")

    (warning,) = [each for each in messages_of(done) if each["message_type"] == "warning"]
    assert "file_format plain_json is lossy" in warning["message"]
    assert "lossy" not in done.stdout


def test_profile_and_region_are_handed_on(world: World) -> None:
    world.run(*EXPORT, "--profile", "backup", "--region-name", "eu-west-1")

    assert [("backup", "eu-west-1")] == world.profiles


def test_the_same_command_resumes_what_was_left_unfinished_and_else_begins_anew(world: World) -> None:
    world.table.before_scan = failing(AccessDenied("dynamodb:Scan", "table orders"))
    assert 1 == world.run(*EXPORT).exit_code
    world.table.before_scan = lambda: None

    assert "resume" == world.result(*EXPORT)["start"]
    assert "new" == world.result(*EXPORT)["start"]
    assert 2 == len(world.manifests())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("table", "orders", "check the region"), 1),
        (AccessDenied("dynamodb:Scan", "table orders"), 1),
        (TableChanged("table orders was deleted"), 1),
        (Throttled("slow down"), 1),
        (CorruptReply("does not match"), 1),
        (ServiceTrouble("the connection was cut"), 1),
        (LeaseHeld("another live run is working on this export"), 11),
        (Stopped("told to stop"), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_on_stderr_and_in_the_exit_code(
    world: World, monkeypatch: pytest.MonkeyPatch, error: PipelineError, code: int
) -> None:
    monkeypatch.setattr(module, "export_table", failing(error))

    done = world.run(*EXPORT)

    assert (code, "") == (done.exit_code, done.stdout)
    assert f"error: {error}\n" in done.stderr


def test_settings_that_cannot_work_end_with_10_and_are_all_named(world: World) -> None:
    done = world.run(*EXPORT, "--ratio", "7", "--units-per-second", "5", "--segments", "zero")

    assert (10, "") == (done.exit_code, done.stdout)
    assert "ratio, units_per_second: both are given" in done.stderr
    assert "segments: 'zero' is not a whole number" in done.stderr
    assert [] == world.requests
    assert [] == world.table.scans


def test_a_target_that_cannot_be_used_ends_with_10(world: World) -> None:
    world.store = type(world.store)(region="eu-west-1")

    done = world.run(*EXPORT)

    assert (10, "") == (done.exit_code, done.stdout)
    assert "eu-west-1" in done.stderr
    assert {} == world.store.objects


def test_without_table_or_target_both_are_asked_for(world: World) -> None:
    done = world.run("export")

    assert 10 == done.exit_code
    assert "table_name: is required" in done.stderr
    assert "s3_uri: is required" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_export_with_130_and_leaves_a_checkpoint(
    world: World, number: signal.Signals
) -> None:
    """Sent from within a Scan, while the main thread keeps house."""
    sent: list[int] = []

    def once() -> None:
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
            assert world.stop.wait(30), "the signal did not set the event"

    world.table.before_scan = once
    before = signal.getsignal(number)

    done = world.run(*EXPORT, "--json")

    assert (130, "") == (done.exit_code, done.stdout)
    assert "stopping: closing open parts" in done.stderr
    assert before == signal.getsignal(number)
    assert [] == world.manifests()
    assert "resume" == world.result(*EXPORT)["start"]


# --- estimate -------------------------------------------------------------------------------------


def test_an_estimate_reads_no_page_and_writes_nothing(world: World) -> None:
    found = world.result("estimate", "--table", "orders", "--ratio", "0.5")

    assert (5, 500.0) == (found["items"], found["units_per_second"])
    assert {} == world.store.objects
    assert [] == world.table.scans


def test_an_estimate_needs_no_target_and_takes_one(world: World) -> None:
    assert 0 == world.run("estimate", "--table", "orders").exit_code
    assert 0 == world.run("estimate", "--table", "orders", "--s3-uri", "s3://backups").exit_code


def test_an_estimate_says_which_method_it_would_pick_and_why(world: World) -> None:
    found = world.result("estimate", "--table", "orders")

    assert ("scan", "nothing else is possible") == (found["method"], found["method_reason"])
    assert ["scan", "full", "incremental"] == [way["method"] for way in found["methods"]]
    assert "point-in-time recovery of table orders is off" in found["methods"][1]["refused"]


def test_an_export_by_the_method_that_is_picked_says_which(world: World) -> None:
    done = world.run(*EXPORT, "--method", "auto", "--json")

    assert (0, "scan") == (done.exit_code, json.loads(done.stdout)["method"])
    assert "method scan: nothing else is possible" in done.stderr


def test_an_estimate_of_an_index_that_is_not_there_ends_with_1(world: World) -> None:
    done = world.run("estimate", "--table", "orders", "--index-name", "by-shop", "--json")

    assert (1, "") == (done.exit_code, done.stdout)
    assert "no such index: by-shop" in done.stderr


# --- verify ---------------------------------------------------------------------------------------


def test_an_export_that_is_whole_is_verified(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]

    assert 5 == world.result("verify", uri)["item_count"]


def test_an_export_with_a_file_missing_ends_with_1_and_names_it(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]
    missing = next(key for key in world.store.objects if "/data/" in key)
    world.store.delete([missing])

    done = world.run("verify", uri, "--json")

    assert (1, "") == (done.exit_code, done.stdout)
    assert missing in done.stderr


def test_an_export_is_compared_with_a_table(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]
    result = world.result("verify", uri, "--table", "orders", "--units-per-second", "1000")

    assert (True, 5, 5) == (result["identical"], result["item_count"], result["table_item_count"])


def test_a_table_that_differs_ends_with_1_and_names_the_key(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]
    next(iter(world.table.items.values()))["extra"] = {"S": "x"}

    done = world.run("verify", uri, "--table", "orders", "--units-per-second", "1000")

    assert (1, "") == (done.exit_code, done.stdout)
    assert '{"pk":{"S":"0"}}: differs in extra' in done.stderr


def test_a_stopped_comparison_ends_with_130(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]
    world.table.before_scan = failing(Stopped("told to stop"))

    assert 130 == world.run("verify", uri, "--table", "orders").exit_code


def test_a_rate_without_a_table_ends_with_10(world: World) -> None:
    done = world.run("verify", "s3://b/AWSDynamoDB/x/manifest-summary.json", "--ratio", "0.5")

    assert (10, "") == (done.exit_code, done.stdout)
    assert "ratio: says how a table is read, and none is named" in done.stderr


def test_what_is_no_manifest_ends_with_10(world: World) -> None:
    done = world.run("verify", "s3://backups/daily")

    assert (10, "") == (done.exit_code, done.stdout)
    assert "manifest-summary.json" in done.stderr
