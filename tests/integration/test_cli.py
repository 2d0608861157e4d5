"""The command as people run it: a process of its own, with real signals, against real services."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from tests.integration.recorder import Recorder, recorder
from tests.integration.world import Item, World, create_table, fill, multiset
from tests.services import Services
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "from airflow_dynamo_pipeline.cli.main import main; main(prog_name='dynamo-pipeline')"
PATIENCE_SECONDS = 120
MIB = 1024 * 1024

# 24 pages of 1 MB each. Files of 10 MB are large enough for S3's uploads in pieces.
ITEMS = [{"pk": {"S": f"{n:05}"}, "text": {"S": chr(97 + n % 26) * 4000}} for n in range(6200)]
LARGE_PARTS = ("--part-bytes", str(10 * MIB), "--compression", "none", "--segments", "1")
QUICK = ("--units-per-second", "1000000")
MIDWAY = 18  # pages: the first file is closed, and pieces of the second are at S3


@pytest.fixture(scope="module")
def table(services: Services, dynamodb: DynamoDBClient) -> str:
    name = create_table(dynamodb)
    fill(services.dynamodb_url, name, ITEMS)
    return name


@pytest.fixture
def between(services: Services) -> Iterator[Recorder]:
    with recorder(services.dynamodb_url) as server:
        yield server


@dataclass
class Command:
    """How to run the command: against which services, and with which arguments."""

    dynamodb_url: str
    moto_url: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str | None] = field(default_factory=dict)  # None: not set

    def start(self, *more: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.moto_url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb_url,
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
            **self.environment,
        }
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *self.arguments, *more],
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(self, *more: str) -> Ended:
        return ended(self.start(*more))


@dataclass(frozen=True)
class Ended:
    """What was left of a process."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> Item:
        assert self.code == 0, self.err
        found: Item = json.loads(self.out)
        return found


def ended(process: subprocess.Popen[str]) -> Ended:
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    return Ended(process.returncode, out, err)


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone at the end, whatever the test found."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def read_until(stream: IO[str] | None, words: str) -> None:
    """Read lines up to one with these words."""
    assert stream is not None
    seen = []
    for line in stream:
        seen.append(line)
        if words in line:
            return
    pytest.fail(f"it never said {words!r}:\n{''.join(seen)}")


def export(world: World, table: str, *more: str, url: str = "") -> Command:
    arguments = ("export", "--table", table, "--s3-uri", f"s3://{world.bucket}/out", "--json", *QUICK, *more)
    return Command(url or world.dynamodb_url, world.moto_url, arguments)


def test_an_export_prints_one_json_object_and_its_files_hold_every_item(world: World, table: str) -> None:
    done = export(world, table, "--segments", "3").run()

    assert 1 == done.out.count("\n")
    result = done.result
    assert (len(ITEMS), "new", 3) == (result["item_count"], result["start"], result["segments"])
    assert multiset(ITEMS) == multiset(world.items(result["manifest_uri"]))
    assert "about 6,200 items" in done.err
    messages = [json.loads(line) for line in done.err.splitlines()]
    assert len(ITEMS) == messages[-1]["items"]
    assert "status" == messages[-1]["message_type"]


def test_a_person_gets_a_table_with_the_uri_whole(world: World, table: str) -> None:
    command = Command(world.dynamodb_url, world.moto_url)
    uri = f"s3://{world.bucket}/{'long/' * 30}out"

    done = command.run("export", "--table", table, "--s3-uri", uri, "--segments", "2", *QUICK)

    assert 0 == done.code, done.err
    (key,) = world.manifests()
    assert f"s3://{world.bucket}/{key}" in done.out
    assert "6,200" in done.out


def test_an_estimate_says_what_it_would_take_and_writes_nothing(world: World, table: str) -> None:
    done = Command(world.dynamodb_url, world.moto_url).run(
        "estimate", "--table", table, "--ratio", "0.5", "--json"
    )

    assert (len(ITEMS), 50.0) == (done.result["items"], done.result["units_per_second"])
    assert [] == world.listed()


