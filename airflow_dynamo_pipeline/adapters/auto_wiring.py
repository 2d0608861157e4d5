"""Puts the ports together of an export that chooses its method."""

from __future__ import annotations

from dataclasses import replace

from airflow_dynamo_pipeline.adapters.native_exports import native_export_ports
from airflow_dynamo_pipeline.adapters.wiring import Clients
from airflow_dynamo_pipeline.engine.auto_export import AutoPorts, native_request
from airflow_dynamo_pipeline.engine.export_method import FULL
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.requests import ExportRequest


def auto_ports(
    client: Clients, request: ExportRequest, scan: Ports, *, knows_target: bool = True
) -> AutoPorts:
    """Everything that choosing needs, and a native export after it; ``scan`` are the scan's own ports."""
    native = native_export_ports(
        client,
        native_request(request, FULL),
        stop=scan.stop,
        say=scan.say,
        warn=scan.warn,
        clock=scan.clock,
    )
    native = replace(native, prices=scan.prices)
    return AutoPorts(scan=scan, native=native, knows_target=knows_target)
