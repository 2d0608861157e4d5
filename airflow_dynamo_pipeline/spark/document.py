"""What a Spark job is to do: a document small enough for one argument of spark-submit."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem
from airflow_dynamo_pipeline.formats.reading import Attribute

Request = ExportRequest | ImportRequest
KINDS: Mapping[str, Callable[[Mapping[str, Any]], Request]] = {
    "export": ExportRequest.from_settings,
    "import": ImportRequest.from_settings,
}
HINT = "it is what SparkJob.to_json wrote"


@dataclass(frozen=True, kw_only=True, slots=True)
class SparkJob:
    """The ranges of an export or import that was planned, and what they are ranges of."""

    kind: str  # export or import
    settings: Mapping[str, Any]  # of the request, as JSON or as text
    work: RangeWork  # any of the ranges
    region_name: str | None = None  # None: boto3's own search for one
    endpoints: Mapping[str, str] = field(default_factory=dict)  # URL by service; empty: AWS's own

    @classmethod
    def of(cls, request: Request, work: RangeWork, *, region_name: str | None = None) -> SparkJob:
        """The job that does what a request asks for."""
        kind = "export" if isinstance(request, ExportRequest) else "import"
        return cls(kind=kind, settings=settings_of(request), work=work, region_name=region_name)

    @classmethod
    def from_json(cls, given: object) -> SparkJob:
        """Read what ``to_json`` wrote, or its text; raises InvalidRequest with all problems."""
        found = _parsed(given) if isinstance(given, str | bytes) else given
        problems = list(_problems_of(found))
        if problems or not isinstance(found, Mapping):
            raise InvalidRequest(problems)
        job = cls(**{**found, "work": RangeWork.from_json(found["work"])})
        _ = job.request  # refuses settings that cannot work
        return job

    def to_json(self) -> JsonObject:
        """The document as a JSON object."""
        return {
            "kind": self.kind,
            "settings": dict(self.settings),
            "work": self.work.to_json(),
            "region_name": self.region_name,
            "endpoints": dict(self.endpoints),
        }

    def to_text(self) -> str:
        """The document as one line of text."""
        return json.dumps(self.to_json(), sort_keys=True)

    @property
    def request(self) -> Request:
        """What was asked for; raises InvalidRequest."""
        return KINDS[self.kind](self.settings)

    @property
    def parts(self) -> tuple[RangeWork, ...]:
        """Every range, in order."""
        return tuple(dataclasses.replace(self.work, number=number) for number in range(self.work.ranges))


def settings_of(request: Request) -> JsonObject:
    """The settings of a request as JSON; ``from_settings`` makes an equal request of them."""
    given = {name.name: getattr(request, name.name) for name in dataclasses.fields(request)}
    return {name: _jsonable(value) for name, value in given.items() if value is not None}


def _jsonable(value: object) -> Any:
    if isinstance(value, Attribute):
        return {"name": value.name, "type": value.tag}
    if isinstance(value, Mapping):
        return {str(name): _jsonable(each) for name, each in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_jsonable(each) for each in value]
    return value


def _parsed(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidRequest([Problem("job", f"is no JSON: {error}", HINT)]) from None


def _problems_of(found: object) -> Iterator[Problem]:
    if not isinstance(found, Mapping):
        yield Problem("job", f"{found!r} is no JSON object", HINT)
        return
    known = [each.name for each in dataclasses.fields(SparkJob)]
    for name in sorted(set(map(str, found)) - set(known)):
        yield Problem(name, "is no field of a job", f"known: {', '.join(known)}")
    for name in ("kind", "settings", "work"):
        if name not in found:
            yield Problem(name, "is missing", HINT)
    if found.get("kind", "export") not in KINDS:
        yield Problem("kind", f"{found['kind']!r} is not one of {', '.join(KINDS)}")
    for name in ("settings", "work", "endpoints"):
        if not isinstance(found.get(name, {}), Mapping):
            yield Problem(name, f"{found[name]!r} is no JSON object", HINT)
