"""What one item is: its canonical spelling, its size, and what DynamoDB itself says to it."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.items.canonical import canonical, number_parts
from airflow_dynamo_pipeline.items.check import problems_of
from airflow_dynamo_pipeline.items.sizes import item_bytes, write_units
from tests.integration.world import create_table
from tests.services import Services
from tests.services.clients import ACCESS_KEY, REGION

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = (KeyAttribute("pk", "S"),)
SETS = ("SS", "NS", "BS")

# No empty strings and binaries: the DynamoDB Local of these tests still refuses them, the service does not.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NOTATION = r"-?[0-9]{1,40}(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?"
numbers = st.integers(-999, 999).map(str) | st.from_regex(
    NOTATION, fullmatch=True, alphabet="0123456789.eE+-"
)
binaries = st.binary(min_size=1, max_size=6).map(lambda data: base64.b64encode(data).decode())
scalars = {"S": texts, "N": numbers, "B": binaries}
leaves = st.one_of(
    *(st.fixed_dictionaries({tag: values}) for tag, values in scalars.items()),
    *(
        st.fixed_dictionaries({tag: st.lists(scalars[tag[0]], max_size=3, unique=unique)})
        for tag in SETS
        for unique in (True, True, False)
    ),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.just({"NULL": True}),
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(texts, inner, max_size=3)})
    ),
    max_leaves=6,
)
items = st.dictionaries(texts, values, max_size=4)


def valid(item: Any) -> bytes:
    """The item's text; an item that DynamoDB would refuse is not drawn."""
    text = json.dumps(item).encode()
    assume(problems_of(text, ()) is None)
    return text


@st.composite
def respelled(draw: st.DrawFn, item: Any) -> bytes:
    """Draw another text of the same item."""
    text = json.dumps(
        _respelled(draw, {"M": item})["M"],
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
    )
    return text.encode()


def _respelled(draw: st.DrawFn, value: Any) -> Any:
    ((tag, held),) = value.items()
    match tag:
        case "M":
            names = draw(st.permutations(list(held)))
            return {"M": {name: _respelled(draw, held[name]) for name in names}}
        case "L":
            return {"L": [_respelled(draw, element) for element in held]}
        case "N":
            return {"N": _number(draw, held)}
        case "NS":
            return {"NS": [_number(draw, one) for one in draw(st.permutations(held))]}
        case "SS" | "BS":
            return {tag: draw(st.permutations(held))}
    return value


