"""What an import has done so far, as a record for logs, the UI and metrics."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from airflow_dynamo_pipeline.engine.ports import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportProgress:
    """One record of progress; counts include what earlier attempts did."""

    items: int  # resolved: written, skipped, conflicted or rejected
    rejected: int
    under_way: int
    files: int
    files_done: int
    share_done: float  # 0 to 1; by the manifest's count, else by files
    consumed_units: float
    units_per_second_asked: float
    units_per_second_held: float  # since the last record; in the last one: of the whole attempt
    elapsed_seconds: float  # of this attempt
    eta_seconds: float | None

    def to_json(self) -> JsonObject:
        """A small JSON object with rounded figures."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    def line(self) -> str:
        """One line for a log."""
        eta = "unknown" if self.eta_seconds is None else f"{self.eta_seconds:,.0f} s"
        return (
            f"{self.share_done:.0%}: {self.items:,} items, {self.rejected:,} rejected, "
            f"{self.files_done}/{self.files} files; rate asked {self.units_per_second_asked:,.1f} "
            f"held {self.units_per_second_held:,.1f} units/s, {self.consumed_units:,.1f} units; ETA {eta}"
        )
