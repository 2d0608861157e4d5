from __future__ import annotations

import json

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.import_checkpoint import ImportCheckpoint
from airflow_dynamo_pipeline.engine.import_place import ImportPlace
from airflow_dynamo_pipeline.engine.ledger import Ledger, Outcome
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import StaleAttempt
from tests.unit.engine.import_parts import opened, some

PLACE = ImportPlace(S3Location("backups", "daily"), "0a1b2c")


def begun(store: MemoryStore, attempt: str = "one") -> ImportCheckpoint:
    found = ImportCheckpoint(store, PLACE, attempt)
    found.claim()
    return found


def write(checkpoint: ImportCheckpoint, ledger: Ledger, units: float = 1.0) -> None:
    checkpoint.write(ledger, {"a": "data_pipeline"}, units=units, duplicates=2)


def rejected(ledger: Ledger, first: int = 1) -> None:
    (entry,) = opened(ledger, "a", some(1), first=first)
    ledger.reject(entry, "too large")


def reject_keys(store: MemoryStore) -> list[str]:
    return list(store.keys(PLACE.rejects_prefix))


def test_what_was_written_is_found_by_the_next_attempt() -> None:
    store, ledger = MemoryStore(), Ledger(())
    ledger.resolve(opened(ledger, "a", some(3)), Outcome.WRITTEN)
    write(begun(store), ledger, units=7.5)

    found = ImportCheckpoint(store, PLACE, "two").state

    assert (7.5, 2) == (found.units, found.duplicates)
    assert [("a", 3, 3)] == [(state.key, state.lines, state.accounts.written) for state in found.files]


def test_units_of_all_attempts_are_added() -> None:
    store = MemoryStore()
    write(begun(store), Ledger(()), units=5)
    second = begun(store, "two")

    write(second, Ledger(()), units=2)
    write(second, Ledger(()), units=3)

    assert 8.0 == second.state.units


def test_rejected_items_lie_there_before_the_checkpoint_names_them() -> None:
    store, ledger = MemoryStore(), Ledger(())
    checkpoint = begun(store)
    rejected(ledger)
    write(checkpoint, ledger)
    rejected(ledger, first=2)
    write(checkpoint, ledger)

    assert reject_keys(store) == list(checkpoint.state.rejects)
    lines = [json.loads(store.objects[key].body) for key in reject_keys(store)]
    assert [1, 2] == [line["rejected"]["line"] for line in lines]
    assert {"dynamodb_json"} == {line["reader"] for line in lines}  # of an item that could be read


def test_rejects_of_a_checkpoint_that_failed_are_written_with_the_next_one() -> None:
    class Failing(MemoryStore):
        fails = False

        def put(self, key: str, body: bytes, **more: object) -> str:
            if self.fails and key.endswith(".jsonl"):
                raise OSError("no network")
            return super().put(key, body, **more)  # type: ignore[arg-type]

    store, ledger = Failing(), Ledger(())
    checkpoint = begun(store)
    rejected(ledger)
    store.fails = True
    with pytest.raises(OSError, match="no network"):
        write(checkpoint, ledger)
    store.fails = False

    write(checkpoint, ledger)

    assert 1 == len(reject_keys(store))


def test_an_attempt_that_was_superseded_can_write_no_checkpoint() -> None:
    store = MemoryStore()
    first = begun(store)
    begun(store, "two")

    with pytest.raises(StaleAttempt, match="attempt one stops"):
        write(first, Ledger(()))

    assert "two" == ImportCheckpoint(store, PLACE, "three").state.attempt


def test_what_no_checkpoint_names_is_removed() -> None:
    store, ledger = MemoryStore(), Ledger(())
    checkpoint = begun(store)
    rejected(ledger)
    write(checkpoint, ledger)
    store.put(PLACE.rejects_prefix + "00001-deadbeef.jsonl", b"x")
    notes = PLACE.rejects_prefix + "mended by hand.jsonl"
    store.put(notes, b"x")

    checkpoint.remove_unnamed_rejects()

    assert [*checkpoint.state.rejects, notes] == reject_keys(store)
