"""Whether the digest file that the last load left may stand for the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from airflow_dynamo_pipeline.lookup.digest_files import DigestSide, DigestsUnreadable
from airflow_dynamo_pipeline.lookup.partition import buckets_for
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.sampling import ReadBack


def believed_digests(
    plan: LookupPlan, ports: LookupPorts, reading: ReadBack, expected: int, seed: str
) -> DigestSide | None:
    """The digests to compare with; None: the table itself, and the log says why."""
    if plan.load.compare != "digests":
        return None
    for doubt in _doubts(plan, ports, expected):
        ports.say(f"comparing with the whole table: {doubt}")
        return None
    state = plan.state
    if state is None or state.digests is None:
        return None
    side = DigestSide(ports.store, state.digests)
    try:
        doubt_of_sample = _doubt_of_sample(ports, reading, side.sample(plan.load.sample_items, seed))
    except DigestsUnreadable as problem:
        doubt_of_sample = str(problem)
    if doubt_of_sample:
        ports.warn(f"comparing with the whole table: {doubt_of_sample}")
        return None
    return side


def _doubts(plan: LookupPlan, ports: LookupPorts, expected: int) -> Iterator[str]:
    state = plan.state
    if state is None:
        yield "no load has left digests yet"
    elif state.table_identity != plan.table.identity:
        yield "the table was deleted and made anew since the last load"
    elif not state.is_applied:
        yield f"run {state.run_id} did not come to its end"
    elif state.digests is None:
        yield f"run {state.run_id} left no digests"
    elif 2 * len(state.digests.buckets) < buckets_for(expected):
        yield "there are too many rows for the buckets of the last load"
    elif state.shape != plan.load.shape():
        yield "rows become other items than at the last load"
    elif state.full_compared_at is None or abs(ports.clock.now() - state.full_compared_at) >= timedelta(
        days=plan.load.full_compare_days
    ):
        yield f"the last full comparison is {plan.load.full_compare_days:g} days ago, or longer"


def _doubt_of_sample(ports: LookupPorts, reading: ReadBack, prints: Sequence[bytes]) -> str | None:
    """Read some items back: others may have written to the table, or it may have expired items."""
    differing = reading.differing(prints)
    if not differing:
        ports.say(f"{len(prints):,} items read back are as the digest file says")
        return None
    return f"{differing:,} of {len(prints):,} items read back are not as the digest file says"
