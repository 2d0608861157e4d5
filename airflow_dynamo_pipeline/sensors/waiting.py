"""What all sensors share: one look, by poke or by trigger, decided by the same function."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import Any, ClassVar

from airflow.providers.amazon.aws.utils import validate_execute_complete_event

from airflow_dynamo_pipeline.adapters.conditions import check, services_of
from airflow_dynamo_pipeline.adapters.conditions_look import Clients
from airflow_dynamo_pipeline.airflow_versions import BaseSensorOperator, Context
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.errors import Temporary
from airflow_dynamo_pipeline.operators.running import fail_at_once, failing_at_once
from airflow_dynamo_pipeline.sensors.soft_fail import skipping_if_asked
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger, clients_of


class WaitsForCondition(BaseSensorOperator):
    """Pokes or defers until a condition is met; to be mixed into a sensor of the amazon provider.

    Throttling and network trouble are logged and waited out; anything no retry can help fails at once,
    whichever way it waits. What the condition tells of its find is returned (XCom).
    """

    condition: ClassVar[str]
    deferrable: bool
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None
    ui_color = "#e8f1fb"
    _made: Clients | None = None
    _value: JsonObject | None = None

    def poke(self, context: Context) -> bool:  # noqa: ARG002  Airflow's signature
        """Look once."""
        with failing_at_once():
            try:
                self._made = self._made or self._clients()
                verdict = check(self._made, self.condition, self._arguments())
            except Temporary as error:
                self.log.warning("%s; looking again in %s s", error, self.poke_interval)
                return False
        self.log.info(verdict.seen)
        self._value = verdict.value
        return verdict.met

    def execute(self, context: Context) -> JsonObject | None:
        """Poke, or look once and defer if it is too early."""
        if not self.deferrable:
            BaseSensorOperator.execute(self, context)
            return self._value
        with skipping_if_asked(self):
            met = self.poke(context)
        if not met:
            self.defer(
                trigger=self._trigger(),
                method_name=self.execute_complete.__name__,
                timeout=timedelta(seconds=self.timeout),
            )
        return self._value

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> JsonObject | None:  # noqa: ARG002  Airflow's signature
        """What the trigger found: met, or never to be."""
        found = validate_execute_complete_event(event)
        if found["status"] != "success":
            fail_at_once(found["message"])
        self.log.info(found["message"])
        return found.get("value")

    @abstractmethod
    def _arguments(self) -> dict[str, Any]:
        """The condition's arguments, JSON-able."""

    def _clients(self) -> Clients:
        """Those the condition asks for."""
        sensor: Any = self  # the hook is the amazon provider's part
        return clients_of(sensor.hook, services_of(self.condition))

    def _trigger(self) -> DynamoDBConditionTrigger:
        return DynamoDBConditionTrigger(
            condition=self.condition,
            arguments=self._arguments(),
            poke_interval=self.poke_interval,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
