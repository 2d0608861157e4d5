"""What CreateTable takes, in DynamoDB's own spelling: keys, indexes, billing, stream, encryption, tags."""

from __future__ import annotations

import msgspec

PROVISIONED, ON_DEMAND = "PROVISIONED", "PAY_PER_REQUEST"
STANDARD = "STANDARD"
RESERVED_TAGS = "aws:"
MARK = "dynamo-pipeline-restore"  # the tag of a table that a restore has made and not finished


class Aws(
    msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True, forbid_unknown_fields=True
):
    """A structure of DynamoDB's API, its members in AWS's spelling; absent ones are None."""


class AttributeDefinition(Aws, frozen=True, kw_only=True):
    """The type of an attribute that is part of a key: S, N or B."""

    attribute_name: str
    attribute_type: str


class KeyPart(Aws, frozen=True, kw_only=True):
    """One attribute of a key: HASH or RANGE."""

    attribute_name: str
    key_type: str


class Projection(Aws, frozen=True, kw_only=True):
    """What an index holds: ALL, KEYS_ONLY or INCLUDE with names."""

    projection_type: str
    non_key_attributes: tuple[str, ...] | None = None


class ProvisionedUnits(Aws, frozen=True, kw_only=True):
    """Units per second that are paid for."""

    read_capacity_units: int
    write_capacity_units: int


class OnDemandMaximum(Aws, frozen=True, kw_only=True):
    """The most units per second on demand; None: no maximum."""

    max_read_request_units: int | None = None
    max_write_request_units: int | None = None


class WarmUnits(Aws, frozen=True, kw_only=True):
    """Units per second that are taken at once."""

    read_units_per_second: int
    write_units_per_second: int


class LocalIndex(Aws, frozen=True, kw_only=True):
    """A local secondary index; it is made with its table or never."""

    index_name: str
    key_schema: tuple[KeyPart, ...]
    projection: Projection


class GlobalIndex(LocalIndex, frozen=True, kw_only=True):
    """A global secondary index, with its own units."""

    provisioned_throughput: ProvisionedUnits | None = None
    on_demand_throughput: OnDemandMaximum | None = None
    warm_throughput: WarmUnits | None = None


class Stream(Aws, frozen=True, kw_only=True):
    """The table's stream."""

    stream_enabled: bool
    stream_view_type: str


class Encryption(Aws, frozen=True, kw_only=True):
    """Encryption by a key of KMS; a table without this is encrypted by DynamoDB's own key."""

    enabled: bool
    sse_type: str = msgspec.field(name="SSEType", default="KMS")
    kms_master_key_id: str | None = msgspec.field(name="KMSMasterKeyId", default=None)  # an ARN


class Tag(Aws, frozen=True, kw_only=True):
    """One tag."""

    key: str
    value: str


class TableSettings(Aws, frozen=True, kw_only=True):
    """What CreateTable takes."""

    table_name: str
    attribute_definitions: tuple[AttributeDefinition, ...]
    key_schema: tuple[KeyPart, ...]
    billing_mode: str  # PROVISIONED or PAY_PER_REQUEST
    local_secondary_indexes: tuple[LocalIndex, ...] = ()
    global_secondary_indexes: tuple[GlobalIndex, ...] = ()
    provisioned_throughput: ProvisionedUnits | None = None
    on_demand_throughput: OnDemandMaximum | None = None
    warm_throughput: WarmUnits | None = None
    stream_specification: Stream | None = None
    sse_specification: Encryption | None = msgspec.field(name="SSESpecification", default=None)
    table_class: str = STANDARD
    deletion_protection_enabled: bool = False
    tags: tuple[Tag, ...] = ()

    @property
    def own_tags(self) -> tuple[Tag, ...]:
        """The tags that are neither AWS's, which AWS alone may set, nor a restore's."""
        return tuple(tag for tag in self.tags if tag.key != MARK and not tag.key.startswith(RESERVED_TAGS))
