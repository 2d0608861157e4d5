"""Puts the AWS adapters of a verification with a table together."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_dynamo_pipeline.adapters.wiring import Clients, export_ports
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.engine.verify_plan import VerifyPorts
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest


def verify_ports(
    client: Clients,
    request: VerifyRequest,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Clock | None = None,
) -> VerifyPorts:
    """Everything that comparing an export with a table needs. ``stop`` ends every wait.

    No ``clock``: the machine's.
    """
    ports = export_ports(client, request.reading, stop=stop, say=say, warn=warn, clock=clock)
    if request.consistent_read:
        return VerifyPorts(ports=ports, consistent=ports.table)
    again = export_ports(client, request.consistent_reading, stop=stop, say=say, warn=warn, clock=clock)
    return VerifyPorts(ports=ports, consistent=again.table)
