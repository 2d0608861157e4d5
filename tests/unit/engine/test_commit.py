from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine import requests
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.ports import Absent
from airflow_dynamo_pipeline.engine.table_export import ExportResult
from airflow_dynamo_pipeline.engine.verify import layout_of, verify_files
from airflow_dynamo_pipeline.errors import LeaseHeld, StaleAttempt
from tests.clock import VirtualClock
from tests.unit.engine.world import NO_WAITING, World, data_keys, listed_keys, manifests, request


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MIN_PART_BYTES", 1)


ASKED: dict[str, Any] = {"units_per_second": NO_WAITING, "segments": 1, "part_bytes": 100}


class Hooked(MemoryStore):
    """Acts once, before the first write of a key that ends so; keeps the order of writes and deletes."""

    def __init__(self, end: str = "", act: Callable[[Hooked], None] = lambda _store: None) -> None:
        super().__init__()
        self.end = end
        self.act = act
        self.log: list[str] = []

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        if self.end and key.endswith(self.end):
            self.end = ""
            self.act(self)
        version = super().put(key, body, expect=expect)
        self.log.append(key.rpartition("/")[2])
        return version

    def delete(self, keys: Any) -> None:
        some = list(keys)
        self.log += [f"delete {key.rpartition('/')[2]}" for key in some]
        super().delete(some)


def place_of(store: MemoryStore) -> ExportLayout:
    (key,) = [key for key in store.objects if key.endswith("_started")]
    return layout_of("s3://backups/" + key.replace("_started", "manifest-summary.json"))


def test_e5_parts_and_uploads_that_no_checkpoint_names_are_removed() -> None:
    """What killed and superseded attempts left: whole files, and uploads that were never finished."""

    def leave_rubbish(store: Hooked) -> None:
        prefix = place_of(store).data_prefix
        store.put(prefix + "0000-00007-dead.json.gz", b"x")
        store.create(prefix + "0000-00008-dead.json.gz").write(b"x")
        store.create("elsewhere/data/unfinished").write(b"x")

    world = World(store=(store := Hooked("_checkpoint/0000.json", leave_rubbish)))
    result = world.export(request(**ASKED))
    place = layout_of(result.manifest_uri)

    assert sorted(listed_keys(store, place)) == data_keys(store)
    assert ["elsewhere/data/unfinished"] == [writer.key for writer in store.uploads]


def test_e3_the_manifest_is_written_after_its_files_and_before_the_checkpoint_goes() -> None:
    world = World(store=(store := Hooked()))
    world.export(request(**ASKED))

    order = [store.log.index(name) for name in ("manifest-files.json", "manifest-files.md5")]
    summary = store.log.index("manifest-summary.json")
    last_part = max(at for at, name in enumerate(store.log) if name.endswith(".gz"))
    assert last_part < min(order)
    assert max(order) < summary < store.log.index("delete plan.json")
    assert ["lease.json"] == [name for name in store.log[summary + 1 :] if not name.startswith("delete")]


@pytest.mark.parametrize(
    "step",
    [
        "commit.json",
        "manifest-files.json",
        "manifest-files.md5",
        "manifest-summary.md5",
        "manifest-summary.json",
    ],
)
def test_e5_of_two_attempts_in_the_commit_at_once_one_summary_stands_and_both_return_it(step: str) -> None:
    """Clocks and rates differ and so would the summaries; the checksum must fit the one there is."""
    results: list[ExportResult] = []

    def overtake(store: Hooked) -> None:
        results.append(World(store=store, clock=VirtualClock(began_at=600.0)).export(request(**ASKED)))

    store = Hooked(step, overtake)
    results.append(World(store=store).export(request(**ASKED)))
    (place,) = {layout_of(result.manifest_uri) for result in results}

    assert 2 == len(results)
    assert results[0].to_json() | {"start": ""} == results[1].to_json() | {"start": ""}
    assert 10 == verify_files(place.manifest_uri, store).item_count
    assert [place.summary_key] == manifests(store)


def test_e5_an_attempt_that_lost_its_lease_does_not_commit() -> None:
    def lose(store: Hooked) -> None:
        store.put(
            place_of(store).lease_key,
            b'{"version":1,"attempt":"other","beats":1,"beatAt":"2026-01-02T03:04:05Z"}',
        )

    class Losing(Hooked):
        """Gives the lease away when the last segment is done."""

        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            version = super().put(key, body, expect=expect)
            if '"done":true' in body.decode("latin-1") and key.endswith("0000.json"):
                lose(self)
            return version

    store = Losing()
    with pytest.raises(StaleAttempt):
        World(store=store).export(request(**ASKED))

    assert [] == manifests(store)
    assert not [name for name in store.log if name.startswith("delete")]


def test_e5_a_lease_won_on_a_finished_export_does_not_touch_it() -> None:
    """It looked for its target while another worked; its lease is free because that one is done."""
    first: list[dict[str, bytes]] = []

    def finish_first(store: Hooked) -> None:
        World(store=store).export(request(**ASKED))
        first.append({key: stored.body for key, stored in store.objects.items()})

    store = Hooked("_started", finish_first)
    with contextlib.suppress(StaleAttempt, LeaseHeld):
        World(store=store, clock=VirtualClock(began_at=600.0)).export(request(**ASKED))

    assert first[0] == {key: store.objects[key].body for key in first[0] if key in store.objects}
    assert sorted(listed_keys(store, place_of(store))) == data_keys(store)


def test_a_segment_set_back_by_another_attempt_is_not_committed() -> None:
    class SetBack(Hooked):
        def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
            version = super().put(key, body, expect=expect)
            if b'"done":true' in body:
                super().put(key, body.replace(b'"done":true', b'"done":false'))
            return version

    store = SetBack()
    with pytest.raises(StaleAttempt, match=r"segments \[0\] were set back"):
        World(store=store).export(request(**ASKED))
    assert [] == manifests(store)
