"""A table of realistic orders with all ten of DynamoDB's types, and the bucket they are exported to."""

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.services import Services, aws_client

TABLE = "orders"
BUCKET = "backups"
READY_KEY = "ready"
ITEMS = 20_000
READ_UNITS = 120  # a quarter of it takes about 25 seconds for the table: long enough to watch
AT_ONCE = 25
CITIES = ("Zürich", "Genève", "Łódź", "東京", "São Paulo", "Reykjavík", "Αθήνα", "Montréal")
GOODS = ("lamp", "kettle", "notebook", "pillow", "radio", "scarf", "teapot", "umbrella")

Item = dict[str, Any]


def order(number: int) -> Item:
    """One order; the same number gives the same order."""
    dice = random.Random(number)
    placed_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    item: Item = {
        "order_id": {"S": f"order-{number:08}"},
        "placed_at": {"S": placed_at.isoformat()},
        "total": {"N": f"{dice.randrange(100, 10_000_000)}.{dice.randrange(100):02}"},
        "reference": {"N": str(dice.randrange(10**37, 10**38))},  # 38 digits: more than a float holds
        "signature": {"B": dice.randbytes(32)},
        "tags": {"SS": dice.sample(["gift", "express", "fragile", "b2b", "first order"], dice.randint(1, 3))},
        "ratings": {"NS": [str(n) for n in dice.sample(range(1, 11), dice.randint(1, 4))]},
        "stamps": {"BS": [dice.randbytes(8), b"\x00\xff" + number.to_bytes(4, "big")]},
        "lines": {"L": [_line(dice) for _ in range(dice.randint(1, 3))]},
        "ship_to": {"M": {"city": {"S": dice.choice(CITIES)}, "zip": {"S": f"{dice.randrange(100_000):05}"}}},
        "paid": {"BOOL": dice.random() < 0.9},
    }
    if dice.random() < 0.5:
        item["coupon"] = {"NULL": True}
    return item


def _line(dice: random.Random) -> Item:
    return {
        "M": {
            "sku": {"S": f"{dice.choice(GOODS)}-{dice.randrange(1000):03}"},
            "count": {"N": str(dice.randint(1, 9))},
            "price": {"N": f"{dice.randrange(1, 500)}.{dice.randrange(100):02}"},
        }
    }


def orders(count: int) -> Iterator[Item]:
    """The first orders."""
    return (order(number) for number in range(count))


def prepare(services: Services, items: int = ITEMS) -> None:
    """Make the table, fill it, switch point-in-time recovery on, and make the bucket with its ready mark."""
    dynamodb = aws_client("dynamodb", services.gateway_url)
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": READ_UNITS, "WriteCapacityUnits": 1000},
    )
    dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    with ThreadPoolExecutor(4) as threads:
        for written in threads.map(lambda some: _write(dynamodb, some), _batches(orders(items))):
            assert written
    s3 = aws_client("s3", services.moto_url)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=READY_KEY, Body=b"")


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    while some := list(itertools.islice(items, AT_ONCE)):
        yield some


def _write(dynamodb: Any, some: list[Item]) -> int:
    requests = {TABLE: [{"PutRequest": {"Item": item}} for item in some]}
    while requests:
        requests = dynamodb.batch_write_item(RequestItems=requests)["UnprocessedItems"]
    return len(some)
