"""Application Auto Scaling of one DynamoDB table behind the engine's port."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.retrying import Retries
from airflow_dynamo_pipeline.engine.capacity_sizing import RUNNING
from airflow_dynamo_pipeline.engine.capacity_state import PolicySpot, Scaling, Spot
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.errors import ServiceTrouble

SERVICE = "dynamodb"
OF_TARGET = ("ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity")
OF_POLICY = ("PolicyName", "ResourceId", "ScalableDimension", "PolicyType")
CONFIGURATIONS = ("TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration")
BUSY = "ConcurrentUpdateException"
ABSENT = "ObjectNotFoundException"
REMOVALS = ("DeregisterScalableTarget", "DeleteScalingPolicy")


class AwsAutoscaling:
    """The client is made when it is first needed: for a record, or to scale."""

    def __init__(self, client: Callable[[], Any], retries: Retries) -> None:
        """``client`` makes a client of application-autoscaling."""
        self._client = client
        self._retries = retries

    def read(self, resources: Sequence[str]) -> Scaling:
        """Targets and policies, less what AWS alone can write: ARNs, alarms, times of creation."""
        targets: list[JsonObject] = []
        policies: list[JsonObject] = []
        for resource in resources:
            found = self._pages("DescribeScalableTargets", "ScalableTargets", ResourceIds=[resource])
            targets += [_target(one) for one in found]
            found = self._pages("DescribeScalingPolicies", "ScalingPolicies", ResourceId=resource)
            policies += [_policy(one) for one in found]
        return Scaling.of(targets, policies)

    def put_target(self, target: JsonObject) -> None:
        """RegisterScalableTarget."""
        self._call("RegisterScalableTarget", target)

    def put_policy(self, policy: JsonObject) -> None:
        """PutScalingPolicy."""
        self._call("PutScalingPolicy", policy)

    def remove_target(self, spot: Spot) -> None:
        """DeregisterScalableTarget; that it is gone already is as good."""
        self._call("DeregisterScalableTarget", {"ResourceId": spot[0], "ScalableDimension": spot[1]})

    def remove_policy(self, spot: PolicySpot) -> None:
        """DeleteScalingPolicy, likewise."""
        resource, dimension, name = spot
        where = {"ResourceId": resource, "ScalableDimension": dimension}
        self._call("DeleteScalingPolicy", {"PolicyName": name, **where})

    def _call(self, operation: str, parameters: JsonObject) -> None:
        self._retries(lambda: self._once(operation, parameters))

    def _pages(self, operation: str, member: str, **asked: Any) -> Iterator[JsonObject]:
        while True:
            reply = self._retries(partial(self._once, operation, dict(asked)))
            yield from reply[member]
            if not reply.get("NextToken"):
                return
            asked["NextToken"] = reply["NextToken"]

    def _once(self, operation: str, parameters: JsonObject) -> JsonObject:
        action = f"application-autoscaling:{operation}"
        resource = str(parameters.get("ResourceId") or parameters["ResourceIds"][0])
        with translated(action, resource):
            call = getattr(self._client(), xform_name(operation))
            try:
                reply: JsonObject = call(ServiceNamespace=SERVICE, **parameters)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code == BUSY:
                    raise ServiceTrouble(f"{action} on {resource}: {error}") from error
                if code == ABSENT and operation in REMOVALS:
                    return {}
                raise
            return reply


def _target(described: Mapping[str, Any]) -> JsonObject:
    suspended = {**RUNNING, **described.get("SuspendedState", {})}
    return {**{name: described[name] for name in OF_TARGET}, "SuspendedState": suspended}


def _policy(described: Mapping[str, Any]) -> JsonObject:
    return {name: described[name] for name in (*OF_POLICY, *CONFIGURATIONS) if name in described}
