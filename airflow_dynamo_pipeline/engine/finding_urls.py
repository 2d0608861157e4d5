"""The URLs in a connector's manifest, in all the ways an object of S3 has been named there."""

from __future__ import annotations

import re
from urllib.parse import unquote

S3_SCHEMES = ("s3", "s3n", "s3a")
HTTP_SCHEMES = ("https", "http")
MAX_HOST = 255  # a longer name is no host, and the pattern below need not look at it
HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9.-]+)?\.amazonaws\.com(?:\.cn)?", re.IGNORECASE)


def bucket_and_key(url: str) -> tuple[str, str] | None:
    """Take a URL apart; None when it names no object of S3.

    >>> bucket_and_key("s3n://backups/orders/0001")
    ('backups', 'orders/0001')
    >>> bucket_and_key("https://backups.s3.eu-west-1.amazonaws.com/orders/a%20b")
    ('backups', 'orders/a b')
    >>> bucket_and_key("https://s3-eu-west-1.amazonaws.com/backups/orders/0001")
    ('backups', 'orders/0001')
    """
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    if scheme.lower() in S3_SCHEMES:
        bucket, key = host, path
    elif scheme.lower() in HTTP_SCHEMES:
        bucket, key = _of_web_address(host, unquote(re.split("[?#]", path, maxsplit=1)[0]))
    else:
        return None
    return (bucket, key) if bucket and key else None


def _of_web_address(host: str, path: str) -> tuple[str, str]:
    """The bucket is the first part of the host, or else of the path."""
    found = HOST.fullmatch(host) if len(host) <= MAX_HOST else None
    if found is None:
        return "", ""
    if found["bucket"]:
        return found["bucket"], path
    bucket, _, key = path.partition("/")
    return bucket, key
