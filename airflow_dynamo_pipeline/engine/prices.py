"""What AWS charges, by region: its list prices, and a contract's prices put over them.

``prices.json`` has the list with its date and its sources. It is read when a price is first asked for.
A file of one's own has the same form and may be partial: what it says wins, the list has the rest.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from airflow_dynamo_pipeline.engine.table_settings import STANDARD
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

GB: Final = 1024**3
MILLION: Final = 1_000_000
HOUR: Final = 3600.0
ANY_REGION: Final = "*"
KINDS: Final = (
    "read_request_million",  # a million read request units, on-demand
    "write_request_million",  # a million write request units, on-demand
    "read_capacity_hour",  # a provisioned read unit for an hour
    "write_capacity_hour",  # a provisioned write unit for an hour
    "export_gb",  # a GB that DynamoDB's own export reads: the table, or the changes
    "import_gb",  # a GB that DynamoDB's own import reads, uncompressed
)
BY_TABLE_CLASS: Final = frozenset(KINDS) - {"export_gb", "import_gb"}  # the list has the Standard class's
ABOUT_THE_FILE: Final = ("as_of", "currency", "sources")
DERIVED: Final = "derived"  # names of prices that were computed from others
REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceFile:
    """Prices as a file says them, by region; ``*`` is any region. ``as_of`` is a date, as 2026-09-11.

    ``derived`` has, by region, the kinds whose prices were computed from others.
    """

    name: str
    as_of: str | None
    regions: Mapping[str, Mapping[str, float]]
    derived: Mapping[str, Collection[str]] = field(default_factory=dict)

    def of(self, region: str) -> dict[str, float]:
        """The prices for a region: those of any region, and over them its own."""
        return {**self.regions.get(ANY_REGION, {}), **self.regions.get(region, {})}

    def computed(self, region: str) -> set[str]:
        """The kinds whose prices for a region were computed from others."""
        own = self.regions.get(region, {}).keys()
        return (set(self.derived.get(ANY_REGION, ())) - own) | set(self.derived.get(region, ()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """What is charged in one region, in dollars.

    ``source`` says in words whose prices they are, with region and date, or that none is known.
    ``as_of`` is their date (of several, the older one), None where nobody says it.
    """

    region: str
    source: str
    as_of: str | None = None
    by_kind: Mapping[str, float] = field(default_factory=dict)
    listed: AbstractSet[str] = frozenset()  # the kinds whose prices are list prices

    def of_class(self, table_class: str) -> Prices:
        """The same for a table of a class: list prices are the Standard class's, which is then said."""
        if table_class == STANDARD or not self.listed & BY_TABLE_CLASS:
            return self
        said = f"of the Standard class; the table is of {table_class}, whose reads and writes cost more"
        return replace(self, source=f"{self.source}, {said}")

    @property
    def known(self) -> bool:
        """Whether there is any."""
        return bool(self.by_kind)

    def read_requests(self, units: float) -> float | None:
        """Dollars for read units on-demand; None: not known."""
        return self._times("read_request_million", units / MILLION)

    def write_requests(self, units: float) -> float | None:
        """Dollars for write units on-demand; None: not known."""
        return self._times("write_request_million", units / MILLION)

    def read_capacity(self, units: float) -> float | None:
        """Dollars for the provisioned capacity that so many read units take, each for one second."""
        return self._times("read_capacity_hour", units / HOUR)

    def write_capacity(self, units: float) -> float | None:
        """Dollars for the provisioned capacity that so many write units take, each for one second."""
        return self._times("write_capacity_hour", units / HOUR)

    def native_export(self, size_bytes: float) -> float | None:
        """Dollars for an export by DynamoDB itself; None: not known."""
        return self._times("export_gb", size_bytes / GB)

    def native_import(self, size_bytes: float) -> float | None:
        """Dollars for an import by DynamoDB itself; ``size_bytes`` is uncompressed. None: not known."""
        return self._times("import_gb", size_bytes / GB)

    def _times(self, kind: str, amount: float) -> float | None:
        price = self.by_kind.get(kind)
        return None if price is None else price * amount


PricesOf = Callable[[str], Prices]  # by region


