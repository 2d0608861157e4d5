"""What AWS charges, as far as a choice between methods and a dry run need it.

List prices of US East (N. Virginia), 2026-11; other regions differ, and so may a contract.
Source: "Amazon DynamoDB pricing", aws.amazon.com.
"""

from __future__ import annotations

from typing import Final

REGION: Final = "us-east-1"
READ_UNIT_DOLLARS: Final = 0.125 / 1e6  # on-demand
WRITE_UNIT_DOLLARS: Final = 0.625 / 1e6  # on-demand
WRITE_CAPACITY_HOUR_DOLLARS: Final = 0.00065  # for each provisioned unit
NATIVE_EXPORT_GB_DOLLARS: Final = 0.10  # of a table, or of changes that an incremental export reads
GB: Final = 1024**3
