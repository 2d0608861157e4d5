"""A backup is a stranger's: whatever its files hold, nothing but whole items of it reaches one table."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_dynamo_pipeline.errors import ImportFailed, ImportRefused, InvalidExport, UnexpectedReply
from tests.faults.import_files import TABLE, Attempt, Files, line

Item = dict[str, Any]
MIB = 1024 * 1024
OTHER = "accounts"
VICTIM: Item = {"pk": {"S": "victim"}, "v": {"S": "untouched"}}
CSV: Item = {"file_format": "csv", "attributes": {"pk": "S", "v": "L"}}

# --- what would be another request if it were pasted into one --------------------------------------

HEAD = b'{"Item":{"pk":{"S":"a"}}}'
VICTIMS_KEY = b'{"pk":{"S":"victim"}}'
SMUGGLED: Mapping[str, bytes] = {
    "a delete": HEAD + b'}},{"DeleteRequest":{"Key":' + VICTIMS_KEY,
    "a delete that ends": HEAD + b'},{"DeleteRequest":{"Key":' + VICTIMS_KEY + b"}}",
    "another put": HEAD + b'},{"PutRequest":' + HEAD + b"}",
    "another table": HEAD + b'}],"accounts":[{"PutRequest":' + HEAD + b"}",
    "another request": HEAD + b'}]},"ReturnConsumedCapacity":"NONE"}' + HEAD,
    "a field Item before": b'{"Item":{"pk":{"S":"b"}},"Item":{"pk":{"S":"a"}}}',
    "a field beside": b'{"Item":{"pk":{"S":"a"}},"ConditionExpression":"x"}',
    "a field DeleteRequest": b'{"Item":{"pk":{"S":"a"}},"DeleteRequest":{"Key":' + VICTIMS_KEY + b"}}",
    "an escaped name": b'{"\\u0049tem":{"pk":{"S":"a"}}}',
    "an escaped name twice": b'{"Item":{"pk":{"S":"a"}},"\\u0049tem":{"pk":{"S":"b"}}}',
    "two objects": HEAD + HEAD,
    "two objects and a blank": HEAD + b" " + HEAD,
    "two lines of a Mac": HEAD + b"\r" + HEAD,
    "a NUL between": HEAD + b"\x00" + HEAD,
    "a quote in overlong UTF-8": b'{"Item":{"pk":{"S":"a\xc0\xa2}}},{"DeleteRequest":{"Key":1}}"}}}',
    "a brace in overlong UTF-8": b'{"Item":{"pk":{"S":"a\xe0\x81\xbd"}}}',
    "half a surrogate in UTF-8": b'{"Item":{"pk":{"S":"a\xed\xa0\x80"}}}',
    "a string that does not end": b'{"Item":{"pk":{"S":"a',
    "a string that ends with a backslash": b'{"Item":{"pk":{"S":"a\\"}}}',
    "an array": b'{"Item":[' + HEAD + b"]}",
    "a text": b'{"Item":"x\\"},{\\"DeleteRequest\\":{}}"}',
    "a comment": b'{"Item":{"pk":{"S":"a"}/* */}}',
    "a byte order mark inside": b"\xef\xbb\xbf" + HEAD,
}


def world() -> Files:
    """Two tables, with something to lose in each."""
    files = Files()
    files.aws.dynamodb.create_table(OTHER)
    for name in (TABLE, OTHER):
        files.aws.dynamodb.put_items(name, [VICTIM])
    return files


def assert_nothing_was_lost(files: Files, added: list[Item]) -> None:
    """The tables hold what they held, and the one that was asked for the good items."""
    wanted = sorted(map(json.dumps, [VICTIM, *added]))
    assert wanted == sorted(map(json.dumps, files.aws.dynamodb.items(TABLE)))
    assert [VICTIM] == files.aws.dynamodb.items(OTHER)


@pytest.mark.parametrize("what", sorted(SMUGGLED))
def test_a_line_with_more_than_an_item_is_refused_by_file_and_line_and_sends_nothing(what: str) -> None:
    files = world()
    alone = files.put("alone.json", b"\n" + SMUGGLED[what] + b"\n")

    attempt = files.attempt(file_format="dynamodb_json")

    assert isinstance(attempt.error, ImportFailed)
    assert [] == attempt.writes
    assert {(alone, 2)} == {(one["rejected"]["file"], one["rejected"]["line"]) for one in files.rejects()}
    assert_nothing_was_lost(files, [])


@pytest.mark.parametrize("on_conflict", ["overwrite", "skip", "fail"])
def test_the_good_lines_among_such_are_written_and_nothing_else(on_conflict: str) -> None:
    files = world()
    good: list[Item] = [{"pk": {"S": f"good {n}"}} for n in range(len(SMUGGLED))]
    pairs = zip(good, SMUGGLED.values(), strict=True)
    files.put("among.json", b"".join(line(item) + text + b"\n" for item, text in pairs))

    result = files.attempt(
        file_format="dynamodb_json", on_conflict=on_conflict, max_rejected=len(SMUGGLED)
    ).result

    assert (len(SMUGGLED), len(SMUGGLED)) == (result.written, result.rejected)
    assert set(range(2, 2 * len(SMUGGLED) + 1, 2)) == {one["rejected"]["line"] for one in files.rejects()}
    assert_nothing_was_lost(files, good)


OLD: Mapping[str, bytes] = {
    "a delete": b'{"pk":{"s":"a"}}},{"DeleteRequest":{"Key":' + VICTIMS_KEY + b"}}",
    "two objects": b'{"pk":{"s":"a"}}{"pk":{"s":"b"}}',
    "a tag in two spellings": b'{"pk":{"s":"a","S":"b"}}',
    "a quote in overlong UTF-8": b'{"pk":{"s":"a\xc0\xa2}}}',
    "an unknown tag": b'{"pk":{"s":"a"},"x":{"Item":{}}}',
    "no object": b'["pk"]',
}
HIVE: Mapping[str, bytes] = {
    "a delete": b'pk\x03{"s":"a"}},{"DeleteRequest":{"Key":' + VICTIMS_KEY + b"}}",
    "an attribute twice": b'pk\x03{"s":"a"}\x02pk\x03{"s":"b"}',
    "two values": b'pk\x03{"s":"a"}{"s":"b"}',
    "a quote in overlong UTF-8": b'pk\x03{"s":"a\xc0\xa2}',
    "no end": b'pk\x03{"s":"a',
    "no name": b'\x03\x03{"s":"a"}',
}
ROWS: Mapping[str, bytes] = {
    "a field more": b'a,[],{"DeleteRequest":{}}',
    "an object more": b'a,"[]},{""DeleteRequest"":{}}"',
    "no UTF-8": b"a\xc0\xa2,[]",
    "a field less": b"a",
}


@pytest.mark.parametrize(
    ("settings_", "text"),
    [
        *(
            pytest.param({"file_format": "data_pipeline"}, text, id=f"old {what}")
            for what, text in OLD.items()
        ),
        *(
            pytest.param({"file_format": "data_pipeline"}, text, id=f"hive {what}")
            for what, text in HIVE.items()
        ),
        *(pytest.param(CSV, b"pk,v\n" + text, id=f"csv {what}") for what, text in ROWS.items()),
    ],
)
def test_the_other_formats_refuse_a_line_with_more_than_an_item_too(settings_: Item, text: bytes) -> None:
    files = world()
    key = files.put("part-1", text + b"\n")

    attempt = files.attempt(**settings_)

    assert isinstance(attempt.error, ImportFailed)
    assert [] == attempt.writes
    number = text.count(b"\n") + 1
    assert {(key, number)} == {(one["rejected"]["file"], one["rejected"]["line"]) for one in files.rejects()}
    assert_nothing_was_lost(files, [])


FRAGMENTS = [
    b'{"Item":{"pk":{"S":"a"}}}', b'{"Item":{"pk":{"S":"b"},"v":{"M":{"Item":{"S":"}}"}}}}}', b"\n", b"\r",
    b" ", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b'"Item":', b"\x00", b"\xc0\xa2", b"\xff",
    b'{"DeleteRequest":{"Key":{"pk":{"S":"victim"}}}}', b'"PutRequest":', b"\xe2\x80\xa8", b"\x03",
]  # fmt: skip


def pairs_once(pairs: list[tuple[str, Any]]) -> Item:
    """Refuse an object that has a name twice."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=9))
