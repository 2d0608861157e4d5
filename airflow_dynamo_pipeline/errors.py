"""Every error this package raises on purpose.

The tree answers one question by class: can a retry help?

::

    PipelineError                    final, unless it is also Temporary
    ├── InvalidSetting (ValueError)  one setting can never work
    ├── Refused                      several findings, all of them named
    │   ├── InvalidRequest           ... in the settings, before any call
    │   ├── CapacityRefused          ... in a table whose capacity cannot be changed now
    │   └── PreflightFailed          ... in table, bucket, key or target, before the first Scan
    │       ├── ImportRefused        ... or, of an import, before the first write
    │       └── LookupRefused        ... or, of a lookup load, in what its comparison found
    ├── AccessDenied                 names the missing action and the resource
    ├── NotFound                     a table, index, bucket, key or export is not there
    ├── TableChanged                 the table was deleted or replaced while it was read
    ├── UnknownVersion               a checkpoint or manifest of a newer package
    ├── InvalidExport                a manifest and its files disagree
    ├── TableDiffers                 an export and a table do not hold the same items
    ├── ItemRefused                  DynamoDB calls an item or a request invalid
    ├── ImportFailed                 items were rejected or met others, or the accounts do not add up
    ├── StaleAttempt                 another attempt has taken this export over
    ├── RecoveryUnavailable          point-in-time recovery cannot give what was asked
    ├── NativeJobFailed              DynamoDB's own export or import ended without success
    ├── NativeJobConflict            a client token is in use with other arguments
    ├── MissingLibrary               an extra is not installed
    ├── UnexpectedReply              a service answered something this package cannot read
    └── Temporary                    a retry can help
        ├── Throttled                DynamoDB refused for want of capacity
        ├── ServiceTrouble           5xx, time-outs, cut connections
        │   └── CredentialsExpired   refreshed ones may be there a moment later
        ├── CorruptReply             a body that does not match its checksum
        ├── LeaseHeld                another live run works on this export
        └── Stopped                  told to stop; the checkpoint is written

Messages start in lower case and carry no full stop; a ``HINT:`` line says how to mend.
Errors survive pickling, because Airflow and Spark move them between processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


class PipelineError(Exception):
    """Base class of every error this package raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild without calling ``__init__``, whose arguments are not the message."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[PipelineError], args: tuple[object, ...], state: dict[str, object]) -> PipelineError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def with_hint(message: str, hint: str | None) -> str:
    """Put the hint on a line of its own.

    >>> print(with_hint("no such table 'orders'", "check the region"))
    no such table 'orders'
    HINT: check the region
    """
    return f"{message}\nHINT: {hint}" if hint else message


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where it is, what is wrong and how to mend it."""

    where: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        """Render as ``where: message`` with the hint on its own line."""
        return with_hint(f"{self.where}: {self.message}", self.hint)


class InvalidSetting(PipelineError, ValueError):
    """A setting has a value that can never work."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name
        self.value = value
        self.expected = expected


class Refused(PipelineError):
    """Nothing was touched, and every reason is in ``problems``."""

    what = "the request was refused"

    def __init__(self, problems: Iterable[Problem], what: str | None = None) -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        count = len(self.problems)
        head = f"{what or self.what}: {count} problem{'s' if count != 1 else ''}"
        super().__init__("\n".join([head, *(str(problem) for problem in self.problems)]))


class InvalidRequest(Refused):
    """Settings are unknown, contradictory or impossible."""

    what = "the settings were refused before any call"


class CapacityRefused(Refused):
    """A table's capacity cannot be changed as asked; from ``may_at`` on it can (None: nobody can tell)."""

    what = "the capacity was not changed"

    def __init__(self, problems: Iterable[Problem], may_at: datetime | None = None) -> None:
        super().__init__(problems)
        self.may_at = may_at


class PreflightFailed(Refused):
    """Table, bucket, key or target cannot be used as asked."""

    what = "preflight failed before the first Scan"


class ImportRefused(PreflightFailed):
    """Table, backup or place of the rejects cannot be used as asked."""

    what = "preflight failed before the first write"


class LookupRefused(PreflightFailed):
    """A query, its rows or their differences from the table are not what may be written."""

    what = "the lookup load was refused before the first write"


class AccessDenied(PipelineError):
    """The credentials lack a permission, ``action`` on ``resource``; ``hint`` where no policy is to blame."""

    def __init__(self, action: str, resource: str, detail: str = "", hint: str | None = None) -> None:
        text = f"access denied: {action} on {resource}" + (f" ({detail})" if detail else "")
        usual = f"allow {action} on {resource} in the policy of the role that runs this task"
        super().__init__(with_hint(text, hint or usual))
        self.action = action
        self.resource = resource


