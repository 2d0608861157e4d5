"""What an export on paper costs, by where it runs, and what the alternatives cost.

The prices of DynamoDB are those of ``prices.json``; ``scale_prices.json`` has those of machines and of S3,
each with its source. All are list prices of us-east-1.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from airflow_dynamo_pipeline.engine.plan_cost import HOUR
from airflow_dynamo_pipeline.engine.prices import GB, Prices, prices_for
from airflow_dynamo_pipeline.engine.scale import SERVERLESS_EXECUTOR, Scale

PART_BYTES: Final = 128 * 1024**2  # of an export, before compression, by default
PIECE_BYTES: Final = 5 * 1024**2  # of an upload
REQUESTS_BESIDE_PIECES: Final = 3  # for each part: to begin and to end its upload, and its checkpoint
TB: Final = 1024 * GB
FIRST_TB, NEXT_TB = 50, 450

EMR_TOOLS_ON_DEMAND: Final = 40_000.0  # what emr-dynamodb-tools take an on-demand table's capacity to be
EMR_TOOLS_UNITS_PER_MAPPER: Final = 100  # there is a mapper for each, as far as the cluster has room
GLUE_ON_DEMAND: Final = 40_000.0  # and what Glue's connector does
GLUE_SPLITS_PER_WORKER: Final = 8  # of G.1X, as its documentation recommends; the default is 1 for all


@dataclass(frozen=True, kw_only=True, slots=True)
class MachinePrices:
    """Dollars by kind, and where each was found."""

    region: str
    found_on: str
    by_kind: Mapping[str, float]
    sources: Mapping[str, str]

    def __getitem__(self, kind: str) -> float:
        """A price; raises KeyError for a kind that was not found."""
        return self.by_kind[kind]


@functools.cache
def machine_prices() -> MachinePrices:
    """The prices as this package has them."""
    text = files("airflow_dynamo_pipeline.engine").joinpath("scale_prices.json").read_text("utf-8")
    found = json.loads(text)
    return MachinePrices(
        region=found["region"], found_on=found["found_on"], by_kind=found["prices"], sources=found["sources"]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleCost:
    """Dollars of an export on paper. None: not known, or not possible there."""

    dynamodb: float | None  # units of an on-demand table; 0 more for a provisioned one
    paid_anyway: float | None  # what the provisioned capacity costs that is used
    s3_requests: float
    s3_month: float  # what the export costs to keep for a month
    mwaa: float | None  # additional workers: the environment itself is there anyway
    emr: float
    emr_serverless: float
    glue: float  # the same machines for the same hours at Glue's price
    native: float | None
    recovery_month: float  # continuous backups, which a native export needs


def cost_of(scale: Scale, prices: Prices | None = None, machines: MachinePrices | None = None) -> ScaleCost:
    """What an export costs, each way of running it."""
    prices = prices or prices_for("us-east-1")
    machines = machines or machine_prices()
    nodes = scale.executors + 1  # and the driver, or the primary node
    serverless = (
        SERVERLESS_EXECUTOR.vcpus * machines["emr_serverless_vcpu_hour"]
        + SERVERLESS_EXECUTOR.memory_gb * machines["emr_serverless_gb_hour"]
    )
    mwaa = scale.mwaa_workers
    return ScaleCost(
        dynamodb=prices.read_requests(scale.units) if scale.on_demand else 0.0,
        paid_anyway=None if scale.on_demand else prices.read_capacity(scale.units),
        s3_requests=requests_for(scale) / 1000 * machines["s3_put_thousand"],
        s3_month=month_of_storage(scale.stored_bytes(), machines),
        mwaa=None if mwaa is None else mwaa * scale.hours * machines["mwaa_worker_hour"],
        emr=emr_hour(machines) * nodes * scale.hours,
        emr_serverless=serverless * nodes * scale.hours,
        glue=machines["glue_dpu_hour"] * nodes * scale.hours,
        native=prices.native_export(scale.size_bytes),
        recovery_month=scale.size_bytes / GB * machines["recovery_gb_month"],
    )


def emr_hour(machines: MachinePrices) -> float:
    """An instance of a cluster for an hour: EC2's price and EMR's."""
    return machines["ec2_instance_hour"] + machines["emr_instance_hour"]


def requests_for(scale: Scale) -> int:
    """Requests to S3 that are charged as a PUT: pieces of parts, and what begins, ends and records them."""
    parts = max(scale.segments, math.ceil(scale.reply_bytes() / PART_BYTES))
    pieces = max(1, math.ceil(scale.stored_bytes() / parts / PIECE_BYTES))
    return parts * (pieces + REQUESTS_BESIDE_PIECES)


def month_of_storage(stored_bytes: float, machines: MachinePrices) -> float:
    """Dollars for a month in S3 Standard, in a bucket that is empty otherwise."""
    tiers = (
        (FIRST_TB * TB, "s3_gb_month_first_50_tb"),
        (NEXT_TB * TB, "s3_gb_month_next_450_tb"),
        (math.inf, "s3_gb_month_beyond"),
    )
    dollars = 0.0
    for size, kind in tiers:
        here = min(size, stored_bytes)
        dollars += here / GB * machines[kind]
        stored_bytes -= here
    return dollars


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A scan by another tool, at the rate that it takes for the same ratio, on the same machines."""

    units_per_second: float  # that it asks for
    hours: float  # at what it asks for, or at what the table has
    readers: int  # mappers, or splits
    machines: float  # dollars


def emr_tools(scale: Scale, machines: MachinePrices | None = None) -> Tool:
    """AWS's emr-dynamodb-tools on a cluster as large as ours."""
    capacity = EMR_TOOLS_ON_DEMAND if scale.on_demand else scale.capacity
    rate = max(1, math.floor(capacity * scale.ratio))
    hours = scale.units / min(rate, scale.capacity) / HOUR
    dollars = emr_hour(machines or machine_prices()) * (scale.executors + 1) * hours
    readers = max(1, rate // EMR_TOOLS_UNITS_PER_MAPPER)
    return Tool(units_per_second=rate, hours=hours, readers=readers, machines=dollars)


def glue_connector(scale: Scale, machines: MachinePrices | None = None) -> Tool:
    """The reader of AWS Glue's DynamoDB connector with as many G.1X workers as we have executors."""
    rate = (GLUE_ON_DEMAND if scale.on_demand else scale.capacity) * scale.ratio
    hours = scale.units / min(rate, scale.capacity) / HOUR
    dollars = (machines or machine_prices())["glue_dpu_hour"] * (scale.executors + 1) * hours
    splits = scale.executors * GLUE_SPLITS_PER_WORKER
    return Tool(units_per_second=rate, hours=hours, readers=splits, machines=dollars)
