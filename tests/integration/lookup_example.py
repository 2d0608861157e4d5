"""The program that docs/how-to/read-a-lookup-table.md shows; ``test_lookup_reader`` runs it."""

# --8<-- [start:ask]
from airflow_dynamo_pipeline.adapters.lookup_client import open_lookup

lookup = open_lookup("product_lookup", ttl_seconds=300)

present = lookup.contains(["P1", "P2"])  # {"P1": True, "P2": False}
items = lookup.get(["P1", "P2"])  # {"P1": {"product_id": "P1", "price": Decimal("1.50")}, "P2": None}
is_there = "P1" in lookup
# --8<-- [end:ask]

# --8<-- [start:filter]
events = [{"product_id": "P1", "user": "u1"}, {"product_id": "P2", "user": "u2"}, {"user": "u3"}]

ours = lookup.filter(events, key=lambda event: event.get("product_id"))
others = lookup.filter(events, key=lambda event: event.get("product_id"), keep="absent")
# --8<-- [end:filter]
ours_found, others_found = list(ours), list(others)
