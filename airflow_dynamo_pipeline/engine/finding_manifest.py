"""Data Pipeline's and the EMR connector's own manifest: absolute URLs, no counts, no checksums."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.finding_search import (
    Search,
    Source,
    fingerprint,
    inside,
    is_hidden,
    joined,
    split,
)
from airflow_dynamo_pipeline.engine.finding_urls import bucket_and_key
from airflow_dynamo_pipeline.engine.sources import BackupFile, Stage

MANIFEST = "manifest"
KNOWN_VERSION = 3
KIND = "data pipeline backup"
READER = "data_pipeline"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors put it there, and people are told to edit these files


class _Entry(msgspec.Struct):
    url: str


class _Version(msgspec.Struct):
    version: Any = None


class _Manifest(msgspec.Struct):
    entries: list[_Entry]


def read_connector_manifest(folder: str, body: bytes, search: Search) -> Source:
    """Find the files that ``manifest`` lists: at their URLs, or beside it when the backup was copied.

    Other files of the folder are what failed attempts left: they are counted and passed over.
    """
    uri = search.uri(joined(folder, MANIFEST))
    search.check_format(READER, uri)
    urls = _urls(body, uri, search)
    keys = _keys(urls, folder, uri, search)
    if urls is not None:
        if not urls:
            search.warn(f"{uri} lists no files: there is nothing to import")
        _count_orphans(keys, folder, search)
    return Source(
        stage=Stage(uri=uri, reader=READER, files=tuple(BackupFile(key) for key in keys)),
        kind=KIND,
        fingerprint=fingerprint([uri.encode(), body]),
    )


def _urls(body: bytes, uri: str, search: Search) -> list[str] | None:
    """The URLs in their order; None, with the problem kept, when there is no list that can be read."""
    text = body.removeprefix(BYTE_ORDER_MARK)
    try:
        version = msgspec.json.decode(text, type=_Version).version
        if version != KNOWN_VERSION:
            search.refuse(f"{uri} has the unknown version {version!r}", f"version {KNOWN_VERSION} is read")
            return None
        return [entry.url for entry in msgspec.json.decode(text, type=_Manifest).entries]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        search.refuse(f"{uri} is not a list of files: {problem}", "it was edited or is damaged")
        return None


def _keys(urls: list[str] | None, folder: str, uri: str, search: Search) -> list[str]:
    """The files that are there; every one that is not is a problem of its own."""
    keys = []
    copied = 0
    for url in urls or ():
        named = bucket_and_key(url)
        if named is None:
            search.refuse(f"{uri}: {url!r} is not the URL of an object in S3")
            continue
        bucket, key = named
        beside = joined(folder, split(key)[1])
        if bucket == search.bucket and search.has(key):
            keys.append(key)
        elif search.has(beside):
            keys.append(beside)
            copied += 1
        else:
            search.refuse(f"{uri}: {url} is not there, nor is a file of that name beside the manifest")
    if copied:
        search.say(
            f"{uri}: {copied} of {len(urls or ())} files were copied; they are read beside the manifest"
        )
    for key, times in Counter(keys).items():
        if times > 1:
            search.refuse(f"{uri}: {times} entries lead to {search.uri(key)}", "each file is imported once")
    return keys


def _count_orphans(keys: list[str], folder: str, search: Search) -> None:
    below = inside(folder)
    names = {key.removeprefix(below) for key in search.keys(folder) - set(keys)}
    orphans = [name for name in names if "/" not in name and not is_hidden(name) and name != MANIFEST]
    if orphans:
        search.say(
            f"{search.uri(below)}: {len(orphans)} files are not in the manifest and are passed over: "
            "failed attempts left them"
        )
