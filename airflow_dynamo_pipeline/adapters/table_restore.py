"""A table made from its definition: the steps of the plan, one by one, then a look at what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.dynamodb import resource_text
from airflow_dynamo_pipeline.adapters.table_definition import read_definition
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition
from airflow_dynamo_pipeline.engine.table_restore import (
    UPDATE,
    RestoreRequest,
    Step,
    check_same,
    creation,
    is_foreign,
    is_unfinished,
    left_alone,
    settling,
    unmarking,
)
from airflow_dynamo_pipeline.engine.table_restored import RestoreResult, Tried, is_expected, not_put_back
from airflow_dynamo_pipeline.errors import NotFound, PipelineError, Stopped, TableChanged, Temporary

LOOK_SECONDS = 2.0  # between two looks at a table
LOOKS = 6  # at a table that is finished
MOST_SECONDS = 600.0  # until a table that was made can be seen
NEW, RESUME, EXISTING = "new", "resume", "existing"
ACTIVE = "ACTIVE"
ENDING = frozenset({"DELETING", "ARCHIVING", "ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"})


def restore_table(request: RestoreRequest, calls: AwsCalls, say: Callable[[str], None]) -> RestoreResult:
    """Make the table, or go on with one that an earlier restore has begun; returns what came of it.

    What one call cannot settle does not stop the others: it is in the result. Raises Refused, with all
    differences, for a table of that name that is another one; Temporary errors, after which the same call
    goes on; TableChanged for a table that is deleted meanwhile or never shows; and whatever keeps the table
    from being made.
    """
    return _Restore(request, calls, say).run()


class _Restore:
    def __init__(self, request: RestoreRequest, calls: AwsCalls, say: Callable[[str], None]) -> None:
        self._request = request
        self._calls = calls
        self._say = say
        self._resource = resource_text(request.table_name)
        self._failures: dict[str, str] = {}
        self._done: list[str] = []
        self._was_seen = False

    def run(self) -> RestoreResult:
        is_foreign_key = self._is_foreign_key()
        found = self._read()
        start = self._start(found)
        is_ours = found is None and self._create(is_foreign_key=is_foreign_key)
        self._wait_until_active()
        found = self._present()
        check_same(self._request, found, is_ours=is_ours)
        is_marked = is_ours or is_unfinished(found)
        kept = self._settle(found, is_marked=is_marked)
        if is_marked and not self._failures:
            self._take(unmarking(found))
        tried = Tried(
            failures=self._failures,
            is_finished=not is_marked or not self._failures,
            is_foreign_key=is_foreign_key,
            left_alone=kept,
        )
        return self._result(start, tried)

    def _settle(self, found: TableDefinition, *, is_marked: bool) -> Mapping[str, str]:
        """Take all steps but those that would change what a table has that no restore made; returns these."""
        steps = settling(self._request, found)
        kept = {} if is_marked else left_alone(steps, found)
        for step in steps:
            if step.what not in kept:
                self._take(step)
        return kept

    def _result(self, start: str, tried: Tried) -> RestoreResult:
        """Look until nothing is left that has no reason, or several times: some settings show late."""
        for _ in range(LOOKS):
            found = self._present()
            left = not_put_back(self._request, found, tried)
            if is_expected(left):
                break
            if self._calls.clock.wait(self._calls.stop, LOOK_SECONDS):
                raise self._stopped()
        return RestoreResult(
            table_name=found.table.table_name,
            table_arn=found.table_arn,
            start=start,
            done=self._done,
            not_put_back=left,
        )

    def _start(self, found: TableDefinition | None) -> str:
        if found is None:
            return NEW
        check_same(self._request, found)
        return RESUME if is_unfinished(found) else EXISTING

    def _read(self) -> TableDefinition | None:
        try:
            found = read_definition(self._calls, self._request.table_name, is_all=False)
        except NotFound:
            return None
        self._was_seen = True
        return found

    def _present(self) -> TableDefinition:
        found = self._read()
        if found is None:
            raise self._gone()
        return found

    def _gone(self) -> TableChanged:
        return TableChanged(f"{self._resource} was deleted while it was restored")

    def _is_foreign_key(self) -> bool:
        key = self._request.key_arn
        return key is not None and is_foreign(key, self._calls.region, self._account())

    def _account(self) -> str:
        return str(self._calls("sts", "GetCallerIdentity", "the caller")["Account"])

    def _create(self, *, is_foreign_key: bool) -> bool:
        """Make the table; False if somebody was faster, or an earlier try of this call."""
        self._check_stop()
        step = creation(self._request, is_foreign_key=is_foreign_key)
        self._say(f"making {self._resource}")
        is_made = bool(self._call(step, answer="ResourceInUseException"))
        self._done.append(step.what)
        return is_made

    def _take(self, step: Step) -> None:
        """Make one call; what is wrong with it is noted, unless it is only wrong for the moment."""
        self._check_stop()
        self._say(f"{self._resource}: {step.what}")
        try:
            self._call(step)
            if step.operation == UPDATE:
                self._wait_until_active()
        except (Temporary, TableChanged):
            raise
        except PipelineError as error:
            self._failures[step.what] = str(error).partition("\n")[0]
        else:
            self._done.append(step.what)

    def _call(self, step: Step, answer: str = "") -> dict[str, Any]:
        return self._calls(step.service, step.operation, self._resource, answer=answer, **step.request)

    def _wait_until_active(self) -> None:
        """Until the table and all its indexes are; a table that is being made may not be found at first."""
        until = self._calls.clock.monotonic() + MOST_SECONDS
        while not self._is_active():
            if not self._was_seen and self._calls.clock.monotonic() >= until:
                raise TableChanged(f"{self._resource} was made and not seen for {MOST_SECONDS:g} s since")
            if self._calls.clock.wait(self._calls.stop, LOOK_SECONDS):
                raise self._stopped()

    def _check_stop(self) -> None:
        if self._calls.stop.is_set():
            raise self._stopped()

    def _stopped(self) -> Stopped:
        return Stopped(f"told to stop while {self._resource} was being made; run it again to go on")

    def _is_active(self) -> bool:
        name = self._request.table_name
        reply = self._calls(
            "dynamodb", "DescribeTable", self._resource, answer="ResourceNotFoundException", TableName=name
        )
        table = reply.get("Table")
        if table is None:
            if self._was_seen:
                raise self._gone()
            return False
        self._was_seen = True
        states = [table["TableStatus"]]
        states += [index.get("IndexStatus", ACTIVE) for index in table.get("GlobalSecondaryIndexes") or ()]
        if set(states) & ENDING:
            raise TableChanged(f"{self._resource} is {states[0]}")
        return {ACTIVE} == set(states)
