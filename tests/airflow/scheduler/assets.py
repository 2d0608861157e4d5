"""The story of an export that starts another DAG by its asset, and of its links while it runs."""

from dataclasses import dataclass
from typing import Any

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.running import wait_until
from tests.airflow.scheduler.world import World
from tests.services import aws_client

AFTER = "after_an_export"
COPY = "orders-copy"  # what the example DAG imports into unless told otherwise


@dataclass(frozen=True, slots=True)
class Announced:
    """What the API said while the export ran, and of the run that it started."""

    name: str  # of the table
    links: dict[str, str | None]  # while the export ran
    result: dict[str, Any]  # of the export
    extra: list[dict[str, Any]]  # of the events of the export's asset
    seen: dict[str, Any]  # what the other DAG's first task returned
    run_state: str  # of the other DAG
    rehearsal: dict[str, Any]  # the other DAG's import
    events: int  # of all assets, in the end


def export_starts_a_dag(world: World) -> Announced:
    """Hold the first page and look at the links; then let a scheduler find out who waits for the asset."""
    api = world.airflow.api
    source = world.source("announced")
    aws_client("dynamodb", world.services.gateway_url).create_table(
        TableName=COPY,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    world.airflow.wait_until_ready(frozenset({"export_for_others", AFTER}))
    first_page = world.dynamodb.hold(source.is_scan)
    run_id = api.trigger("export_for_others", table_name=source.name, ratio=1.5)
    export = Instance("export_for_others", run_id, "export")
    first_page.wait_for(1)
    links = api.links(export)
    first_page.release()
    world.airflow.wait_for_end(export)
    (started,) = wait_until("the run that the asset starts", lambda: api.run_ids(AFTER))
    newest, copy = (Instance(AFTER, started, task) for task in ("newest_export", "copy"))
    state = world.airflow.wait_for_end(copy)
    events = api.asset_events()
    return Announced(
        name=source.name,
        links=links,
        result=api.result(export),
        extra=[event["extra"] for event in events if event["source_dag_id"] == "export_for_others"],
        seen=api.result(newest),
        run_state=state,
        rehearsal=api.result(copy),
        events=len([event for event in events if event["source_dag_id"] in ("export_for_others", AFTER)]),
    )
