"""Failures of the network and of the store."""

from __future__ import annotations

from paraph.errors.root import ParaphError


class TransportError(ParaphError):
    """No usable response; `cause` is a value of `paraph.outgoing.failure.Cause`, or "".

    Example:
        >>> issubclass(ServiceUnreachable, TransportError), TransportError().status
        (True, 503)
    """

    code = "transport"
    status = 503
    cause: str = ""
    public_message = "Zoom could not be reached."
    default_remedy = "Try again in a few minutes."


class ResponseTooLarge(TransportError):
    """Zoom's response is larger than the limit for a host.

    Example:
        >>> ResponseTooLarge().cause
        'response_too_large'
    """

    code = "answer_too_large"
    status = 502
    cause = "response_too_large"
    public_message = "Zoom's response is larger than the limit."
    default_remedy = "Request less at once (page_size), or vend an access token and call Zoom."


AnswerTooLarge = ResponseTooLarge  # The former name, until the next minor version.


class ServiceUnreachable(TransportError):
    """The service does not respond to `Client` or `AsyncClient`: it or the network is down.

    `cause` is a value of `paraph.outgoing.failure.Cause`, such as "connection_refused".

    Example:
        >>> ServiceUnreachable("no response").public_message
        'The paraph service could not be reached.'
    """

    code = "service_unreachable"
    public_message = "The paraph service could not be reached."
    default_remedy = "Start the service, or correct the URL of the client."


class Busy(TransportError):
    """paraph's own limit on concurrent work at Zoom is reached.

    Example:
        >>> Busy().status, Busy().retry_after
        (429, 2)
    """

    code = "busy"
    status = 429
    retry_after = 2
    public_message = "Too many installations at once."
    default_remedy = "Wait a minute, then load this page again."


class StorageError(ParaphError):
    """The store could not write or read.

    Example:
        >>> StorageError().status
        503
    """

    code = "storage"
    status = 503
    public_message = "The service cannot keep anything at the moment."
    default_remedy = "Try again in a few minutes."


class StorageUnavailable(StorageError):
    """The database cannot be reached, is full or is read-only: no block can be written to it."""


class SchemaChanged(StorageError):
    """`paraph migrate` has changed the tables since this process looked: it looks again."""


class InboxFull(StorageError):
    """The store cannot keep up; the event was refused before it was queued."""

    code = "inbox_full"
    default_remedy = "Look at the disk or the database; Zoom sends it again."


class UnknownEncryptionKey(StorageError):
    """The ciphertext names a key that the ring does not hold: try later, the grant is not lost."""

    code = "unknown_encryption_key"
    default_remedy = "Put the missing key back into encryption_keys (paraph keys status)."


class SealBroken(StorageError):
    """The ciphertext is damaged, or was sealed for another place."""

    code = "seal_broken"
    default_remedy = "The row was altered outside paraph; restore it from a backup."


class Conflict(StorageError):
    """Another caller was first.

    Example:
        >>> Conflict().status
        409
    """

    code = "conflict"
    status = 409
    public_message = "This was already used."
    default_remedy = "Start again."
