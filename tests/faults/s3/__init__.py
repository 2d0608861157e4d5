"""The fake's S3."""

from tests.faults.s3.naming import operation_of
from tests.faults.s3.service import S3

__all__ = ["S3", "operation_of"]
