"""A fake of DynamoDB and its Streams that keeps the service's rules, for one account in one region."""

from tests.faults.dynamodb.admission import MeterSettings
from tests.faults.dynamodb.service import DynamoDB
from tests.faults.dynamodb.writer import History, Writer

__all__ = ["DynamoDB", "History", "MeterSettings", "Writer"]
