"""What goes between the settings of a lookup load and those of its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem
from airflow_dynamo_pipeline.lookup.records import scratch_folder
from airflow_dynamo_pipeline.lookup.request import LookupRequest

Load = TypeVar("Load")
Source = TypeVar("Source")


def both(load: Callable[[], Load], source: Callable[[], Source]) -> tuple[Load, Source]:
    """What two functions make; raises InvalidRequest with the problems of both.

    >>> both(lambda: 1, lambda: "a")
    (1, 'a')
    """
    problems: list[Problem] = []
    try:
        made = load()
    except InvalidRequest as refused:
        problems += refused.problems
    try:
        found = source()
    except InvalidRequest as refused:
        problems += refused.problems
    if problems:
        raise InvalidRequest(problems)
    return made, found


def unload_folder(load: LookupRequest) -> S3Location:
    """Where an UNLOAD for a load makes folders: among the work files, which the next load removes."""
    return S3Location(load.location.bucket, scratch_folder(load))
