"""One stage of an import: a thread reads, the others write, the calling one keeps house."""

from __future__ import annotations

from collections.abc import Callable

from airflow_dynamo_pipeline.engine.batch_writing import BatchWriting
from airflow_dynamo_pipeline.engine.batches import BatchBody, mixed
from airflow_dynamo_pipeline.engine.conflicts import ConditionalWriting, body_for
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.import_plan import ImportPlan, ImportPorts
from airflow_dynamo_pipeline.engine.import_reading import Reading
from airflow_dynamo_pipeline.engine.inbox import Inbox
from airflow_dynamo_pipeline.engine.ledger import Ledger
from airflow_dynamo_pipeline.engine.paying import WriteCalls
from airflow_dynamo_pipeline.engine.single_writes import SingleBody
from airflow_dynamo_pipeline.engine.sources import Stage
from airflow_dynamo_pipeline.engine.workers import Workers
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.items.keys import KeyReader

MOST_REJECTS_HELD = 10_000  # in memory: beyond it the reader waits for a checkpoint
REJECTS_SECONDS = 0.2
READER = 0  # the number of the task that reads; the others write


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
        self._inbox = Inbox()

    def run(self, stage: Stage, tick: Callable[[], None]) -> None:
        """Import a stage to its end: the next one may change the same items.

        Ends early, with everything that was read accounted for, once too many items were rejected.
        """
        if self._too_many_rejects():
            return
        self._inbox = Inbox()
        tasks = range(self._plan.writers + 1)
        workers = Workers(tasks, lambda task: self._work(task, stage), threads=len(tasks))
        workers.run(self._ports.clock, tick=tick, stop_all=self._stop_all)

    def _work(self, task: int, stage: Stage) -> None:
        if task == READER:
            self._read(stage)
            return
        writing = self._writing()
        while (batch := self._inbox.get()) is not None:
            writing.write(batch)
        writing.finish()

    def _read(self, stage: Stage) -> None:
        """Hand batches to the writers; once too many items were rejected, no more of them."""
        for window in self._reading.windows(stage):
            for batch in mixed(window):
                self._inbox.put(batch)
            if self._too_many_rejects():
                break
            while self._ledger.rejects_held >= MOST_REJECTS_HELD:
                if self._ports.clock.wait(self._ports.stop, REJECTS_SECONDS):
                    raise Stopped("told to stop while rejected items are written down")
        self._inbox.end()

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
        self._inbox.stop()
