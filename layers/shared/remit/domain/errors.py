"""What can go wrong in billing, each with a code that callers may rely on.

Four families, because callers react in four ways: look elsewhere (`NotFoundError`), change the
request (`RuleError`), read again and decide anew (`ConflictError`), or simply try again later
(`TransientError`). The HTTP status of each family is in `remit.adapters.http.problems`; the state
machines retry `TransientError` and `ConflictError` by these class names and nothing else.
"""

from typing import Any, ClassVar


class RemitError(Exception):
    """Base of every error that Remit raises on purpose.

    `code` is stable and belongs to the API; `detail` is a sentence for a person; `facts` are the
    figures that say what would have been allowed (`{"open_minor": 4200}`), safe to show.
    """

    family: ClassVar[str] = "rule"

    def __init__(self, code: str, detail: str, **facts: Any) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.facts = facts


class NotFoundError(RemitError):
    """The thing named does not exist, or belongs to another account."""

    family = "not_found"


class RuleError(RemitError):
    """A rule of billing forbids the request; sending it again will not help."""

    family = "rule"


class InvalidError(RemitError):
    """The request itself makes no sense (unknown currency, negative amount, wrong shape)."""

    family = "invalid"


class ForbiddenError(RemitError):
    """The caller is known but may not do this."""

    family = "forbidden"


class ConflictError(RemitError):
    """Somebody else changed the same thing at the same moment."""

    family = "conflict"


class IdempotencyKeyReusedError(RemitError):
    """A key that already stands for one request came again with another."""

    family = "key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            "idempotency_key_reused",
            "This Idempotency-Key was used for a different request. Use a new key for a new request.",
            idempotency_key=key,
        )


class TransientError(RemitError):
    """A throttle, a time-out, a lost connection: the same call may go through later."""

    family = "transient"


class GatewayFailedError(TransientError):
    """The gateway failed at the request and will answer the same to it again: only a new one may go through."""


class LedgerBrokenError(RemitError):
    """An invariant of the ledger does not hold. Never expected; always an alarm."""

    family = "broken"
