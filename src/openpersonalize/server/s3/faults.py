"""Errors of Amazon S3, `Fault`: code, status and message as its clients know them."""

from __future__ import annotations

from ...errors import OpenPersonalizeError, ServiceError

_STATUS = {
    "AccessDenied": 403,
    "AuthorizationHeaderMalformed": 400,
    "BadDigest": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidChunkSizeError": 403,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "KeyTooLongError": 400,
    "MalformedPolicy": 400,
    "MalformedXML": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "NotModified": 304,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "RequestTimeout": 400,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "XAmzContentSHA256Mismatch": 400,
}


class Fault(OpenPersonalizeError):
    """A request that S3 refuses.

    Attributes:
        code: S3's error code.
        status: its HTTP status.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = _STATUS[code]


_CODES = {
    "IncompleteSignature": "AuthorizationHeaderMalformed",
    "InvalidClientTokenId": "InvalidAccessKeyId",
    "MissingAuthenticationToken": "AccessDenied",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "AccessDeniedException": "AccessDenied",
    "RequestExpired": "RequestTimeTooSkewed",
    "ThrottlingException": "SlowDown",
    "InternalFailure": "InternalError",
    "ServiceUnavailable": "ServiceUnavailable",
}


def as_fault(error: ServiceError) -> Fault:
    """An error of the server's other services in S3's words."""
    return Fault(_CODES.get(error.code, "InvalidRequest"), error.message)


def no_such_bucket(bucket: str) -> Fault:
    """A bucket that is not there."""
    return Fault("NoSuchBucket", f"The specified bucket does not exist: {bucket[:100]}.")


def no_such_key() -> Fault:
    """An object that is not there."""
    return Fault("NoSuchKey", "The specified key does not exist.")
