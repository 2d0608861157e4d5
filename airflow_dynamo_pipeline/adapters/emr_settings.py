"""Where on EMR a job runs, and with what: read from settings as templates deliver them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.ranges import range_problems
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem

SERVICES: Mapping[str, str] = {  # boto3's names, by the setting that says where
    "job_flow_id": "emr",
    "application_id": "emr-serverless",
    "virtual_cluster_id": "emr-containers",
}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "job_flow_id": (),
    "application_id": ("execution_role_arn",),
    "virtual_cluster_id": ("execution_role_arn", "release_label"),
}
VERSION = re.compile(r"python[-/]?(\d+\.\d+)")  # as a path names it
IDS = re.compile(r"[A-Za-z0-9-]+")
RANGES_OF_AN_EXECUTOR = 4
FIRST_EXECUTORS, MOST_EXECUTORS = 3, 4  # of EMR Serverless: its own first ones, and room for them
DRIVER_MEMORY = "7g"  # with a tenth for what is not the JVM's: 8 GB, the least for its 4 vCPU
CODE_LISTS = ("spark.archives", "spark.submit.pyFiles")  # separated by commas
FETCH, NO_DEPENDENCIES = "fetch", "none"
PYTHON = "3.11"  # what dependencies are fetched for
X86 = "x86_64"
PLATFORMS: Mapping[str, str] = {  # tags of wheels, by architecture
    X86: "manylinux2014_x86_64",
    "arm64": "manylinux2014_aarch64",
}
PYTHON_OF_EMR_7 = f"/usr/bin/python{PYTHON}"  # beside its default, 3.9, which this package does not support


@dataclass(frozen=True, kw_only=True, slots=True)
class EmrSettings:
    """How the work is shared out, and where the Spark job runs that does it."""

    ranges: int
    code_s3_uri: str
    at_once: int | None = None  # None: all ranges
    job_flow_id: str | None = None
    application_id: str | None = None
    virtual_cluster_id: str | None = None
    execution_role_arn: str | None = None
    release_label: str | None = None
    log_uri: str | None = None  # None: the place's own
    dependencies: str = FETCH  # fetch; none, where the machines have them; or the URI of a zip file
    architecture: str = X86  # of the machines
    python_path: str | None = None  # None: of EMR 7 on EC2; elsewhere the image's own
    spark_conf: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse the settings with every problem found."""
        problems = [problem for check in CHECKS for problem in check(self)]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> EmrSettings:
        """Coerce values as templates deliver them; raises InvalidRequest with all problems."""
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="a job on EMR")

    def to_json(self) -> JsonObject:
        """What ``from_settings`` reads."""
        found = {name: getattr(self, name) for name in COERCIONS}
        return {name: value for name, value in found.items() if value is not None} | {
            "spark_conf": dict(self.spark_conf)
        }

    @property
    def place(self) -> str:
        """The setting that says where."""
        return next(name for name in SERVICES if getattr(self, name))

    @property
    def service(self) -> str:
        """The service, as boto3 calls it."""
        return SERVICES[self.place]

    @property
    def code(self) -> S3Location:
        """Where the job's code goes."""
        return S3Location.parse(self.code_s3_uri, "code_s3_uri")

    @property
    def platform(self) -> str:
        """The tag of the wheels that the machines take."""
        return PLATFORMS[self.architecture]

    def conf(self, code: Mapping[str, str]) -> dict[str, str]:
        """Spark's settings: ours, those that name the code, and over them a person's, whose code is added."""
        ours = {
            "spark.executor.cores": str(RANGES_OF_AN_EXECUTOR),
            "spark.executor.memory": "4g",  # with the next, one executor on 16 GB; Serverless' least
            "spark.executor.memoryOverhead": "4g",  # where Python lives: under 300 MB for each range
            "spark.task.maxFailures": "8",
        }
        given = {name: _conf_text(value) for name, value in self.spark_conf.items()}
        for name in CODE_LISTS:
            if name in given and name in code:
                given[name] = f"{code[name]},{given[name]}"
        return {**ours, **self._executors(), **self._python(), **code, **given}

    def _executors(self) -> dict[str, str]:
        """As many as work at once; on EKS Spark has two by default, and takes no more."""
        workers, cores = min(self.at_once or self.ranges, self.ranges), self._cores()
        needed, prefix = -(-workers // cores), "spark.dynamicAllocation."
        if self.application_id:
            most, first = max(MOST_EXECUTORS, needed), min(FIRST_EXECUTORS, needed)
            driver = {} if "spark.driver.cores" in self.spark_conf else {"spark.driver.memory": DRIVER_MEMORY}
            return {
                f"{prefix}maxExecutors": str(most),
                f"{prefix}initialExecutors": str(first),
                **driver,
            }
        found = {f"{prefix}maxExecutors": str(needed)}
        if self.virtual_cluster_id:
            found |= {f"{prefix}enabled": "true", f"{prefix}shuffleTracking.enabled": "true"}
        return found

    def _cores(self) -> int:
        """Ranges that an executor takes at once: ours, or a person's cores for it."""
        given = str(self.spark_conf.get("spark.executor.cores", RANGES_OF_AN_EXECUTOR))
        return max(1, int(given)) if given.isdecimal() else RANGES_OF_AN_EXECUTOR

    def _python(self) -> dict[str, str]:
        path = self.python_path or (PYTHON_OF_EMR_7 if self.job_flow_id else None)
        if path is None:
            return {}
        if self.application_id:
            return {
                "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": path,
                "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": path,
                "spark.executorEnv.PYSPARK_PYTHON": path,
            }
        return {"spark.pyspark.python": path, "spark.pyspark.driver.python": path}


def _conf_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_numbers(given: EmrSettings) -> Iterator[Problem]:
    yield from range_problems(given.ranges, given.at_once)


def _check_place(given: EmrSettings) -> Iterator[Problem]:
    named = [name for name in SERVICES if getattr(given, name)]
    if len(named) != 1:
        where = ", ".join(named or SERVICES)
        what = "are given together" if named else "one of them is needed, to say where the job runs"
        yield Problem(where, what, "job_flow_id: a cluster on EC2; application_id: EMR Serverless; else EKS")
        return
    (place,) = named
    if IDS.fullmatch(getattr(given, place)) is None:
        yield Problem(place, f"{getattr(given, place)!r} is no id", "letters, digits and hyphens")
    for name in NEEDED[place]:
        if getattr(given, name) is None:
            yield Problem(name, f"is required with {place}")
    if given.release_label is not None and place != "virtual_cluster_id":
        yield Problem(
            "release_label", f"is for virtual_cluster_id; with {place} the release is given already"
        )


def _check_uris(given: EmrSettings) -> Iterator[Problem]:
    for name in ("code_s3_uri", "log_uri"):
        value = getattr(given, name)
        try:
            if value is not None:
                S3Location.parse(value, name)
        except InvalidSetting:
            yield Problem(name, f"{value!r} is not s3://bucket/prefix", "name a bucket after s3://")
    if given.dependencies not in (FETCH, NO_DEPENDENCIES) and not given.dependencies.startswith("s3://"):
        yield Problem(
            "dependencies", f"{given.dependencies!r} is not fetch, none or the s3:// URI of a zip file"
        )


def _check_machines(given: EmrSettings) -> Iterator[Problem]:
    if given.architecture not in PLATFORMS:
        yield Problem("architecture", f"{given.architecture!r} is not {' or '.join(PLATFORMS)}")
    elif given.dependencies == FETCH:
        for version in VERSION.findall(given.python_path or ""):
            if version != PYTHON:
                made = f"dynamo-pipeline spark-bundle --python {version} --platform {given.platform}"
                what = f"{given.python_path!r} is not Python {PYTHON}, for which dependencies are fetched"
                yield Problem("python_path", what, f"give as dependencies a zip file made by `{made}`")


def _check_conf(given: EmrSettings) -> Iterator[Problem]:
    for name in given.spark_conf:
        if not str(name).startswith("spark."):
            yield Problem("spark_conf", f"{name!r} does not begin with 'spark.'")


CHECKS: tuple[Callable[[EmrSettings], Iterator[Problem]], ...] = (
    _check_numbers,
    _check_place,
    _check_uris,
    _check_machines,
    _check_conf,
)


def _uri(name: str, value: object) -> str:
    return settings.text(name, value).rstrip("/")


REQUIRED: Mapping[str, object] = {
    "ranges": 2,
    "code_s3_uri": "s3://unknown",
}  # each with what may stand in for it
COERCIONS: Mapping[str, settings.Coercion] = {
    "ranges": settings.whole_number,
    "code_s3_uri": _uri,
    "at_once": settings.whole_number,
    "job_flow_id": settings.text,
    "application_id": settings.text,
    "virtual_cluster_id": settings.text,
    "execution_role_arn": settings.text,
    "release_label": settings.text,
    "log_uri": _uri,
    "dependencies": settings.text,
    "architecture": settings.text,
    "python_path": settings.text,
    "spark_conf": settings.mapping,
}

assert {item.name for item in fields(EmrSettings)} == set(COERCIONS)  # noqa: S101  one table, never half of it
