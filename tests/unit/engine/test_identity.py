from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

from airflow_dynamo_pipeline.engine.identity import Work, candidates, work_hash
from tests.clock import EPOCH
from tests.unit.engine.world import request, work

PRINT = request().fingerprint()


def first(job: Work, fingerprint: str = PRINT, *existing: str, count: int = 1) -> list[str]:
    return list(islice(candidates(job, fingerprint, existing), count))


def test_an_id_is_the_runs_instant_and_eight_hex_digits() -> None:
    (found,) = first(work())
    stamp, _, tail = found.rpartition("-")

    assert "2026-01-02-03-04-05" == stamp
    assert 8 == len(tail)
    int(tail, 16)


def test_the_instant_is_written_in_utc() -> None:
    local = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))

    assert first(work()) == first(Work(run=work().run, generation="0", began_at=local))


def test_a_retry_and_a_clear_walk_the_same_ids() -> None:
    assert first(work(generation="0"), count=3) == first(work(generation="1"), count=3)


def test_ids_of_different_runs_of_one_instant_differ() -> None:
    assert not set(first(work("dag|a|-1|run"), count=5)) & set(first(work("dag|b|-1|run"), count=5))


def test_ids_of_different_requests_of_one_run_differ() -> None:
    assert not set(first(work(), count=5)) & set(
        first(work(), request(table_name="x").fingerprint(), count=5)
    )


def test_a_run_never_runs_out_of_ids() -> None:
    assert 50 == len(set(first(work(), count=50)))


def test_a_run_does_not_look_at_what_else_is_there() -> None:
    mine = first(work(), count=1)

    assert mine == first(work(), PRINT, f"2020-01-01-00-00-00-{work_hash(None, PRINT)}", count=1)


def test_a_command_line_finds_its_own_by_hash_oldest_first() -> None:
    tail = work_hash(None, PRINT)
    mine = [f"2026-01-01-00-00-00-{tail}", f"2025-01-01-00-00-00-{tail}"]
    found = first(work(None), PRINT, *mine, "2024-01-01-00-00-00-ffffffff", count=3)

    assert [*sorted(mine), f"2026-01-02-03-04-05-{tail}"] == found


def test_a_command_line_then_tries_one_second_after_the_other() -> None:
    ids = first(Work(run=None, generation="g", began_at=EPOCH.astimezone(UTC)), count=3)

    assert ["05", "06", "07"] == [name.split("-")[5] for name in ids]
