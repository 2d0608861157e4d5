"""An export over the wire, killed at every call it makes, before and after the call's effect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.attempts import (
    Attempt,
    World,
    asked,
    assert_checkpoints_name_only_what_is_there,
    assert_nothing_left_over,
    assert_nothing_reads_as_complete,
    assert_whole,
    data_keys,
    in_small_pieces,
    items,
    manifests,
)
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind

ITEMS = items(10)
LEAST_CALLS = 40  # of a whole export; fewer, and the enumeration would try next to nothing


EXPORTS: dict[str, dict[str, Any]] = {
    "one segment": {"segments": 1},
    "two segments": {"segments": 2},
    "in pieces": {"segments": 1, "compression": "none", "part_bytes": 500},
}


@pytest.fixture(params=EXPORTS)
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is exported how; the last so that every file is an upload of several pieces."""
    if request.param == "in pieces":
        in_small_pieces(monkeypatch)
    return EXPORTS[request.param]


def world() -> World:
    return World(ITEMS)


def test_an_undisturbed_export_is_whole_and_makes_several_parts(settings: dict[str, Any]) -> None:
    one = world()

    attempt = one.export(**settings)

    assert len(ITEMS) == attempt.result.item_count
    assert_whole(one)
    assert_nothing_left_over(one)
    assert LEAST_CALLS < len(attempt.operations)
    pieces = attempt.operations.count("UploadPart")
    assert 2 <= len(data_keys(one.objects))
    assert (4 <= pieces) if "compression" in settings else (0 == pieces)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_e1_e3_e4_e5_killed_at_any_call_and_resumed_every_item_is_there_once(
    settings: dict[str, Any], after: bool, tally: Tally
) -> None:
    calls = range(1, len(world().export(**settings).operations) + 1)
    for at in calls if settings == EXPORTS["one segment"] else some_of(calls):
        one = world()
        killed = one.export(Fault(Kind.KILL, at, after=after), **settings)
        assert isinstance(killed.outcome, Killed), at
        if manifests(one.objects):
            assert_whole(one)
        else:
            assert_nothing_reads_as_complete(one)
        assert_checkpoints_name_only_what_is_there(one)

        one.export(**settings)

        tally(len(killed.struck))
        assert_whole(one)
        assert_nothing_left_over(one)


def named_anywhere(one: World) -> set[str]:
    """The data files that some checkpoint or manifest names."""
    records = [body for key, body in one.objects.items() if "/data/" not in key]
    return {key for key in data_keys(one.objects) if any(key.encode() in body for body in records)}


def test_e4_a_kill_between_upload_and_checkpoint_costs_the_part_and_nothing_else(tally: Tally) -> None:
    puts = [name for name in world().export().operations if name == "PutObject"]
    lost = 0
    for at in range(1, len(puts) + 1):
        one = world()
        one.export(Fault(Kind.KILL, at, on="PutObject", after=True))
        lost += len(set(data_keys(one.objects)) - named_anywhere(one))
        assert_checkpoints_name_only_what_is_there(one)

        one.export()

        tally(1)
        assert_whole(one)
    assert lost >= 3  # the enumeration did meet parts that no checkpoint knew


def test_e4_a_kill_between_checkpoint_and_next_page_reads_no_page_twice(tally: Tally) -> None:
    """With parts of one page each, every page is in a checkpoint before the next is asked for."""
    pages = world().export(part_bytes=1).operations.count("Scan")
    for at in range(1, pages + 1):
        one = world()
        killed = one.export(Fault(Kind.KILL, at, on="Scan"), part_bytes=1)

        resumed = one.export(part_bytes=1)

        tally(len(killed.struck))
        read = killed.operations.count("Scan") - 1 + resumed.operations.count("Scan")
        assert pages == read, f"killed before page {at}"
        assert_whole(one)


def test_e3_the_manifest_is_the_last_object_written_but_for_what_removes_the_checkpoint() -> None:
    one = world()

    with one.aws.door() as door:
        Attempt(one, asked()).through(door)
        written = [call.request.path for call in door.calls if call.operation == "PutObject"]

    of_the_export = [path for path in written if "/_checkpoint/" not in path]
    assert of_the_export[-1].endswith("/manifest-summary.json")
    assert 1 == sum(path.endswith("/manifest-summary.json") for path in of_the_export)
