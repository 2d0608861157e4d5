"""Replies that were cut short on their way are errors, whatever their first half looks like.

botocore takes what it was sent for the whole body; of a JSON body that ends too early its parser makes
a reply without members, and raises nothing.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from botocore.exceptions import IncompleteReadError
from botocore.model import OperationModel

Client = TypeVar("Client")


def refusing_cut_replies(client: Client) -> Client:
    """Let every call of this client raise IncompleteReadError when its body is shorter than announced.

    Bodies that are streamed are checked by botocore itself, while they are read.
    """
    events = cast("Any", client).meta.events  # boto3's clients have no common type
    events.register("before-parse", check_length, unique_id="dynamo-pipeline-whole-replies")
    return client


def check_length(operation_model: OperationModel, response_dict: dict[str, Any], **_: object) -> None:
    """A handler of ``before-parse``: raises IncompleteReadError for a body that was cut short."""
    headers, body = response_dict["headers"], response_dict["body"]
    announced = headers.get("content-length")
    if announced is None or not isinstance(body, bytes) or "content-encoding" in headers:
        return
    if operation_model.http.get("method") != "HEAD" and len(body) < int(announced):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(announced))