def test_verify_finds_an_export_whole_or_names_the_file_that_is_not(world: World, table: str) -> None:
    command = Command(world.dynamodb_url, world.moto_url)
    uri = world.export(table).manifest_uri

    assert len(ITEMS) == command.run("verify", uri, "--json").result["item_count"]

    damaged = world.data_keys()[0]
    world.put(damaged, world.get(damaged)[:-20])
    done = command.run("verify", uri, "--json")

    assert 1 == done.code
    assert damaged in done.err
    assert "" == done.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("export", "--table", "no-table", "--s3-uri", "s3://{bucket}/x"), 10, "no-table"),
        (("export", "--table", "orders", "--s3-uri", "s3://{bucket}/x", "--ratio", "7"), 10, "1.5"),
        (("verify", "s3://{bucket}/elsewhere"), 10, "manifest-summary.json"),
        (("verify", "s3://{bucket}/AWSDynamoDB/x/manifest-summary.json"), 1, "no such export"),
        (("export", "--no-such-option"), 2, "--no-such-option"),
        (("export", "--table", "orders", "--s3-uri", "s3://{bucket}/x", "--profile", "nobody"), 10, "nobody"),
    ],
)
def test_what_went_wrong_is_on_stderr_and_in_the_exit_code(
    world: World, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [argument.format(bucket=world.bucket) for argument in arguments]

    done = Command(world.dynamodb_url, world.moto_url).run(*given)

    assert (code, "") == (done.code, done.out)
    assert words in done.err
    assert "Traceback" not in done.err
    assert [] == world.listed()


def test_without_a_region_the_error_says_so(world: World) -> None:
    command = Command(
        world.dynamodb_url, world.moto_url, environment={"AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    )

    done = command.run("estimate", "--table", "orders")

    assert (10, "") == (done.code, done.out)
    assert "--region-name or AWS_DEFAULT_REGION" in done.err
    assert "Traceback" not in done.err


# --- stopped by a signal --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_within_a_page_and_the_same_command_reads_nothing_twice(
    world: World, table: str, between: Recorder, number: signal.Signals
) -> None:
    command = export(world, table, *LARGE_PARTS, url=between.url)
    between.hold_from(MIDWAY)
    with running(command.start()) as process:
        between.wait_until_held(process)
        assert [] != world.uploads(), "an upload should be under way, or this test shows less than it says"
        process.send_signal(number)
        read_until(process.stderr, "stopping")
        between.let_go()
        stopped = ended(process)

    assert (130, "") == (stopped.code, stopped.out)
    assert len(between.scans) <= MIDWAY + 2  # the one that was held, and one that was on its way
    assert [] == world.uploads() == world.manifests()
    (state,) = world.checkpoints()
    assert between.scanned() == state["scannedCount"] == sum(part["itemCount"] for part in state["parts"])
    assert sorted(part["key"] for part in state["parts"]) == world.data_keys()

    result = command.run().result

    assert ("resume", len(ITEMS)) == (result["start"], result["item_count"])
    assert len(ITEMS) == between.scanned()
    assert multiset(ITEMS) == multiset(world.items(result["manifest_uri"]))
    assert 1 == len(world.manifests())


def test_a_signal_ends_a_long_wait_for_the_next_page(world: World, table: str, between: Recorder) -> None:
    """At one unit a second, a page as large as these items allow is followed by seconds of waiting."""
    command = export(world, table, "--segments", "1", url=between.url)
    arguments = [argument if argument != QUICK[1] else "1" for argument in command.arguments]
    between.hold_from(1)
    with running(Command(between.url, world.moto_url, tuple(arguments)).start()) as process:
        between.wait_until_held(process)
        between.let_go()
        process.send_signal(signal.SIGTERM)
        stopped = ended(process)

    assert 130 == stopped.code
    assert len(between.scans) <= 3
    (state,) = world.checkpoints()
    assert between.scanned() == state["scannedCount"]


# --- killed, and two at once ----------------------------------------------------------------------


@dataclass
class Twenty:
    """What was found after the twenty seconds for which a lease is watched, waited for once in this file."""

    world: World  # of the export that was killed
    between: Recorder
    scanned_before: int
    state: Item
    uploads: list[str]
    killed: int
    resumed: Ended
    again: Ended
    first_files: dict[str, bytes]
    second: Ended  # while the first lived
    first: Ended


@pytest.fixture(scope="module")
def twenty(services: Services, dynamodb: DynamoDBClient, s3: S3Client, table: str) -> Iterator[Twenty]:
    """One export is killed and resumed; beside it another one lives while a second asks for the same."""
    worlds = []
    for n in range(2):
        name = f"bucket-twenty-{os.getpid()}-{n}"
        s3.create_bucket(Bucket=name)
        worlds.append(World.of(services, name))
    killed_world, live_world = worlds
    with recorder(services.dynamodb_url) as one, recorder(services.dynamodb_url) as two:
        command = export(killed_world, table, *LARGE_PARTS, url=one.url)
        one.hold_from(MIDWAY)
        with running(command.start()) as process:
            one.wait_until_held(process)
            process.kill()
            killed = process.wait()
        one.let_go()
        (state,) = killed_world.checkpoints()
        scanned_before, uploads = one.scanned(), killed_world.uploads()

        live = export(live_world, table, *LARGE_PARTS, url=two.url)
        two.hold_from(MIDWAY)
        with running(live.start()) as first_process:
            two.wait_until_held(first_process)
            with running(command.start()) as resuming, running(live.start()) as second_process:
                second, resumed = ended(second_process), ended(resuming)
            two.let_go()
            first = ended(first_process)
        first_files = {key: killed_world.get(key) for key in killed_world.listed()}
        again = command.run()
        yield Twenty(
            killed_world,
            one,
            scanned_before,
            state,
            uploads,
            killed,
            resumed,
            again,
            first_files,
            second,
            first,
        )


@pytest.mark.slow
def test_an_export_that_is_killed_has_a_checkpoint_and_no_manifest(twenty: Twenty) -> None:
    assert -signal.SIGKILL == twenty.killed
    assert 1 == len(twenty.state["parts"])
    assert not twenty.state["done"]
    assert 1 == len(twenty.uploads)  # a dead process cannot clear away its upload; the commit does
    assert 0 < twenty.state["scannedCount"] < twenty.scanned_before < len(ITEMS)


@pytest.mark.slow
def test_the_same_command_resumes_what_was_killed_with_each_item_once(twenty: Twenty) -> None:
    result = twenty.resumed.result

    assert ("resume", len(ITEMS)) == (result["start"], result["item_count"])
    assert multiset(ITEMS) == multiset(twenty.world.items(result["manifest_uri"]))
    assert 1 == sum(key.endswith("manifest-summary.json") for key in twenty.first_files)


@pytest.mark.slow
def test_a_resumed_export_reads_only_what_no_file_holds(twenty: Twenty) -> None:
    summary = twenty.world.summary(twenty.resumed.result["manifest_uri"])
    resumed_scans = [scan for scan in twenty.between.scans[MIDWAY + 1 :] if scan.start_key is not None]

    assert len(ITEMS) == summary["airflowDynamoPipeline"]["scannedCount"]
    assert twenty.between.scans[MIDWAY + 1].start_key is not None
    assert json.loads(twenty.between.scans[MIDWAY + 1].start_key or "") == twenty.state["lastEvaluatedKey"]
    assert resumed_scans
    kept = {part["key"] for part in twenty.state["parts"]}
    assert kept < {
        entry["dataFileS3Key"] for entry in twenty.world.file_entries(twenty.resumed.result["manifest_uri"])
    }


@pytest.mark.slow
def test_a_resumed_export_clears_away_what_the_killed_one_left(twenty: Twenty) -> None:
    listed = {
        entry["dataFileS3Key"] for entry in twenty.world.file_entries(twenty.resumed.result["manifest_uri"])
    }

    assert listed == {key for key in twenty.first_files if "/data/" in key}
    assert [] == [key for key in twenty.first_files if "/_checkpoint/" in key]
    assert [] == twenty.world.uploads()


@pytest.mark.slow
def test_the_same_command_after_success_makes_a_second_export_beside_the_first(twenty: Twenty) -> None:
    again = twenty.again.result

    assert ("new", len(ITEMS)) == (again["start"], again["item_count"])
    assert again["export_id"] != twenty.resumed.result["export_id"]
    assert twenty.first_files == {key: twenty.world.get(key) for key in twenty.first_files}
    assert 2 == len(twenty.world.manifests())


@pytest.mark.slow
def test_a_second_run_is_refused_while_the_first_lives_and_the_first_ends_well(twenty: Twenty) -> None:
    assert (11, "") == (twenty.second.code, twenty.second.out)
    assert "another live run is working on this export" in twenty.second.err
    error = json.loads(twenty.second.err.splitlines()[-1])
    assert (11, "LeaseHeld") == (error["exit_code"], error["code"])
    assert error["hint"]
    assert ("new", len(ITEMS)) == (twenty.first.result["start"], twenty.first.result["item_count"])
