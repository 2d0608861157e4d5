"""Conditions of writes and reads, by ETag."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.s3.objects import Stored
from tests.faults.s3.refusals import Refused, no_such_key, not_simulated, precondition_failed

DATES = ("if-modified-since", "if-unmodified-since")


def check_write(headers: Mapping[str, str], held: Stored | None, key: str) -> None:
    """Let a write pass, if what is there is what it names."""
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if (none_match and match) or none_match not in (None, "*") or match == "*":
        raise Refused(
            501, "NotImplemented", "A header you provided implies functionality that is not implemented"
        )
    if none_match and held:
        raise precondition_failed("If-None-Match")
    if match:
        _check_match(match, held, key)


def check_delete(match: str | None, held: Stored | None, key: str) -> None:
    """Let a deletion pass; an asterisk asks that anything is there."""
    if match:
        _check_match(match, held, key)


def is_unchanged(headers: Mapping[str, str], held: Stored) -> bool:
    """Whether a reader has the object already (304); raises Refused where it wants another (412)."""
    if any(name in headers for name in DATES):
        raise not_simulated("a read on condition of a date")
    if "if-match" in headers and not _names(headers["if-match"], held):
        raise precondition_failed("If-Match")
    return "if-none-match" in headers and _names(headers["if-none-match"], held)


def _check_match(match: str, held: Stored | None, key: str) -> None:
    if held is None:
        raise no_such_key(key)
    if not _names(match, held):
        raise precondition_failed("If-Match")


def _names(condition: str, held: Stored) -> bool:
    tags = [tag.strip().strip('"') for tag in condition.split(",")]
    return "*" in tags or held.etag in tags
