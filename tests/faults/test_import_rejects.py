"""Whatever cannot be imported is kept with its place and its reason, mended there, and imported after all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import ImportFailed
from tests.faults.import_files import BUCKET, TABLE, Attempt, Files, line, lines

Item = dict[str, Any]
KEY = (("pk", "S"), ("n", "N"))
GOOD: list[Item] = [{"pk": {"S": f"k{n}"}, "n": {"N": str(n)}} for n in range(60)]


def with_value(value: Item) -> bytes:
    return line({"pk": {"S": "bad"}, "n": {"N": "1"}, "v": value})


def deep(levels: int) -> bytes:
    return b'{"Item":{"pk":{"S":"bad"},"n":{"N":"1"},"v":%s{"L":[]}%s}}\n' % (
        b'{"L":[' * levels,
        b"]}" * levels,
    )


BAD: Mapping[str, tuple[bytes, str]] = {
    "no JSON": (b'{"Item":{"pk":{"S":"bad"\n', "not JSON: "),
    "another object": (b'{"Thing":{}}\n', "not an item: Object contains unknown field `Thing`"),
    "no UTF-8": (b'{"Item":{"pk":{"S":"\xff"},"n":{"N":"1"}}}\n', "not UTF-8: invalid start byte at byte "),
    "no key": (line({"n": {"N": "1"}}), "the key is missing, empty or of another type: "),
    "no sort key": (line({"pk": {"S": "bad"}}), "the key is missing, empty or of another type: "),
    "an empty key": (
        line({"pk": {"S": ""}, "n": {"N": "1"}}),
        "the key is missing, empty or of another type",
    ),
    "another key's type": (
        line({"pk": {"N": "1"}, "n": {"N": "1"}}),
        "the key is missing, empty or of another type: ",
    ),
    "a key that is no number": (
        line({"pk": {"S": "bad"}, "n": {"N": "one"}}),
        "attribute 'n': 'one' is not a number",
    ),
    "a long key": (
        line({"pk": {"S": "x" * 2049}, "n": {"N": "1"}}),
        "the partition key 'pk' has 2049 bytes; at most 2048 are allowed",
    ),
    "too large": (
        with_value({"S": "x" * 410_000}),
        "it has 410009 bytes; at most 409600 are allowed",
    ),
    "too deep": (deep(33), "is nested deeper than 32 levels"),
    "far too deep": (deep(5000), "nested too deeply"),
    "too large a number": (with_value({"N": "1E126"}), "the number '1E126' is out of the range"),
    "too small a number": (with_value({"N": "1E-131"}), "the number '1E-131' is out of the range"),
    "too many digits": (with_value({"N": "1" * 39}), "a number has 39 significant digits; at most 38"),
    "members twice": (with_value({"NS": ["1", "1.0"]}), "a set of type NS has a member twice"),
    "an empty set": (with_value({"SS": []}), "a set is empty"),
    "an unknown type": (with_value({"X": "1"}), "a value has the unknown type 'X'"),
    "two types": (with_value({"S": "1", "N": "1"}), "a value has 2 types; expected exactly one"),
    "a false null": (with_value({"NULL": False}), "a value of type NULL is false"),
}


@pytest.mark.parametrize("on_conflict", ["overwrite", "skip"])
@pytest.mark.parametrize("what", sorted(BAD))
def test_i6_one_bad_line_is_kept_with_file_line_and_reason_and_all_others_are_written(
    what: str, on_conflict: str
) -> None:
    text, reason = BAD[what]
    files = Files(key=KEY)
    key = files.put("part-1.json.gz", lines(GOOD[:40]) + text + lines(GOOD[40:]), zipped=True)

    result = files.attempt(max_rejected=1, on_conflict=on_conflict).result

    assert (61, 60, 1) == (result.read, result.written, result.rejected)
    assert sorted(map(json.dumps, GOOD)) == sorted(map(json.dumps, files.aws.dynamodb.items(TABLE)))
    (reject,) = files.rejects()
    assert (key, 41) == (reject["rejected"]["file"], reject["rejected"]["line"])
    assert reason in reject["rejected"]["reason"]
    assert f"s3://{BUCKET}/old/_imports/{result.import_id}/rejects/" == result.rejects_uri


def every_bad_line() -> bytes:
    return b"".join(text for text, _ in BAD.values())


def test_i6_all_bad_lines_at_once_are_each_kept_once() -> None:
    files = Files(key=KEY)
    files.put("part-1", lines(GOOD[:30]) + every_bad_line() + lines(GOOD[30:]))

    result = files.attempt(max_rejected=len(BAD)).result

    assert (60, len(BAD)) == (result.written, result.rejected)
    found = [(reject["rejected"]["line"], reject["rejected"]["reason"]) for reject in files.rejects()]
    assert list(range(31, 31 + len(BAD))) == sorted(number for number, _ in found)
    assert [] == [
        (wanted, reason)
        for (_, reason), (_, wanted) in zip(sorted(found), BAD.values(), strict=True)
        if wanted not in reason
    ]


def test_i6_one_reject_more_than_allowed_fails_and_says_where_they_are() -> None:
    files = Files(key=KEY)
    files.put("part-1", lines(GOOD) + BAD["no key"][0] + BAD["an empty set"][0])

    error = files.attempt(max_rejected=1).error

    assert isinstance(error, ImportFailed)
    assert "2 items were rejected, max_rejected is 1; 60 items of 62 read so far were written" in str(error)
    (folder,) = {key.rpartition("/")[0] for key in files.aws.s3.keys(BUCKET) if "/rejects/" in key}
    assert f"stands with its reason in s3://{BUCKET}/{folder}/" in str(error)
    assert [61, 62] == sorted(reject["rejected"]["line"] for reject in files.rejects())


def test_i6_none_is_allowed_unless_it_is_said_and_few_items_are_read_after_it() -> None:
    files = Files(key=KEY)
    files.put("part-1", BAD["no key"][0] + lines(GOOD * 400))  # about a mebibyte

    error = files.attempt().error

    assert "1 items were rejected, max_rejected is 0" in str(error)
    assert len(files.attempt(max_rejected=1).calls) > len(files.items) / 25  # the rest comes with a retry


def test_i6_a_retry_that_allows_them_goes_on_and_counts_each_reject_once() -> None:
    files = Files(key=KEY)
    files.put("part-1", lines(GOOD[:30]) + every_bad_line() + lines(GOOD[30:]))
    assert isinstance(files.attempt().error, ImportFailed)

    result = files.attempt(max_rejected=len(BAD)).result

    assert ("resume", 60 + len(BAD), 60, len(BAD)) == (
        result.start, result.read, result.written, result.rejected
    )  # fmt: skip
    assert len(BAD) == len(files.rejects())
    assert 60 == len(files.items)


# --- mended, and imported again ------------------------------------------------------------------


def mend(files: Files, mended: Callable[[str], str]) -> None:
    """Edit the text of every rejected line, as a person would."""
    for key in [key for key in files.aws.s3.keys(BUCKET) if "/rejects/" in key]:
        rejects = [json.loads(text) for text in files.aws.s3.get(BUCKET, key).splitlines()]
        for reject in rejects:
            reject["text"] = mended(reject["text"])
        body = "".join(json.dumps(reject) + "\n" for reject in rejects)
        files.aws.s3.put(BUCKET, key, body.encode())


def mended_import(files: Files, uri: str, **settings: Any) -> Attempt:
    return files.attempt(s3_uri=uri, run="another", **settings)


@pytest.mark.parametrize("reader", ["dynamodb_json", "data_pipeline"])
def test_i6_rejects_that_were_mended_are_imported_and_the_table_is_whole(reader: str) -> None:
    tags = (b'"S"', b'"N"') if reader == "dynamodb_json" else (b'"s"', b'"n"')
    files = Files(key=KEY)
    body = lines([*GOOD, {"pk": {"S": "fits"}, "n": {"N": "1E999"}}, {"pk": {"S": ""}, "n": {"N": "7"}}])
    broken = b'{"Item":{"pk":{"S":"cut"},"n":{"N":"8"}}'
    text = body + broken
    if reader == "data_pipeline":
        text = text.replace(b'{"Item":', b"").replace(b"}}}\n", b"}}\n").removesuffix(b"}")
        text = text.replace(b'"S"', tags[0]).replace(b'"N"', tags[1])
    files.put("part-1", text)
    first = files.attempt(max_rejected=3).result
    assert (60, 3, True) == (first.written, first.rejected, first.rejects_uri is not None)

    mend(files, _mended)
    unsaid = mended_import(files, str(first.rejects_uri))
    again = mended_import(files, str(first.rejects_uri), file_format="rejects").result

    assert [("file_format", "these are rejected items, whose lines say themselves how they are read")] == (
        unsaid.findings
    )

    assert (3, 3, 0) == (again.read, again.written, again.rejected)
    added = [{"pk": {"S": "fits"}, "n": {"N": "9"}}, {"pk": {"S": "key"}, "n": {"N": "7"}}]
    wanted = [*GOOD, *added, {"pk": {"S": "cut"}, "n": {"N": "8"}}]
    assert sorted(map(json.dumps, wanted)) == sorted(map(json.dumps, files.aws.dynamodb.items(TABLE)))


def _mended(text: str) -> str:
    text = text.replace("1E999", "9").replace('"S":""', '"S":"key"').replace('"s":""', '"s":"key"')
    return text + "}" if text.count("{") > text.count("}") else text


def test_i6_what_was_not_mended_is_rejected_again_for_the_same_reason() -> None:
    files = Files(key=KEY)
    files.put("part-1", lines(GOOD) + every_bad_line())
    first = files.attempt(max_rejected=len(BAD)).result
    before = sorted(_again(reject["rejected"]["reason"]) for reject in files.rejects())

    again = mended_import(
        files,
        str(first.rejects_uri),
        file_format="rejects",
        max_rejected=len(BAD),
        rejects_s3_uri=f"s3://{BUCKET}/second",
        on_existing="new",
    ).result

    assert (len(BAD), 0, len(BAD)) == (again.read, again.written, again.rejected)
    keys = [key for key in files.aws.s3.keys(BUCKET, "second/") if "/rejects/" in key]
    second = [json.loads(text) for key in keys for text in files.aws.s3.get(BUCKET, key).splitlines()]
    assert before == sorted(_again(reject["rejected"]["reason"]) for reject in second)
    assert {first.import_id} == {reject["rejected"]["file"].split("/")[2] for reject in second}


def _again(reason: str) -> str:
    """A reason without what depends on the reader's way of calling it."""
    return reason[:40]