@example([FRAGMENTS[0], FRAGMENTS[0], b"\n"])  # as many items as lines, and as many bytes
@example([FRAGMENTS[0], b"\n", FRAGMENTS[1]])
@example([b"{", b'"Item":', FRAGMENTS[17], b"}"])  # an item without a key, and no other
def test_whatever_fragments_a_file_is_made_of_requests_hold_its_lines_items_and_nothing_else(
    fragments: list[bytes],
) -> None:
    files = world()
    text = b"".join(fragments)
    files.put("part-1", text + b"\n")

    attempt = files.attempt(file_format="dynamodb_json", max_rejected=100)

    found = [item for item in map(item_alone, text.split(b"\n")) if item is not None]
    items = [item for item in found if "pk" in item]
    for call in attempt.writes:
        body = json.loads(call.body.decode(), object_pairs_hook=pairs_once)
        assert {"RequestItems", "ReturnConsumedCapacity"} == body.keys()
        ((table, requests),) = body["RequestItems"].items()
        assert TABLE == table
        assert all({"PutRequest"} == request.keys() for request in requests)
        assert all(request["PutRequest"] in [{"Item": item} for item in items] for request in requests)
    wanted = {json.dumps(item) for item in items}
    if found and not items:
        assert isinstance(attempt.error, ImportRefused)
    else:
        assert len(items) == attempt.result.written
    assert wanted | {json.dumps(VICTIM)} == set(map(json.dumps, files.aws.dynamodb.items(TABLE)))
    assert [VICTIM] == files.aws.dynamodb.items(OTHER)


