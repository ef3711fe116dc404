"""Every error this package raises on purpose, grouped by what the reader can do about it.

OpenPersonalizeError
├── ServiceError                      the caller of an AWS operation: sent on the wire under its AWS code
│   ├── InvalidInput                  change the request
│   ├── ResourceNotFound              name something that exists
│   ├── ResourceAlreadyExists         choose another name
│   ├── ResourceInUse                 wait, or remove what uses it
│   ├── LimitExceeded                 delete something, or raise the quota
│   ├── InvalidNextToken              start the listing again
│   ├── TooManyTags, TooManyTagKeys   send fewer tags
│   ├── AccessRefused                 sign with a key that may do this (one class per AWS code)
│   ├── MalformedRequest              SerializationException, UnknownOperationException
│   └── Unavailable                   try again later (throttled, shed, broken)
├── StartError                        the operator: cannot start; one sentence that says what to do
├── BackupFailed                      the operator: no backup was made or restored; says what to do
├── CannotUpdate                      nobody: a training learns everything anew instead
├── JobFailed                         the owner of a job: becomes its failureReason
├── JobPostponed                      nobody: a job waits for others and begins again later
└── JobStopped                        nobody: a job was asked to stop and did
"""

from __future__ import annotations

from typing import ClassVar


class OpenPersonalizeError(Exception):
    """Root of all errors raised on purpose. Without a message the class's own docstring is the message."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        """The sentence for the reader."""
        return str(self.args[0])


class ServiceError(OpenPersonalizeError):
    """An error that the caller of an AWS operation receives under its AWS code.

    Attributes:
        code: the AWS error code, e.g. ``InvalidInputException``.
        status: HTTP status in the control plane (AWS JSON 1.1).
        rest_status: HTTP status in the runtime and events services (REST-JSON).
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400
    rest_status: ClassVar[int] = 400


class InvalidInput(ServiceError):
    """Provide a valid value for the field or parameter."""

    code = "InvalidInputException"


class ResourceNotFound(ServiceError):
    """Could not find the specified resource."""

    code = "ResourceNotFoundException"
    rest_status = 404


class ResourceAlreadyExists(ServiceError):
    """The specified resource already exists."""

    code = "ResourceAlreadyExistsException"


class ResourceInUse(ServiceError):
    """The specified resource is in use."""

    code = "ResourceInUseException"
    rest_status = 409


class LimitExceeded(ServiceError):
    """The limit on the number of resources has been exceeded."""

    code = "LimitExceededException"


class InvalidNextToken(ServiceError):
    """Invalid nextToken."""

    code = "InvalidNextTokenException"


class TooManyTags(ServiceError):
    """A resource can have at most 50 tags."""

    code = "TooManyTagsException"


class TooManyTagKeys(ServiceError):
    """A request can name at most 50 tag keys."""

    code = "TooManyTagKeysException"


class MalformedRequest(ServiceError):
    """The request could not be read."""

    code = "SerializationException"


class UnknownOperation(MalformedRequest):
    """The operation is unknown."""

    code = "UnknownOperationException"


class RequestTooLarge(MalformedRequest):
    """The request body is too large."""

    code = "RequestEntityTooLargeException"
    status = 413
    rest_status = 413


class AccessRefused(ServiceError):
    """The key is not allowed to do this."""

    code = "AccessDeniedException"


class IncompleteSignature(AccessRefused):
    """The request signature does not conform to AWS standards."""

    code = "IncompleteSignature"


class InvalidClientTokenId(AccessRefused):
    """The access key id is not known here."""

    code = "InvalidClientTokenId"
    status = 403
    rest_status = 403


class MissingAuthenticationToken(AccessRefused):
    """The request must be signed with an access key of this installation."""

    code = "MissingAuthenticationToken"
    status = 403
    rest_status = 403


class InvalidSignature(AccessRefused):
    """The request signature we calculated does not match the signature you provided."""

    code = "InvalidSignatureException"
    status = 403
    rest_status = 403


class SignatureMismatch(InvalidSignature):
    """The signature is well-formed, and not what the key's secret gives for the request as it was seen."""


class RequestExpired(AccessRefused):
    """The request reached the service more than 15 minutes away from its date stamp."""

    code = "RequestExpired"


class Unavailable(ServiceError):
    """The service cannot answer now; try again."""

    code = "ServiceUnavailable"
    status = 503
    rest_status = 503


class Throttled(Unavailable):
    """Rate exceeded"""

    code = "ThrottlingException"
    status = 400
    rest_status = 429


class InternalFailure(Unavailable):
    """The request processing has failed because of an unknown error. The server's log holds the details."""

    code = "InternalFailure"
    status = 500
    rest_status = 500


class StartError(OpenPersonalizeError):
    """The process cannot start."""


class BackupFailed(OpenPersonalizeError):
    """A backup could not be made or restored."""


class JobFailed(OpenPersonalizeError):
    """A job failed for a reason its owner can mend. The message becomes the failureReason."""


class CannotUpdate(OpenPersonalizeError):
    """A trained model cannot be brought up to date with this data."""


class JobPostponed(OpenPersonalizeError):
    """A job has to wait for others: it is queued again under its own place, and begins anew after a pause."""

    def __init__(self, seconds: float, message: str | None = None) -> None:
        """Not before `seconds` from now."""
        super().__init__(message)
        self.seconds = seconds


class JobStopped(OpenPersonalizeError):
    """The job was stopped on request."""
