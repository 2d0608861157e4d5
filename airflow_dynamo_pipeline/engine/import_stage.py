"""One stage of an import: threads take batches and write them, the calling one keeps house."""

from __future__ import annotations

from collections.abc import Callable

from airflow_dynamo_pipeline.engine.batch_source import BatchSource
from airflow_dynamo_pipeline.engine.batch_writing import BatchWriting
from airflow_dynamo_pipeline.engine.batches import BatchBody
from airflow_dynamo_pipeline.engine.conflicts import ConditionalWriting, body_for
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.import_plan import ImportPlan, ImportPorts
from airflow_dynamo_pipeline.engine.import_reading import Reading
from airflow_dynamo_pipeline.engine.ledger import Ledger
from airflow_dynamo_pipeline.engine.paying import WriteCalls
from airflow_dynamo_pipeline.engine.single_writes import SingleBody
from airflow_dynamo_pipeline.engine.sources import Stage
from airflow_dynamo_pipeline.engine.workers import Workers
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.items.keys import KeyReader

MOST_REJECT_BYTES = 8 * 1024 * 1024  # in memory: beyond it writers wait for a checkpoint
REJECTS_SECONDS = 0.2


class StageImport:
    """Brings one stage after the other into the table."""

    def __init__(
        self, plan: ImportPlan, ports: ImportPorts, *, ledger: Ledger, calls: WriteCalls, reading: Reading
    ) -> None:
        self._plan = plan
        self._ports = ports
        self._ledger = ledger
        self._calls = calls
        self._reading = reading

    def run(self, stage: Stage, tick: Callable[[], None]) -> None:
        """Import a stage to its end: the next one may change the same items.

        Ends early, with everything that was read accounted for, once too many items were rejected.
        """
        if self._too_many_rejects():
            return
        source = BatchSource(self._reading.windows(stage), self._too_many_rejects)
        tasks = range(self._plan.writers)
        workers = Workers(tasks, lambda _: self._work(source), threads=len(tasks))
        workers.run(self._ports.clock, tick=tick, stop_all=self._stop_all)

    def _work(self, source: BatchSource) -> None:
        writing = self._writing()
        while (batch := source.get()) is not None:
            writing.write(batch)
            if self._ledger.reject_bytes >= MOST_REJECT_BYTES:
                self._wait_for_checkpoint(source, writing)
        writing.finish()
        if self._plan.sharing.workers > 1:
            self._calls.pay_off()

    def _wait_for_checkpoint(self, source: BatchSource, writing: BatchWriting | ConditionalWriting) -> None:
        """Wait while more rejected items are in memory than should be.

        A checkpoint counts them once all items before them are written, so nobody waits with an item.
        """
        while (batch := source.take()) is not None:
            writing.write(batch)
        writing.finish()
        while self._ledger.reject_bytes >= MOST_REJECT_BYTES and not self._too_many_rejects():
            if self._ports.clock.wait(self._ports.stop, REJECTS_SECONDS):
                raise Stopped("told to stop while rejected items are written down")

    def _too_many_rejects(self) -> bool:
        return self._ledger.rejected > self._plan.request.max_rejected

    def _writing(self) -> BatchWriting | ConditionalWriting:
        request, by_index, key = self._plan.request, self._plan.by_index, self._plan.table.key
        if request.on_conflict != "overwrite":
            return ConditionalWriting(
                calls=self._calls,
                ledger=self._ledger,
                body=body_for(request, key, by_index=by_index),
                request=request,
                key=key,
                may_be_ours=self._plan.chosen.start is Start.RESUME,
            )
        return BatchWriting(
            calls=self._calls,
            ledger=self._ledger,
            body=BatchBody(request.table_name, by_index=by_index),
            single=SingleBody(request.table_name, by_index=by_index),
            key=key,
            keys=KeyReader(key),
        )

    def _stop_all(self) -> None:
        self._ports.stop.set()
        self._calls.throttle.wake()


def reading_for(plan: ImportPlan, ports: ImportPorts, ledger: Ledger) -> Reading:
    """What reads the backup for one attempt, or for a dry run."""
    return Reading(
        request=plan.request,
        key=plan.table.key,
        ttl_attribute=plan.ttl_attribute,
        store=ports.source,
        ledger=ledger,
        now=ports.clock.now(),
        stop=ports.stop,
        seed=plan.backup.identity,
    )