def item_alone(text: bytes) -> Item | None:
    """The item of a line that is one object with one field, as the standard library sees it."""
    try:
        found = json.loads(text.decode(), object_pairs_hook=pairs_once)
    except (ValueError, AssertionError):
        return None
    is_one = isinstance(found, dict) and found.keys() == {"Item"} and b'"Item"' in text
    return found["Item"] if is_one and isinstance(found["Item"], dict) else None


# --- what is too much ----------------------------------------------------------------------------

DEEP = 100_000
DEPTHS: Mapping[str, tuple[Item, bytes]] = {
    "dynamodb_json": (
        {"file_format": "dynamodb_json"},
        b'{"Item":{"pk":{"S":"a"},"v":' + b'{"L":[' * DEEP + b"]}" * DEEP + b"}}",
    ),
    "data_pipeline": (
        {"file_format": "data_pipeline"},
        b'{"pk":{"s":"a"},"v":' + b'{"l":[' * DEEP + b"]}" * DEEP + b"}",
    ),
    "hive text": (
        {"file_format": "data_pipeline"},
        b'pk\x03{"s":"a"}\x02v\x03' + b'{"l":[' * DEEP + b"]}" * DEEP,
    ),
    "csv": (CSV, b"pk,v\na," + b"[" * DEEP + b"]" * DEEP),
    "plain_json": (
        {"file_format": "plain_json", "attributes": {"pk": "S"}},
        b'{"pk":"a","v":' + b"[" * DEEP + b"]" * DEEP + b"}",
    ),
    "rejects": (
        {"file_format": "rejects"},
        b'{"rejected":{"file":"f","line":1,"reason":"x"},"reader":"dynamodb_json","text":'
        + b"[" * DEEP
        + b"]" * DEEP
        + b"}",
    ),
}


@pytest.mark.parametrize("what", sorted(DEPTHS))
def test_an_item_nested_100000_deep_is_refused_by_file_and_line(what: str) -> None:
    given_, text = DEPTHS[what]
    files = world()
    key = files.put("part-1", text + b"\n")

    attempt = files.attempt(**given_)

    assert isinstance(attempt.error, ImportFailed)
    assert [] == attempt.writes
    (reject,) = files.rejects()
    assert (key, text.count(b"\n") + 1) == (reject["rejected"]["file"], reject["rejected"]["line"])
    assert_nothing_was_lost(files, [])


