"""What SES reports of messages, as EventBridge brings it.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from remit.adapters.email.ses import of_tag
from remit.domain.messages import DeliveryEvent, DeliveryKind
from remit.usecases.report_mail import MailReport

type Detail = Mapping[str, Any]


def _delivered(detail: Detail) -> DeliveryEvent:
    return DeliveryEvent(DeliveryKind.DELIVERED, _at(detail["delivery"]))


def _delayed(detail: Detail) -> DeliveryEvent:
    delay = detail["deliveryDelay"]
    return DeliveryEvent(DeliveryKind.DELAYED, _at(delay), _word(delay.get("delayType")))


def _bounced(detail: Detail) -> DeliveryEvent:
    """Only a permanent bounce says that the address is bad; a full mailbox or an answering machine does not."""
    bounce = detail["bounce"]
    kind = DeliveryKind.HARD_BOUNCE if bounce["bounceType"] == "Permanent" else DeliveryKind.SOFT_BOUNCE
    return DeliveryEvent(kind, _at(bounce), _word(bounce.get("bounceSubType")))


def _complained(detail: Detail) -> DeliveryEvent:
    complaint = detail["complaint"]
    return DeliveryEvent(DeliveryKind.COMPLAINED, _at(complaint), _word(complaint.get("complaintFeedbackType")))


def _rejected(detail: Detail) -> DeliveryEvent:
    return DeliveryEvent(DeliveryKind.REJECTED, _at(detail["mail"]), _word(detail["reject"].get("reason")))


_READ: Mapping[str, Callable[[Detail], DeliveryEvent]] = {
    "Email Delivered": _delivered,
    "Email Delivery Delayed": _delayed,
    "Email Bounced": _bounced,
    "Email Complaint Received": _complained,
    "Email Rejected": _rejected,
}


def report_of(event: Mapping[str, Any]) -> MailReport | None:
    """The report in an event of the default bus; None for mail that is none of ours: it does not carry our tags."""
    detail = event["detail"]
    mail = detail["mail"]
    tags = mail.get("tags", {})
    if not tags.get("message_id") or not tags.get("account_id"):
        return None
    return MailReport(
        account_id=of_tag(tags["account_id"][0]),
        message_id=of_tag(tags["message_id"][0]),
        event=_READ[event["detail-type"]](detail),
        provider_id=mail["messageId"],
        sent_at=_at(mail),
    )


def _at(part: Detail) -> datetime:
    return datetime.fromisoformat(part["timestamp"])


def _word(reason: object) -> str | None:
    """The provider's own word for a reason. Diagnostics are free text that names people, and are not kept."""
    found = re.match(r"[A-Za-z][A-Za-z _-]{0,39}", str(reason or ""))
    return found[0].strip() if found else None
