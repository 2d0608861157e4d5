"""Names of the objects that make an export, as native DynamoDB exports lay them out."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.requests import S3Location

ROOT = "AWSDynamoDB"


def part_name(segment: int, part: int, attempt: str, suffix: str) -> str:
    """Name a part so that no two attempts ever write the same object.

    >>> part_name(3, 17, "k3x9", ".json.gz")
    '0003-00017-k3x9.json.gz'
    """
    return f"{segment:04}-{part:05}-{attempt}{suffix}"


@dataclass(frozen=True, slots=True)
class ExportLayout:
    """Keys and URIs of one export.

    >>> ExportLayout(S3Location("b", "p"), "2026-01-02-03-04-05-0a1b2c3d").summary_key
    'p/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/manifest-summary.json'
    """

    location: S3Location
    export_id: str

    def key(self, *names: str) -> str:
        """The key of an object of this export."""
        return self.location.key(ROOT, self.export_id, *names)

    @property
    def manifest_uri(self) -> str:
        """Where a reader begins."""
        return f"s3://{self.location.bucket}/{self.summary_key}"

    @property
    def summary_key(self) -> str:
        """The commit: an export is real when this object exists."""
        return self.key("manifest-summary.json")

    @property
    def summary_checksum_key(self) -> str:
        """The base64 MD5 of the summary."""
        return self.key("manifest-summary.md5")

    @property
    def files_key(self) -> str:
        """The list of parts, JSON lines."""
        return self.key("manifest-files.json")

    @property
    def files_checksum_key(self) -> str:
        """The base64 MD5 of the list of parts."""
        return self.key("manifest-files.md5")

    @property
    def definition_key(self) -> str:
        """What the table is apart from its items, where that was asked for."""
        return self.key("table-definition.json")

    @property
    def started_key(self) -> str:
        """The empty object a native export writes first."""
        return self.key("_started")

    @property
    def data_pipeline_manifest_key(self) -> str:
        """The version-3 manifest that an EMR import looks for."""
        return self.key("manifest")

    @property
    def data_prefix(self) -> str:
        """Below it lie the parts and nothing else."""
        return self.key("data") + "/"

    @property
    def checkpoint_prefix(self) -> str:
        """Below it lie plan, lease and one checkpoint a segment."""
        return self.key("_checkpoint") + "/"

    @property
    def plan_key(self) -> str:
        """What the first attempt decided."""
        return self.checkpoint_prefix + "plan.json"

    @property
    def lease_key(self) -> str:
        """Who works on this export now."""
        return self.checkpoint_prefix + "lease.json"

    @property
    def commit_key(self) -> str:
        """The summary that the first attempt to reach the commit means to write."""
        return self.checkpoint_prefix + "commit.json"

    def range_key(self, number: int) -> str:
        """Who works on one range of segments now."""
        return f"{self.checkpoint_prefix}ranges/{number:04}.json"

    def place_key(self, number: int) -> str:
        """Who has one of the shares of the rate now."""
        return f"{self.checkpoint_prefix}places/{number:04}.json"

    def segment_key(self, segment: int) -> str:
        """The checkpoint of one segment."""
        return f"{self.checkpoint_prefix}{segment:04}.json"

    def part_key(self, segment: int, part: int, attempt: str, suffix: str) -> str:
        """The key of a part."""
        return self.data_prefix + part_name(segment, part, attempt, suffix)
