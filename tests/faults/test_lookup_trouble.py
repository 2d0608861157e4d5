"""Faults that pass cost a lookup load nothing; others end it, never as a success."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import ServiceTrouble, Stopped
from airflow_dynamo_pipeline.lookup.result import LookupResult
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.dynamodb.pair import texts
from tests.faults.lookup_promises import assert_digests_are_true, assert_nothing_left_over, assert_table
from tests.faults.lookup_world import GENERATIONS, TARGET, LookupWorld, in_small_buckets, items_of, product
from tests.faults.script import AFTER_ONLY, BEFORE_ONLY, REFUSALS, Fault, Kind
from tests.faults.wire import Reply

OLD = [product(number, "old") for number in range(10)]
NEW = [*OLD[:3], *(product(number) for number in range(3, 7)), *(product(n) for n in range(20, 23))]
WAYS: dict[str, dict[str, Any]] = {
    "table": {},
    "digests": {"compare": "digests"},
    "generations": GENERATIONS,
}
PASSING = [kind for kind in Kind if kind not in {Kind.KILL, Kind.FREEZE, Kind.TIME_OUT, *REFUSALS}]
BOUNDARIES = [
    (kind, after)
    for kind in PASSING
    for after in (False, True)
    if kind not in (AFTER_ONLY if not after else BEFORE_ONLY)
]
EVERY = 41  # calls
LEASE = f"{TARGET}/lease.json"
FOR_EVER = 1_000_000


@pytest.fixture(scope="module")
def worlds() -> Iterator[list[LookupWorld]]:
    """Tables that last night's load filled; tonight's query says something else."""
    with in_small_buckets(spill_bytes=1_000_000):
        made = [LookupWorld(OLD, settings=settings) for settings in WAYS.values()]
        for world in made:
            world.load(run="last night")
            world.rows = NEW
        yield made


def assert_whole(world: LookupWorld) -> None:
    assert_table(world, items_of(NEW))
    assert_digests_are_true(world)


@pytest.mark.parametrize("number", range(len(BOUNDARIES)), ids=lambda n: f"{BOUNDARIES[n][0].name}-{n}")
def test_r5_one_fault_at_any_call_costs_neither_the_load_nor_a_row(
    worlds: list[LookupWorld], number: int, tally: Tally
) -> None:
    """Each kind at other calls; those that only one way of loading makes are met by it."""
    kind, after = BOUNDARIES[number]
    loaded = worlds[number % len(worlds)]
    count = len(loaded.copy().load().operations)
    for at in range(1 + number % EVERY, count + 1, EVERY):
        world = loaded.copy()

        attempt = world.load(Fault(kind, at, after=after))

        tally(max(1, len(attempt.struck)))
        assert attempt.result.start == "new", at
        assert_whole(world)
        assert_nothing_left_over(world)


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.CUT, Kind.SERVER_ERROR, Kind.UNAVAILABLE, Kind.CONFLICT])
@pytest.mark.parametrize("way", range(len(WAYS)), ids=list(WAYS))
def test_r5_records_whose_reply_was_lost_are_found_to_be_ones_own(
    worlds: list[LookupWorld], way: int, kind: Kind, tally: Tally
) -> None:
    """Conditional writes of record and state, and beats of the lease, that took effect without saying so.

    A conflict is told before any effect: there the write is only made again.
    """
    loaded = worlds[way]
    puts = [call for call in loaded.copy().load().calls if call.operation == "PutObject"]
    beats = sum(call.request.path.endswith(LEASE) for call in puts)
    assert beats >= 4
    after = kind not in BEFORE_ONLY
    # Each that is struck is sent once more, which moves the next one by one.
    lease = [Fault(kind, at, on="PutObject", after=after, path=LEASE) for at in range(2, beats, 3)]
    records = [
        Fault(kind, at, on="PutObject", after=after, path=path)
        for path in ("/run.json", "/state.json")
        for at in (1, 3)
    ]
    world = loaded.copy()

    attempt = world.load(*lease, *records)

    tally(len(attempt.struck))
    assert set(records) | set(lease[:1]) <= set(attempt.struck)
    assert attempt.result.start == "new"
    assert_whole(world)


@pytest.mark.parametrize("operation", ["BatchGetItem", "PutItem", "GetObject"])
def test_r5_trouble_that_lasts_fails_the_attempt_and_the_next_one_finishes(
    worlds: list[LookupWorld], operation: str, tally: Tally
) -> None:
    way = {"BatchGetItem": 1, "PutItem": 2}.get(operation, 0)
    world = worlds[way].copy()
    first = 6 if operation == "GetObject" else 1
    failed = world.load(Fault(Kind.UNAVAILABLE, first, on=operation, times=FOR_EVER))
    tally(len(failed.struck))
    failed.failed(ServiceTrouble)
    assert not any(record["run"] == "tonight" and record["result"] for record in world.records)

    world.load()

    assert_whole(world)
    assert_nothing_left_over(world)


def test_r5_told_to_stop_at_any_call_a_load_lets_go_and_the_next_attempt_finishes(
    worlds: list[LookupWorld], tally: Tally
) -> None:
    for way, loaded in enumerate(worlds):
        stopped = 0
        count = len(loaded.copy().load().operations)
        for at in range(14 + 2 * way, count + 1, 9):
            world = loaded.copy()
            attempt = world.attempt()
            attempt.stop_at = at
            attempt.run()
            tally(1)
            if isinstance(attempt.outcome, Stopped):
                stopped += 1
                attempt = world.load()
                assert "watching it" not in "".join(attempt.said), "a lease was not released"
            assert isinstance(attempt.outcome, LookupResult)
            assert_whole(world)
        assert stopped >= 3


def half_of_the_keys(answer: Callable[[Call], Reply], times: int) -> Callable[[Call], Reply]:
    """A service that leaves half of the keys of a BatchGetItem unprocessed, so many times."""
    left = [times]

    def hand_back(call: Call) -> Reply:
        if call.operation != "BatchGetItem" or not left[0]:
            return answer(call)
        left[0] -= 1
        ((table, wanted),) = call.params["RequestItems"].items()
        half = len(wanted["Keys"]) // 2
        asked = {**call.params, "RequestItems": {table: {**wanted, "Keys": wanted["Keys"][half:]}}}
        reply = answer(Call(call.service, call.operation, call.request, json.dumps(asked).encode(), call.at))
        said = json.loads(b"".join(reply.body))
        said["UnprocessedKeys"] = {table: {**wanted, "Keys": wanted["Keys"][:half]}} if half else {}
        return Reply(200, [json.dumps(said).encode()], {"Content-Type": "application/x-amz-json-1.0"})

    return hand_back


def test_r6_keys_that_were_not_processed_are_asked_for_again_and_not_taken_for_gone(
    worlds: list[LookupWorld], monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    world = worlds[1].copy()
    monkeypatch.setattr(world.aws, "answer", half_of_the_keys(world.aws.answer, 3))

    attempt = world.load()

    tally(3)
    assert 4 == attempt.operations.count("BatchGetItem")
    assert "digests" == attempt.result.compared_with
    assert "10 items read back are as the digest file says" in "".join(attempt.said)
    assert_whole(world)


def test_r6_items_are_read_back_consistently(worlds: list[LookupWorld]) -> None:
    """What was written a moment ago must not look like a change by others."""
    for world in (worlds[1].copy(), worlds[2].copy()):
        asked = [call.params for call in world.load().calls if call.operation == "BatchGetItem"]

        assert asked
        assert {True} == {each["ConsistentRead"] for call in asked for each in call["RequestItems"].values()}


def test_r5_a_failed_load_leaves_the_table_as_it_was_before_its_decision(worlds: list[LookupWorld]) -> None:
    """Denied at the first write to the bucket, or by a scan: nothing was decided, nothing is written."""
    for kind, operation in ((Kind.DENY, "Scan"), (Kind.DENY, "PutObject"), (Kind.DENY_KEY, "PutObject")):
        world = worlds[0].copy()
        before = texts(world.items)

        attempt = world.load(Fault(kind, 1, on=operation, times=FOR_EVER))

        assert isinstance(attempt.outcome, Exception)
        assert before == texts(world.items)
        assert [] == attempt.writes
