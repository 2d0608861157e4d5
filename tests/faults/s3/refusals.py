"""The error replies of S3's."""

from __future__ import annotations


class Refused(Exception):
    """An error reply; ``fields`` are what its document says besides, as ``BucketName``."""

    def __init__(self, status: int, code: str, message: str, **fields: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.fields = fields
        self.headers: dict[str, str] = {}


def not_simulated(what: str) -> Refused:
    """The answer to what the fake does not do; S3 itself may."""
    return Refused(501, "NotImplemented", f"{what} is not simulated")


def no_such_key(key: str) -> Refused:
    """There is no object of this name."""
    return Refused(404, "NoSuchKey", "The specified key does not exist.", Key=key)


def no_such_upload(upload_id: str) -> Refused:
    """The upload was completed or aborted, or never was."""
    text = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
    return Refused(404, "NoSuchUpload", text + "aborted or completed.", UploadId=upload_id)


def precondition_failed(condition: str) -> Refused:
    """A condition of a write or a read does not hold."""
    text = "At least one of the pre-conditions you specified did not hold"
    return Refused(412, "PreconditionFailed", text, Condition=condition)


def malformed() -> Refused:
    """The document does not say what it must."""
    text = "The XML you provided was not well-formed or did not validate against our published schema"
    return Refused(400, "MalformedXML", text)


def invalid(message: str, **fields: str) -> Refused:
    """A parameter has a value that S3 does not take."""
    return Refused(400, "InvalidArgument", message, **fields)
