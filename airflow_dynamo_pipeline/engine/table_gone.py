"""A table that is missing while it is worked on was there a moment ago: that is not a wrong name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_dynamo_pipeline.errors import NotFound, TableChanged


@contextmanager
def table_still_there(otherwise: str) -> Iterator[None]:
    """Raise TableChanged, saying ``otherwise``, for a table that is not found any more."""
    try:
        yield
    except NotFound as error:
        if error.kind != "table":
            raise
        raise TableChanged(otherwise) from error
