"""The export imported into a second table by the command line, and the two compared."""

from rich.console import Console
from rich.table import Table

from tests.demo.commands import Figures, run_command
from tests.demo.table import TABLE
from tests.services import Services, aws_client

COPY = f"{TABLE}-copy"
UNITS = 2000


def restored(services: Services, manifest_uri: str) -> Figures:
    """Make the second table, import the export into it, compare; what both commands say."""
    make_copy(services)
    imported = run_command(services, "import", "--table", COPY, "--ratio", "1", manifest_uri)
    compared = run_command(services, "verify", manifest_uri, "--table", COPY, "--ratio", "1")
    return {"imported": imported, "compared": compared}


def show(figures: Figures) -> None:
    """Print what was imported, and that both hold the same items; fails when they do not."""
    imported, compared = figures["imported"], figures["compared"]
    table = Table(title="imported", show_header=False, title_justify="left", box=None)
    table.add_row("table", imported["table_name"])
    outcomes = ("written", "skipped", "conflicted", "rejected")
    table.add_row("items", f"{imported['read']:,} read: " + _counts(imported, outcomes))
    table.add_row("units consumed", f"{imported['consumed_units']:,.1f} write capacity units")
    table.add_row(
        "rate",
        f"held {imported['units_per_second_held']:.2f} of {imported['units_per_second_asked']:.2f} "
        "units per second asked",
    )
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    if compared["identical"] is not True:
        raise SystemExit(f"the export and table {COPY} do not hold the same items")
    console.print(
        f"identical: {compared['item_count']:,} items in the export and in table {compared['table_name']}"
    )


def _counts(record: Figures, names: tuple[str, ...]) -> str:
    return ", ".join(f"{record[name]:,} {name}" for name in names)


def make_copy(services: Services) -> None:
    """Make the second table."""
    aws_client("dynamodb", services.gateway_url).create_table(
        TableName=COPY,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": UNITS, "WriteCapacityUnits": UNITS},
    )
