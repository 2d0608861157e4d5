"""Files without a manifest: one of them, or all that lie in a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from airflow_dynamo_pipeline.engine.finding_manifest import KIND as DATA_PIPELINE
from airflow_dynamo_pipeline.engine.finding_manifest import READER as DATA_PIPELINE_READER
from airflow_dynamo_pipeline.engine.finding_search import (
    AUTO,
    Search,
    Source,
    fingerprint,
    inside,
    is_hidden,
)
from airflow_dynamo_pipeline.engine.sources import BackupFile, Stage
from airflow_dynamo_pipeline.formats.readers import READERS

FILES = "files"
REJECTS = "rejects"
OF_RANGES = re.compile(r"_imports/[0-9]{4,}/rejects/[^/._][^/]*")  # what each range of an import rejected
CHANGES = "incremental"  # the reader whose files only mean something on top of something
COMPRESSED = (".gz", ".gzip", ".zst", ".zstd")
ASKED_AT_ONCE = 16  # sizes of files


def read_file(key: str, search: Search) -> Source:
    """One file that was named itself."""
    return _source(search.uri(key), [key], search, kind=FILES)


def read_folder(folder: str, search: Search) -> Source | None:
    """Every file directly in a folder that is not hidden; folders in it are named in a warning.

    Of the folder of an import that several workers shared out, all items that they rejected.
    """
    below = inside(folder)
    uri = search.uri(below)
    names = [key.removeprefix(below) for key in sorted(search.keys(folder))]
    files = [below + name for name in names if "/" not in name and not is_hidden(name)]
    folders = sorted({name.partition("/")[0] for name in names if "/" in name})
    folders = [name for name in folders if not is_hidden(name)]
    if not files and search.file_format in (AUTO, REJECTS):
        files = [below + name for name in names if OF_RANGES.fullmatch(name)]
    if not files:
        inner = f"its folders are {', '.join(folders)}: give one of them" if folders else None
        search.refuse(f"{uri} holds no files", inner)
        return None
    if folders:
        search.warn(f"{uri}: what lies in its folders is not imported: {', '.join(folders)}")
    return _source(uri, files, search, kind=None)


def _source(uri: str, keys: Sequence[str], search: Search, *, kind: str | None) -> Source:
    with ThreadPoolExecutor(ASKED_AT_ONCE) as asking:
        sizes = dict(zip(keys, asking.map(search.store.size, keys), strict=True))
    reader = _sniffed(uri, sizes, search) if search.file_format == AUTO else search.file_format
    if reader == CHANGES:
        _explain_changes(uri, search)
    if kind is None:
        kind = DATA_PIPELINE if reader == DATA_PIPELINE_READER else FILES
    listed = (f"{key}\0{size}".encode() for key, size in sizes.items())
    return Source(
        stage=Stage(uri=uri, reader=reader, files=tuple(BackupFile(key) for key in keys)),
        kind=kind,
        fingerprint=fingerprint([uri.encode(), *listed]),
    )


def _sniffed(uri: str, sizes: Mapping[str, int], search: Search) -> str:
    """The reader of the first file of each suffix; "" with the problem kept when there is not just one."""
    firsts: dict[str, str] = {}
    for key, size in sizes.items():
        if size:
            firsts.setdefault(_suffix(key), key)
    found = {key: search.sniff(key) for key in firsts.values() or list(sizes)[:1]}
    unknown = [search.uri(key) for key, reader in found.items() if reader is None]
    readers = sorted({reader for reader in found.values() if reader is not None})
    if unknown:
        search.refuse(
            f"the format of {', '.join(unknown)} cannot be told from its first bytes",
            f"say it by file_format: {', '.join(READERS)}",
        )
    if len(readers) > 1:
        each = ", ".join(f"{search.uri(key)} is {reader}" for key, reader in found.items() if reader)
        search.refuse(f"{uri} holds files of several formats: {each}", "import them one after the other")
    return readers[0] if readers else ""


def _suffix(key: str) -> str:
    """What a name ends in, with the suffix before that of a compression."""
    suffixes = PurePosixPath(key).suffixes
    count = 2 if suffixes and suffixes[-1].lower() in COMPRESSED else 1
    return "".join(suffixes[-count:])


def _explain_changes(uri: str, search: Search) -> None:
    """Changes without a manifest have no window, so nothing tells what they follow on."""
    said = f"{uri} holds changes without a manifest: nothing tells which window they are of"
    if search.file_format == AUTO:
        search.refuse(
            said,
            f"give the manifest-summary.json, or file_format={CHANGES!r} to write them to the table as it is",
        )
    else:
        search.warn(said)
