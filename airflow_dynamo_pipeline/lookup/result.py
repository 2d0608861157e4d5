"""What a lookup load did, small enough for an XCom."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from airflow_dynamo_pipeline.engine.ports import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupResult:
    """``rows`` is ``unchanged`` + ``inserted`` + ``updated`` + ``skipped`` + ``rejected``.

    ``written`` + ``conflicted`` + ``refused`` is ``inserted`` + ``updated`` + ``deleted``: what became of the
    change set. Of a dry run it is what would be done, and ``written`` is 0.
    """

    run_id: str
    table_name: str
    table_arn: str
    mode: str
    start: str  # new, resume or adopt
    dry_run: bool
    rows: int
    unchanged: int
    inserted: int
    updated: int
    skipped: int  # not written by this mode: the key is there (insert_only) or is not (update_existing)
    rejected: int  # rows that cannot become items
    deleted: int
    table_items: int  # before anything was written; compared by keys: those found
    written: int  # items put or deleted
    conflicted: int  # somebody else wrote the item meanwhile (insert_only, update_existing)
    refused: int  # items that DynamoDB itself called invalid
    write_units: int  # the least that the changes cost, of the table without its indexes
    read_units: float  # consumed by the comparison
    consumed_units: float  # write units consumed
    compared_with: str  # table, keys, digests, or nothing (a new generation)
    generation: str | None
    changes_uri: str | None  # every change with its old and new digest; None: nothing changed
    rejects_uri: str | None  # of rows that cannot become items
    refused_uri: str | None  # of items that DynamoDB refused
    differences: list[str]  # the first changes, of a dry run only
    seconds: float
    plan: JsonObject  # what the changes take: units, seconds, dollars

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        return asdict(self)

    @property
    def _not_written(self) -> str:
        """What of the change set did not come into the table, and where it is."""
        conflicted = f"; {self.conflicted:,} not written, others had written them" if self.conflicted else ""
        refused = f"; {self.refused:,} refused by DynamoDB, see {self.refused_uri}" if self.refused else ""
        return conflicted + refused

    def line(self) -> str:
        """One line for a log."""
        done = "would be" if self.dry_run else "were"
        return (
            f"{self.rows:,} rows: {self.unchanged:,} unchanged; {self.inserted:,} {done} inserted, "
            f"{self.updated:,} updated, {self.deleted:,} deleted; {self.skipped:,} skipped, "
            f"{self.rejected:,} rejected{self._not_written}"
        )
