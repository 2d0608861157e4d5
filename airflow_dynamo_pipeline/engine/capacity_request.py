"""What a change of a table's capacity mode is asked to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem

PROVISIONED = "provisioned"
ON_DEMAND = "on_demand"
KEEP = "keep"
KINDS = ("read", "write")
MOST_HOURS = 14 * 24  # CloudWatch keeps figures by the minute for fifteen days
TARGET_PERCENTS = (20, 90)  # what DynamoDB lets autoscaling aim at
OF_PROVISIONED = (
    "read_units",
    "write_units",
    "percentile",
    "window_hours",
    "margin",
    "autoscaling_max_units",
    "autoscaling_min_units",
    "autoscaling_target_percent",
)
OF_AUTOSCALING = ("autoscaling_min_units", "autoscaling_target_percent")

IndexUnits = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityModeRequest:
    """A table and the capacity it shall have, or have back.

    Build it with ``from_settings`` where values come from templates, flags or forms.
    """

    table_name: str
    mode: str | None = None  # provisioned, on_demand or keep; None: restore
    restore: bool = False
    record_s3_uri: str | None = None  # folder of the record of what was found
    read_units: int | None = None  # None: from what was consumed
    write_units: int | None = None
    index_units: IndexUnits = field(default_factory=dict)  # {"by_date": {"read": 5, "write": 10}}
    percentile: float | None = None  # of the minutes in which something was consumed; None: 99
    window_hours: float | None = None  # None: 24
    margin: float | None = None  # on top, as a share; None: 0.2
    autoscaling_max_units: int | None = None  # None: no autoscaling is registered
    autoscaling_min_units: int | None = None  # None: the units provisioned
    autoscaling_target_percent: float | None = None  # None: 70

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = [problem for check in CHECKS for problem in check(self)]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> CapacityModeRequest:
        """Coerce values as templates and flags deliver them; raises InvalidRequest with all problems.

        None, an empty string and the text ``None`` count as not given.
        """
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="a change of capacity")

    @property
    def location(self) -> S3Location | None:
        """The record's folder."""
        return None if self.record_s3_uri is None else S3Location.parse(self.record_s3_uri, "record_s3_uri")

    def table_units(self, kind: str) -> int | None:
        """The units given for the table, "read" or "write"; None: they are sized."""
        return self.read_units if kind == "read" else self.write_units


def index_units(name: str, value: object) -> IndexUnits:
    """A mapping of index names to their ``read`` and ``write`` units, or JSON text of one."""
    expected = 'a mapping such as {"by_date": {"read": 5, "write": 10}}'
    found: dict[str, dict[str, int]] = {}
    for index, units in settings.mapping(name, value).items():
        if not isinstance(units, Mapping) or not units or not set(units) <= set(KINDS):
            raise InvalidSetting(name, value, expected)
        found[index] = {kind: settings.whole_number(f"{name}.{index}", units[kind]) for kind in units}
    return found


REQUIRED = {"table_name": "unknown"}
COERCIONS: Mapping[str, settings.Coercion] = {
    "table_name": settings.text,
    "mode": settings.one_of(PROVISIONED, ON_DEMAND, KEEP),
    "restore": settings.flag,
    "record_s3_uri": settings.text,
    "read_units": settings.whole_number,
    "write_units": settings.whole_number,
    "index_units": index_units,
    "percentile": settings.number,
    "window_hours": settings.number,
    "margin": settings.number,
    "autoscaling_max_units": settings.whole_number,
    "autoscaling_min_units": settings.whole_number,
    "autoscaling_target_percent": settings.number,
}


def _check_mode(request: CapacityModeRequest) -> Iterator[Problem]:
    if request.mode is None and not request.restore:
        yield Problem("mode", "is required", "give provisioned, on_demand or keep, or restore=True")
    if request.mode is not None and request.restore:
        yield Problem("mode", "is decided by what was found", "give mode or restore=True, not both")


def _check_record(request: CapacityModeRequest) -> Iterator[Problem]:
    if request.record_s3_uri is None:
        if request.restore or request.mode == KEEP:
            why = "restore=True puts back" if request.restore else "mode='keep' writes"
            yield Problem("record_s3_uri", f"is required: {why} what is recorded there")
        return
    try:
        _ = request.location
    except InvalidSetting as problem:
        yield Problem("record_s3_uri", f"{problem.value!r} is not {problem.expected}")


def _check_place(request: CapacityModeRequest) -> Iterator[Problem]:
    if request.mode == PROVISIONED:
        return
    given = [name for name in OF_PROVISIONED if getattr(request, name) is not None]
    for name in [*given, *(["index_units"] if request.index_units else [])]:
        yield Problem(name, "belongs to mode='provisioned'")


def _check_units(request: CapacityModeRequest) -> Iterator[Problem]:
    given = {
        "read_units": request.read_units,
        "write_units": request.write_units,
        "autoscaling_max_units": request.autoscaling_max_units,
        "autoscaling_min_units": request.autoscaling_min_units,
        **{
            f"index_units.{index}.{kind}": units
            for index, both in request.index_units.items()
            for kind, units in both.items()
        },
    }
    least, most = request.autoscaling_min_units or 1, request.autoscaling_max_units
    for name, units in given.items():
        if units is not None and units < 1:
            yield Problem(name, f"{units:,} is not 1 or more")
        elif units is not None and most is not None and not least <= units <= most:
            yield Problem(name, f"{units:,} is not within autoscaling's limits, {least:,} to {most:,}")


def _check_sizing(request: CapacityModeRequest) -> Iterator[Problem]:
    if request.percentile is not None and not 0 < request.percentile <= 100:  # noqa: PLR2004  per cent
        yield Problem("percentile", f"{request.percentile:g} is not above 0 and at most 100")
    if request.window_hours is not None and not 1 <= request.window_hours <= MOST_HOURS:
        yield Problem("window_hours", f"{request.window_hours:g} is not 1 to {MOST_HOURS}")
    if request.margin is not None and request.margin < 0:
        yield Problem("margin", f"{request.margin:g} is not 0 or more")


def _check_autoscaling(request: CapacityModeRequest) -> Iterator[Problem]:
    if request.autoscaling_max_units is None:
        for name in OF_AUTOSCALING:
            if getattr(request, name) is not None:
                yield Problem(name, "says how to scale, and nothing does", "give autoscaling_max_units, too")
    target, (least, most) = request.autoscaling_target_percent, TARGET_PERCENTS
    if target is not None and not least <= target <= most:
        yield Problem("autoscaling_target_percent", f"{target:g} is not {least} to {most}")


CHECKS = (_check_mode, _check_record, _check_place, _check_units, _check_sizing, _check_autoscaling)

assert {item.name for item in fields(CapacityModeRequest)} == set(COERCIONS)  # noqa: S101  one table, never half
