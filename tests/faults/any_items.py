"""Any items that DynamoDB can hold, and what they mean, told without the package's own code."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Item = dict[str, Any]
DEEPEST = 32  # levels, the item itself being the first

TEXTS = [
    "",
    "\n",
    "\r\n",
    "\x00",
    "\x1f\x7f",
    "\u2028\u2029",
    "😀𝄞",
    '{"S":"x"}',
    '"}}\n{"Item":',
    "\\",
    "e\u0301",
]
NAMES = ["S", "n", "nULLValue", "Item", "PutRequest", "a b", "é", "\x02", "\x03", '"', "\u2028", "😀"]
NUMBERS = [
    "0", "-0", "1", "-1", "1.50", "0.00", "1E-130", "-1E-130", "9.99E+125", "-9.99E+125", "1e5",
    "9" * 38, "-0." + "1" * 38, "9.9999999999999999999999999999999999999E+125",
]  # fmt: skip

texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.sampled_from(NAMES) | texts.filter(bool)


def _number(sign: str, digits: int, exponent: int) -> str:
    """Spell a number of at most 38 digits that is in the range."""
    text = str(digits)
    return f"{sign}{text[0]}.{text[1:]}E{exponent}" if len(text) > 1 else f"{sign}{text}E{exponent}"


numbers = st.sampled_from(NUMBERS) | st.builds(
    _number, st.sampled_from(["", "-"]), st.integers(0, 10**38 - 1), st.integers(-90, 125)
)
binaries = st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode())
leaves = st.one_of(
    st.fixed_dictionaries({"S": texts}),
    st.fixed_dictionaries({"N": numbers}),
    st.fixed_dictionaries({"B": binaries}),
    st.fixed_dictionaries({"SS": st.lists(texts, min_size=1, max_size=3, unique=True)}),
    st.fixed_dictionaries({"NS": st.lists(numbers, min_size=1, max_size=3, unique_by=Decimal)}),
    st.fixed_dictionaries({"BS": st.lists(binaries, min_size=1, max_size=3, unique=True)}),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.just({"NULL": True}),
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"L": st.lists(inner, max_size=3)}) | st.fixed_dictionaries(
        {"M": st.dictionaries(names, inner, max_size=3)}
    )


values = st.recursive(leaves, _containers, max_leaves=8)
bodies = st.dictionaries(names.filter(lambda name: name != "pk"), values, max_size=5)


@st.composite
def tables(draw: st.DrawFn) -> list[Item]:
    """Draw the items of a table with the key ``pk`` of type S."""
    drawn = draw(st.lists(bodies, min_size=1, max_size=12))
    return [{"pk": {"S": f"{n}-{draw(texts)}"}, **body} for n, body in enumerate(drawn)]


def nested(levels: int) -> Item:
    """An item of so many levels, maps and lists by turns."""
    value: Item = {"S": "core"}
    for level in range(levels - 1):
        value = {"L": [value]} if level % 2 else {"M": {"m": value}}
    return {"pk": {"S": f"deep {levels}"}, "value": value}


def large(size: int) -> Item:
    """An item of exactly so many bytes, as DynamoDB counts them."""
    return {"pk": {"S": "large"}, "text": {"S": "x" * (size - len("pklargetext"))}}


def meaning(item: Mapping[str, Any]) -> str:
    """What an item says, whatever its spelling: numbers as numbers, binaries as bytes, sets as sets."""
    return repr(_attributes(item))


def meanings(items: list[Item]) -> list[str]:
    """What items say, in one order."""
    return sorted(map(meaning, items))


def _attributes(attributes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted((name, _value(value)) for name, value in attributes.items())


def _value(value: Mapping[str, Any]) -> tuple[str, Any]:
    ((tag, held),) = value.items()
    return tag, _HELD[tag](held)


def _digits(text: str) -> tuple[int, str, int]:
    """Sign, digits and exponent of a number, exactly; one triple for each number."""
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    plain = "".join(map(str, digits)).lstrip("0")
    kept = plain.rstrip("0")
    return (sign, kept, exponent + len(plain) - len(kept)) if kept else (0, "", 0)


_HELD: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": _digits,
    "B": base64.b64decode,
    "SS": sorted,
    "NS": lambda held: sorted(map(_digits, held)),
    "BS": lambda held: sorted(map(base64.b64decode, held)),
    "M": _attributes,
    "L": lambda held: list(map(_value, held)),
    "BOOL": bool,
    "NULL": bool,
}
