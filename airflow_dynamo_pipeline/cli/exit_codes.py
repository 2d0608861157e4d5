"""What a script may go by: every exit code, in one table."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

from airflow_dynamo_pipeline.errors import InvalidSetting, LeaseHeld, PipelineError, Refused, Stopped


class ExitCode(IntEnum):
    """How a command ended, with its meaning."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> Self:
        """A number that carries its meaning."""
        made = int.__new__(cls, number)
        made._value_ = number
        made.meaning = meaning
        return made

    DONE = 0, "done"
    FAILED = 1, "failed"
    WRONG_USAGE = 2, "wrong usage: unknown command or option, or an argument is missing"
    REJECTED = 3, "done, but items were rejected, or would be in a dry run"
    REFUSED = 10, "refused before starting: settings or preflight"
    LOCKED = 11, "locked by another run"
    NOT_ALL_PUT_BACK = 12, "a table was restored but for what is listed"
    INTERRUPTED = 130, "interrupted"


def exit_code(error: PipelineError) -> ExitCode:
    """What a command ends with after this error."""
    match error:
        case Refused() | InvalidSetting():
            return ExitCode.REFUSED
        case LeaseHeld():
            return ExitCode.LOCKED
        case Stopped():
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.FAILED


def lines() -> list[str]:
    """The table as lines of text, number first."""
    return [f"{code.value:>4}  {code.meaning}" for code in ExitCode]
