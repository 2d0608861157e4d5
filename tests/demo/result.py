"""What the demo exported, read back from the bucket and compared with the table."""

import gzip
import json
from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from airflow_dynamo_pipeline.engine.layout import ROOT, ExportLayout
from airflow_dynamo_pipeline.engine.requests import S3Location
from tests.demo.table import BUCKET, ITEMS, TABLE, order
from tests.services import Services, aws_client

Figures = dict[str, Any]
WIDTH = 200  # the manifest's URI must come out whole, or it cannot be copied


def exported(services: Services, items: int = ITEMS) -> Figures:
    """The manifest of the one export in the bucket, and whether its lines are the orders."""
    s3 = aws_client("s3", services.moto_url)
    folders = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{TABLE}/{ROOT}/", Delimiter="/")["CommonPrefixes"]
    (export_id,) = [folder["Prefix"].split("/")[-2] for folder in folders]
    layout = ExportLayout(S3Location(BUCKET, TABLE), export_id)
    summary = json.loads(s3.get_object(Bucket=BUCKET, Key=layout.summary_key)["Body"].read())
    keys = [
        entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=layout.data_prefix)["Contents"]
    ]
    found = Counter(
        json.loads(line)["Item"]["order_id"]["S"]
        for key in keys
        for line in gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).splitlines()
    )
    wanted = Counter(order(number)["order_id"]["S"] for number in range(items))
    return {"summary": summary, "manifest_uri": layout.manifest_uri, "items": items, "equal": found == wanted}


def show(figures: Figures) -> None:
    """Print the table that ends the demo; fails when an item is missing or doubled."""
    summary, ours = figures["summary"], figures["summary"]["airflowDynamoPipeline"]
    table = Table(title="exported", show_header=False, title_justify="left", box=None)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row("items", f"{summary['itemCount']:,} of {figures['items']:,}, each once: {figures['equal']}")
    table.add_row("parts", f"{ours['parts']:,} from {ours['segments']} segments")
    table.add_row(
        "bytes", f"{ours['bytes']:,} in JSON, {ours['storedBytes']:,} stored ({ours['compression']})"
    )
    table.add_row("units consumed", f"{ours['consumedUnits']:,.1f} read capacity units")
    table.add_row(
        "rate",
        f"held {ours['unitsPerSecondHeld']:.2f} of {ours['unitsPerSecondAsked']:.2f} units per second asked",
    )
    table.add_row("manifest", figures["manifest_uri"])
    Console(highlight=False, width=WIDTH).print(table)
    if not figures["equal"]:
        raise SystemExit("the export does not hold the table's items")
