"""What is put on S3 for a job."""

from __future__ import annotations

import gzip
import subprocess
import threading
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.operators.emr_work import ExportWork, ImportWork, put_code

ION = b'$ion_1_0 {Item:{pk:"1"}}\n'
NOBODY: Any = None  # is asked


def exporting(**settings: Any) -> ExportWork:
    return ExportWork(ExportRequest(table_name="orders", s3_uri="s3://backups/orders", **settings), NOBODY)


def importing(body: bytes, **settings: Any) -> ImportWork:
    """Of a folder with one file, whose name does not say its format."""
    store = MemoryStore()
    store.put("orders/000000", body)
    request = ImportRequest(table_name="orders", s3_uri=("s3://backups/orders",), **settings)
    quiet: Any = {"say": lambda _: None, "warn": lambda _: None}
    ports = ImportPorts(
        table=NOBODY,
        source=store,
        records=store,
        capacity=NOBODY,
        clock=SystemClock(),
        stop=threading.Event(),
        **quiet,
    )
    return ImportWork(request, ports)


@pytest.mark.parametrize(
    ("given", "platform"),
    [
        ({}, "manylinux2014_x86_64"),
        ({"architecture": "arm64"}, "manylinux2014_aarch64"),
    ],
)
def test_dependencies_are_fetched_for_the_machines_of_the_job(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], platform: str
) -> None:
    asked: list[str] = []

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.extend(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    emr = EmrSettings.from_settings(
        {"ranges": 2, "code_s3_uri": "s3://code/jobs", "job_flow_id": "j-1", **given}
    )
    conf = put_code(MemoryStore(), emr, exporting())

    assert {f"--platform={platform}", "--python-version=3.11"} <= set(asked)
    assert f"/deps-3.11-{platform}-" in conf["spark.archives"]


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (exporting(), ()),
        (exporting(compression="zstd"), ("zstd",)),
        (importing(b"", file_format="parquet"), ("zstd", "parquet")),
        (importing(b"", file_format="dynamodb_json"), ("zstd",)),
        (importing(b"PAR1 and so on PAR1"), ("zstd", "parquet")),
        (importing(gzip.compress(ION)), ("zstd", "ion")),
        (importing(b'{"pk":{"s":"1"}}\n'), ("zstd",)),
    ],
)
def test_a_job_has_what_its_files_are_written_or_read_with(
    work: ExportWork | ImportWork, expected: tuple[str, ...]
) -> None:
    assert expected == work.extras()
