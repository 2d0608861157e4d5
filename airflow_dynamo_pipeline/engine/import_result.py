"""What an import did, small enough for an XCom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import msgspec

from airflow_dynamo_pipeline.engine.import_place import ImportPlace
from airflow_dynamo_pipeline.engine.import_plan import ImportPlan
from airflow_dynamo_pipeline.engine.import_records import Accounts, ImportRecord
from airflow_dynamo_pipeline.engine.ledger import Reject
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.errors import ImportFailed, with_hint


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    """``read`` is ``written`` + ``skipped`` + ``conflicted`` + ``rejected``, over all attempts.

    ``written`` includes ``deleted``; ``expired`` are among the written, or the skipped. ``duplicates`` are
    items whose key came before: all of them, up to a million items an attempt, beyond that in the
    share of keys that was looked at (``duplicates_share``); of an import that was resumed, at least those
    that one attempt met. Of an import that several workers shared out they are those within a range only,
    and ``duplicates_share`` is the share of all pairs of items that were compared: of n ranges about 1/n.
    ``conflicted`` is 0: with ``on_conflict="fail"`` the first one fails the task.
    """

    import_id: str
    table_name: str
    table_arn: str = ""  # "": an older version of this package did the import
    start: str  # new, resume or adopt
    dry_run: bool
    read: int
    written: int
    deleted: int
    skipped: int
    conflicted: int
    rejected: int
    expired: int
    duplicates: int
    duplicates_share: float
    rejects_uri: str | None  # None: nothing was rejected
    consumed_units: float
    seconds: float  # of the attempt that finished it
    units_per_second_asked: float
    units_per_second_held: float
    backup_id: str  # for ``expected_backup_id``: the same for the same backup at the same place
    plan: JsonObject = field(default_factory=dict)  # the estimate that the attempt began with

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        return asdict(self)


def result_of(record: ImportRecord) -> ImportResult:
    """The result that a finished import left."""
    return ImportResult(**msgspec.json.decode(record.result))


def sum_of_ranges(plan: ImportPlan, results: Sequence[ImportResult]) -> ImportResult:
    """What the ranges of an import did together; raises ImportFailed where it does not add up.

    ``seconds`` is of the range that took longest, ``units_per_second_held`` what all workers held on
    average while they were at work.
    """
    counts = {name: sum(getattr(one, name) for one in results) for name in Accounts.__struct_fields__}
    refuse_unbalanced(Accounts(**counts), 0, plan.request.table_name)
    place, record = plan.chosen.place, plan.chosen.record
    workers = record.at_once if record else 1
    seconds = sum(one.seconds for one in results)
    held = sum(one.units_per_second_held * one.seconds for one in results)
    return ImportResult(
        import_id=place.import_id,
        table_name=plan.request.table_name,
        table_arn=plan.table.arn,
        start=plan.chosen.start.value,
        dry_run=False,
        **counts,
        duplicates=sum(one.duplicates for one in results),
        duplicates_share=_pairs_compared(results),
        rejects_uri=place.ranges_uri if counts["rejected"] else None,
        consumed_units=round(sum(one.consumed_units for one in results), 2),
        seconds=max(one.seconds for one in results),
        units_per_second_asked=plan.rate.units_per_second,
        units_per_second_held=round(workers * held / seconds, 2) if seconds else 0.0,
        backup_id=plan.backup.identity,
        plan=plan.estimate.to_json(),
    )


def _pairs_compared(results: Sequence[ImportResult]) -> float:
    """The share of all pairs of items that would have been found, were their keys the same."""
    pairs = sum(one.read for one in results) ** 2
    compared = sum(one.duplicates_share * one.read**2 for one in results)
    return round(compared / pairs, 6) if pairs else 1.0


def refuse_unbalanced(accounts: Accounts, under_way: int, table_name: str) -> None:
    """Raise ImportFailed unless every item read has become something."""
    if accounts.balanced and not under_way:
        return
    raise ImportFailed(
        f"the accounts of the import into {table_name} do not add up: {accounts.read:,} items read, "
        f"{accounts.written:,} written, {accounts.skipped:,} skipped, {accounts.conflicted:,} conflicted, "
        f"{accounts.rejected:,} rejected, {under_way:,} neither; nothing was called done"
    )


def refuse_too_many_rejects(
    accounts: Accounts, most: int, place: ImportPlace, table_name: str, first: Reject | None
) -> None:
    """Raise ImportFailed when more items were rejected than a person allowed; ``first`` is one of them."""
    if accounts.rejected <= most:
        return
    example = f"; the first: {first.file} line {first.line}: {first.reason}" if first else ""
    raise ImportFailed(
        with_hint(
            f"{accounts.rejected:,} items were rejected, max_rejected is {most:,}; "
            f"{accounts.written:,} items of {accounts.read:,} read so far were written to {table_name}; "
            f"each rejected item stands with its reason in {place.rejects_uri}{example}",
            "raise max_rejected, then press Clear or run it again: it goes on after what was read. "
            "Rejected items can be mended where they lie and imported from there with file_format='rejects'",
        )
    )