class NotFound(PipelineError):
    """Something that was named does not exist; ``kind`` is table, index, bucket, key or export."""

    def __init__(self, kind: str, name: str, hint: str | None = None) -> None:
        super().__init__(with_hint(f"no such {kind}: {name}", hint))
        self.kind = kind
        self.name = name


class TableChanged(PipelineError):
    """The table was deleted, replaced or left a readable state while it was read."""


class UnknownVersion(PipelineError):
    """A checkpoint or manifest was written by a newer version of this package."""

    def __init__(self, what: str, found: object, known: int) -> None:
        super().__init__(
            with_hint(
                f"{what} has version {found!r}; this package reads up to {known}",
                "upgrade airflow-dynamo-pipeline on this worker, or start anew with on_existing='new'",
            )
        )
        self.found = found
        self.known = known


class InvalidExport(PipelineError):
    """A manifest and the files it lists disagree; every file is named in ``problems``."""

    def __init__(self, manifest: str, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        lines = [f"{manifest}: {len(self.problems)} problems", *(str(problem) for problem in self.problems)]
        super().__init__("\n".join(lines))
        self.manifest = manifest


class TableDiffers(PipelineError):
    """An export and a table do not hold the same items.

    ``problems`` names as many keys as were asked for; ``only_in_export``, ``only_in_table`` and ``different``
    count all that were found; ``rest`` says what was not looked into item by item, or is empty.
    """

    def __init__(
        self,
        manifest: str,
        table_name: str,
        problems: Iterable[Problem],
        *,
        counts: tuple[int, int, int],
        rest: str = "",
    ) -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        self.only_in_export, self.only_in_table, self.different = counts
        total = (
            f"{self.only_in_export:,} items only in the export, {self.only_in_table:,} only in the table, "
            f"{self.different:,} different"
        )
        head = f"{manifest} and table {table_name} do not hold the same items: {total}"
        hint = "what was written while this ran counts, too; compare again while nobody writes to the table"
        lines = [head, *map(str, self.problems), *([rest] if rest else [])]
        super().__init__(with_hint("\n".join(lines), hint))
        self.manifest = manifest
        self.table_name = table_name
        self.rest = rest


class ItemRefused(PipelineError):
    """DynamoDB refused a write as invalid (ValidationException): an item, its key, or the request."""


class ImportFailed(PipelineError):
    """An import did not do all that was asked; the message has its accounts and says where rejects are."""


class StaleAttempt(PipelineError):
    """Another attempt has taken this export over; this one stops and leaves everything as it is."""


class RecoveryUnavailable(PipelineError):
    """Recovery cannot give what was asked: ``reason`` is off, time, no base, gap, reset or lost."""

    def __init__(self, reason: str, message: str, hint: str | None = None) -> None:
        super().__init__(with_hint(message, hint))
        self.reason = reason


class NativeJobFailed(PipelineError):
    """DynamoDB's own export or import ended without success; ``code`` is its FailureCode."""

    def __init__(self, arn: str, status: str, code: str, message: str, hint: str | None = None) -> None:
        said = f"{arn} is {status}: {code or 'no code'}: {message or 'no message'}"
        super().__init__(with_hint(said, hint))
        self.arn, self.status, self.code = arn, status, code


class NativeJobConflict(PipelineError):
    """A job with the same client token, but other arguments, was started within the token's eight hours."""


class MissingLibrary(PipelineError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            with_hint(f"{library} is not installed", f'pip install "airflow-dynamo-pipeline[{extra}]"')
        )
        self.library = library
        self.extra = extra


class UnexpectedReply(PipelineError):
    """A service answered with something this package does not know how to treat."""


class Temporary(PipelineError):
    """A retry can help."""


class Throttled(Temporary):
    """DynamoDB refused a call for want of capacity.

    ``reasons`` holds pairs of (reason, resource ARN) as DynamoDB gave them; empty means unknown.
    """

    def __init__(self, message: str, reasons: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.reasons: Sequence[tuple[str, str]] = tuple(reasons)


class ServiceTrouble(Temporary):
    """A service failed on its side, or the network between did."""


class CredentialsExpired(ServiceTrouble):
    """The credentials have expired or could not be fetched just now; tried again for half a minute only."""


class CorruptReply(Temporary):
    """The body of a reply does not match the checksum the service sent with it."""


class LeaseHeld(Temporary):
    """Another live run is working on the same export."""


class Stopped(Temporary):
    """The work was told to stop; its checkpoint is written and a retry resumes."""
