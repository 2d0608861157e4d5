from __future__ import annotations

import msgspec
import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.ports import VersionConflict
from airflow_dynamo_pipeline.errors import StaleAttempt
from tests.unit.engine.world import checkpoint_of, layout


def test_every_segment_gets_a_first_checkpoint_once() -> None:
    store = MemoryStore()
    checkpoint_of(store, "a", 3).create_missing(lambda: None)
    before = dict(store.objects)

    checkpoint_of(store, "b", 3).create_missing(lambda: None)

    assert [layout().segment_key(number) for number in range(3)] == sorted(store.objects)
    assert before == store.objects


def test_only_what_is_missing_is_made() -> None:
    store = MemoryStore()
    checkpoint_of(store, "a", 3).create_missing(lambda: None)
    store.delete([layout().segment_key(1)])

    checkpoint_of(store, "b", 3).create_missing(lambda: None)

    assert ["a", "b", "a"] == [state.attempt for state in checkpoint_of(store, "c", 3).read_all(lambda: None)]


def test_a_first_checkpoint_that_another_attempt_made_meanwhile_is_kept() -> None:
    class Racing(MemoryStore):
        def put(self, key: str, body: bytes, **kwargs: object) -> str:
            if not self.objects:
                checkpoint_of(inner, "other").create_missing(lambda: None)
                self.objects.update(inner.objects)
            return super().put(key, body, **kwargs)  # type: ignore[arg-type]

    inner = MemoryStore()
    store = Racing()

    checkpoint_of(store, "mine").create_missing(lambda: None)

    assert "other" == checkpoint_of(store, "mine").read(0)[0].attempt


def test_claiming_writes_the_attempt_and_keeps_the_progress() -> None:
    store = MemoryStore()
    first = checkpoint_of(store, "a")
    first.create_missing(lambda: None)
    claimed = first.claim(0)
    claimed.advance(msgspec.structs.replace(claimed.state, pages=5, parts_made=2))

    found = checkpoint_of(store, "b").claim(0)

    assert ("b", 5, 2) == (found.state.attempt, found.state.pages, found.state.parts_made)
    assert "b" == checkpoint_of(store, "c").read(0)[0].attempt


def test_a_segment_that_is_done_is_not_claimed() -> None:
    store = MemoryStore()
    first = checkpoint_of(store, "a")
    first.create_missing(lambda: None)
    claimed = first.claim(0)
    claimed.advance(msgspec.structs.replace(claimed.state, done=True))
    before = dict(store.objects)

    assert checkpoint_of(store, "b").claim(0).state.done
    assert before == store.objects


def test_checkpoints_form_one_chain() -> None:
    store = MemoryStore()
    checkpoint_of(store, "a").create_missing(lambda: None)
    claimed = checkpoint_of(store, "a").claim(0)

    for pages in (1, 2, 3):
        claimed.advance(msgspec.structs.replace(claimed.state, pages=pages))

    assert 3 == checkpoint_of(store, "b").read(0)[0].pages


def test_a_superseded_attempt_cannot_advance_and_changes_nothing() -> None:
    store = MemoryStore()
    checkpoint_of(store, "a").create_missing(lambda: None)
    stale = checkpoint_of(store, "a").claim(0)
    checkpoint_of(store, "b").claim(0)
    before = dict(store.objects)

    with pytest.raises(VersionConflict):
        stale.advance(msgspec.structs.replace(stale.state, pages=9))

    assert before == store.objects
    assert 0 == stale.state.pages


def test_of_two_claims_at_once_one_wins() -> None:
    store = MemoryStore()
    checkpoint_of(store, "a").create_missing(lambda: None)
    state, version = checkpoint_of(store, "a").read(0)
    checkpoint_of(store, "b").claim(0)

    late = checkpoint_of(store, "a")
    late.read = lambda segment: (state, version)  # type: ignore[method-assign]
    with pytest.raises(VersionConflict):
        late.claim(0)


def test_a_checkpoint_that_is_gone_says_that_another_attempt_has_finished() -> None:
    with pytest.raises(StaleAttempt, match=r"0000\.json is gone"):
        checkpoint_of(MemoryStore(), "a").claim(0)


def test_reading_all_reads_what_the_store_holds_now() -> None:
    store = MemoryStore()
    mine = checkpoint_of(store, "a", 2)
    mine.create_missing(lambda: None)
    checkpoint_of(store, "b", 2).claim(1)

    assert ["a", "b"] == [state.attempt for state in mine.read_all(lambda: None)]
