"""What of a request's headers stays with an object."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.s3.objects import ENCRYPTION, KMS_KEY, Bucket
from tests.faults.s3.refusals import invalid, not_simulated

KEPT = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-storage-class",
)
METADATA = "x-amz-meta-"
REFUSED = (ENCRYPTION + "-customer-", "x-amz-object-lock-", "x-amz-tagging")
ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")


def kept_headers(headers: Mapping[str, str], bucket: Bucket) -> dict[str, str]:
    """Type, metadata and encryption of the object that a request makes."""
    if refused := next((name for name in headers if name.startswith(REFUSED)), None):
        raise not_simulated(refused)
    kept = {"content-type": "binary/octet-stream"}
    kept |= {name: value for name, value in headers.items() if name in KEPT or name.startswith(METADATA)}
    if "content-encoding" in kept:
        encodings = [each.strip() for each in kept.pop("content-encoding").split(",")]
        if own := ",".join(each for each in encodings if each != "aws-chunked"):
            kept["content-encoding"] = own
    return {**kept, **_encryption(headers, bucket)}


def encryption_of(kept: Mapping[str, str]) -> dict[str, str]:
    """What every reply about an object says of its encryption."""
    return {name: value for name, value in kept.items() if name.startswith(ENCRYPTION)}


def _encryption(headers: Mapping[str, str], bucket: Bucket) -> Mapping[str, str]:
    asked = {name: value for name, value in headers.items() if name.startswith(ENCRYPTION)}
    if not asked:
        return bucket.encryption
    kind = asked.get(ENCRYPTION)
    if kind not in ENCRYPTIONS:
        raise invalid("The encryption method specified is not supported", ArgumentName=ENCRYPTION)
    if KMS_KEY in asked and kind == "AES256":
        raise invalid(f"Server Side Encryption with {kind} takes no key", ArgumentName=ENCRYPTION)
    return asked
