"""Errors of any DB-API driver in our own tree: a query that cannot run, or trouble that passes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from airflow_dynamo_pipeline.adapters.aws_errors import redacted
from airflow_dynamo_pipeline.errors import ImportRefused, PipelineError, Problem, ServiceTrouble

# Classes of SQLSTATE: connection, rollback for concurrency, want of resources, an operator, the system.
# XX is not among them: Redshift gives it to what S3 denies to an UNLOAD.
PASSING_STATES: Final = ("08", "40", "53", "55", "57", "58")
LOGIN_STATES: Final = ("28", "3D")  # who comes, and to which database
# MySQL: too many connections, shutdown, network, lock wait and deadlock, the most time of a statement
PASSING_NUMBERS: Final = frozenset({1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 3024, 4031})
CLIENT_NUMBERS: Final = range(2000, 3000)  # of MySQL's client: no connection, or a lost one
LOGIN_NUMBERS: Final = frozenset({1044, 1045, 1049, 1698})
SQLITE_BUSY: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")
OF_A_DRIVER: Final = frozenset({"Error", "DatabaseError", "InterfaceError"})
PASSING_KINDS: Final = frozenset({"OperationalError", "InterfaceError"})
LOGIN_TEXT: Final = re.compile(
    r"authentication failed|access denied for user|no pg_hba\.conf entry"
    r"|(?:database|role) \"[^\"]*\" does not exist",
    re.IGNORECASE,
)
SECRET: Final = re.compile(
    r"((?:password|passwd|pwd|secret|token)\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE
)
MEND_LOGIN: Final = "mend the database, the login and the password of the connection"
MEND_QUERY: Final = "run the query by itself in the same database, as the same user"
MEND_VALUE: Final = "cast the column to text in the query"
MEND_GRANT: Final = "grant SELECT to the user of the connection"
MEND_BUCKET: Final = (
    "the IAM role has to be attached to the warehouse, and to be allowed s3:PutObject on the place, "
    "s3:ListBucket and s3:GetBucketLocation on the bucket, and to use the KMS key"
)
UNREADABLE: Final = (ValueError, OverflowError)  # the driver makes nothing of a value


class sql_errors:  # noqa: N801  a context manager, and cheaper than a generator would be
    """Raises a driver's errors as ours: ServiceTrouble for what passes, ImportRefused for the rest."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        """``doing`` is for messages: "counting rows"."""
        self._doing = doing

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise our error for one of a driver's."""
        if isinstance(error, Exception) and (of_a_driver(error) or isinstance(error, (OSError, *UNREADABLE))):
            said = clean(str(error))
            # a log shows the cause, too, and that repeats what was redacted in ours
            raise _ours(error, self._doing) from (error if said == str(error).strip() else None)


def of_a_driver(error: Exception) -> bool:
    """Whether an error is one of DB-API's, whichever driver's: its base classes are called so."""
    return any(kind.__name__ in OF_A_DRIVER for kind in type(error).__mro__)


def clean(text: str) -> str:
    r"""A driver's words without passwords.

    >>> clean("cannot connect: host=x password='a b' port=1\n")
    'cannot connect: host=x password=*** port=1'
    """
    return SECRET.sub(r"\1***", redacted(text)).strip()


def refusal(message: str) -> ImportRefused:
    """A query that the database refuses, with a hint where its words allow one."""
    hint = MEND_QUERY
    if "permission denied" in message.lower():
        hint = MEND_GRANT
    elif re.search(r"S3ServiceException|IAM.?role|not authorized to assume|KMS", message, re.IGNORECASE):
        hint = MEND_BUCKET
    return ImportRefused([Problem("sql", clean(message), hint)])


def _ours(error: Exception, doing: str) -> PipelineError:
    message = clean(_message(error))
    if not of_a_driver(error):
        if isinstance(error, OSError):
            return ServiceTrouble(f"{doing}: {message}")
        return ImportRefused(
            [Problem("sql", f"{doing}: the driver cannot read a value: {message}", MEND_VALUE)]
        )
    if _is_login(error, message):
        return ImportRefused([Problem("connection", message, MEND_LOGIN)])
    if _passes(error):
        return ServiceTrouble(f"{doing}: {message}")
    return refusal(message)


def _is_login(error: Exception, message: str) -> bool:
    state = _state(error)
    if state is not None:
        return state.startswith(LOGIN_STATES)
    return _number(error) in LOGIN_NUMBERS or LOGIN_TEXT.search(message) is not None


def _passes(error: Exception) -> bool:
    """Whether a retry can help."""
    state, number = _state(error), _number(error)
    if state is not None:
        return state[:2] in PASSING_STATES
    if number is not None:
        return number in PASSING_NUMBERS or number in CLIENT_NUMBERS
    name = getattr(error, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(SQLITE_BUSY)
    return any(kind.__name__ in PASSING_KINDS for kind in type(error).__mro__)


def _state(error: Exception) -> str | None:
    """The SQLSTATE, where the driver has it: psycopg2, psycopg, redshift_connector."""
    found = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None) or _fields(error).get("C")
    return str(found) if found else None


def _number(error: Exception) -> int | None:
    """MySQL's number of the error, which its drivers put first."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def _message(error: Exception) -> str:
    fields = _fields(error)
    text = str(fields["M"]) if "M" in fields else str(error)
    return text.strip() or type(error).__name__


def _fields(error: Exception) -> Mapping[str, Any]:
    """What Redshift's driver gives instead of a text: the fields of the server's message."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, Mapping) else {}
