"""The verbose manifest of an UNLOAD: which files there are, how many rows each has, and which columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn, named
from airflow_dynamo_pipeline.errors import InvalidExport, Problem


@dataclass(frozen=True, slots=True)
class UnloadedFile:
    """One file: its key, its size and its rows, as the manifest says."""

    key: str
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class UnloadManifest:
    """What an UNLOAD wrote."""

    files: Sequence[UnloadedFile]
    columns: Sequence[SourceColumn]
    rows: int

    @classmethod
    def parse(cls, name: str, body: bytes, *, bucket: str, prefix: str) -> UnloadManifest:
        """Read a manifest; raises InvalidExport with all that is wrong with it.

        ``name`` is for messages. A file that is not in the bucket below the prefix is no file of this UNLOAD.
        """
        try:
            found = json.loads(body)
            files = [_file(entry, bucket) for entry in found["entries"]]
            columns = [_column(element) for element in found["schema"]["elements"]]
            rows, size = int(found["meta"]["record_count"]), int(found["meta"]["content_length"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"is not a verbose manifest of an UNLOAD ({type(error).__name__}: {error})"
            raise InvalidExport(name, [Problem(name, what)]) from error
        problems = [
            Problem(file.key, f"is not below s3://{bucket}/{prefix}")
            for file in files
            if not file.key.startswith(prefix)
        ]
        problems += _sums(name, files, rows, size)
        if problems:
            raise InvalidExport(name, problems)
        return cls(files, columns, rows)


def _file(entry: Mapping[str, Any], bucket: str) -> UnloadedFile:
    url = str(entry["url"])
    key = url.removeprefix(f"s3://{bucket}/")  # of another bucket it stays a URL, which is below no prefix
    return UnloadedFile(key, int(entry["meta"]["content_length"]), int(entry["meta"]["record_count"]))


def _column(element: Mapping[str, Any]) -> SourceColumn:
    return named(str(element["name"]), str(element["type"]["base"]))


def _sums(name: str, files: Sequence[UnloadedFile], rows: int, size: int) -> Sequence[Problem]:
    problems = []
    if rows != (found := sum(file.rows for file in files)):
        problems.append(Problem(name, f"its files have {found:,} rows together, its total is {rows:,}"))
    if size != (found := sum(file.size_bytes for file in files)):
        problems.append(Problem(name, f"its files have {found:,} bytes together, its total is {size:,}"))
    twice = {file.key for file in files if sum(file.key == other.key for other in files) > 1}
    problems += [Problem(key, "stands twice in the manifest") for key in sorted(twice)]
    return problems
