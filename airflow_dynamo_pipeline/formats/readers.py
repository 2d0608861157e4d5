"""Every way of reading items, in one table; formats that can only be written are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_dynamo_pipeline.formats.reading import ItemReader

READERS: Final[Mapping[str, ItemReader]] = {}
