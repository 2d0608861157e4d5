"""Which kind of backup lies at a location: the most telling file decides."""

from __future__ import annotations

from airflow_dynamo_pipeline.engine.finding_exports import read_export
from airflow_dynamo_pipeline.engine.finding_folders import read_file, read_folder
from airflow_dynamo_pipeline.engine.finding_manifest import MANIFEST, read_connector_manifest
from airflow_dynamo_pipeline.engine.finding_search import Search, Source, inside, joined, split
from airflow_dynamo_pipeline.engine.layout import ROOT
from airflow_dynamo_pipeline.engine.verify import SUMMARY_NAME

SHARED = "data"  # beside the folders of exports: the files of all incremental ones


def read_location(key: str, search: Search, *, is_folder: bool) -> Source | None:
    """Read what lies at a key: a manifest, a file or a folder; None when it cannot be told.

    ``is_folder`` says that the location was written with a slash at its end.
    """
    folder, name = split(key)
    if name in (SUMMARY_NAME, MANIFEST) and not is_folder:
        found, source = _by_manifest(folder, search)
        if found:
            return source
        if name == SUMMARY_NAME:
            search.refuse(
                f"{search.uri(key)} is not there", "the export was not completed, or lies elsewhere"
            )
            return None
    if key and not is_folder and next(iter(search.store.keys(key)), None) == key:
        return read_file(key, search)
    found, source = _by_manifest(key, search)
    return source if found else _without_manifest(key, search)


def _by_manifest(folder: str, search: Search) -> tuple[bool, Source | None]:
    """Whether the folder has a manifest, and what it says. A summary has counts, so it comes first."""
    summary = search.get(joined(folder, SUMMARY_NAME))
    if summary is not None:
        return True, read_export(folder, summary, search)
    manifest = search.get(joined(folder, MANIFEST))
    if manifest is not None:
        return True, read_connector_manifest(folder, manifest, search)
    return False, None


def _without_manifest(key: str, search: Search) -> Source | None:
    above, name = split(key)
    if name == ROOT:
        return _only_export(key, search)
    if next(iter(search.store.keys(inside(joined(key, ROOT)))), None) is not None:
        return _only_export(joined(key, ROOT), search)
    if split(above)[1] != ROOT:
        return read_folder(key, search)
    if name == SHARED:
        search.refuse(
            f"{search.uri(key)} holds the files of incremental exports, of any number of windows",
            f"give the {SUMMARY_NAME} of each window",
        )
    else:
        search.refuse(
            f"{search.uri(inside(key))} has no {SUMMARY_NAME}: the export was not completed, or is not there"
        )
    return None


def _only_export(root: str, search: Search) -> Source | None:
    """The one complete export below a folder ``AWSDynamoDB``."""
    summaries: dict[str, bytes] = {}
    incomplete = []
    for name in search.store.folders(inside(root)):
        body = search.get(joined(root, name, SUMMARY_NAME))
        if body is not None:
            summaries[joined(root, name)] = body
        elif name != SHARED:
            incomplete.append(name)
    unfinished = f"not completed, for want of a {SUMMARY_NAME}: {', '.join(incomplete)}" if incomplete else ""
    place = search.uri(inside(root))
    if len(summaries) == 1:
        if unfinished:
            search.say(f"{place}: {unfinished}")
        folder, body = summaries.popitem()
        return read_export(folder, body, search)
    if not summaries:
        search.refuse(f"{place} holds no complete export" + (f"; {unfinished}" if unfinished else ""))
        return None
    names = ", ".join(search.uri(joined(folder, SUMMARY_NAME)) for folder in summaries)
    search.refuse(
        f"{place} holds {len(summaries)} complete exports: {names}"
        + (f"; {unfinished}" if unfinished else ""),
        "give one of them, or a full export with the incremental exports that follow on it",
    )
    return None
