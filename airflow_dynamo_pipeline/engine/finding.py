"""From locations in S3 to the backup that lies there: which files, in which order, read how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from airflow_dynamo_pipeline.engine.finding_places import read_location
from airflow_dynamo_pipeline.engine.finding_search import WHERE, Search, Source, fingerprint
from airflow_dynamo_pipeline.engine.finding_windows import in_order
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.errors import InvalidSetting, PreflightFailed, Problem


def find_backup(
    uris: Sequence[str],
    file_format: str,
    store: ObjectStore,
    *,
    changes_from: datetime | None,
    sniff: Callable[[str], str | None],
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> Backup:
    """Find the backup at one location, or a full export with the incremental exports that follow on it.

    A location is a ``manifest-summary.json``, the folder of an export, a folder above ``AWSDynamoDB`` with
    just one complete export, a Data Pipeline backup or its ``manifest``, a folder of files, or a file. All
    lie in the bucket that ``store`` is. ``file_format`` is ``auto`` or the name of a reader; it must agree
    with a manifest. ``changes_from`` is the instant of which the table is, in UTC where it has no zone:
    what incremental exports without a full one follow on. ``sniff`` names the reader of a file by its
    key, None when it cannot; it is asked only where there is no manifest.

    Nothing is written. Raises PreflightFailed with all problems.
    """
    places, problems = _places(uris)
    if len({place.bucket for place, _ in places}) != 1:
        raise PreflightFailed(problems)
    search = Search(
        bucket=places[0][0].bucket,
        store=store,
        file_format=file_format,
        sniff=sniff,
        say=say,
        warn=warn,
        problems=problems,
    )
    found = [read_location(place.prefix, search, is_folder=is_folder) for place, is_folder in places]
    sources = [source for source in found if source is not None]
    if len(sources) == len(uris):  # a location that cannot be read would look like a gap between the others
        sources = in_order(sources, changes_from, search)
    if problems:
        raise PreflightFailed(problems)
    return _backup(sources)


def _backup(sources: Sequence[Source]) -> Backup:
    return Backup(
        identity=fingerprint(source.fingerprint.encode() for source in sources),
        kind=sources[0].kind,
        stages=tuple(source.stage for source in sources),
        table_arn=sources[0].table_arn,
    )


def _places(uris: Sequence[str]) -> tuple[list[tuple[S3Location, bool]], list[Problem]]:
    """Each location, and whether it was written with a slash at its end; and what is wrong with them."""
    places = []
    problems = []
    for uri in uris:
        try:
            places.append((S3Location.parse(uri), uri.endswith("/")))
        except InvalidSetting:
            problems.append(Problem(WHERE, f"{uri!r} is not s3://bucket/prefix", "name a bucket after s3://"))
    if not uris:
        problems.append(Problem(WHERE, "no location is given"))
    buckets = sorted({place.bucket for place, _ in places})
    if len(buckets) > 1:
        problems.append(Problem(WHERE, f"the locations lie in several buckets: {', '.join(buckets)}"))
    return places, problems
