"""Everything that can be done to the files of an export, one deed at a time (E6)."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import checksum
from airflow_dynamo_pipeline.engine.ports import StoredObject
from airflow_dynamo_pipeline.engine.verify import VerifyResult, layout_of, verify_files
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from tests.unit.engine.world import NO_WAITING, SmallPages, World, data_keys, request

ITEMS = 18
SEGMENTS = 3
HIGHEST_BIT = 7
FIRST_VALUE = re.compile(rb'"body": ?{"[Ss]": ?"')
OUR_KEY = "airflowDynamoPipeline"
PROVABLE = ("itemCount", "manifestFilesS3Key", "our parts", "our bytes", "our storedBytes")
Objects = Mapping[str, bytes]


@dataclass(frozen=True)
class Exported:
    """A finished export of three segments in several parts each; reading it changes nothing."""

    compression: str
    layout: ExportLayout
    objects: Objects
    files: tuple[str, ...]  # the data files

    def verify(self, objects: Objects) -> VerifyResult:
        store = MemoryStore()
        store.objects = {key: StoredObject(body, "") for key, body in objects.items()}
        return verify_files(self.layout.manifest_uri, store)

    def content(self, key: str) -> bytes:
        return b"".join(COMPRESSIONS[self.compression].decompress([self.objects[key]]))

    def packed(self, content: bytes) -> bytes:
        stream = COMPRESSIONS[self.compression].open()
        return stream.compress(content) + stream.flush()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.objects[self.layout.files_key].splitlines()]

    def pairs(self) -> Iterator[tuple[str, str]]:
        return itertools.combinations(self.files, 2)


@functools.cache
def exported(file_format: str, compression: str) -> Exported:
    """Export once for all tests of a variant."""
    held = [{"pk": {"S": f"{n:05}"}, "body": {"S": hashlib.md5(b"%d" % n).hexdigest()}} for n in range(ITEMS)]
    store = MemoryStore()
    world = World(store=store, table=SmallPages(MemoryTable(held)))
    settings = {"file_format": file_format, "compression": compression, "segments": SEGMENTS}
    result = world.export(request(units_per_second=NO_WAITING, part_bytes=100, **settings))
    objects = {key: stored.body for key, stored in store.objects.items()}
    return Exported(compression, layout_of(result.manifest_uri), objects, tuple(data_keys(store)))


@dataclass(frozen=True)
class Mutation:
    """An export to which something was done, and the keys that must be named for it."""

    what: str
    wrong: frozenset[str]
    objects: Objects


# --- what can be done to data files -------------------------------------------------------------------


def changed(one: Exported, what: str, bodies: Mapping[str, bytes], *wrong: str) -> Mutation:
    """Some objects have other bodies; these keys are wrong, by default the same ones."""
    return Mutation(what, frozenset(wrong or bodies), {**one.objects, **bodies})


def without(one: Exported, key: str) -> Mutation:
    """One object is gone."""
    left = {name: body for name, body in one.objects.items() if name != key}
    return Mutation(f"{key} is missing", frozenset({key}), left)


def flipped(body: bytes, *bits: int) -> bytes:
    copy = bytearray(body)
    for bit in bits:
        copy[bit // 8] ^= 1 << bit % 8
    return bytes(copy)


def missing(one: Exported) -> Iterator[Mutation]:
    for key in one.files:
        yield without(one, key)
    rest = {key: body for key, body in one.objects.items() if key not in one.files}
    yield Mutation("all are missing", frozenset(one.files), rest)


def extra(one: Exported) -> Iterator[Mutation]:
    names = ("another", "0000-00000-00000000.json.gz", "below/it.json", "")
    for name, body in itertools.product(names, (b"", b"x", one.objects[one.files[0]])):
        yield changed(one, f"extra {name!r}", {one.layout.data_prefix + name: body})


def renamed(one: Exported) -> Iterator[Mutation]:
    for key in one.files:
        objects = {key + ".bak" if name == key else name: body for name, body in one.objects.items()}
        yield Mutation(f"{key} renamed", frozenset({key, key + ".bak"}), objects)


def truncated(one: Exported) -> Iterator[Mutation]:
    for key in one.files:
        whole = len(one.objects[key])
        for left in sorted({0, 1, 10, whole // 4, whole // 2, whole - 8, whole - 4, whole - 1}):
            yield changed(one, f"{key} cut to {left}", {key: one.objects[key][:left]})
        lines = one.content(key).splitlines(keepends=True)
        for left in range(len(lines)):
            yield changed(one, f"{key} of {left} lines", {key: one.packed(b"".join(lines[:left]))})


def grown(one: Exported) -> Iterator[Mutation]:
    for key in one.files:
        body = one.objects[key]
        for more in (b"\n", b"\0", body, one.packed(b""), one.packed(b'{"Item":{}}\n')):
            if more:
                yield changed(one, f"{key} and {len(more)} bytes", {key: body + more})


def swapped(one: Exported) -> Iterator[Mutation]:
    for first, second in one.pairs():
        bodies = {first: one.objects[second], second: one.objects[first]}
        yield changed(one, f"{first} swapped with {second}", bodies)


def replaced(one: Exported) -> Iterator[Mutation]:
    for first, second in itertools.permutations(one.files, 2):
        yield changed(one, f"{first} is a copy of {second}", {first: one.objects[second]})


def rewritten(one: Exported) -> Iterator[Mutation]:
    """Whole files with as many lines as before: other values, another order, no byte longer or shorter."""
    for key in one.files:
        content = one.content(key)
        reversed_lines = b"".join(content.splitlines(keepends=True)[::-1])
        if reversed_lines != content:
            yield changed(one, f"{key} in another order", {key: one.packed(reversed_lines)})
        at = next(FIRST_VALUE.finditer(content)).end()
        others = (content[:at] + b"%x" % digit + content[at + 1 :] for digit in range(16))
        stored = [one.packed(other) for other in others if other != content]
        same_size = [body for body in stored if len(body) == len(one.objects[key])]
        for body in stored[:3] + same_size[:3]:
            yield changed(one, f"{key} with a value changed", {key: body})


def bits_of_files(one: Exported) -> Iterator[Mutation]:
    for key in one.files:
        for bit in range(len(one.objects[key]) * 8):
            yield changed(one, f"bit {bit} of {key}", {key: flipped(one.objects[key], bit)})


# --- and to manifests ---------------------------------------------------------------------------------


def pairs_of_manifests(one: Exported) -> list[tuple[str, str]]:
    """Each manifest and its checksum file."""
    place = one.layout
    return [(place.summary_key, place.summary_checksum_key), (place.files_key, place.files_checksum_key)]


def manifests_missing(one: Exported) -> Iterator[Mutation]:
    for pair in pairs_of_manifests(one):
        for key in pair:
            yield without(one, key)


def manifests_truncated(one: Exported) -> Iterator[Mutation]:
    for key in itertools.chain(*pairs_of_manifests(one)):
        body = one.objects[key]
        for left in sorted({0, 1, *range(0, len(body), 23), len(body) - 2, len(body) - 1}):
            yield changed(one, f"{key} cut to {left}", {key: body[:left]})


def manifests_swapped(one: Exported) -> Iterator[Mutation]:
    (summary, summary_md5), (files, files_md5) = pairs_of_manifests(one)
    for first, second in ((summary, files), (summary_md5, files_md5)):
        bodies = {first: one.objects[second], second: one.objects[first]}
        wrong = [first] if first == summary else [first, second]  # a summary that is none ends the check
        yield changed(one, f"{first} swapped with {second}", bodies, *wrong)
        yield changed(one, f"{first} is a copy of {second}", {first: one.objects[second]})


def bits_of_manifests(one: Exported) -> Iterator[Mutation]:
    for key in itertools.chain(*pairs_of_manifests(one)):
        for bit in range(len(one.objects[key]) * 8):
            if bit % 8 != HIGHEST_BIT:
                yield changed(one, f"bit {bit} of {key}", {key: flipped(one.objects[key], bit)})


def highest_bits_of_manifests(one: Exported) -> Iterator[Mutation]:
    """What is then no text any more."""
    for key in itertools.chain(*pairs_of_manifests(one)):
        for bit in range(HIGHEST_BIT, len(one.objects[key]) * 8, 8):
            yield changed(one, f"bit {bit} of {key}", {key: flipped(one.objects[key], bit)})


def edited_lists(one: Exported) -> Iterator[tuple[str, list[dict[str, Any]], set[str]]]:
    """Edits of the list of files: what, the new lines, and what is then wrong beside the list itself."""
    lines, total = one.lines(), one.layout.summary_key
    for n, line in enumerate(lines):
        key, other = line["dataFileS3Key"], lines[n - 1]
        before, after = lines[:n], lines[n + 1 :]
        yield f"{key} removed", [*before, *after], {total, key}
        yield f"{key} doubled", [*before, line, line, *after], {total}
        yield f"{key} put in place of another", [*lines[:n], other, *after], {key}
        for more in (-1, 1, 1000):
            counted = {**line, "itemCount": line["itemCount"] + more}
            yield f"{key} counted {more:+}", [*before, counted, *after], {total, key}
        for name in ("md5Checksum", "dataFileS3Key"):
            exchanged = {**line, name: other[name]}
            yield f"{key} with another {name}", [*before, exchanged, *after], {key}
        lost = {**line, "dataFileS3Key": key + ".bak"}
        yield f"{key} under another name", [*before, lost, *after], {key, key + ".bak"}
    yield "no line at all", [], {total, *one.files}


def lists_edited(one: Exported) -> Iterator[Mutation]:
    for what, lines, _ in edited_lists(one):
        yield changed(one, what, {one.layout.files_key: as_lines(lines)})


def lists_edited_with_their_checksum(one: Exported) -> Iterator[Mutation]:
    """By somebody who knows of the checksum file: then the files themselves tell."""
    for what, lines, wrong in edited_lists(one):
        body = as_lines(lines)
        bodies = {one.layout.files_key: body, one.layout.files_checksum_key: checksum(body)}
        yield changed(one, what, bodies, *wrong)


def as_lines(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def summaries_edited(one: Exported) -> Iterator[Mutation]:
    """Every figure and text of the summary, ours and the native ones."""
    for name, body in edited_summaries(one):
        yield changed(one, name, {one.layout.summary_key: body})


def edited_summaries(one: Exported) -> Iterator[tuple[str, bytes]]:
    """The name of what was changed, and the summary's new body."""
    summary = json.loads(one.objects[one.layout.summary_key])
    ours = summary.pop(OUR_KEY)
    for name, value in summary.items():
        yield name, json.dumps({**summary, name: another(value), OUR_KEY: ours}).encode()
    for name, value in ours.items():
        yield f"our {name}", json.dumps({**summary, OUR_KEY: {**ours, name: another(value)}}).encode()


