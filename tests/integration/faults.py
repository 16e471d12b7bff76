"""What no emulator does of its own accord: throttles, conflicts, lost replies, crashes. Injected where botocore sends.

A fault is a function of one attempt to send a request. It may answer in the store's place (an HTTP response), raise
what the network would, deliver the request and drop the reply, or do nothing. botocore's own retries go on as usual.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

BOTOCORE_ATTEMPTS = 3
"""`Record.Meta.max_retry_attempts` and the first one."""


class Crash(BaseException):
    """The machine dies: nothing of the running code sees anything any more."""


@dataclass
class Attempt:
    """The sending of a request: the how-manieth of its call, 1 to 3, because botocore tries again."""

    operation: str
    number: int
    request: AWSPreparedRequest
    client: Any

    def deliver(self) -> AWSResponse:
        """Let the request reach the store, and take its answer."""
        return self.client._endpoint.http_session.send(self.request)

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.request.body)


type Fault = Callable[[Attempt], AWSResponse | None]


def throttled(attempt: Attempt) -> AWSResponse | None:
    return _refusal(attempt, 400, "ThrottlingException", "Rate exceeded")


def internal_error(attempt: Attempt) -> AWSResponse | None:
    return _refusal(attempt, 500, "InternalServerError", "Internal server error")


def internal_error_after_commit(attempt: Attempt) -> AWSResponse | None:
    """A 500 says nothing of whether the write was made."""
    attempt.deliver()
    return internal_error(attempt)


def conflicting(attempt: Attempt) -> AWSResponse | None:
    """Another transaction holds one of the items. Reads of Remit are not transactional and never meet that."""
    if attempt.operation == "PutItem":
        return _refusal(attempt, 400, "TransactionConflictException", "Transaction is ongoing for the item")
    if attempt.operation == "TransactWriteItems":
        items = len(attempt.body["TransactItems"])
        ongoing = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
        reasons = [{"Code": "None"}] * (items - 1) + [ongoing]
        message = "Transaction cancelled, please refer cancellation reasons for specific reasons"
        return _refusal(attempt, 400, "TransactionCanceledException", message, CancellationReasons=reasons)
    return None


def reply_lost_once(attempt: Attempt) -> AWSResponse | None:
    """The first attempt arrives and its reply does not; botocore's second attempt meets what the first one wrote."""
    if attempt.number == 1:
        return reply_lost(attempt)
    return None


def reply_lost(attempt: Attempt) -> AWSResponse | None:
    """Every attempt arrives, no reply does."""
    attempt.deliver()
    raise ReadTimeoutError(endpoint_url=attempt.request.url)


def last_reply_lost(attempt: Attempt) -> AWSResponse | None:
    """Nothing arrives but botocore's last attempt, and its reply is lost."""
    if attempt.number == BOTOCORE_ATTEMPTS:
        return reply_lost(attempt)
    return cut_off(attempt)


def cut_off(attempt: Attempt) -> AWSResponse | None:
    """Nothing arrives."""
    raise ConnectionClosedError(endpoint_url=attempt.request.url)


def crash_before(attempt: Attempt) -> AWSResponse | None:
    raise Crash


def crash_after(attempt: Attempt) -> AWSResponse | None:
    attempt.deliver()
    raise Crash


class Calls:
    """The calls that a client makes to the store, by name, and the fault that some of them meet."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._attempts = 0
        self._fault: Fault | None = None
        self._first = self._last = 0
        self.made: list[str] = []

    def disturb(self, fault: Fault, first: int, last: int | None = None) -> None:
        """Calls number `first` (from 0, of those counted from now on) to `last` meet `fault`; no `last`: all from there on."""
        self.made.clear()
        self._fault, self._first = fault, first
        self._last = last if last is not None else 10**9

    def leave_alone(self) -> None:
        self.made.clear()
        self._fault = None

    def before_call(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)
        self._attempts = 0

    def before_send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        self._attempts += 1
        if self._fault is None or not self._first <= len(self.made) - 1 <= self._last:
            return None
        return self._fault(Attempt(self.made[-1], self._attempts, request, self._client))


@contextmanager
def watched(client: Any) -> Iterator[Calls]:
    """The calls of `client`, counted and ready to be disturbed."""
    calls, events = Calls(client), client.meta.events
    events.register("before-call.dynamodb.*", calls.before_call)
    events.register("before-send.dynamodb.*", calls.before_send)
    try:
        yield calls
    finally:
        events.unregister("before-call.dynamodb.*", calls.before_call)
        events.unregister("before-send.dynamodb.*", calls.before_send)


@dataclass
class Trouble:
    """A crash at one moment (`before`, `after`) of one call of something that is no store: a gateway, a mailer."""

    moment: str
    happened: bool = field(default=False, init=False)

    def __call__(self, moment: str) -> None:
        if moment == self.moment and not self.happened:
            self.happened = True
            raise Crash


def _refusal(attempt: Attempt, status: int, code: str, message: str, **more: Any) -> AWSResponse:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message} | more
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "INJECTED"}
    return response(attempt, status, body, headers)


def response(attempt: Attempt, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> AWSResponse:
    answer = AWSResponse(attempt.request.url, status, headers or {}, io.BytesIO())
    answer._content = json.dumps(body).encode()
    return answer
