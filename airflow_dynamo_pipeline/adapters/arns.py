"""The names of AWS resources as IAM policies write them.

A star in a name that a person gives stands for any text, as everywhere in a policy: for what a template
fills in.
"""

from __future__ import annotations

from dataclasses import dataclass

ANY = "*"
ALIAS = "alias/"
LITERAL = str.maketrans({"?": "${?}", "$": "${$}"})  # as policy variables spell these two characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where resources are; a star stands for every region and every account.

    >>> Place(region_name="eu-west-1").table("orders")
    'arn:aws:dynamodb:eu-west-1:*:table/orders'
    """

    region_name: str = ANY
    account_id: str = ANY
    partition: str = "aws"

    def table(self, name: str) -> str:
        """The ARN of a table; what is an ARN already stays as it is."""
        return name if name.startswith("arn:") else self.arn("dynamodb", f"table/{name}")

    def index(self, table_name: str, index_name: str) -> str:
        """The ARN of a secondary index."""
        return f"{self.table(table_name)}/index/{index_name}"

    def bucket(self, name: str) -> str:
        """The ARN of a bucket; it has neither region nor account."""
        return f"arn:{self.partition}:s3:::{name}"

    def objects(self, bucket: str, keys: str) -> str:
        """The ARN of all objects whose keys fit a ``pattern``."""
        return f"{self.bucket(bucket)}/{keys}"

    def kms_key(self, key_id: str) -> tuple[str, str | None]:
        """The ARN of a key, and None; of an alias the ARN of any key, and the alias that key must have.

        In ``Resource`` an alias would mean the alias itself, not its key (AWS KMS Developer Guide,
        "Use aliases to control access to KMS keys").
        """
        owner, found, name = key_id.partition(ALIAS)
        alias, key = (ALIAS + name, ANY) if found else (None, key_id)
        if key_id.startswith("arn:"):
            return (owner + f"key/{ANY}" if alias else key_id), alias
        return self.arn("kms", f"key/{key}"), alias

    def arn(self, service: str, resource: str) -> str:
        """The ARN of anything that has a region and an account."""
        return f"arn:{self.partition}:{service}:{self.region_name}:{self.account_id}:{resource}"


def pattern(key: str) -> str:
    """A key as a policy spells it; only a star means more than itself.

    >>> pattern("orders/*/why?")
    'orders/*/why${?}'
    """
    return key.translate(LITERAL)


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The two parts of an object's URI; the key keeps a slash at its end.

    >>> bucket_and_key("s3://backups/daily/done/")
    ('backups', 'daily/done/')
    """
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key.lstrip("/")
