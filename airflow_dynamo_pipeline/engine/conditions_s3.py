"""What sensors wait for on S3: keys, and a prefix with something below it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.conditions import Verdict
from airflow_dynamo_pipeline.errors import InvalidSetting

BY_NAME, BY_WILDCARD, BY_REGEX = "name", "wildcard", "regex"
MATCHES = (BY_NAME, BY_WILDCARD, BY_REGEX)
GLOB = re.compile(r"[\[*?]")


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket and what is wanted in it: a key, a pattern of keys, or a prefix, as they were written."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: object, name: str) -> S3Place:
        """Read ``s3://bucket/key``; slashes at the end of the key count. Raises InvalidSetting.

        >>> S3Place.parse("s3://backups/orders/", "s3_uri")
        S3Place(bucket='backups', key='orders/')
        """
        scheme, found, rest = settings.text(name, uri).partition("://")
        bucket, _, key = rest.partition("/")
        if scheme not in ("s3", "s3a", "s3n") or not found or not bucket:
            raise InvalidSetting(name, uri, "s3://bucket/key")
        return cls(bucket, key)

    def __str__(self) -> str:
        """The URI."""
        return f"s3://{self.bucket}/{self.key}"


def keys_exist(found: Mapping[S3Place, bool]) -> Verdict:
    """Whether everything that is waited for is there."""
    missing = [str(place) for place, is_there in found.items() if not is_there]
    there = [str(place) for place, is_there in found.items() if is_there]
    seen = f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there"
    if not missing:
        return Verdict(met=True, seen=seen)
    return Verdict(
        met=False, seen="; ".join([*([seen] if there else []), f"waiting for {', '.join(missing)}"])
    )


def prefix_not_empty(place: S3Place, key: str | None) -> Verdict:
    """Whether an object was found below the prefix; ``key`` is that object's, None: there is none."""
    if key is None:
        return Verdict(met=False, seen=f"there is nothing at {place}; waiting for an object")
    return Verdict(met=True, seen=f"there is s3://{place.bucket}/{key}")


def is_folder_mark(key: str, size_bytes: int) -> bool:
    """Whether an object only stands for a folder, as the S3 console makes them: empty, its name ends in /."""
    return key.endswith("/") and size_bytes == 0


def listing_prefix(pattern: str, match: str) -> str:
    """What all keys that can match begin with.

    >>> listing_prefix("orders/2026-*/done", "wildcard")
    'orders/2026-'
    """
    return GLOB.split(pattern, maxsplit=1)[0] if match == BY_WILDCARD else ""


def matcher(pattern: str, match: str) -> Callable[[str], bool]:
    """Whether a key is the one, or matches the pattern, as the amazon provider's sensor decides.

    Raises InvalidSetting for a pattern that cannot be read.
    """
    if match == BY_NAME:
        return lambda key: key == pattern
    if match == BY_WILDCARD:
        return lambda key: fnmatch.fnmatch(key, pattern)
    try:
        compiled = re.compile(pattern)
    except re.error as problem:
        raise InvalidSetting("bucket_key", pattern, f"a regular expression ({problem})") from None
    return lambda key: compiled.match(key) is not None