def _number(draw: st.DrawFn, text: str) -> str:
    """Draw another notation of a number, by text alone."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    mantissa, _, exponent = digits.lower().partition("e")
    shift = draw(st.integers(0, 3))
    whole, _, fraction = mantissa.partition(".")
    moved = fraction + "0" * (shift - len(fraction))
    zeros = "0" * draw(st.integers(0, 2))
    return f"{sign}{zeros}{whole}{moved[:shift]}.{moved[shift:]}0E{int(exponent or 0) - shift}"


@given(st.data())
def test_however_an_item_is_spelled_its_canonical_spelling_is_the_same(data: st.DataObject) -> None:
    item = data.draw(items)
    text = valid(item)
    other = data.draw(respelled(item))

    assert None is problems_of(other, ())
    assert canonical(text) == canonical(other)
    assert canonical(text) == canonical(canonical(text))
    assert item_bytes(text) == item_bytes(other) == item_bytes(canonical(text))


def changes(value: Any) -> Iterator[Any]:
    """Every way of changing one value of a typed value, each by one step."""
    ((tag, held),) = value.items()
    match tag:
        case "M":
            for name, inner in held.items():
                yield {"M": {other: each for other, each in held.items() if other != name}}
                yield from ({"M": {**held, name: changed}} for changed in changes(inner))
            yield {"M": {**held, "added" + "".join(held): {"NULL": True}}}
        case "L":
            for at, inner in enumerate(held):
                yield from ({"L": [*held[:at], changed, *held[at + 1 :]]} for changed in changes(inner))
            yield {"L": [*held, {"NULL": True}]}
        case _:
            yield from _changed_leaf(tag, held)


def _changed_leaf(tag: str, held: Any) -> Iterator[Any]:
    match tag:
        case "BOOL":
            yield {"BOOL": not held}
        case "NULL":
            yield {"S": "null"}
        case "S":
            yield from ({"S": held + " "}, {"S": held.swapcase() + "x"})
        case "N":
            yield from ({"N": _one_more(held)}, {"S": held})
        case "B":
            yield from ({"B": base64.b64encode(base64.b64decode(held) + b"\0").decode()}, {"S": held})
        case _:
            yield {tag: [*held, "999" if tag == "NS" else base64.b64encode(b"more than six").decode()]}
            yield {"L": [{tag[0]: one} for one in held]}


def _one_more(number: str) -> str:
    parts = number_parts(number)
    assert parts is not None
    digits = str(int(parts.digits or "0") + 1)
    return f"{'-' if parts.negative else ''}{digits}E{parts.exponent}"


@given(items)
def test_any_single_change_gives_another_canonical_spelling(item: Any) -> None:
    text = valid(item)
    others = [canonical(json.dumps(changed["M"]).encode()) for changed in changes({"M": item})]

    assert others
    assert canonical(text) not in others


class Local:
    """A table of DynamoDB Local, asked with JSON texts as they are."""

    def __init__(self, url: str, table: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._table = table.encode()
        self._scope = f"Credential={ACCESS_KEY}/20260101/{REGION}/dynamodb/aws4_request"

    def put(self, item: bytes) -> float | None:
        """Units that writing the item took; None where it was refused."""
        body = b'{"TableName":"%s","ReturnConsumedCapacity":"TOTAL","Item":%s}' % (self._table, item)
        self._connection.request(
            "POST",
            "/",
            body,
            {
                "X-Amz-Target": "DynamoDB_20120810.PutItem",
                "Content-Type": "application/x-amz-json-1.0",
                "Authorization": f"AWS4-HMAC-SHA256 {self._scope}, SignedHeaders=host, Signature=0",
            },
        )
        response = self._connection.getresponse()
        reply = json.loads(response.read() or b"{}")
        if response.status != http.client.OK:
            return None
        units: float = reply["ConsumedCapacity"]["CapacityUnits"]
        return units


@pytest.fixture(scope="module")
def local(services: Services, dynamodb: DynamoDBClient) -> Local:
    return Local(services.dynamodb_url, create_table(dynamodb))


fresh = itertools.count()


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=300)
@given(item=items)
def test_dynamodb_takes_what_the_check_takes_and_refuses_what_it_refuses(local: Local, item: Any) -> None:
    text = json.dumps({**item, "pk": {"S": "a"}}).encode()

    assert (problems_of(text, KEY) is None) == (local.put(text) is not None), problems_of(text, KEY)


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(item=items)
def test_dynamodb_counts_the_bytes_that_we_count(local: Local, item: Any) -> None:
    """The item is padded to exactly two units, and then by one byte more."""
    valid(item)
    sizes = []
    for more in (0, 1):
        whole = {**item, "pk": {"S": f"key {next(fresh)}"}, "padding": {"S": ""}}
        missing = 2048 - item_bytes(json.dumps(whole).encode())
        padded = json.dumps({**whole, "padding": {"S": "x" * (missing + more)}}).encode()
        assert write_units(item_bytes(padded)) == local.put(padded)
        sizes.append(write_units(item_bytes(padded)))

    assert [2, 3] == sizes


def nested(levels: int, value: str = '{"S":"x"}') -> str:
    return '{"L":[' * levels + value + "]}" * levels


REFUSED_BY_BOTH = [
    '{"N":""}', '{"N":"NaN"}', '{"N":"1E126"}', '{"N":"1E-131"}', '{"N":"0x1"}', '{"N":" 1"}', '{"N":"1_0"}',
    '{"N":"1234567890123456789012345678901234567890123"}', '{"B":"A"}', '{"B":"AAA_"}', '{"B":"AAAA===="}',
    '{"SS":[]}', '{"NS":[]}', '{"BS":[]}', '{"SS":["a","a"]}', '{"NS":["1","1.0"]}', '{"BS":["AA==","AB=="]}',
    '{"NULL":false}', '{"S":"x","N":"1"}', "{}", '{"X":"x"}', '{"s":"x"}', '{"M":{"":{"S":"x"}}}', '{"L":{}}',
    '{"S":null}', '{"S":"' + "x" * 409_597 + '"}', nested(32), nested(31, '{"L":[]}'),
]  # fmt: skip
TAKEN_BY_BOTH = [
    '{"N":".5"}', '{"N":"+1"}', '{"N":"0E-200"}', '{"N":"1E-130"}',
    '{"N":"123456789012345678901234567890123456780"}',
    '{"L":[]}', '{"M":{}}', '{"S":"' + "x" * 409_596 + '"}', '{"S":"\\u0000"}', '{"B":"AB=="}', nested(31),
]  # fmt: skip
# The service has taken these since 2020; this DynamoDB Local is older.
TAKEN_BY_THE_SERVICE = ['{"S":""}', '{"B":""}', '{"SS":[""]}', '{"BS":[""]}']
# Local reads these as something else than they say, and would write that.
GUESSED_BY_LOCAL = [
    '{"N":1}', '{"S":1}', '{"NS":[1]}', '{"BOOL":"true"}', '{"BOOL":1}', '{"NULL":1}', '{"S":"x","X":1}',
    '{"S":"x","N":null}', '{"S":"x","S":"y"}', '"x"', '{"L":["x"]}', '{"S":"\\ud800"}', '{"N":"\\u0661"}',
    '{"B":"AAAA\\n"}', '{"M":{"a":{"S":"x"},"a":{"S":"y"}}}',
]  # fmt: skip
CASES = [
    *((value, True, True) for value in TAKEN_BY_BOTH),
    *((value, False, False) for value in REFUSED_BY_BOTH),
    *((value, True, False) for value in TAKEN_BY_THE_SERVICE),
    *((value, False, True) for value in GUESSED_BY_LOCAL),
]


@pytest.mark.parametrize(("value", "by_us", "by_local"), CASES, ids=range(len(CASES)))
def test_crafted_values_are_taken_and_refused_as_listed(
    local: Local, value: str, by_us: bool, by_local: bool
) -> None:
    text = f'{{"p":{{"S":"a"}},"n":{value}}}'.replace('"p"', '"pk"', 1).encode()

    assert by_us == (problems_of(text, KEY) is None), problems_of(text, KEY)
    assert by_local == (local.put(text) is not None)
