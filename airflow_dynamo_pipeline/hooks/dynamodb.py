"""An Airflow connection as clients and engine ports."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from airflow_dynamo_pipeline.adapters.auto_wiring import auto_ports
from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.adapters.lookup_client import open_lookup
from airflow_dynamo_pipeline.adapters.lookup_wiring import lookup_ports
from airflow_dynamo_pipeline.adapters.native_exports import native_export_ports
from airflow_dynamo_pipeline.adapters.retrying import RetryingStore
from airflow_dynamo_pipeline.adapters.verify_wiring import verify_ports
from airflow_dynamo_pipeline.adapters.wiring import engine_config, export_ports, reading_store
from airflow_dynamo_pipeline.airflow_versions import conf
from airflow_dynamo_pipeline.engine.auto_export import AutoPorts
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.native_export_ports import NativeExportPorts
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.engine.prices import PricesOf, prices_from
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.engine.verify_plan import VerifyPorts
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.reader import Lookup
from airflow_dynamo_pipeline.lookup.request import LookupRequest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDBPipelineHook(AwsBaseHook):
    """Clients and engine ports from one AWS connection.

    Endpoints per service come from the connection's ``extra.service_config.<service>.endpoint_url``,
    as for every hook of the amazon provider.

    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param config: botocore settings; the engine's own retry settings win over them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "dynamodb"
        super().__init__(*args, **kwargs)

    def export_ports(
        self,
        request: ExportRequest,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        clock: Clock | None = None,
    ) -> Ports:
        """Everything an export of this request needs; call it from the main thread.

        ``stop`` ends every wait of the ports. ``say`` and ``warn`` take one line for the log each; no
        ``clock``: the machine's.
        """
        ports = export_ports(self.client_for, request, stop=stop, say=say, warn=warn, clock=clock)
        return dataclasses.replace(ports, prices=configured_prices())

    def auto_ports(self, request: ExportRequest, ports: Ports) -> AutoPorts:
        """Everything that choosing between a scan and native exports needs; ``ports`` are the scan's."""
        return auto_ports(self.client_for, request, ports)

    def native_export_ports(
        self,
        request: NativeExportRequest,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        clock: Clock | None = None,
    ) -> NativeExportPorts:
        """Everything a native export of this request needs; call it from the main thread."""
        ports = native_export_ports(self.client_for, request, stop=stop, say=say, warn=warn, clock=clock)
        return dataclasses.replace(ports, prices=configured_prices())

    def import_ports(
        self,
        request: ImportRequest,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        clock: Clock | None = None,
    ) -> ImportPorts:
        """Everything an import of this request needs; call it from the main thread."""
        ports = import_ports(self.client_for, request, stop=stop, say=say, warn=warn, clock=clock)
        return dataclasses.replace(ports, prices=configured_prices())

    def verify_ports(
        self,
        request: VerifyRequest,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        clock: Clock | None = None,
    ) -> VerifyPorts:
        """Everything that comparing an export with a table needs; call it from the main thread."""
        return verify_ports(self.client_for, request, stop=stop, say=say, warn=warn, clock=clock)

    def lookup_ports(
        self,
        load: LookupRequest,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        clock: Clock | None = None,
    ) -> LookupPorts:
        """Everything a lookup load needs but its query; call it from the main thread."""
        ports = lookup_ports(self.client_for, load, stop=stop, say=say, warn=warn, clock=clock)
        return dataclasses.replace(
            ports, writing=dataclasses.replace(ports.writing, prices=configured_prices())
        )

    def lookup(self, table_name: str, **settings: Any) -> Lookup:
        """A lookup table, for reading; ``settings`` are those of ``open_lookup``."""
        client = self.client_for("dynamodb")
        return open_lookup(table_name, client=client, **{"warn": self.log.warning, **settings})

    def reading_store(
        self,
        location: S3Location,
        warn: Callable[[str], None],
        *,
        stop: threading.Event | None = None,
        clock: Clock | None = None,
    ) -> RetryingStore:
        """The bucket of a location for a reader, with retries; ``stop`` ends it between two chunks."""
        return reading_store(self.client_for, location, warn, stop=stop, clock=clock)

    def dynamodb_client(self) -> DynamoDBClient:
        """The DynamoDB client with the provider's own retry settings, for sensors and small calls."""
        client: DynamoDBClient = self.get_conn()
        return client

    def client_for(self, service: str) -> Any:
        """A client for any service, by the same credentials, region and settings.

        Assuming the connection's role, if it has one, is where this can fail.
        """
        sibling = AwsBaseHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self._region_name,
            verify=self._verify,
            client_type=service,
            config=engine_config(self._config or self.conn_config.botocore_config),
        )
        with translated("sts:AssumeRole", f"connection {self.aws_conn_id}"):
            return sibling.get_conn()


def configured_prices() -> PricesOf:
    """The prices that plans are made with: list prices, and over them those of the file in the settings.

    The file is ``[dynamo_pipeline] prices_file`` of Airflow's configuration, which a worker must be able to
    read. Raises InvalidRequest with everything that is wrong with it.
    """
    return prices_from(conf.get("dynamo_pipeline", "prices_file", fallback=None))
