"""A policy put into force: every AWS call is recorded, and what the policy does not allow is denied.

It stands at botocore's edge, below everything of the package and of Airflow. What it lets pass goes to the
services of this machine; what it denies is answered as AWS answers it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.session import Session

from tests.integration.faults import ROLE, answer, s3_error, sent
from tests.integration.policy_calls import needs_of
from tests.integration.policy_needs import (
    KmsKeys,
    Need,
    UnknownCall,
    needed_to_hear_of_absence,
    object_arn,
)
from tests.services.clients import REGION

VERSION = "2012-10-17"
MEMBERS = {"Sid", "Effect", "Action", "Resource", "Condition"}
SPECIAL = re.compile(r"(\$\{[*?$]\}|[*?])")
READS = ("GetObject", "HeadObject")
NOT_FOUND = 404


# --- the policy -----------------------------------------------------------------------------------


def matches(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern of IAM's.

    ``*`` and ``?`` are wild; ``${*}``, ``${?}`` and ``${$}`` are the characters themselves.
    """
    wild = {"*": ".*", "?": "."}
    pieces = SPECIAL.split(pattern)
    shape = "".join(
        wild.get(piece) or re.escape(piece[2] if piece.startswith("${") else piece) for piece in pieces
    )
    return re.fullmatch(shape, text, re.DOTALL) is not None


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringLike": matches,
}


class Policy:
    """An identity-based policy of Allow statements: whatever none of them allows is denied.

    What it could not judge rightly it refuses when it is made.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        assert document["Version"] == VERSION
        self.statements: list[Mapping[str, Any]] = document["Statement"]
        for statement in self.statements:
            assert statement.keys() <= MEMBERS, f"{statement.keys() - MEMBERS} cannot be judged here"
            assert statement["Effect"] == "Allow"
        sids = [statement["Sid"] for statement in self.statements]
        assert len(sids) == len(set(sids)), f"{sids}: IAM wants each only once"
        assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids), f"{sids}: IAM wants letters and digits"

    @property
    def actions(self) -> set[str]:
        """Every action the policy names."""
        return {action for statement in self.statements for action in several(statement["Action"])}

    def allows(self, need: Need) -> bool:
        """Whether any statement allows this."""
        return any(_allows(statement, need) for statement in self.statements)


def without(document: Mapping[str, Any], action: str) -> dict[str, Any]:
    """The policy less one action."""
    left = [
        {**statement, "Action": [each for each in several(statement["Action"]) if each != action]}
        for statement in document["Statement"]
    ]
    return {**document, "Statement": [statement for statement in left if statement["Action"]]}


def several(value: str | list[str]) -> list[str]:
    """IAM takes a list or a single text."""
    return [value] if isinstance(value, str) else value


def _allows(statement: Mapping[str, Any], need: Need) -> bool:
    return (
        any(matches(action.lower(), need.action.lower()) for action in several(statement["Action"]))
        and any(matches(resource, need.resource) for resource in several(statement["Resource"]))
        and all(
            _holds(operator, several(values), need.context.get(key, ()))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, wanted: list[str], found: tuple[str, ...]) -> bool:
    """A condition on a key that the request does not have never holds."""
    is_set = operator.startswith("ForAnyValue:")
    assert is_set or len(found) <= 1, f"{operator} is not for a key of several values"
    compare = OPERATORS[operator.removeprefix("ForAnyValue:")]
    return any(compare(each, one) for each in wanted for one in found)


# --- the calls ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it was judged."""

    operation: str
    needs: list[Need]
    denied: list[Need]


