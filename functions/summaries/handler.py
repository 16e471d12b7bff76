"""Tasks of statemachines/account_summaries.asl.yaml: plan changed schedules anew, find who is due, tell one account (D3)."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from remit.adapters.clock import deployed_clock
from remit.adapters.cron import CronsimCron
from remit.adapters.dynamodb.books import DynamoAgenda, DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import fresh_firm
from remit.adapters.email.letters import JinjaLetters
from remit.adapters.email.ses import deployed_mailer
from remit.adapters.links import payment_links
from remit.domain.automations import Automation
from remit.domain.messages import MessageStatus
from remit.usecases.ports import AgendaKind
from remit.usecases.summarise_account import summarise_account
from remit.usecases.summary_enrolments import plan_enrolments

PAGE = 500  # enrolments per map run: their ids stay far below the 256 KB that a state may hold

logger = Logger()
metrics = Metrics()
books = DynamoBooks()
journal = DynamoJournal()
cron = CronsimCron()


def find_changed(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{} → {"schedules": [{"schedule_id", "plan": null, "cursor": null}]}: those whose enrolments are to be planned anew."""
    due, _ = DynamoAgenda().due(AgendaKind.SUMMARY_SCHEDULE, deployed_clock().now().isoformat(), None, PAGE)
    logger.info("schedules changed", extra={"count": len(due)})
    return {"schedules": [{"schedule_id": thing.id, "plan": None, "cursor": None} for thing in due]}


def plan(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"schedule_id", "plan", "cursor"} → the same for the next page; a cursor that is null says that it is done."""
    schedule_id = event["schedule_id"]
    planned = plan_enrolments(schedule_id, event["plan"], event["cursor"], books, journal, cron)
    logger.info("enrolments planned anew", extra={"schedule_id": schedule_id, "plan": planned.plan, "changed": planned.changed})
    return {"schedule_id": schedule_id, "plan": planned.plan, "cursor": planned.cursor}


def find_due(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"cursor"?} → {"enrolments": [{"account_id", "schedule_id"}], "cursor"}: whose slot has come, a page at a time.

    With the firm's switch off nothing is found, and nothing is forgotten either.
    """
    if Automation.SUMMARIES not in fresh_firm(books).switches:
        logger.info("summaries are switched off")
        return {"enrolments": [], "cursor": None}
    now = deployed_clock().now()
    due, cursor = DynamoAgenda().due(AgendaKind.SUMMARY, now.isoformat(), event.get("cursor"), PAGE)
    logger.info("enrolments due", extra={"count": len(due), "now": now.isoformat()})
    return {"enrolments": [{"account_id": thing.account_id, "schedule_id": thing.id} for thing in due], "cursor": cursor}


@metrics.log_metrics
def tell(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """{"account_id", "schedule_id"} → what came of it. Raises `TransientError` or `ConflictError` for what may be tried again."""
    firm = fresh_firm(books)
    letters = JinjaLetters(payment_links(), books)
    outcome = summarise_account(
        event["account_id"], event["schedule_id"], firm, books, journal, cron, letters, deployed_mailer(firm), deployed_clock()
    )
    if outcome.why == MessageStatus.SENT:
        metrics.add_metric("AccountSummaries", MetricUnit.Count, 1)
    about = {"account_id": outcome.account_id, "schedule_id": outcome.schedule_id, "why": outcome.why}
    logger.info("enrolment looked at", extra=about)
    return about
