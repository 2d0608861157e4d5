"""Application Auto Scaling as far as DynamoDB's tables need it (JSON 1.1). Nothing is scaled."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from tests.faults.calls import Call, Json
from tests.faults.json_replies import JsonRefused, serve
from tests.faults.wire import Reply

Spot = tuple[str, str]  # ResourceId and ScalableDimension
PAGE = 10  # entries of one reply
RUNNING = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}


class AutoScaling:
    """The account's scalable targets and policies."""

    def __init__(self, region: str = "us-east-1") -> None:
        self._arn = f"arn:aws:autoscaling:{region}:123456789012:scalingPolicy"
        self._lock = threading.Lock()
        self._targets: dict[Spot, Json] = {}
        self._policies: dict[tuple[str, str, str], Json] = {}
        self._made = 0

    def answer(self, call: Call) -> Reply:
        """Do what the call asks."""
        handlers = {
            "RegisterScalableTarget": self._register,
            "DeregisterScalableTarget": self._deregister,
            "DescribeScalableTargets": self._describe_targets,
            "PutScalingPolicy": self._put_policy,
            "DeleteScalingPolicy": self._delete_policy,
            "DescribeScalingPolicies": self._describe_policies,
        }
        return serve(call, handlers, self._lock)

    @property
    def targets(self) -> list[Json]:
        """All of them, as DescribeScalableTargets says."""
        with self._lock:
            return [dict(target) for _, target in sorted(self._targets.items())]

    @property
    def policies(self) -> list[Json]:
        """All of them, as DescribeScalingPolicies says."""
        with self._lock:
            return [dict(policy) for _, policy in sorted(self._policies.items())]

    def _register(self, params: Json) -> Json:
        spot = _spot(params)
        present = self._targets.get(spot, {})
        if not present and not {"MinCapacity", "MaxCapacity"} <= params.keys():
            raise _invalid("MinCapacity and MaxCapacity are required to register a new scalable target")
        suspended = {**RUNNING, **present.get("SuspendedState", {}), **params.get("SuspendedState", {})}
        made = {"CreationTime": self._number()}
        target = {**made, **present, **params, "SuspendedState": suspended}
        if target["MinCapacity"] > target["MaxCapacity"]:
            raise _invalid("Maximum capacity cannot be less than minimum capacity")
        self._targets[spot] = target
        return {}

    def _deregister(self, params: Json) -> Json:
        spot = _spot(params)
        if self._targets.pop(spot, None) is None:
            raise _absent("scalable target")
        self._policies = {key: policy for key, policy in self._policies.items() if key[:2] != spot}
        return {}

    def _put_policy(self, params: Json) -> Json:
        spot, name = _spot(params), params["PolicyName"]
        if spot not in self._targets:
            raise _absent("scalable target")
        wanted = params["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
        for key, policy in self._policies.items():
            found = policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
            if key[:2] == spot and key[2] != name and found == wanted:
                raise _invalid("Only one TargetTrackingScaling policy for a given metric is allowed")
        present = self._policies.get((*spot, name)) or {
            "PolicyARN": f"{self._arn}:{self._number()}:policyName/{name}",
            "CreationTime": self._number(),
        }
        self._policies[*spot, name] = {**present, **params, "Alarms": []}
        return {"PolicyARN": present["PolicyARN"]}

    def _delete_policy(self, params: Json) -> Json:
        if self._policies.pop((*_spot(params), params["PolicyName"]), None) is None:
            raise _absent("scaling policy")
        return {}

    def _describe_targets(self, params: Json) -> Json:
        wanted = params.get("ResourceIds")
        found = (one for spot, one in self._targets.items() if wanted is None or spot[0] in wanted)
        return _page(found, "ScalableTargets", params)

    def _describe_policies(self, params: Json) -> Json:
        wanted = params.get("ResourceId")
        found = (one for key, one in self._policies.items() if wanted in (None, key[0]))
        return _page(found, "ScalingPolicies", params)

    def _number(self) -> int:
        self._made += 1
        return self._made


def _page(found: Iterable[Json], member: str, params: Json) -> Json:
    entries, first = list(found), int(params.get("NextToken", 0))
    reply: Json = {member: entries[first : first + PAGE]}
    if first + PAGE < len(entries):
        reply["NextToken"] = str(first + PAGE)
    return reply


def _spot(params: Json) -> Spot:
    if params["ServiceNamespace"] != "dynamodb":
        raise _invalid("only dynamodb is simulated")
    return params["ResourceId"], params["ScalableDimension"]


def _absent(what: str) -> JsonRefused:
    return JsonRefused("ObjectNotFoundException", f"No {what} found for the service namespace and resource")


def _invalid(text: str) -> JsonRefused:
    return JsonRefused("ValidationException", text)
