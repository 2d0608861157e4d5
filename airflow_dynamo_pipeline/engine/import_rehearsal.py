"""A dry run: everything but writing. Reads the whole backup, looks at every item, prints the bill."""

from __future__ import annotations

from airflow_dynamo_pipeline.engine.batches import units_of
from airflow_dynamo_pipeline.engine.import_plan import ImportPlan, ImportPorts
from airflow_dynamo_pipeline.engine.import_reading import Reading
from airflow_dynamo_pipeline.engine.import_records import Accounts
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.import_stage import reading_for
from airflow_dynamo_pipeline.engine.ledger import Entry, Ledger, Outcome
from airflow_dynamo_pipeline.engine.plan_cost import cost_of_writing, money
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.errors import Stopped, with_hint
from airflow_dynamo_pipeline.items.check import problems_of

SHOWN_REJECTS = 10


def rehearse(plan: ImportPlan, ports: ImportPorts) -> ImportResult:
    """Read and judge everything and write nothing, neither to the table nor to S3.

    What an item would meet in the table is not looked up: with other words than ``overwrite`` for
    on_conflict, ``written`` is the most that may be written. Raises Stopped between two windows.
    """
    ledger = Ledger(())
    reading = reading_for(plan, ports, ledger)
    began_at = ports.clock.monotonic()
    units = shown = 0
    for stage in plan.backup.stages:
        for window in reading.windows(stage):
            _refuse_if_stopped(ports)
            units += _judge(window, plan, ledger)
            for reject in ledger.take()[1]:
                shown += 1
                if shown <= SHOWN_REJECTS:
                    ports.say(f"would reject {reject.file} line {reject.line}: {reject.reason}")
    _say(plan, ports, ledger.accounts, units)
    return _result(plan, ledger, reading, units, ports.clock.monotonic() - began_at)


def _refuse_if_stopped(ports: ImportPorts) -> None:
    ports.clock.monotonic()  # nothing else looks at a clock that may have a deadline
    if ports.stop.is_set():
        raise Stopped(
            with_hint("told to stop during the dry run", "nothing was written; a retry begins anew")
        )


def _judge(window: list[Entry], plan: ImportPlan, ledger: Ledger) -> int:
    """Reject what DynamoDB would; returns the write units of the rest."""
    good = []
    for entry in window:
        problem = None if entry.is_delete else problems_of(entry.item, plan.table.key)
        if problem is None:
            good.append(entry)
        else:
            ledger.reject(entry, problem)
    ledger.resolve(good, Outcome.WRITTEN)
    return units_of(good)


def _bill(plan: ImportPlan, units: int) -> JsonObject:
    """What was counted, beside what could be told before."""
    most = units * (1 + plan.estimate.global_indexes)
    cost = cost_of_writing(most, plan.prices, on_demand=plan.table.on_demand)
    counted = {"write_units": units, "write_units_at_most": most}
    return {
        **plan.estimate.to_json(),
        **counted,
        **{f"{name}_at_most": value for name, value in cost.to_json().items()},
    }


def _say(plan: ImportPlan, ports: ImportPorts, accounts: Accounts, units: int) -> None:
    indexes = plan.estimate.global_indexes
    most = units * (1 + indexes)
    hours = units * plan.rate.first_factor / plan.rate.units_per_second / 3600
    if plan.table.on_demand:
        price = f"{money(cost_of_writing(most, plan.prices, on_demand=True).dollars)} at most, on-demand"
    else:
        held = plan.prices.write_capacity(units * plan.rate.first_factor)
        price = f"{money(held)} of capacity that is paid for anyway, provisioned"
    ports.say(
        f"dry run: nothing was written. {accounts.read:,} items read, {accounts.written:,} would be written "
        f"with on_conflict {plan.request.on_conflict}, {accounts.rejected:,} rejected, "
        f"{accounts.skipped:,} skipped, {accounts.expired:,} expired; "
        f"{units:,} write units for the table and up to {most - units:,} for {indexes} global indexes, "
        f"{hours:,.2f} hours at {plan.rate.units_per_second:,.1f} units per second, {price} "
        f"({plan.prices.source})"
    )


def _result(plan: ImportPlan, ledger: Ledger, reading: Reading, units: int, seconds: float) -> ImportResult:
    accounts = ledger.accounts
    return ImportResult(
        import_id=plan.chosen.place.import_id,
        table_name=plan.request.table_name,
        table_arn=plan.table.arn,
        start=plan.chosen.start.value,
        dry_run=True,
        read=accounts.read,
        written=accounts.written,
        deleted=accounts.deleted,
        skipped=accounts.skipped,
        conflicted=accounts.conflicted,
        rejected=accounts.rejected,
        expired=accounts.expired,
        duplicates=reading.seen.duplicates(),
        duplicates_share=reading.seen.share,
        rejects_uri=None,
        consumed_units=float(units),
        seconds=round(seconds, 3),
        units_per_second_asked=plan.rate.units_per_second,
        units_per_second_held=0.0,
        backup_id=plan.backup.identity,
        plan=_bill(plan, units),
    )
