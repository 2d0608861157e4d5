"""Reads the backups of AWS Data Pipeline and the EMR DynamoDB connector, of every generation."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from airflow_dynamo_pipeline.formats.hive_text import is_hive_text, read_hive_text
from airflow_dynamo_pipeline.formats.lines import cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.reading import Block, Content, ReadSettings
from airflow_dynamo_pipeline.items.typed_text import canonical


class DataPipelineReader:
    """Lines of JSON with tags in any case, ``nULLValue`` among them, and the Hive text before them.

    Which of the two a line is, is decided for each line. Items come out with the tags of DynamoDB; values
    and their numbers stay as they were written.
    """

    __slots__ = ()

    name = "data_pipeline"

    def check_available(self) -> None:
        """Never raises."""

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Whatever the settings, they are not needed."""
        del settings
        yield from ()

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read line by line; every value is looked at, because its tag has to be spelled anew."""
        del settings
        for lines in cut_lines(content.chunks()):
            yield read_one_by_one(lines, _read_line)


def _read_line(line: bytes) -> tuple[msgspec.Raw, bool]:
    return (read_hive_text(line) if is_hive_text(line) else canonical(line)), False
