"""How a restore ended: what was settled, and everything that is not as the definition says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.table_aspects import NONE, Difference, differences
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition
from airflow_dynamo_pipeline.engine.table_restore import RestoreRequest, is_unfinished
from airflow_dynamo_pipeline.engine.table_settings import MARK, RESERVED_TAGS

UNEXPLAINED = "the service did not take it over, or the table was there before with another"


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreResult:
    """What was done, and every aspect that is not as the definition says."""

    table_name: str
    table_arn: str
    start: str  # new, resume or existing
    done: Sequence[str]  # the aspects that were settled
    not_put_back: Sequence[Difference] = field(default_factory=tuple)

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        return {
            "table_name": self.table_name,
            "table_arn": self.table_arn,
            "start": self.start,
            "done": list(self.done),
            "not_put_back": [each.to_json() for each in self.not_put_back],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """How far a restore came. ``failures`` has the errors of calls, by the aspect they were to settle."""

    failures: Mapping[str, str]
    is_finished: bool  # the mark was taken away, or there was none
    is_foreign_key: bool
    left_alone: Mapping[str, str] = field(default_factory=dict)  # what the table kept, and why


def not_put_back(request: RestoreRequest, found: TableDefinition, tried: Tried) -> Sequence[Difference]:
    """Everything that is not as the definition says after all was tried, each with its reason."""
    why = {**tried.left_alone, **tried.failures}
    differing = [
        replace(each, why=why.get(each.what) or _reason(each, tried))
        for each in differences(request.wanted, found)
    ]
    return [*differing, *_unknown(request.definition, found), *_unfinished(found, tried)]


def _unknown(definition: TableDefinition, found: TableDefinition) -> Iterator[Difference]:
    """What the definition names and does not hold, and what cannot be compared with it."""
    for each in definition.not_carried:
        yield Difference(what=each.what, wanted=each.why, found=NONE, why="a restore does not make it")
    for each in definition.not_read:
        why = f"could not be read when the definition was saved: {each.why}"
        yield Difference(what=each.what, wanted="unknown", found="as it is", why=why)
    for each in found.not_read:
        yield Difference(what=each.what, wanted="as saved", found="unknown", why=each.why)


def is_expected(left: Sequence[Difference]) -> bool:
    """Whether there is a reason for every difference; one without may be gone at the next look."""
    return all(each.why != UNEXPLAINED for each in left)


def _unfinished(found: TableDefinition, tried: Tried) -> Iterator[Difference]:
    if is_unfinished(found) and not tried.is_finished:
        name = f"tag {MARK}"
        why = tried.failures.get(name, "run the restore again when what failed is mended")
        yield Difference(what=name, wanted=NONE, found="unfinished", why=why)


def _reason(difference: Difference, tried: Tried) -> str:
    if difference.what.startswith(f"tag {RESERVED_TAGS}"):
        return "only AWS may set it"
    if difference.what == "encryption" and tried.is_foreign_key:
        return "the key belongs to another region or account; name one with --kms-key-id"
    if difference.wanted == NONE:
        return "a restore switches nothing off"
    return UNEXPLAINED
