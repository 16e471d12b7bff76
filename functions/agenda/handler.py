"""Schedule: what is due by the clock, found by the agenda and done a thing at a time.

Each thing is moved on in the agenda by its own use case, so that one that fails is found again by the next run and stops no
other. A new kind is a row of `WORK`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.stripe.gateway import stripe_gateway
from remit.domain.actor import Actor, Channel
from remit.domain.firm import Firm
from remit.usecases.cancel_payment import release_authorization
from remit.usecases.charge_late import charge_paid_late
from remit.usecases.expire_credit import expire_credit
from remit.usecases.ports import AgendaKind, DueThing
from remit.usecases.resolve_outcome import Outcome, resolve_outcome
from remit.usecases.submit_refund import submit_refund
from remit.usecases.tell_card_expiry import tell_card_expiry

PAGE = 200
RESERVE_MS = 60_000
"""A run ends with so much time left for the thing it is at: a call of the gateway, with its repeats, takes half of it."""

logger = Logger()
metrics = Metrics()
books = DynamoBooks()


def gateway() -> Any:
    return stripe_gateway(os.environ["GATEWAY_API_BASE"])


def _resolve(due: DueThing, firm: Firm) -> str:
    outcome = resolve_outcome(due.account_id, due.id, firm, books, gateway(), deployed_clock()).outcome
    if outcome is Outcome.UNKNOWN:
        metrics.add_metric("OutcomesUnknown", MetricUnit.Count, 1)
        logger.error("outcome of a payment stays unknown", extra={"account_id": due.account_id, "payment_id": due.id})
    return str(outcome)


def _release(due: DueThing, firm: Firm) -> str:
    actor = Actor("authorizations", Channel.SCHEDULE)
    return str(release_authorization(due.account_id, due.id, actor, firm, books, gateway(), deployed_clock()).status)


def _refund(due: DueThing, firm: Firm) -> str:
    return str(submit_refund(due.account_id, due.id, firm, books, gateway(), deployed_clock()).status)


def _expire(due: DueThing, firm: Firm) -> str:
    credit = expire_credit(due.account_id, due.id, firm, books, deployed_clock())
    return "still usable" if credit.open_minor else "expired"


def _card_expires(due: DueThing, firm: Firm) -> str:
    return "told" if tell_card_expiry(due.account_id, firm, books, deployed_clock()) else "replaced"


def _charge_interest(due: DueThing, firm: Firm) -> str:
    charged = charge_paid_late(due.account_id, due.id, firm, books, deployed_clock())
    if charged is not None:
        metrics.add_metric("LateInterestCharged", MetricUnit.Count, 1)
    return charged or "nothing due"


def _by_instant(firm: Firm, now: datetime) -> str:
    return now.isoformat()


def _by_date(firm: Firm, now: datetime) -> str:
    """A date of the firm is due when it has begun there."""
    return firm.today(now).isoformat()


@dataclass(frozen=True, slots=True)
class Work:
    """Until when things of a kind are due, and what is done with one; the word it answers is for the log."""

    until: Callable[[Firm, datetime], str]
    do: Callable[[DueThing, Firm], str]


WORK: dict[AgendaKind, Work] = {
    AgendaKind.OUTCOME: Work(_by_instant, _resolve),
    AgendaKind.AUTHORIZATION: Work(_by_instant, _release),
    AgendaKind.REFUND: Work(_by_instant, _refund),
    AgendaKind.CREDIT_EXPIRY: Work(_by_date, _expire),
    AgendaKind.LATE_INTEREST: Work(_by_date, _charge_interest),
    AgendaKind.CARD_EXPIRY: Work(_by_date, _card_expires),
}
"""Kind → work, in the order in which it is done: what is under way is cleared up before anything new is begun."""


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{} → {"done": how many of each kind, "failed": how many, "all": whether nothing is left}."""
    firm = fresh_firm(books)
    now = deployed_clock().now()
    done: dict[str, int] = {}
    failed = 0
    for kind, work in WORK.items():
        for due in _due(kind, work.until(firm, now)):
            if context.get_remaining_time_in_millis() < RESERVE_MS:
                logger.warning("the rest waits for the next run", extra={"kind": kind})
                return {"done": done, "failed": failed, "all": False}
            if _did(kind, work, due, firm):
                done[kind] = done.get(kind, 0) + 1
            else:
                failed += 1
    if failed:
        metrics.add_metric("AgendaFailures", MetricUnit.Count, failed)
    return {"done": done, "failed": failed, "all": True}


def _due(kind: AgendaKind, until: str) -> list[DueThing]:
    """Found before anything is done: what is moved on meanwhile must not shift the pages."""
    agenda = DynamoAgenda()
    found, cursor = agenda.due(kind, until, None, PAGE)
    while cursor is not None:
        more, cursor = agenda.due(kind, until, cursor, PAGE)
        found += more
    return found


def _did(kind: AgendaKind, work: Work, due: DueThing, firm: Firm) -> bool:
    about = {"kind": kind, "account_id": due.account_id, "id": due.id}
    try:
        logger.info("looked after", extra=about | {"outcome": work.do(due, firm)})
    except Exception:  # whatever it is, the others are still to be done; the alarm on errors tells of this one
        logger.exception("not looked after", extra=about)
        return False
    return True
