"""A lookup answers what the table holds, by as few calls as there can be."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    InvalidRequest,
    InvalidSetting,
    ServiceTrouble,
    Stopped,
    Throttled,
    UnexpectedReply,
)
from airflow_dynamo_pipeline.lookup.reader_settings import LookupSettings
from tests.clock import ManualClock
from tests.unit.lookup.lookup_tables import BY_PRODUCT, TABLE, FakeTable, lookup_of, products

NUMBERED = (KeyAttribute("id", "N"),)
BINARY = (KeyAttribute("id", "B"),)
PAIRED = (KeyAttribute("user", "S"), KeyAttribute("at", "N"))


def names(count: int) -> list[str]:
    return [f"P{number}" for number in range(count)]


def test_each_key_is_present_or_absent_in_the_order_of_the_question() -> None:
    lookup = lookup_of(FakeTable(BY_PRODUCT, products("P1", "P3")))

    found = lookup.contains(["P3", "P2", "P1", "P3"])

    assert [("P3", True), ("P2", False), ("P1", True)] == list(found.items())


def test_one_key_is_asked_by_in() -> None:
    lookup = lookup_of(FakeTable(BY_PRODUCT, products("P1")))

    assert "P1" in lookup
    assert "P2" not in lookup


def test_a_text_is_not_taken_for_a_list_of_keys() -> None:
    with pytest.raises(InvalidSetting, match="key in lookup"):
        lookup_of(FakeTable(BY_PRODUCT)).contains("P1")


def test_keys_go_by_100_a_call_without_duplicates() -> None:
    table = FakeTable(BY_PRODUCT, products(*names(250)))

    found = lookup_of(table).contains([*names(250), *names(250)])

    assert 250 == sum(found.values())
    assert [100, 100, 50] == [len(table.asked(call)) for call in range(3)]


def test_only_the_key_is_read_where_only_presence_is_asked() -> None:
    table = FakeTable(BY_PRODUCT, products("P1"))
    lookup = lookup_of(table)

    lookup.contains(["P1"])
    lookup.get(["P1"])

    presence, items = (request["RequestItems"][TABLE] for request in table.requests)
    assert "#k0" == presence["ProjectionExpression"]
    assert {"#k0": "product_id"} == presence["ExpressionAttributeNames"]
    assert {"Keys", "ConsistentRead"} == set(items)
    assert ["TOTAL", "TOTAL"] == [request["ReturnConsumedCapacity"] for request in table.requests]


@pytest.mark.parametrize("consistent", [True, False])
def test_reads_are_as_consistent_as_asked(consistent: bool) -> None:
    table = FakeTable(BY_PRODUCT)

    lookup_of(table, consistent_read=consistent).contains(["P1"])

    assert consistent is table.requests[0]["RequestItems"][TABLE]["ConsistentRead"]


def test_items_are_plain_values_and_a_copy_for_each_who_asks() -> None:
    values: dict[str, Any] = {
        "price": {"N": "12345678901234567890.123456789"},
        "mark": {"B": b"\x00\xff"},
        "tags": {"SS": ["a", "b"]},
        "sizes": {"NS": ["1", "2.5"]},
        "stamps": {"BS": [b"x"]},
        "more": {"M": {"list": {"L": [{"BOOL": True}, {"NULL": True}]}}},
    }
    lookup = lookup_of(FakeTable(BY_PRODUCT, products("P1", **values)))

    first = lookup.get(["P1", "P2"])
    expected = {
        "product_id": "P1",
        "price": Decimal("12345678901234567890.123456789"),
        "mark": b"\x00\xff",
        "tags": {"a", "b"},
        "sizes": {Decimal(1), Decimal("2.5")},
        "stamps": {b"x"},
        "more": {"list": [True, None]},
    }
    assert {"P1": expected, "P2": None} == first
    assert first["P1"] is not None
    first["P1"]["more"]["list"].clear()
    assert {"P1": expected} == lookup.get(["P1"])


def test_a_number_is_one_key_in_whatever_way_it_is_written() -> None:
    table = FakeTable(NUMBERED, [{"id": {"N": "1.5"}}, {"id": {"N": "1200"}}])

    found = lookup_of(table).contains([Decimal("1.50"), Decimal("15E-1"), Decimal("1.2E+3"), 1200, 7])

    assert {Decimal("1.5"): True, 1200: True, 7: False} == found
    assert ["1.5", "1200", "7"] == table.asked()


@pytest.mark.parametrize("wrong", [1.0, "1", True, b"1", Decimal("NaN"), Decimal("sNaN"), [1], {}])
def test_a_key_that_is_no_exact_number_is_refused(wrong: Any) -> None:
    table = FakeTable(NUMBERED)

    with pytest.raises(InvalidSetting, match="int or Decimal"):
        lookup_of(table).contains([1, wrong])

    assert [] == table.requests


@pytest.mark.parametrize("wrong", [1, 1.5, b"P1", ["P1"], ("P1",), {"S": "P1"}])
def test_a_key_that_is_no_text_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidSetting, match="expected text, as the table"):
        lookup_of(FakeTable(BY_PRODUCT)).contains([wrong])


def test_a_key_that_is_no_binary_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="expected bytes"):
        lookup_of(FakeTable(BINARY)).contains(["text"])


@pytest.mark.parametrize(
    "impossible",
    ["", None, "x" * 2049, "é" * 1025, "\ud800"],
    ids=["empty", "none", "long", "bytes", "surrogate"],
)
def test_a_text_that_no_item_can_have_as_its_key_is_absent_and_never_sent(impossible: Any) -> None:
    table = FakeTable(BY_PRODUCT, products("P1"))

    assert {impossible: False, "P1": True} == lookup_of(table).contains([impossible, "P1"])
    assert [["P1"]] == [table.asked()]


@pytest.mark.parametrize(
    "impossible",
    [10**38 + 1, Decimal("1E+126"), Decimal("1E-131"), 10**5000, Decimal("1E+99999999999")],
    ids=["39 digits", "large", "small", "larger", "largest"],
)
def test_a_number_that_no_item_can_have_is_absent_and_never_sent(impossible: Any) -> None:
    table = FakeTable(NUMBERED)

    assert {impossible: False} == lookup_of(table).contains([impossible])
    assert [] == table.requests


def test_the_largest_keys_are_sent() -> None:
    table = FakeTable(BY_PRODUCT)
    lookup_of(table).contains(["x" * 2048])
    numbers = FakeTable(NUMBERED)
    lookup_of(numbers).contains([10**38 - 1, Decimal("1E+125"), Decimal("-1E-130")])

    assert [2048] == [len(key) for key in table.asked()]
    assert 3 == len(numbers.asked())


def test_binaries_may_be_bytearrays() -> None:
    table = FakeTable(BINARY, [{"id": {"B": b"\x00"}}])

    assert {b"\x00": True, b"\x01": False} == lookup_of(table).contains([bytearray(1), memoryview(b"\x01")])


class Mark:
    """Bytes as other libraries wrap them; no two are equal."""

    def __bytes__(self) -> bytes:
        return b"x"


def test_different_objects_of_one_key_are_asked_for_once() -> None:
    table = FakeTable(BINARY, [{"id": {"B": b"x"}}])

    assert [True, True] == list(lookup_of(table).contains([Mark(), Mark()]).values())
    assert [b"x"] == table.asked()


def test_a_pair_is_a_key_where_the_table_has_a_sort_key() -> None:
    item = {"user": {"S": "u"}, "at": {"N": "1"}}
    table = FakeTable(PAIRED, [item])

    found = lookup_of(table).contains([("u", 1), ["u", 2], ("u", None), None])

    assert {("u", 1): True, ("u", 2): False, ("u", None): False, None: False} == found
    keys = table.requests[0]["RequestItems"][TABLE]["Keys"]
    assert [item, {"user": {"S": "u"}, "at": {"N": "2"}}] == keys


@pytest.mark.parametrize("wrong", ["u", ("u",), ("u", 1, 2), {"user": "u", "at": 1}])
def test_what_is_no_pair_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidSetting, match="a pair: user and at"):
        lookup_of(FakeTable(PAIRED)).contains([wrong])


def test_a_sort_key_may_have_1024_bytes() -> None:
    table = FakeTable((KeyAttribute("user", "S"), KeyAttribute("name", "S")))

    lookup_of(table).contains([("u", "x" * 1024), ("u", "x" * 1025)])

    assert 1 == len(table.asked())


def test_answers_are_kept_for_their_time_and_no_longer() -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT, products("P1"))
    lookup = lookup_of(table, clock, ttl_seconds=60, negative_ttl_seconds=10)
    lookup.contains(["P1", "P2"])

    clock.advance(9.9)
    lookup.contains(["P1", "P2"])
    assert 1 == len(table.requests)
    clock.advance(0.1)
    lookup.contains(["P1", "P2"])
    assert ["P2"] == table.asked()
    clock.advance(50)
    lookup.contains(["P1"])
    assert ["P1"] == table.asked()


def test_the_time_of_an_answer_begins_when_it_was_asked_for() -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT)
    table.before = lambda _: clock.advance(7)
    lookup = lookup_of(table, clock, negative_ttl_seconds=10)

    lookup.contains(["P1"])
    clock.advance(3)
    lookup.contains(["P1"])

    assert 2 == len(table.requests)


def test_an_answer_without_a_time_is_not_kept() -> None:
    table = FakeTable(BY_PRODUCT, products("P1"))
    lookup = lookup_of(table, ttl_seconds=0, negative_ttl_seconds=0)

    lookup.contains(["P1", "P2"])
    lookup.contains(["P1", "P2"])

    assert ["P1", "P2"] == table.asked(1)


def test_an_item_that_was_read_answers_whether_it_is_there_and_not_the_other_way_round() -> None:
    table = FakeTable(BY_PRODUCT, products("P1", "P2"))
    lookup = lookup_of(table)

    lookup.get(["P1"])
    lookup.contains(["P1"])
    assert 1 == len(table.requests)
    lookup.contains(["P2"])
    assert {"P2": {"product_id": "P2"}} == lookup.get(["P2"])
    assert 3 == len(table.requests)


def test_what_was_absent_is_absent_for_an_item_too() -> None:
    table = FakeTable(BY_PRODUCT)
    lookup = lookup_of(table)

    lookup.contains(["P1"])

    assert {"P1": None} == lookup.get(["P1"])
    assert 1 == len(table.requests)


def test_the_least_recently_used_answers_go_first() -> None:
    table = FakeTable(BY_PRODUCT)
    lookup = lookup_of(table, max_entries=2)
    lookup.contains(["P1", "P2"])
    lookup.contains(["P1"])
    lookup.contains(["P3"])

    lookup.contains(["P1", "P3", "P2"])

    assert ["P2"] == table.asked()
    assert 2 == len(lookup._cache)


def test_a_question_may_be_larger_than_the_cache() -> None:
    table = FakeTable(BY_PRODUCT, products(*names(250)))
    lookup = lookup_of(table, max_entries=10)

    assert all(lookup.contains(names(250)).values())
    assert 10 == len(lookup._cache)


def test_statistics_count_keys_calls_and_units() -> None:
    table = FakeTable(BY_PRODUCT, products("P1"))
    lookup = lookup_of(table)

    lookup.contains(["P1", "P2", "P2", "", None])
    lookup.contains(["P1", "P3"])

    stats = lookup.stats
    assert (1, 3, 2, 1.5) == (stats.hits, stats.misses, stats.calls, stats.units)


def test_keys_that_were_not_processed_are_asked_again_after_a_pause() -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT, products(*names(100)))
    table.unprocessed = lambda call: {1: 100, 2: 60, 3: 10}.get(call, 0)
    lookup = lookup_of(table, clock)

    assert all(lookup.contains(names(100)).values())

    assert [100, 100, 60, 10] == [len(table.asked(call)) for call in range(4)]
    assert 2 == len(clock.waits)  # half or more was left twice
    assert 4 == lookup.stats.calls


def test_the_patience_with_unprocessed_keys_ends() -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT)
    table.unprocessed = lambda _: 1
    lookup = lookup_of(table, clock, patience_seconds=5)

    with pytest.raises(Throttled, match="1 of 1 keys of table product_lookup were not processed"):
        lookup.contains(["P1"])

    assert 5 <= sum(clock.waits)


def test_what_a_retry_can_help_is_tried_again() -> None:
    table = FakeTable(BY_PRODUCT, products("P1"))

    def twice(call: int) -> None:
        if call <= 2:
            raise ServiceTrouble("503")

    table.before = twice

    assert "P1" in lookup_of(table)
    assert 3 == len(table.requests)


def test_what_a_retry_cannot_help_is_raised_at_once_and_nothing_is_kept() -> None:
    table = FakeTable(BY_PRODUCT, products("P1"))

    def denied(call: int) -> None:
        if call == 1:
            raise AccessDenied("dynamodb:BatchGetItem", TABLE)

    table.before = denied
    lookup = lookup_of(table)

    with pytest.raises(AccessDenied):
        lookup.contains(["P1"])
    assert "P1" in lookup


def test_a_stop_ends_a_pause() -> None:
    stop, table = threading.Event(), FakeTable(BY_PRODUCT)
    table.unprocessed = lambda _: 1

    with pytest.raises(Stopped):
        lookup_of(table, ManualClock(lambda _: stop.set()), stop=stop).contains(["P1"])


class Answering(FakeTable):
    """A table with one reply, whatever was asked."""

    reply: dict[str, Any]

    def batch_get_item(self, **arguments: Any) -> dict[str, Any]:
        super().batch_get_item(**arguments)
        return self.reply


def test_a_reply_without_its_items_does_not_mean_absent() -> None:
    table = Answering(BY_PRODUCT)
    table.reply = {}

    with pytest.raises(CorruptReply, match="no Responses"):
        lookup_of(table, patience_seconds=1).contains(["P1"])


def test_an_item_that_nobody_asked_for_is_an_error() -> None:
    table = Answering(BY_PRODUCT)
    table.reply = {"Responses": {TABLE: products("P2")}}

    with pytest.raises(UnexpectedReply, match="a key nobody asked"):
        lookup_of(table).contains(["P1"])


def test_a_table_named_by_its_arn_may_be_called_by_its_name_in_the_reply() -> None:
    table = Answering(BY_PRODUCT)
    table.reply = {"Responses": {f"arn:aws:dynamodb:eu-west-1:1:table/{TABLE}": products("P1")}}

    assert {"P1": True, "P2": False} == lookup_of(table).contains(["P1", "P2"])


def test_a_rate_is_held() -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT)
    lookup = lookup_of(table, clock, units_per_second=10)

    lookup.contains(names(1000))

    assert 500 == lookup.stats.units
    assert 45 == pytest.approx(sum(clock.waits))  # the last call of 50 units is not waited for


def test_a_rate_is_corrected_by_what_items_did_cost() -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT)
    answer = table.batch_get_item

    def costly(**arguments: Any) -> Any:
        return {**answer(**arguments), "ConsumedCapacity": [{"CapacityUnits": 20.0}]}

    table.batch_get_item = costly  # type: ignore[method-assign]
    lookup = lookup_of(table, clock, units_per_second=10)
    for name in names(4):
        lookup.contains([name])

    assert 6 == pytest.approx(sum(clock.waits))


@pytest.mark.parametrize(("consistent", "seconds"), [(False, 5), (True, 10)])
def test_a_call_under_way_holds_what_its_keys_cost_at_least(consistent: bool, seconds: float) -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT)
    lookup = lookup_of(table, clock, units_per_second=10, consistent_read=consistent)
    table.before = lambda call: lookup.contains(["other"]) if call == 1 else None

    lookup.contains(names(100))

    assert seconds == pytest.approx(sum(clock.waits))


def test_a_call_under_way_holds_what_keys_did_cost_before() -> None:
    clock, table = ManualClock(), Answering(BY_PRODUCT)
    table.reply = {"Responses": {TABLE: []}, "ConsumedCapacity": [{"CapacityUnits": 20.0}]}
    lookup = lookup_of(table, clock, units_per_second=10)
    lookup.contains(["first"])
    table.before = lambda call: lookup.contains(["other"]) if call == 2 else None

    lookup.contains(["second"])

    assert 2 + 2 == pytest.approx(sum(clock.waits))


def test_a_refused_call_costs_nothing_and_lowers_the_rate() -> None:
    clock, table = ManualClock(), FakeTable(BY_PRODUCT)

    def refused(call: int) -> None:
        if call == 1:
            raise Throttled("too much")

    table.before = refused
    lookup = lookup_of(table, clock, units_per_second=10)
    lookup.contains(names(100))

    throttle = lookup._calls._throttle
    assert throttle is not None
    assert 7 == pytest.approx(throttle.units_per_second)
    assert 1 > sum(clock.waits)  # the pause before the next try, and no 5 seconds for its 50 units


def events(count: int) -> list[dict[str, Any]]:
    return [{"product_id": f"P{number}", "n": number} for number in range(count)]


def test_events_of_the_table_are_kept_in_order() -> None:
    lookup = lookup_of(FakeTable(BY_PRODUCT, products("P1", "P3")))
    some = [*events(5), *events(2)]

    assert [1, 3, 1] == [event["n"] for event in lookup.filter(some, key="product_id")]
    absent = lookup.filter(some, key="product_id", keep="absent")
    assert [0, 2, 4, 0] == [event["n"] for event in absent]


def test_an_event_is_looked_up_by_what_a_function_says_and_none_is_absent() -> None:
    lookup = lookup_of(FakeTable(BY_PRODUCT, products("P1")))

    assert ["P1"] == list(lookup.filter(["P1", "P2", ""], key=lambda event: event or None))


def test_an_event_is_looked_up_by_two_names() -> None:
    lookup = lookup_of(FakeTable(PAIRED, [{"user": {"S": "u"}, "at": {"N": "1"}}]))
    some = [{"user": "u", "at": 1}, {"user": "u", "at": 2}]

    assert some[:1] == list(lookup.filter(some, key=["user", "at"]))


def test_an_event_without_the_named_key_is_refused_and_not_dropped() -> None:
    lookup = lookup_of(FakeTable(BY_PRODUCT))

    with pytest.raises(InvalidSetting, match=r"event\.get\('product'\)"):
        list(lookup.filter(events(1), key="product"))


@pytest.mark.parametrize("wrong", [{"keep": "none"}, {"batch": 0}])
def test_a_wrong_setting_of_a_filter_is_refused_before_it_is_read(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        lookup_of(FakeTable(BY_PRODUCT)).filter([], key="product_id", **wrong)


@pytest.mark.parametrize("batch", [1, 7, 100, 250])
def test_a_filter_never_reads_further_ahead_than_asked(batch: int) -> None:
    read = itertools.count(1)
    ahead = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal ahead
        for number in read:
            ahead = number
            yield {"product_id": "P1", "n": number}

    lookup = lookup_of(FakeTable(BY_PRODUCT, products("P1")))
    passed = lookup.filter(endless(), key="product_id", batch=batch)

    assert 0 == ahead
    for position, event in enumerate(itertools.islice(passed, 1000), 1):
        assert position == event["n"]
        assert ahead - position < batch


def test_a_filter_asks_by_full_calls_where_the_events_are_new() -> None:
    table = FakeTable(BY_PRODUCT)

    list(lookup_of(table).filter(events(1000), key="product_id", batch=250))

    assert [100, 100, 50] * 4 == [len(table.asked(call)) for call in range(12)]


def test_threads_share_a_lookup_and_every_answer_is_right() -> None:
    table = FakeTable(BY_PRODUCT, products(*names(500)[::2]))
    lookup = lookup_of(table, max_entries=50)  # small: threads drop each other's answers
    together = threading.Barrier(8)

    def ask(offset: int) -> bool:
        together.wait()
        right = True
        for start in range(offset, 500, 20):
            some = [f"P{number % 500}" for number in range(start, start + 40)]
            found = lookup.contains(some)
            right &= all(here is (int(name[1:]) % 2 == 0) for name, here in found.items())
        return right

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))

    assert [True] * 8 == answers
    stats = lookup.stats
    assert 8 * 25 * 40 == stats.hits + stats.misses
    assert len(table.requests) == stats.calls
    assert sum(len(table.asked(call)) for call in range(stats.calls)) == stats.misses == 2 * stats.units


def test_settings_are_refused_with_every_problem() -> None:
    with pytest.raises(InvalidRequest) as refused:
        LookupSettings.from_settings({"ttl_second": 1, "max_entries": "-1", "units_per_second": 0.5})

    assert ["ttl_second", "max_entries", "units_per_second"] == [
        problem.where for problem in refused.value.problems
    ]


def test_settings_are_taken_as_templates_render_them() -> None:
    given = {"ttl_seconds": "5", "consistent_read": "True", "units_per_second": "None", "max_entries": "7"}
    expected = LookupSettings(ttl_seconds=5.0, consistent_read=True, max_entries=7)

    assert expected == LookupSettings.from_settings(given)
