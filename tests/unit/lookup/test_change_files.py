from __future__ import annotations

import base64
import gzip
import hashlib
import json

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import ServiceTrouble
from airflow_dynamo_pipeline.lookup.change_files import ChangeFiles, shown_key, typed_key

PREFIX = "runs/r1/changes/puts/"


def files(store: MemoryStore, **more: int) -> ChangeFiles:
    return ChangeFiles(store, PREFIX, "k3x9", **more)


def test_a_file_is_named_by_number_and_attempt_and_told_with_lines_and_hash() -> None:
    store = MemoryStore()
    changes = files(store)
    changes.write([b'{"a":1}', b'{"a":2}'])
    changes.write([b'{"a":3}'])
    changes.close()

    (found,) = changes.done
    body = store.objects[found.key].body
    assert (f"{PREFIX}00000-k3x9.jsonl.gz", 3) == (found.key, found.lines)
    assert b'{"a":1}\n{"a":2}\n{"a":3}\n' == gzip.decompress(body)
    assert base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() == found.md5


def test_nothing_written_leaves_no_file() -> None:
    store = MemoryStore()
    changes = files(store)
    changes.write([])
    changes.close()

    assert ([], {}, 0) == (changes.done, store.objects, len(store.uploads))


def test_a_file_that_is_large_is_followed_by_another() -> None:
    store = MemoryStore()
    changes = files(store, file_bytes=20)
    for number in range(5):
        changes.write([b'{"a":%d,"b":"x"}' % number])
    changes.close()

    assert [2, 2, 1] == [file.lines for file in changes.done]
    assert [f"{PREFIX}0000{n}-k3x9.jsonl.gz" for n in range(3)] == list(store.keys(""))
    lines = b"".join(gzip.decompress(store.objects[file.key].body) for file in changes.done).splitlines()
    assert [0, 1, 2, 3, 4] == [json.loads(line)["a"] for line in lines]


def test_closing_twice_is_closing_once() -> None:
    store = MemoryStore()
    changes = files(store)
    changes.write([b"{}"])
    changes.close()
    changes.close()

    assert 1 == len(changes.done)


def test_an_abort_removes_what_is_done_and_what_is_open() -> None:
    store = MemoryStore()
    changes = files(store, file_bytes=1)
    changes.write([b"{}"])
    changes._file_bytes = 100
    changes.write([b"{}"])
    assert (1, 1) == (len(store.objects), len(store.uploads))

    changes.abort()

    assert (0, 0) == (len(store.objects), len(store.uploads))


def test_trouble_with_an_abort_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    changes = files(store, file_bytes=1)
    changes.write([b"{}"])
    tried: list[object] = []

    def refuse(keys: object) -> None:
        tried.append(keys)
        raise ServiceTrouble("s3 is away")

    monkeypatch.setattr(store, "delete", refuse)
    changes.abort()

    assert [[f"{PREFIX}00000-k3x9.jsonl.gz"]] == tried


@pytest.mark.parametrize(
    ("key", "schema", "typed"),
    [
        (b'["P1"]', [("id", "S")], {"id": {"S": "P1"}}),
        (b'["12.5"]', [("n", "N")], {"n": {"N": "12.5"}}),
        (b'["AAH/"]', [("b", "B")], {"b": {"B": "AAH/"}}),
        (
            b'["a\\"b\\n\\u0001","-1"]',
            [("id", "S"), ("n", "N")],
            {"id": {"S": 'a"b\n\x01'}, "n": {"N": "-1"}},
        ),
    ],
)
def test_a_key_text_becomes_typed_key_attributes(
    key: bytes, schema: list[tuple[str, str]], typed: dict[str, dict[str, str]]
) -> None:
    assert typed == json.loads(typed_key(key, [KeyAttribute(*one) for one in schema]))


def test_a_key_text_of_another_key_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        typed_key(b'["a"]', [KeyAttribute("id", "S"), KeyAttribute("n", "N")])


def test_a_key_is_shown_to_a_person_without_its_json() -> None:
    assert 'a"b, 12' == shown_key(b'["a\\"b","12"]')