@dataclass
class Simulator:
    """Holds every client that is made within ``in_force`` to a policy.

    ``keys`` says which objects are encrypted with which KMS key; share it between the simulators that look at
    the same bucket. ``after`` is told of every call that was judged.
    """

    policy: Policy
    keys: KmsKeys = field(default_factory=dict)
    after: Callable[[Call], None] = lambda _: None
    calls: list[Call] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _local: threading.local = field(default_factory=threading.local)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Hold clients to the policy meanwhile; fails at the end if there was a call it does not know."""
        create = Session.create_client

        def create_client(session: Session, *args: Any, **kwargs: Any) -> Any:
            client: Any = create(session, *args, **kwargs)
            client.meta.events.register_last("before-parameter-build", self._remember)
            client.meta.events.register_first("before-send", self._judge)
            return client

        with mock.patch.object(Session, "create_client", create_client):
            yield
        assert [] == self.unknown, f"no rule says what {self.unknown} need; add them to policy_calls.CALLS"

    @property
    def used(self) -> set[str]:
        """Every action that was needed and allowed."""
        return {need.action for call in self.calls for need in call.needs if need not in call.denied}

    @property
    def denied(self) -> set[str]:
        """Every action that was denied."""
        return {need.action for call in self.calls for need in call.denied}

    @property
    def denied_operations(self) -> set[str]:
        """Every operation of which a call was denied."""
        return {call.operation for call in self.calls if call.denied}

    def _remember(self, params: Mapping[str, Any], model: Any, **_: object) -> None:
        self._local.service = model.service_model.service_name
        self._local.operation = model.name
        self._local.parameters = dict(params)

    def _judge(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        service, operation, parameters = self._local.service, self._local.operation, self._local.parameters
        try:
            needs = needs_of(service, operation, parameters, self.keys)
        except UnknownCall as unknown:
            self.unknown.append(str(unknown))
            raise
        call = self._judged(operation, needs)
        if call.denied:
            return denial(service, operation, parameters, call.denied)(request)
        if operation in READS:
            return self._unless_absent(request, service, operation, parameters)
        return None

    def _judged(self, operation: str, needs: list[Need]) -> Call:
        call = Call(operation, needs, [need for need in needs if not self.policy.allows(need)])
        self.calls.append(call)
        self.after(call)
        return call

    def _unless_absent(
        self, request: AWSPreparedRequest, service: str, operation: str, parameters: Mapping[str, Any]
    ) -> AWSResponse:
        """Send it; who may not list is not told that an object is absent."""
        reply = sent(request)
        if reply.status_code != NOT_FOUND:
            return reply
        call = self._judged(operation, [needed_to_hear_of_absence(parameters)])
        return denial(service, operation, parameters, call.denied)(request) if call.denied else reply


# --- the answers ----------------------------------------------------------------------------------


def denial(
    service: str, operation: str, parameters: Mapping[str, Any], denied: list[Need]
) -> Callable[[AWSPreparedRequest], AWSResponse]:
    """What AWS answers to a call that was denied."""
    need = denied[0]
    message = (
        f"User: {ROLE} is not authorized to perform: {need.action} on resource: {need.resource} "
        f"because no identity-based policy allows the {need.action} action"
    )
    if service == "s3" and operation.startswith("Head"):
        return _no_body
    if operation == "DeleteObjects":
        return _key_by_key(parameters, denied, message)
    if service == "s3":
        return s3_error("AccessDenied", message)  # type: ignore[return-value]  # it never lets pass
    return _by_protocol(message)


def _no_body(request: AWSPreparedRequest) -> AWSResponse:
    """To HEAD there is only the status; HeadBucket's reply names the region even so."""
    return answer(request, 403, {"x-amz-bucket-region": REGION, "content-type": "application/xml"}, b"")


def _key_by_key(
    parameters: Mapping[str, Any], denied: list[Need], message: str
) -> Callable[[AWSPreparedRequest], AWSResponse]:
    """DeleteObjects succeeds as a call and names what was denied; here nothing is deleted then."""
    resources = {need.resource for need in denied}
    errors = "".join(
        f"<Error><Key>{escape(entry['Key'])}</Key><Code>AccessDenied</Code>"
        f"<Message>{escape(message)}</Message></Error>"
        for entry in parameters["Delete"]["Objects"]
        if object_arn(parameters, entry["Key"]) in resources
    )
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult>{errors}</DeleteResult>'.encode()
    return lambda request: answer(request, 200, {"content-type": "application/xml"}, body)


def _by_protocol(message: str) -> Callable[[AWSPreparedRequest], AWSResponse]:
    """JSON, or the XML that CloudWatch spoke in older versions of boto3."""
    query = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{escape(message)}</Message>"
        "</Error><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ErrorResponse>"
    )

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        if b"urlencoded" in _bytes(request.headers.get("Content-Type", "")):
            return answer(request, 403, {"content-type": "text/xml"}, query.encode())
        body = json.dumps({"__type": "AccessDeniedException", "message": message}).encode()
        headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": "AccessDeniedException"}
        return answer(request, 400, headers, body)

    return fault


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
