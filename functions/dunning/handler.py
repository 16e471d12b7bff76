"""Tasks of statemachines/dunning.asl.yaml: find the accounts that are due, and dun one of them."""

from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.ses import deployed_mailer
from remit.adapters.links import payment_links
from remit.domain.firm import DUNNING_SWITCHES
from remit.usecases.dun_account import dun_account
from remit.usecases.dunning_run import Looked, RunState, next_page

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
journal = DynamoJournal()


def find_due(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"messages_per_second"?} to begin with, then {"run", "looked"}: how the run stands, and what came of the accounts that it
    named → {"run"} with the next ones."""
    begun = "run" in event
    run = msgspec.convert(event["run"], RunState) if begun else RunState(rate=event.get("messages_per_second"))
    looked = msgspec.convert(event.get("looked", []), list[Looked])
    run = next_page(run, looked, fresh_firm(books), books, DynamoAgenda(), deployed_clock())
    logger.info("dunning run", extra={"due": len(run.accounts), "sweep": run.sweep, "done": run.done, "counts": run.counts})
    return {"run": msgspec.to_builtins(run)}


@metrics.log_metrics
def dun(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"account_id"} → what came of it. Raises `TransientError` or `ConflictError` for what may be tried again.

    With the firm's switches turned off meanwhile the account is left where it is: so a run stops between two accounts.
    """
    account_id = event["account_id"]
    firm = fresh_firm(books)
    if not DUNNING_SWITCHES & firm.switches.keys():
        return {"account_id": account_id, "why": "stopped", "tier": None, "notices": 0, "reminders": 0}
    letters = JinjaLetters(payment_links(), books)
    outcome = dun_account(account_id, firm, books, journal, letters, deployed_mailer(firm), deployed_clock())
    notices, reminders = int(outcome.message_id is not None), len(outcome.reminder_ids)
    for name, count in (("DunningNotices", notices), ("DunningReminders", reminders)):
        if count:
            metrics.add_metric(name, MetricUnit.Count, count)
    came = {"account_id": account_id, "why": outcome.why, "tier": outcome.tier, "notices": notices, "reminders": reminders}
    logger.info("account looked at", extra=came)
    return came
