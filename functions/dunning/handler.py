"""Tasks of statemachines/dunning.asl.yaml: find the accounts that are due, and dun one of them."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.ses import deployed_mailer
from remit.adapters.links import payment_links
from remit.domain.automations import Automation
from remit.usecases.dun_account import dun_account
from remit.usecases.ports import AgendaKind

PAGE = 500  # accounts per map run: their ids stay far below the 256 KB that a state may hold

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
journal = DynamoJournal()


def find_due(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"cursor"?} → {"accounts": [{"account_id"}], "cursor"}: whose date has come, a page at a time.

    With the firm's switch off nothing is found, and nothing is forgotten either.
    """
    firm = fresh_firm(books)
    if Automation.DUNNING not in firm.switches:
        logger.info("dunning is switched off")
        return {"accounts": [], "cursor": None}
    today = firm.today(deployed_clock().now())
    due, cursor = DynamoAgenda().due(AgendaKind.DUNNING, today.isoformat(), event.get("cursor"), PAGE)
    accounts = list(dict.fromkeys(thing.account_id for thing in due))
    logger.info("accounts due", extra={"count": len(accounts), "today": today.isoformat()})
    return {"accounts": [{"account_id": account_id} for account_id in accounts], "cursor": cursor}


@metrics.log_metrics
def dun(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"account_id"} → what came of it. Raises `TransientError` or `ConflictError` for what may be tried again."""
    firm = fresh_firm(books)
    letters = JinjaLetters(payment_links(), books)
    mailer = deployed_mailer(firm)
    outcome = dun_account(event["account_id"], firm, books, journal, letters, mailer, deployed_clock())
    if outcome.message_id:
        metrics.add_metric("DunningNotices", MetricUnit.Count, 1)
    logger.info("account looked at", extra={"account_id": outcome.account_id, "why": outcome.why, "tier": outcome.tier})
    return {"account_id": outcome.account_id, "why": outcome.why, "tier": outcome.tier}