def figures_edited_with_their_checksum(one: Exported) -> Iterator[Mutation]:
    """Figures that the files themselves disprove."""
    place = one.layout
    for name, body in edited_summaries(one):
        if name in PROVABLE:
            bodies = {place.summary_key: body, place.summary_checksum_key: checksum(body)}
            yield changed(one, name, bodies, place.summary_key)


def connector_manifests_edited(one: Exported) -> Iterator[Mutation]:
    """The list that the EMR connector reads, which has no checksum file."""
    key = one.layout.data_pipeline_manifest_key
    body = one.objects[key]
    lines = body.splitlines(keepends=True)
    yield without(one, key)
    yield changed(one, "empty", {key: b""})
    yield changed(one, "an entry less", {key: b"".join(lines[:2] + lines[3:])})
    yield changed(one, "an entry twice", {key: b"".join(lines[:3] + lines[2:])})
    yield changed(one, "another file", {key: body.replace(b"/data/0", b"/data/1", 1)})


def another(value: Any) -> Any:
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return "2" + str(value)[1:]


# Each with the number of mutations that it makes of an export, at the least.
Kinds = Mapping[str, tuple[Callable[[Exported], Iterator[Mutation]], int]]
FILES: Kinds = {
    "missing": (missing, 11),
    "extra": (extra, 12),
    "renamed": (renamed, 10),
    "truncated": (truncated, 80),
    "grown": (grown, 40),
    "swapped": (swapped, 45),
    "replaced": (replaced, 90),
    "rewritten": (rewritten, 50),
    "bits": (bits_of_files, 8000),
}
MANIFESTS: Kinds = {
    "missing": (manifests_missing, 4),
    "truncated": (manifests_truncated, 120),
    "swapped": (manifests_swapped, 4),
    "bits": (bits_of_manifests, 18_000),
    "list edited": (lists_edited, 91),
    "list and checksum edited": (lists_edited_with_their_checksum, 91),
    "summary edited": (summaries_edited, 25),
}
