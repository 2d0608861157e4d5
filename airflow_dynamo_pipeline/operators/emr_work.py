"""An export and an import as a job on EMR sees them: planned here, committed by its driver, adopted here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from airflow_dynamo_pipeline.adapters.emr_settings import FETCH, NO_DEPENDENCIES, PYTHON, EmrSettings
from airflow_dynamo_pipeline.adapters.emr_watch import Watch
from airflow_dynamo_pipeline.engine.capacity import read_rate
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.export_ranges import commit_export, plan_export
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_place import ImportPlace
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts, backup_of, make_import_plan
from airflow_dynamo_pipeline.engine.import_ranges import commit_import, plan_import
from airflow_dynamo_pipeline.engine.import_request import AUTO, ImportRequest
from airflow_dynamo_pipeline.engine.plan import Ports, make_plan
from airflow_dynamo_pipeline.engine.ports import Clock, JsonObject, ObjectStore
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.engine.write_capacity import write_rate
from airflow_dynamo_pipeline.spark.bundle import Target, dependencies_zip, job_file, package_zip, upload
from airflow_dynamo_pipeline.spark.document import SparkJob

Request = ExportRequest | ImportRequest


class EmrWork(Protocol):
    """What is to be done, whichever way the items go."""

    @property
    def request(self) -> Request:
        """What was asked for."""
        ...

    @property
    def clock(self) -> Clock:
        """The time, and how long there is of it."""
        ...

    def start(self, work: Work) -> Start:
        """How the work of a task would begin; reads, and changes nothing; raises what ``plan`` raises."""
        ...

    def plan(self, work: Work, ranges: int, at_once: int | None) -> RangeWork:
        """Decide, and return the first of the ranges; raises what the engine's plan raises."""
        ...

    def watch(self, part: RangeWork) -> Watch:
        """Where its checkpoints are."""
        ...

    def extras(self) -> tuple[str, ...]:
        """The extras of this package that the job needs."""
        ...

    def commit(self, part: RangeWork) -> JsonObject:
        """The result; adopts what the driver committed, and raises where ranges are not finished."""
        ...


@dataclass(frozen=True)
class ExportWork:
    """An export."""

    request: ExportRequest
    ports: Ports

    @property
    def clock(self) -> Clock:
        """Of the ports."""
        return self.ports.clock

    def start(self, work: Work) -> Start:
        """By what is there of the export."""
        return make_plan(self.request, work, self.ports).target.start

    def plan(self, work: Work, ranges: int, at_once: int | None) -> RangeWork:
        """Plan the export."""
        return plan_export(self.request, work, self.ports, ranges=ranges, at_once=at_once)[0]

    def watch(self, part: RangeWork) -> Watch:
        """The checkpoints of its segments."""
        table, location = self.ports.table.describe(), self.request.location
        index = table.indexes.get(self.request.index_name or "")
        return Watch(
            kind="export",
            bucket=location.bucket,
            prefix=location.prefix,
            id=part.id,
            ranges=part.ranges,
            item_count=(index or table).item_count,
            units_per_second=read_rate(self.request, table, self.ports.capacity).units_per_second,
        )

    def extras(self) -> tuple[str, ...]:
        """What the files are compressed with."""
        return ("zstd",) if self.request.compression == "zstd" else ()

    def commit(self, part: RangeWork) -> JsonObject:
        """Adopt the export, or commit it."""
        return commit_export(self.request, self.ports, part).to_json()


@dataclass(frozen=True)
class ImportWork:
    """An import."""

    request: ImportRequest
    ports: ImportPorts

    @property
    def clock(self) -> Clock:
        """Of the ports."""
        return self.ports.clock

    def start(self, work: Work) -> Start:
        """By what is there of the import."""
        return make_import_plan(self.request, work, self.ports).chosen.start

    def plan(self, work: Work, ranges: int, at_once: int | None) -> RangeWork:
        """Plan the import."""
        return plan_import(self.request, work, self.ports, ranges=ranges, at_once=at_once)[0]

    def watch(self, part: RangeWork) -> Watch:
        """The records of its ranges."""
        place = self._place(part.id)
        rate = write_rate(self.request, self.ports.table.describe(), self.ports.capacity)
        return Watch(
            kind="import",
            bucket=place.bucket,
            prefix=place.prefix,
            id=part.id,
            ranges=part.ranges,
            item_count=0,
            units_per_second=rate.units_per_second,
        )

    def extras(self) -> tuple[str, ...]:
        """What the backup's format is read with, and any of its files may be compressed with.

        Looks for the backup again, as each of the job's tasks will, where the format was not named.
        """
        return ("zstd", *(name for name in ("ion", "parquet") if name in self._formats()))

    def _formats(self) -> set[str]:
        if self.request.file_format != AUTO:
            return {self.request.file_format}
        return {stage.reader for stage in backup_of(self.request, self.ports).stages}

    def commit(self, part: RangeWork) -> JsonObject:
        """Adopt the import, or commit it."""
        return commit_import(self.request, self.ports, part).to_json()

    def _place(self, import_id: str) -> S3Location:
        """Where the record is: where it was asked for, in the folder of the source, or above its manifest."""
        given = self.request.records_location or self.request.location
        above = S3Location(given.bucket, given.prefix.rpartition("/")[0])
        is_here = self.ports.records.get(ImportPlace(given, import_id).record_key) is not None
        return given if is_here else above


def put_code(store: ObjectStore, emr: EmrSettings, work: EmrWork) -> dict[str, str]:
    """Upload what the job runs, if it is not there, and return Spark's settings that name it."""
    conf = {"spark.submit.pyFiles": upload(store, emr.code, package_zip())}
    if emr.dependencies == NO_DEPENDENCIES:
        return conf
    uri = emr.dependencies
    if uri == FETCH:
        target = Target(python=PYTHON, platform=emr.platform)
        uri = upload(store, emr.code, dependencies_zip(target, work.extras()))
    return {**conf, "spark.archives": f"{uri}#deps"}


def put_job(
    store: ObjectStore, emr: EmrSettings, name: str, request: Request, part: RangeWork, region_name: str
) -> tuple[str, str]:
    """Upload the job's file and its document; returns the URIs of both."""
    document = SparkJob.of(request, part, region_name=region_name).to_text()
    names = ("jobs", f"{name}.json")
    store.put(emr.code.key(*names), document.encode())
    return upload(store, emr.code, job_file()), emr.code.uri(*names)