def prices_for(region: str, override: PriceFile | None = None) -> Prices:
    """The prices of a region: list prices, and those of ``override`` put over them."""
    listed, given = listed_prices().of(region), override.of(region) if override is not None else {}
    if override is None or not given:
        return _listed(region, listed)
    source = f"prices of {override.name} for {region}" + (f", {override.as_of}" if override.as_of else "")
    source += _partly(override.computed(region))
    rest = listed.keys() - given.keys()
    if not rest:
        return Prices(region=region, source=source, as_of=override.as_of, by_kind=given)
    computed = listed_prices().computed(region) & rest
    source += f"; the rest list prices, {listed_prices().as_of}{_partly(computed)}"
    as_of = min(each.as_of for each in (override, listed_prices()) if each.as_of)
    return Prices(region=region, source=source, as_of=as_of, by_kind=listed | given, listed=rest)


def _listed(region: str, listed: Mapping[str, float]) -> Prices:
    if not listed:
        return Prices(region=region, source=f"no price is known for region {region}; give --prices FILE")
    as_of, partly = listed_prices().as_of, _partly(listed_prices().computed(region))
    source = f"list prices of {region}, {as_of}{partly}"
    return Prices(region=region, source=source, as_of=as_of, by_kind=listed, listed=listed.keys())


def _partly(computed: Collection[str]) -> str:
    return ", partly computed" if computed else ""


@functools.cache
def listed_prices() -> PriceFile:
    """AWS's list prices, as this package has them."""
    text = files("airflow_dynamo_pipeline.engine").joinpath("prices.json").read_text("utf-8")
    return parse_prices(text, "prices.json")


def prices_from(path: str | None) -> PricesOf:
    """How prices are asked for, with a file of one's own put over the list; None or empty: the list alone.

    Raises InvalidRequest with everything that is wrong with the file.
    """
    if not path:
        return prices_for
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest([Problem("prices", f"{path} cannot be read: {error}")]) from None
    return functools.partial(prices_for, override=parse_prices(text, path))


def parse_prices(text: str, name: str) -> PriceFile:
    """Read prices from JSON: ``{"as_of": ..., "regions": {region: {kind: dollars}}}``.

    Without ``regions`` the kinds may stand at the top, for any region. Raises InvalidRequest with every
    problem: keys that are unknown, and prices that are negative or no numbers.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidRequest([Problem("prices", f"{name} is not JSON: {error}")]) from None
    if not isinstance(found, dict):
        raise InvalidRequest([Problem("prices", f"{name} is not a JSON object")])
    problems = [Problem(f"prices: {where}", why, hint) for where, why, hint in _problems(found)]
    if problems:
        raise InvalidRequest(problems)
    regions = found.get("regions", {ANY_REGION: found})
    return PriceFile(
        name=name,
        as_of=found.get("as_of"),
        regions={
            region: {kind: float(prices[kind]) for kind in KINDS if kind in prices}
            for region, prices in regions.items()
        },
        derived={region: prices[DERIVED] for region, prices in regions.items() if DERIVED in prices},
    )


Finding = tuple[str, str, str | None]  # where, what is wrong, how to mend it


def _problems(found: Mapping[str, Any]) -> Iterator[Finding]:
    if found.get("currency", "USD") != "USD":
        yield "currency", f"is {found['currency']!r}; amounts are in USD", None
    if "as_of" in found and not _is_date(found["as_of"]):
        yield "as_of", f"is {found['as_of']!r}, and not a date as 2026-09-11", None
    others = {name: value for name, value in found.items() if name not in ABOUT_THE_FILE}
    if "regions" not in others:
        yield from _price_problems("", others)
        return
    regions = others.pop("regions")
    for name in others:
        yield name, "is unknown beside regions", None
    yield from _region_problems(regions)


def _region_problems(regions: object) -> Iterator[Finding]:
    if not isinstance(regions, dict):
        yield "regions", "is not an object by region", None
        return
    for region, prices in regions.items():
        if region != ANY_REGION and not REGION.fullmatch(region):
            yield region, "is not a region", "write it as eu-west-1, or * for any"
        if isinstance(prices, dict):
            yield from _price_problems(f"{region}.", prices)
        else:
            yield region, "is not an object of prices", None


def _price_problems(where: str, prices: Mapping[str, Any]) -> Iterator[Finding]:
    for name, value in prices.items():
        if name == DERIVED:
            if not isinstance(value, list) or not all(each in prices and each in KINDS for each in value):
                yield f"{where}{name}", f"is {value!r}, and not a list of the prices beside it", None
        elif name not in KINDS:
            near = difflib.get_close_matches(name, KINDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KINDS)}"
            yield f"{where}{name}", "is no kind of price", hint
        elif isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{where}{name}", f"is {value!r}, and not a number", None
        elif not (math.isfinite(value) and value >= 0):
            yield f"{where}{name}", f"is {value!r}, and not a number of dollars", None


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and str(date.fromisoformat(value)) == value
    except ValueError:
        return False
