"""Backups for imports: made by the package, or written by hand as other tools write them."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.attempts import BUCKET, Item, World, items

ROOT = "native/AWSDynamoDB"
TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
TABLE_ID = "11111111-2222-3333-4444-555555555555"
BASE_AT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(hours=1)
Change = tuple[Item, Item | None]  # an item's key, and what the item is now; None: deleted


@dataclass(frozen=True)
class Laid:
    """A backup as it lies in the bucket, and how many lines its files have."""

    uris: tuple[str, ...]
    objects: Mapping[str, bytes]
    lines: int

    def __add__(self, other: Laid) -> Laid:
        """Both, one after the other."""
        return Laid((*self.uris, *other.uris), {**self.objects, **other.objects}, self.lines + other.lines)


def line(item: Item) -> str:
    """One line of DynamoDB JSON."""
    return json.dumps({"Item": item}, separators=(",", ":"))


def text(lines: Iterable[str]) -> bytes:
    """A file of lines."""
    return "".join(f"{one}\n" for one in lines).encode()


@functools.cache
def exported(count: int, *, part_bytes: int = 200, segments: int = 2, size: int = 30) -> Laid:
    """The package's own export of a table of so many small items."""
    world = World(items(count, size=size), page_items=4)
    uri = world.export(part_bytes=part_bytes, segments=segments).result.manifest_uri
    return Laid((uri,), world.objects, count)


def files(*parts: Sequence[Item | str], zipped: bool = False) -> Laid:
    """Files of DynamoDB JSON in a folder, without a manifest; a string is a line as it is."""
    end = ".json.gz" if zipped else ".json"
    bodies = [text(one if isinstance(one, str) else line(one) for one in part) for part in parts]
    objects = {
        f"given/part-{number}{end}": gzip.compress(body, mtime=0) if zipped else body
        for number, body in enumerate(bodies)
    }
    return Laid((f"s3://{BUCKET}/given/",), objects, sum(map(len, parts)))


def native_base(*parts: Sequence[Item]) -> Laid:
    """A full export as DynamoDB makes it, of BASE_AT."""
    told = {"exportType": "FULL_EXPORT", "exportTime": _said(BASE_AT)}
    return _native("01000000000000-base0000", told, [[line(item) for item in part] for part in parts])


def native_window(number: int, *parts: Sequence[Change]) -> Laid:
    """The changes of one hour, as DynamoDB exports them; the first window has the number 0."""
    begin = BASE_AT + number * WINDOW
    told = {
        "exportType": "INCREMENTAL_EXPORT",
        "exportFromTime": _said(begin),
        "exportToTime": _said(begin + WINDOW),
        "outputView": "NEW_AND_OLD_IMAGES",
    }
    lines = [[_changed(change) for change in part] for part in parts]
    return _native(f"0200000000000{number}-window0{number}", told, lines)


def chain(base: Laid, windows: Iterable[Laid]) -> Laid:
    """A full export and what follows on it."""
    return functools.reduce(lambda one, other: one + other, windows, base)


def _changed(change: Change) -> str:
    key, image = change
    told: dict[str, Any] = {"Metadata": {"WriteTimestampMicros": {"N": "1767225600000000"}}, "Keys": key}
    if image is not None:
        told["NewImage"] = image
    return json.dumps(told, separators=(",", ":"))


def _native(name: str, told: Mapping[str, str], parts: Sequence[Sequence[str]]) -> Laid:
    folder = f"{ROOT}/{name}"
    keys = [f"{folder}/data/part{number}.json.gz" for number in range(len(parts))]
    listed = [
        json.dumps({"itemCount": len(part), "md5Checksum": "", "etag": "", "dataFileS3Key": key})
        for key, part in zip(keys, parts, strict=True)
    ]
    count = sum(map(len, parts))
    summary = {
        "version": "2023-08-01",
        "exportArn": f"{TABLE_ARN}/export/{name}",
        "startTime": _said(BASE_AT),
        "endTime": _said(BASE_AT),
        "tableArn": TABLE_ARN,
        "tableId": TABLE_ID,
        "s3Bucket": BUCKET,
        "s3Prefix": "native",
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "itemCount": count,
        "outputFormat": "DYNAMODB_JSON",
        **told,
    }
    objects = {key: gzip.compress(text(part), mtime=0) for key, part in zip(keys, parts, strict=True)}
    objects[f"{folder}/manifest-files.json"] = text(listed)
    objects[f"{folder}/manifest-summary.json"] = json.dumps(summary).encode()
    return Laid((f"s3://{BUCKET}/{folder}/manifest-summary.json",), objects, count)


def _said(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