def gzip_piece(piece: bytes) -> bytes:
    return gzip.compress(piece, 9, mtime=0)


def zstd_piece(piece: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=19).compress(piece)


BOMBS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip_piece, "zstd": zstd_piece}
FORMATS: Mapping[str, Item] = {
    "dynamodb_json": {"file_format": "dynamodb_json"},
    "data_pipeline": {"file_format": "data_pipeline"},
    "csv": CSV,
}


@pytest.mark.parametrize("file_format", sorted(FORMATS))
@pytest.mark.parametrize("kind", sorted(BOMBS))
def test_a_bomb_is_refused_by_its_file_and_with_little_memory(kind: str, file_format: str) -> None:
    files = world()
    piece = BOMBS[kind](b" " * 16 * MIB)
    key = files.put("part-1", piece * 8)
    assert len(piece) < 16 * MIB / 900

    attempt, peak = measured(files, **FORMATS[file_format], max_rejected=10**9)

    assert isinstance(attempt.error, ImportRefused | InvalidExport)
    assert key in str(attempt.error)
    if file_format != "csv":  # whose first record, without an end, is enough to refuse it
        assert "times its stored size; files of items stay below" in str(attempt.error)
    assert [] == attempt.writes
    assert peak < 80 * MIB
    assert_nothing_was_lost(files, [])


def measured(files: Files, **given_: Any) -> tuple[Attempt, int]:
    """An attempt, and the most bytes that were held beside what was held before."""
    tracemalloc.start()
    try:
        attempt = files.attempt(**given_)
        return attempt, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_line_of_a_gigabyte_is_passed_over_in_the_stream_and_the_lines_after_it_are_imported() -> None:
    files = world()
    noise = random.Random(1).randbytes(4096).hex().encode()  # so that it is no bomb
    piece = zstd_piece(noise.ljust(4 * MIB, b"x"))
    ends = zstd_piece(b'{"Item":{"pk":{"S":"'), zstd_piece(b'"}}}\n' + line({"pk": {"S": "after"}}))
    key = files.put("part-1", ends[0] + piece * 256 + ends[1])
    assert len(piece) > 4 * MIB / 2900

    attempt, peak = measured(files, file_format="dynamodb_json", max_rejected=1)

    assert (2, 1, 1) == (attempt.result.read, attempt.result.written, attempt.result.rejected)
    (reject,) = files.rejects()
    assert (key, 1) == (reject["rejected"]["file"], reject["rejected"]["line"])
    assert "longer than 8,388,608 bytes" == reject["rejected"]["reason"]
    assert 4096 == len(reject["text"])
    assert peak < 48 * MIB
    assert_nothing_was_lost(files, [{"pk": {"S": "after"}}])


def test_a_file_without_any_item_is_not_read_to_its_end_when_no_reject_is_allowed() -> None:
    files = world()
    files.put("part-1", (b"x" * 99 + b"\n") * 100_000)

    attempt = files.attempt(file_format="dynamodb_json")

    assert isinstance(attempt.error, ImportFailed)
    assert 1 <= len(files.rejects()) < 10_000


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(gzip_piece(line({"pk": {"S": "a"}}) * 9)[:-9], id="cut gzip"),
        pytest.param(zstd_piece(line({"pk": {"S": "a"}}) * 9)[:-3], id="cut zstd"),
        pytest.param(gzip_piece(line({"pk": {"S": "a"}}))[:-8] + b"\x00" * 8, id="wrong sum"),
        pytest.param(gzip_piece(line({"pk": {"S": "a"}})) + b"rubbish", id="rubbish behind it"),
    ],
)
def test_a_damaged_file_fails_by_its_name(damaged: bytes) -> None:
    files = world()
    key = files.put("part-1.gz", damaged)

    attempt = files.attempt(file_format="dynamodb_json")

    assert not isinstance(attempt.error, UnexpectedReply)
    assert key in str(attempt.error)
