"""Service Quotas as far as the package asks: the quotas of DynamoDB, one at a time (JSON 1.1)."""

from __future__ import annotations

import threading

from tests.faults.calls import Call, Json
from tests.faults.json_replies import JsonRefused, serve
from tests.faults.wire import Reply

TABLE_READ = "L-CF0CBE56"
TABLE_WRITE = "L-AB614373"
ACCOUNT_READ = "L-34F6A552"
ACCOUNT_WRITE = "L-34F8CCC8"
NAMES = {
    TABLE_READ: "Table-level read throughput limit",
    TABLE_WRITE: "Table-level write throughput limit",
    ACCOUNT_READ: "Account-level read throughput limit (Provisioned mode)",
    ACCOUNT_WRITE: "Account-level write throughput limit (Provisioned mode)",
}
DEFAULTS = {TABLE_READ: 40_000.0, TABLE_WRITE: 40_000.0, ACCOUNT_READ: 80_000.0, ACCOUNT_WRITE: 80_000.0}


class Quotas:
    """The account's quotas, in units per second; they begin with AWS's defaults."""

    def __init__(self, region: str = "us-east-1") -> None:
        self._region = region
        self._lock = threading.Lock()
        self._values: dict[str, float] = dict(DEFAULTS)

    def set(self, code: str, units_per_second: float) -> None:
        """Raise or lower a quota."""
        with self._lock:
            self._values[code] = units_per_second

    def remove(self, code: str) -> None:
        """Let the account have no such quota; raises KeyError."""
        with self._lock:
            del self._values[code]

    def answer(self, call: Call) -> Reply:
        """Do what the call asks."""
        return serve(call, {"GetServiceQuota": self._get}, self._lock)

    def _get(self, params: Json) -> Json:
        service, code = params["ServiceCode"], params["QuotaCode"]
        if service != "dynamodb" or code not in self._values:
            text = "The request failed because the specified service does not exist."
            raise JsonRefused("NoSuchResourceException", text)
        quota = {
            "ServiceCode": service,
            "ServiceName": "Amazon DynamoDB",
            "QuotaArn": f"arn:aws:servicequotas:{self._region}:123456789012:{service}/{code}",
            "QuotaCode": code,
            "QuotaName": NAMES.get(code, code),
            "Value": self._values[code],
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
        return {"Quota": quota}
