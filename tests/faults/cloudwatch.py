"""CloudWatch: what DynamoDB's tables consumed, and what a test or a client puts.

It speaks JSON 1.0 with the older error names in a header: what botocore speaks since it prefers that to
the query protocol. The botocore of MWAA 2.11.0 and 3.0.6 (1.37, 1.39) speaks query, which is refused here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from tests.faults.calls import Call, Json
from tests.faults.json_replies import JsonRefused, not_simulated, serve
from tests.faults.wire import Reply

MINUTE = timedelta(minutes=1)
MOST_DATAPOINTS = 1440
CONSUMED = {"ConsumedReadCapacityUnits": "read", "ConsumedWriteCapacityUnits": "write"}
COMBINATION, VALUE = "InvalidParameterCombination", "InvalidParameterValue"
TABLE, INDEX = "TableName", "GlobalSecondaryIndexName"


class Consumed(Protocol):
    """A source of figures: the units that a table, or one index of it, consumed in a span of time."""

    def __call__(self, table: str, index: str | None, kind: str, start: datetime, end: datetime) -> float:
        """Units of ``kind`` ("read" or "write") from ``start`` on and before ``end``; 0 of unknown tables."""
        ...


class WallClock(Protocol):
    """What CloudWatch needs of a clock."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What CloudWatch keeps of a number of samples."""

    count: float
    total: float
    least: float
    most: float

    @classmethod
    def of(cls, value: float, count: float = 1.0) -> Summary:
        """So many samples of one value."""
        return cls(count, value * count, value, value)

    def __add__(self, other: Summary) -> Summary:
        least, most = min(self.least, other.least), max(self.most, other.most)
        return Summary(self.count + other.count, self.total + other.total, least, most)

    def statistics(self) -> dict[str, float]:
        """By the names that clients ask for."""
        return {
            "SampleCount": self.count,
            "Average": self.total / self.count,
            "Sum": self.total,
            "Minimum": self.least,
            "Maximum": self.most,
        }


