"""Statements by the Redshift Data API: started, waited for, and their results read page by page."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.retrying import Retries
from airflow_dynamo_pipeline.adapters.sql_errors import clean, refusal
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import ImportRefused, NotFound, Problem, ServiceTrouble, Stopped

Reply = Mapping[str, Any]

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
RUNNING: Final = frozenset({"SUBMITTED", "PICKED", "STARTED"})
BUSY: Final = frozenset(
    {
        "ActiveStatementsExceededException",
        "ActiveSessionsExceededException",
        "ActiveWaitingRequestsExceededException",
        "DatabaseConnectionException",
        "ExecuteStatementException",
        "QueryTimeoutException",
    }
)
LASTING: Final = re.compile(  # of a failed statement, which has no code
    r"syntax error|does not exist|permission denied|unterminated|overflow|cannot be cast|invalid input"
    r"|division by zero",
    re.IGNORECASE,
)
PASSING: Final = re.compile(  # likewise, if it is not lasting
    r"\bconnection (?:\w+ )?(?:refused|reset|closed|lost|aborted|terminated|failed|failure|limit)\b"
    r"|\b(?:closed|lost|broken|terminating|terminated) (?:the )?connection\b"
    r"|\btoo many (?:connections|clients|sessions|queries|statements|requests)\b"
    r"|\btimed?[ -]?out\b|\bserializable isolation\b|\bout of memory\b|\bdisk full\b"
    r"|\b(?:being|been|was) terminated\b|\bterminating\b|\b(?:restart|resiz|resum)(?:ing|ed)\b"
    r"|\b(?:shutting down|starting up)\b",
    re.IGNORECASE,
)
QUOTED: Final = re.compile(r'"[^"]*"')  # names, which may be any word
MEND_PLACE: Final = "check cluster_identifier or workgroup_name, database and the region"


@dataclass(frozen=True, kw_only=True, slots=True)
class Warehouse:
    """Where statements run and as whom: a cluster or a workgroup, a database, a user or a secret."""

    database: str
    cluster_identifier: str | None = None
    workgroup_name: str | None = None
    db_user: str | None = None
    secret_arn: str | None = None

    @property
    def place(self) -> str:
        """The warehouse for messages."""
        return f"{self.workgroup_name or self.cluster_identifier or 'no cluster'}/{self.database}"

    @property
    def arguments(self) -> dict[str, str]:
        """The members of an ExecuteStatement request."""
        given = {
            "Database": self.database,
            "ClusterIdentifier": self.cluster_identifier,
            "WorkgroupName": self.workgroup_name,
            "DbUser": self.db_user,
            "SecretArn": self.secret_arn,
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that has finished; ``rows`` of its result, None where the service does not say."""

    id: str
    rows: int | None


class Statements:
    """Statements of one attempt; each has a client token of its own, and so runs once however often sent.

    What a retry can help is tried again. A statement that nobody waits for any more is cancelled.
    """

    def __init__(
        self,
        client: Any,
        warehouse: Warehouse,
        *,
        clock: Clock,
        stop: threading.Event,
        warn: Callable[[str], None],
        attempt: str | None = None,
    ) -> None:
        """``client`` is boto3's redshift-data, ``stop`` ends every wait, ``attempt`` tells tries apart."""
        self.warehouse = warehouse
        self._client = client
        self._clock = clock
        self._stop = stop
        self._retries = Retries(clock, stop, warn)
        self._attempt = attempt or uuid.uuid4().hex
        self._count = 0

    def run(self, sql: str) -> Statement:
        """Run a statement to its end.

        Raises ImportRefused for SQL that cannot run, Stopped, AccessDenied, NotFound, and ServiceTrouble for
        what a retry can help.
        """
        self._count += 1
        what = f"{self._attempt}\n{self._count}\n{sql}"
        token = hashlib.sha256(what.encode()).hexdigest()
        request = {"Sql": sql, "ClientToken": token, **self.warehouse.arguments}
        number = str(self._call("ExecuteStatement", self._client.execute_statement, **request)["Id"])
        try:
            return self._finished(number)
        except BaseException:
            self._cancel(number)
            raise

    def __call__(self, sql: str) -> None:
        """Run a statement that has no result."""
        self.run(sql)

    def pages(self, statement: Statement) -> Iterator[Reply]:
        """The result's pages, each with ColumnMetadata and Records."""
        request = {"Id": statement.id}
        while True:
            reply = self._call("GetStatementResult", self._client.get_statement_result, **request)
            yield reply
            if not reply.get("NextToken"):
                return
            request["NextToken"] = reply["NextToken"]

    def _finished(self, number: str) -> Statement:
        pause = FIRST_PAUSE_SECONDS
        while True:
            reply = self._call("DescribeStatement", self._client.describe_statement, Id=number)
            if reply["Status"] not in RUNNING:
                return _ended(number, reply)
            if self._clock.wait(self._stop, pause):
                raise Stopped("told to stop while a statement runs; it is cancelled")
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    def _cancel(self, number: str) -> None:
        with contextlib.suppress(Exception):  # it may have ended, and what is being raised says more
            self._client.cancel_statement(Id=number)

    def _call(self, operation: str, method: Callable[..., Reply], **request: Any) -> Reply:
        return self._retries(lambda: self._once(operation, method, request))

    def _once(self, operation: str, method: Callable[..., Reply], request: Mapping[str, Any]) -> Reply:
        place = self.warehouse.place
        with translated(f"redshift-data:{operation}", place):
            try:
                return method(**request)
            except ClientError as error:
                said = error.response.get("Error", {})
                code, message = str(said.get("Code", "")), clean(str(said.get("Message", "")))
                if code == "ResourceNotFoundException":
                    raise NotFound("warehouse or statement", f"{place}: {message}", MEND_PLACE) from error
                if code == "ValidationException":
                    raise ImportRefused([Problem("redshift", f"{place}: {message}", MEND_PLACE)]) from error
                if code in BUSY:
                    raise ServiceTrouble(
                        f"redshift-data:{operation} on {place}: {code}: {message}"
                    ) from error
                raise


def _ended(number: str, reply: Reply) -> Statement:
    """What a statement came to; raises for one that failed or was ended by somebody else."""
    said = clean(str(reply.get("Error") or ""))
    if reply["Status"] == "FINISHED":
        rows = reply.get("ResultRows", -1)
        return Statement(number, rows if rows >= 0 else None)
    if reply["Status"] == "ABORTED":
        raise ServiceTrouble(f"statement {number} was ended from outside: {said or 'no reason given'}")
    words = QUOTED.sub("", said)
    if PASSING.search(words) and not LASTING.search(words):
        raise ServiceTrouble(f"statement {number} failed: {said}")
    raise refusal(said or f"statement {number} failed without a reason")
