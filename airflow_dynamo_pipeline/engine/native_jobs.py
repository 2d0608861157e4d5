"""Jobs that DynamoDB runs by itself: what is seen of one, and whether it has ended."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dynamo_pipeline.errors import NativeJobFailed

COMPLETED = "COMPLETED"
UNDER_WAY = frozenset({"IN_PROGRESS", "CANCELLING"})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobState:
    """What one look at a native export or import has shown."""

    arn: str
    status: str  # IN_PROGRESS, COMPLETED, FAILED; of imports also CANCELLING and CANCELLED
    code: str = ""  # FailureCode
    message: str = ""  # FailureMessage

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status not in UNDER_WAY

    @property
    def seen(self) -> str:
        """A line for the log."""
        why = f": {self.code}: {self.message}" if self.code or self.message else ""
        waiting = "" if self.ended else "; waiting until it ends"
        return f"{self.arn} is {self.status}{why}{waiting}"


def check_succeeded(state: JobState, hint: str | None = None) -> None:
    """Raise NativeJobFailed for a job that ended without success."""
    if state.ended and state.status != COMPLETED:
        raise NativeJobFailed(state.arn, state.status, state.code, state.message, hint)