@dataclass(frozen=True, slots=True)
class Metric:
    """One series; another set of dimensions, or another unit, is another series."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    unit: str


class CloudWatch:
    """Metrics by the minute.

    Of DynamoDB a minute can be seen once it is over and ``delay`` has passed. Such a datapoint is one
    sample, as nobody tells the number of requests. Datapoints come newest first: CloudWatch promises no
    order, and nobody must rely on one.
    """

    def __init__(self, consumed: Consumed, clock: WallClock) -> None:
        self.delay = timedelta(0)
        self._consumed = consumed
        self._clock = clock
        self._lock = threading.Lock()
        self._series: dict[Metric, dict[datetime, Summary]] = {}

    def put(self, metric: Metric, at: datetime, summary: Summary) -> None:
        """Add samples to a minute, in any namespace."""
        with self._lock:
            self._put(metric, at, summary)

    def answer(self, call: Call) -> Reply:
        """Do what the call asks."""
        handlers = {"GetMetricStatistics": self._get_statistics, "PutMetricData": self._put_data}
        return serve(call, handlers, self._lock)

    # --- reading --------------------------------------------------------------------------------------

    def _get_statistics(self, params: Json) -> Json:
        asked = _wanted(params)
        start, end = _minute(_instant(params["StartTime"])), _instant(params["EndTime"])
        period = timedelta(seconds=params["Period"])
        _check_span(start, end, period)
        found = [
            (at, {"Timestamp": at.timestamp(), **_chosen(summary, asked), "Unit": unit})
            for unit, series in self._found(params, start, end)
            for at, summary in _in_periods(series, start, period).items()
        ]
        newest_first = sorted(found, key=lambda row: row[0], reverse=True)
        return {"Label": params["MetricName"], "Datapoints": [point for _, point in newest_first]}

    def _found(
        self, params: Json, start: datetime, end: datetime
    ) -> Iterator[tuple[str, dict[datetime, Summary]]]:
        """Every series of exactly these dimensions, in the unit asked for or in each."""
        dimensions = _dimensions(params)
        for metric, minutes in self._all(params, dimensions, start, end).items():
            wanted = (metric.namespace, metric.name, metric.dimensions)
            if wanted != (params["Namespace"], params["MetricName"], dimensions):
                continue
            if params.get("Unit", metric.unit) == metric.unit:
                yield metric.unit, {at: one for at, one in minutes.items() if start <= at < end}

    def _all(
        self, params: Json, dimensions: frozenset[tuple[str, str]], start: datetime, end: datetime
    ) -> dict[Metric, dict[datetime, Summary]]:
        """What was put, and what DynamoDB tells of a table if one is asked for."""
        place, kind = dict(dimensions), CONSUMED.get(params["MetricName"])
        of_table = TABLE in place and place.keys() <= {TABLE, INDEX}
        if params["Namespace"] != "AWS/DynamoDB" or kind is None or not of_table:
            return self._series
        metric = Metric("AWS/DynamoDB", params["MetricName"], dimensions, "Count")
        minutes = dict(self._series.get(metric, {}))
        at, told_until = start, self._clock.now() - self.delay
        while at < end and at + MINUTE <= told_until:
            if units := self._consumed(place[TABLE], place.get(INDEX), kind, at, at + MINUTE):
                _add(minutes, at, Summary.of(units))
            at += MINUTE
        return {**self._series, metric: minutes}

    # --- writing --------------------------------------------------------------------------------------

    def _put_data(self, params: Json) -> Json:
        namespace = params["Namespace"]
        if namespace.startswith("AWS/"):
            raise _invalid(f"The value {namespace} for parameter Namespace is invalid.")
        for datum in params["MetricData"]:
            metric = Metric(namespace, datum["MetricName"], _dimensions(datum), datum.get("Unit", "None"))
            at = _instant(datum["Timestamp"]) if "Timestamp" in datum else self._clock.now()
            self._put(metric, at, _summary(datum))
        return {}

    def _put(self, metric: Metric, at: datetime, summary: Summary) -> None:
        _add(self._series.setdefault(metric, {}), _minute(at), summary)


def _summary(datum: Json) -> Summary:
    if "StatisticValues" in datum:
        told = datum["StatisticValues"]
        return Summary(told["SampleCount"], told["Sum"], told["Minimum"], told["Maximum"])
    values = datum.get("Values", [datum.get("Value", 0.0)])
    counts = datum.get("Counts", [1.0] * len(values))
    first, *rest = (Summary.of(value, count) for value, count in zip(values, counts, strict=True))
    return sum(rest, start=first)


def _wanted(params: Json) -> list[str]:
    """The statistics asked for."""
    if "ExtendedStatistics" in params:
        raise not_simulated("a percentile")
    if not params.get("Statistics"):
        text = "Must specify either Statistics or ExtendedStatistics"
        raise JsonRefused(COMBINATION + "Exception", text, COMBINATION)
    wanted: list[str] = params["Statistics"]
    return wanted


def _check_span(start: datetime, end: datetime, period: timedelta) -> None:
    if start >= end:
        raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
    if period <= timedelta(0) or period % MINUTE:
        raise _invalid("The parameter Period must be a multiple of 60")
    points = -(-(end - start) // period)
    if points > MOST_DATAPOINTS:
        text = f"You have requested up to {points} datapoints, which exceeds the limit of {MOST_DATAPOINTS}."
        raise JsonRefused(COMBINATION + "Exception", text, COMBINATION)


def _in_periods(
    minutes: dict[datetime, Summary], start: datetime, period: timedelta
) -> dict[datetime, Summary]:
    """Minutes put together, period by period."""
    found: dict[datetime, Summary] = {}
    for at, summary in minutes.items():
        _add(found, start + (at - start) // period * period, summary)
    return found


def _add(minutes: dict[datetime, Summary], at: datetime, summary: Summary) -> None:
    minutes[at] = minutes[at] + summary if at in minutes else summary


def _chosen(summary: Summary, wanted: list[str]) -> dict[str, float]:
    return {name: value for name, value in summary.statistics().items() if name in wanted}


def _dimensions(params: Json) -> frozenset[tuple[str, str]]:
    return frozenset((each["Name"], each["Value"]) for each in params.get("Dimensions", ()))


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _invalid(text: str) -> JsonRefused:
    return JsonRefused(VALUE + "Exception", text, VALUE)
