"""Real processes, killed by the kernel at a sample of their calls: what memory held is really gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.faults.attempts import (
    BUCKET,
    PREFIX,
    TABLE,
    World,
    assert_checkpoints_name_only_what_is_there,
    assert_nothing_reads_as_complete,
    assert_place_is_whole,
    items,
    manifests,
    places,
)
from tests.faults.conftest import Tally
from tests.faults.script import Fault, Kind
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

ITEMS = items(12)
EVERY = 6  # of the calls, alternately before and after
SMALL_PARTS = (
    "from airflow_dynamo_pipeline.engine import requests; requests.MIN_PART_BYTES = 1;"
    "from airflow_dynamo_pipeline.cli.main import main; main()"
)
ARGUMENTS = (
    *("export", "--table-name", TABLE, "--s3-uri", f"s3://{BUCKET}/{PREFIX}", "--json"),
    *("--units-per-second", "1000000000", "--segments", "2", "--part-bytes", "200"),
)


@dataclass
class Process:
    """What one run of the command line came to."""

    code: int
    out: str
    errors: str
    operations: list[str]


def run(one: World, *faults: Fault) -> Process:
    """Run ``dynamo-pipeline export`` as a process of its own; the door kills it where the script says."""
    with one.aws.door(*faults) as door:
        child = subprocess.Popen(
            [sys.executable, "-c", SMALL_PARTS, *ARGUMENTS],
            env=environment(door.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        door.on_kill = child.kill
        out, errors = child.communicate()
        return Process(child.returncode, out, errors, door.operations())


def environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": url,
        "NO_PROXY": "127.0.0.1",
    }


def killed_and_resumed(point: Fault) -> tuple[World, Process, Process]:
    """Kill one process at this point, check what it left, and run another to the end."""
    one = World(ITEMS)
    killed = run(one, point)
    if not manifests(one.objects):
        assert_nothing_reads_as_complete(one)
    assert_checkpoints_name_only_what_is_there(one)
    return one, killed, run(one)


def sample(calls: int) -> Sequence[Fault]:
    points = range(1, calls + 1, EVERY)
    return [Fault(Kind.KILL, at, after=bool(number % 2)) for number, at in enumerate(points)]


@pytest.mark.slow
def test_e1_e3_e4_e5_a_process_killed_by_the_kernel_is_followed_by_one_that_finishes_its_work(
    tally: Tally,
) -> None:
    whole = run(World(ITEMS))
    assert 0 == whole.code, whole.errors
    points = sample(len(whole.operations))
    assert len(points) >= 8

    # Side by side: whoever comes after a kill watches the dead one's lease for twenty real seconds.
    with ThreadPoolExecutor(len(points)) as pool:
        ended = list(pool.map(killed_and_resumed, points))

    for point, (one, killed, second) in zip(points, ended, strict=True):
        tally(1)
        assert -signal.SIGKILL == killed.code, f"{point}: {killed.errors}"
        assert 0 == second.code, f"{point}: {second.errors}"
        assert len(ITEMS) == json.loads(second.out)["item_count"], str(point)
        assert_whole_but_for_a_second_export(one, point)


def assert_whole_but_for_a_second_export(one: World, point: Fault) -> None:
    """The command line makes a new export when the one by the same arguments is complete."""
    found = places(one.objects)
    for place in found:
        assert_place_is_whole(one, place)
    assert [] == one.aws.s3.uploads(BUCKET)
    left = [key for key in one.objects if "/_checkpoint/" in key]
    # Killed after its manifest, an export keeps its checkpoint: nobody looks at a finished one again.
    assert [] == left or (2 == len(found) and all(key.startswith(found[0].key("")) for key in left)), str(
        point
    )
