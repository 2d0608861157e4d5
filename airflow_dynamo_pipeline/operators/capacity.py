"""Change a table's capacity mode, and put back what was found."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.adapters.capacity_mode import capacity_ports
from airflow_dynamo_pipeline.airflow_versions import Context, conf
from airflow_dynamo_pipeline.engine.capacity_mode import CapacityChange
from airflow_dynamo_pipeline.engine.capacity_request import COERCIONS, CapacityModeRequest
from airflow_dynamo_pipeline.engine.capacity_state import Run, StillChanging
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.links import ConsoleLinks, DynamoDBTableLink
from airflow_dynamo_pipeline.operators.running import fail_at_once, failing_at_once, stop_from_signal
from airflow_dynamo_pipeline.operators.time_budget import ADOPTED, TimeBudget
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger


class DynamoDBCapacityModeOperator(AwsBaseOperator[DynamoDBPipelineHook]):
    """Switch a table between on-demand and provisioned, change its units, or put back what was found.

    Units that are not given are sized from what CloudWatch says was consumed until the DAG run began. Waits
    until the table and its indexes are ACTIVE. A retry goes on with a change that is under way, and a state
    that is reached already is a success. Units may be lowered four times a day (UTC) and then once an hour,
    and a table may go on-demand four times in 24 hours. Where DynamoDB allows no such change now, a change
    fails at once with the time when it may. A restore puts back what it may and waits in its worker for the
    rest, up to two hours; beyond that it fails so that a retry can help. Global tables are refused. All
    settings are templated and may be text.

    With ``record_s3_uri`` everything that was found (mode, units of the table and of each global index,
    on-demand maxima, autoscaling targets and policies) is recorded on S3 before the first change, once for
    each DAG run. A task with ``restore=True`` puts back exactly that.

    Returns (XCom) table_name, mode, read_units, write_units, index_units, record_uri and restored.

    :param table_name: the table.
    :param mode: ``"provisioned"``, ``"on_demand"``, or ``"keep"``: record what is found and change nothing.
    :param restore: put back what was recorded, instead of ``mode``; default false.
    :param record_s3_uri: folder of the record, ``s3://bucket/prefix``; required by ``restore`` and ``keep``.
    :param read_units: to provision for the table, 1 or more; default: sized.
    :param write_units: likewise.
    :param index_units: units of global indexes, ``{"by_date": {"read": 5, "write": 10}}`` or JSON text of it;
        an index or kind that is not named gets the table's given units, or is sized.
    :param percentile: of the minutes in which something was consumed, above 0 and at most 100; default 99.
    :param window_hours: how far back to look, 1 to 336; default 24.
    :param margin: share of units on top of the percentile, 0 or more; default 0.2.
    :param autoscaling_max_units: register autoscaling up to this many units, for reads and writes of the
        table and of each global index; default: autoscaling stays as it is.
    :param autoscaling_min_units: its least units; default: the units provisioned.
    :param autoscaling_target_percent: the utilisation it aims at, 20 to 90; default 70.
    :param poll_seconds: between two looks while the table is changing; default 15.
    :param wait_seconds: after which an attempt gives up waiting, for a retry to go on; default 3,600.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields(*COERCIONS)
    template_fields_renderers: ClassVar[dict[str, str]] = {"index_units": "json"}
    ui_color = "#f3ecfb"
    operator_extra_links = (DynamoDBTableLink(),)
    _stop: threading.Event | None = None  # made in execute: an operator is copied, a lock cannot be

    def __init__(
        self,
        *,
        table_name: str,
        mode: str | None = None,
        restore: bool | str = False,
        record_s3_uri: str | None = None,
        read_units: int | str | None = None,
        write_units: int | str | None = None,
        index_units: Mapping[str, Mapping[str, int]] | str | None = None,
        percentile: float | str | None = None,
        window_hours: float | str | None = None,
        margin: float | str | None = None,
        autoscaling_max_units: int | str | None = None,
        autoscaling_min_units: int | str | None = None,
        autoscaling_target_percent: float | str | None = None,
        poll_seconds: float = 15.0,
        wait_seconds: float = 3600.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_name = table_name
        self.mode = mode
        self.restore = restore
        self.record_s3_uri = record_s3_uri
        self.read_units = read_units
        self.write_units = write_units
        self.index_units = index_units
        self.percentile = percentile
        self.window_hours = window_hours
        self.margin = margin
        self.autoscaling_max_units = autoscaling_max_units
        self.autoscaling_min_units = autoscaling_min_units
        self.autoscaling_target_percent = autoscaling_target_percent
        self.poll_seconds = poll_seconds
        self.wait_seconds = wait_seconds
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        """Change or put back, wait, and return what the table has now."""
        self._stop = threading.Event()
        budget = TimeBudget.of(self, context, self._stop, retry=ADOPTED)
        with failing_at_once(budget):
            request = CapacityModeRequest.from_settings({name: getattr(self, name) for name in COERCIONS})
            ConsoleLinks(self, context).table(request.table_name)
            ports = capacity_ports(
                self.hook.client_for,
                request,
                stop=self._stop,
                say=self.log.info,
                warn=self.log.warning,
                clock=budget.clock,
            )
            change = CapacityChange(request, run_of(context), ports)
            try:
                return change.finish(
                    poll_seconds=self.poll_seconds, wait_seconds=self.wait_seconds, here=not self.deferrable
                )
            except StillChanging as reason:
                if not self.deferrable or reason.__cause__ is not None:
                    raise
                self.log.info("%s", reason)
        return self._wait_for(request.table_name)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """The table is ACTIVE, or never will be: go on from what there is."""
        found = validate_execute_complete_event(event)
        if found["status"] != "success":
            fail_at_once(found["message"])
        return self.execute(context)

    def on_kill(self) -> None:
        """Stop waiting; what was begun goes on by itself, and the retry adopts it."""
        if self._stop is not None:
            stop_from_signal(
                self._stop, self.log.info, "a change that was begun goes on by itself, and a retry adopts it"
            )

    def _wait_for(self, table_name: str) -> dict[str, Any]:
        self.defer(
            trigger=DynamoDBConditionTrigger(
                condition="table_active",
                arguments={"table_name": table_name},
                poke_interval=self.poll_seconds,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name=self.execute_complete.__name__,
            timeout=timedelta(seconds=self.wait_seconds),
        )
        return {}


def run_of(context: Context) -> Run:
    """The DAG run, which retries do not change; its beginning is set anew by Clear alone."""
    dag_run = context["dag_run"]
    began_at = getattr(dag_run, "start_date", None) or getattr(dag_run, "run_after", None)
    name = f"{context['ti'].dag_id}|{context['ti'].run_id}"
    return Run(name=name, began_at=(began_at or datetime.now(UTC)).astimezone(UTC))
