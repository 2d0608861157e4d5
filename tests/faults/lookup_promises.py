"""What must hold of the table and the bucket after a lookup load, or what was left of one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence

import msgspec

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.items.canonical_texts import canonical_texts
from airflow_dynamo_pipeline.items.key_texts import key_texts
from airflow_dynamo_pipeline.items.keys import KeyReader
from airflow_dynamo_pipeline.lookup.partition import digests_of
from tests.faults.attempts import BUCKET, Item
from tests.faults.dynamodb.pair import texts
from tests.faults.lookup_world import PREFIX, TARGET, TTL, LookupWorld


def in_generation(world: LookupWorld) -> list[Item]:
    """The items of the generation that the table's pointer names, under their own keys."""
    by_key = {item["pk"]["S"]: item for item in world.items}
    if "#current" not in by_key:
        return []
    name = by_key["#current"]["generation"]["S"]
    found = [
        (key.removeprefix(f"{name}#"), item) for key, item in by_key.items() if key.startswith(f"{name}#")
    ]
    return [{**{a: v for a, v in item.items() if a != TTL}, "pk": {"S": key}} for key, item in found]


def holds(world: LookupWorld) -> list[Item]:
    """What a reader finds: the generation that counts, or all of the table."""
    return in_generation(world) if "generation_days" in world.settings else world.items


def assert_table(world: LookupWorld, wanted: Sequence[Item]) -> None:
    """The table holds this and nothing else (R1)."""
    assert texts(wanted) == texts(holds(world))


def assert_digests_are_true(world: LookupWorld) -> None:
    """Digests that a later load may believe are those of what the table holds (R5)."""
    state = world.state
    if state is None or not state["isApplied"] or state["digests"] is None:
        return
    body = world.objects[state["digests"]["key"]]
    pieces = [body[offset : offset + length] for offset, length in state["digests"]["buckets"] if length]
    said = [line for piece in pieces for line in gzip.decompress(piece).splitlines()]
    assert sorted(said) == sorted(prints_of(world))
    assert len(said) == state["digests"]["items"]


def prints_of(world: LookupWorld) -> list[bytes]:
    """Key and digest of every item."""
    schema = [KeyAttribute(name, tag) for name, tag in world.key]
    bodies = [msgspec.Raw(json.dumps(item).encode()) for item in world.items]
    keys = key_texts(KeyReader(schema).of_all(bodies), [tag for _, tag in world.key])
    return [b"%b\t%b" % pair for pair in zip(keys, digests_of(canonical_texts(bodies)), strict=True)]


def assert_no_success_before_its_time(world: LookupWorld, run: str, wanted: Sequence[Item]) -> None:
    """A record that names a result stands for a table that is as the query says (R5)."""
    for record in world.records:
        if record["run"] == run and record["result"] is not None:
            assert_table(world, wanted)


def assert_nothing_left_over(world: LookupWorld) -> None:
    """No work file, no digests but those that count, no checkpoint or lease of an import, no upload."""
    state = world.state or {}
    counts = {(state.get("digests") or {}).get("key")}
    kept = ("/run.json", "/import.json", "/state.json", ".jsonl", ".jsonl.gz")
    other = [key for key in world.objects if not key.endswith(kept) and key not in counts]
    assert [f"{PREFIX}/_lookups/{TARGET}/lease.json"] == other
    assert json.loads(world.objects[other[0]])["released"]
    assert named_files(world) == {key for key in world.objects if key.endswith((".jsonl", ".jsonl.gz"))}
    assert [] == world.aws.s3.uploads(BUCKET)


def assert_named_files_are_there(world: LookupWorld) -> None:
    """Every file of changes or rejected rows that a record names: a resume and an audit read them."""
    assert set() == named_files(world) - set(world.objects)


def named_files(world: LookupWorld) -> set[str]:
    """Files of changes and of rejected rows that records name."""
    sets = [record["changeSet"] for record in world.records]
    files = {file["key"] for one in sets for file in (*one["puts"], *one["deletes"])}
    return files | {key for one in sets for key in one["rejects"]}
