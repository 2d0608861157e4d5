"""What a person reads of an error in the Airflow UI: the first line says what happened and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from airflow_dynamo_pipeline import errors
from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJobFailed
from airflow_dynamo_pipeline.engine.capacity_state import NotYetAllowed, StillChanging
from airflow_dynamo_pipeline.errors import PipelineError, Problem, Temporary

HINT = "HINT: "
CLEAR = "then press Clear"
TRIES = "Airflow tries again by itself while retries are left"
AT_LAST = "after the last one press Clear"
SAYS_CLEAR = re.compile(r"\bclear\b", re.IGNORECASE)
END_OF_SENTENCE = re.compile(r"\.\s+(?=[A-Z])")
GOES_ON = f"{TRIES} and goes on from the checkpoint; {AT_LAST}, which does the same"

WHAT_TO_DO: Mapping[type[PipelineError], str] = MappingProxyType(
    {
        errors.PipelineError: f"mend what this names, {CLEAR}",
        errors.InvalidSetting: f"mend this setting of the task, {CLEAR}",
        errors.Refused: f"mend what is named, {CLEAR}",
        errors.InvalidRequest: f"mend the settings that are named, {CLEAR}",
        errors.CapacityRefused: "press Clear when the change is allowed, or mend what is named",
        errors.PreflightFailed: f"mend what is named, {CLEAR}",
        errors.ImportRefused: f"mend what is named, {CLEAR}",
        errors.LookupRefused: f"look at the query, mend what is named, {CLEAR}",
        errors.AccessDenied: f"allow the action in the policy of the role that runs this task, {CLEAR}",
        errors.NotFound: f"create it, or mend its name or the region, {CLEAR}",
        errors.TableChanged: "find out who changed the table; if it is gone make or restore it; "
        "when the right one is ACTIVE press Clear",
        errors.UnknownVersion: f"upgrade airflow-dynamo-pipeline on this worker, {CLEAR}",
        errors.InvalidExport: "do not use this export; find out who changed its files, and export again",
        errors.TableDiffers: "while nobody writes to the table press Clear to compare again, or import again",
        errors.ItemRefused: f"mend the item or the request by the service's words, {CLEAR}",
        errors.ImportFailed: f"mend the rejected items and import them, or raise max_rejected, {CLEAR}",
        errors.StaleAttempt: "nothing: look at the newer attempt, which goes on with the work",
        errors.RecoveryUnavailable: f"mend the table's point-in-time recovery or the instant, {CLEAR}",
        errors.NativeJobFailed: f"mend what the failure code names, {CLEAR}: a new job is started",
        errors.NativeJobConflict: "press Clear: the job is then asked for by another token",
        errors.MissingLibrary: f"install the library on the workers, {CLEAR}",
        errors.UnexpectedReply: f"mend what the service's words name, {CLEAR}",
        errors.Temporary: f"nothing at first: {GOES_ON}",
        errors.Throttled: f"lower the rate if it lasts; {GOES_ON}",
        errors.ServiceTrouble: f"nothing at first: {GOES_ON}",
        errors.CredentialsExpired: f"give the connection a role or new credentials; {GOES_ON}",
        errors.CorruptReply: f"nothing at first: {GOES_ON}",
        errors.LeaseHeld: f"wait for the other run or stop it; {GOES_ON}",
        errors.Stopped: f"nothing was lost: {GOES_ON}",
        EmrJobFailed: f"look at the job's logs; {GOES_ON}",
        StillChanging: f"wait, or raise wait_seconds; {TRIES}, and goes on with the change",
        NotYetAllowed: f"wait until it is allowed; {TRIES}; if none is left press Clear then",
    }
)


def told(error: PipelineError) -> str:
    """The error for a person who reads one line: what happened; to mend it: what to do. The rest follows.

    The hint of the error itself goes before what is said of all errors of its class: its first sentence, and
    all of it below. Of several findings the first line counts all and has the first one.

    >>> print(told(errors.NotFound("table", "orders")))
    no such table: orders; to mend it: create it, or mend its name or the region, then press Clear
    """
    head, *rest = str(error).splitlines() or [type(error).__name__]
    problems: Sequence[Problem] = getattr(error, "problems", ())
    if problems:
        first, *_ = finding = str(problems[0]).splitlines()
        hints = _hints(finding)
        head = f"{head}, the first: {first}".replace(": 1 problem, the first: ", ": ")
        said = [first] if len(problems) == 1 else []
    else:
        hints, said = _hints(rest), []
    if len(problems) <= 1:
        said += [HINT + hint for hint in hints[:1] if hint == _first_sentence(hint)]
    rest = [line for line in rest if line not in said]
    return "\n".join([f"{head}; to mend it: {_advice(error, hints)}", *rest])


def _advice(error: PipelineError, hints: Sequence[str]) -> str:
    if not hints:
        return what_to_do(type(error))
    hint = _first_sentence(hints[0])
    says_clear = SAYS_CLEAR.search(hint) is not None
    if isinstance(error, Temporary):
        return f"{hint}; {TRIES}" if says_clear else f"{hint}; {TRIES}; {AT_LAST}"
    return hint if says_clear else f"{hint}, {CLEAR}"


def _first_sentence(hint: str) -> str:
    return END_OF_SENTENCE.split(hint, maxsplit=1)[0]


def what_to_do(kind: type[PipelineError]) -> str:
    """What is said of all errors of a class, or of the nearest class above it."""
    return next(WHAT_TO_DO[each] for each in kind.__mro__ if each in WHAT_TO_DO)


def _hints(lines: Sequence[str]) -> list[str]:
    return [line.removeprefix(HINT) for line in lines if line.startswith(HINT)]
