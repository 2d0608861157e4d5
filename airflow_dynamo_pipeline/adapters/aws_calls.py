"""Calls that settle what AWS has: made one after the other, tried again, their errors in our tree."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.retrying import Retries
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import ServiceTrouble

if TYPE_CHECKING:
    from airflow_dynamo_pipeline.adapters.wiring import Clients

BUSY = frozenset(  # another change of the same resource has to end first
    {"ResourceInUseException", "ContinuousBackupsUnavailableException", "ConcurrentUpdateException"}
)


class AwsCalls:
    """Any operation of any service, by its name in AWS's API; threads may not share it.

    A call that meets throttling, trouble or another change under way is tried for ten minutes.
    """

    def __init__(
        self, clients: Clients, *, clock: Clock, stop: threading.Event, warn: Callable[[str], None]
    ) -> None:
        """``stop`` ends every wait."""
        self.client = functools.cache(lambda service: refusing_cut_replies(clients(service)))
        self.clock = clock
        self.stop = stop
        self._retries = Retries(clock, stop, warn)

    def __call__(
        self, service: str, operation: str, resource: str, *, answer: str = "", **request: Any
    ) -> dict[str, Any]:
        """The reply; raises the error tree, whose AccessDenied names the action and ``resource``.

        ``answer`` is the code of an error that is an answer, too: an empty one.
        """
        return self._retries(lambda: self._once(service, operation, resource, answer, request))

    @property
    def region(self) -> str:
        """Where DynamoDB is asked."""
        return str(self.client("dynamodb").meta.region_name)

    def _once(
        self, service: str, operation: str, resource: str, answer: str, request: dict[str, Any]
    ) -> dict[str, Any]:
        with translated(f"{service}:{operation}", resource):
            try:
                return self._method(service, operation)(**request)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code == answer:
                    return {}
                if code in BUSY:
                    raise ServiceTrouble(f"{service}:{operation} on {resource}: {code}") from error
                raise

    def _method(self, service: str, operation: str) -> Callable[..., dict[str, Any]]:
        method: Callable[..., dict[str, Any]] = getattr(self.client(service), xform_name(operation))
        return method
