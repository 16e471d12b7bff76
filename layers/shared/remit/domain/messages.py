"""A message to a customer and what became of it (D11)."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from remit.domain.actor import Actor, Channel


class MessageStatus(StrEnum):
    """`SENDING` is written before the mail is handed over, `SENT` after. `SUPPRESSED`: not sent, for an address that had
    bounced or complained."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


class DeliveryKind(StrEnum):
    """What a mail provider says of a message that it took. The later in this list, the more it counts."""

    DELAYED = "delayed"
    DELIVERED = "delivered"
    SOFT_BOUNCE = "soft_bounce"
    HARD_BOUNCE = "hard_bounce"
    REJECTED = "rejected"
    COMPLAINED = "complained"


_STEP = {kind: step for step, kind in enumerate(DeliveryKind)}

UNREACHABLE = (DeliveryKind.HARD_BOUNCE, DeliveryKind.COMPLAINED)
"""After these, nothing more is sent to that address by itself."""


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """Something that became of a message. `reason` is the provider's word for it, such as `General` or `abuse`: no free text."""

    kind: DeliveryKind
    at: datetime
    reason: str | None = None


AUTOMATION = Actor("notifications", Channel.SCHEDULE)
"""Who sends what nobody asked for by hand."""

MAIL_PROVIDER = Actor("mail-provider", Channel.SCHEDULE)
"""Who tells what became of messages."""


@dataclass(frozen=True, slots=True)
class Message:
    """One e-mail, sent by `actor`. `id` derives from the fact it tells of, so that the same fact is told once.

    `html` and `text` are what was sent, but for the secrets of links, which are masked; empty where nothing was to be sent.
    `template_failure`: why the firm's own template was not used. `about`: the ids of the documents that it tells of.
    `deliveries`: what the provider said, at most one event of each kind, in the order in which they count.
    `policy_id` and `policy_revision`: the dunning policy by which it was sent, if by one.
    """

    id: str
    account_id: str
    template: str
    template_version: str
    to: str
    subject: str
    status: MessageStatus
    claimed_at: datetime
    sent_at: datetime | None = None
    provider_id: str | None = None
    failure: str | None = None
    actor: Actor = AUTOMATION
    about: tuple[str, ...] = ()
    html: str = ""
    text: str = ""
    template_failure: str | None = None
    deliveries: tuple[DeliveryEvent, ...] = ()
    policy_id: str | None = None
    policy_revision: int | None = None
    version: int = 0

    @property
    def delivery(self) -> DeliveryKind | None:
        """What counts of all that the provider said; None while it has said nothing."""
        return self.deliveries[-1].kind if self.deliveries else None

    def with_delivery(self, event: DeliveryEvent, provider_id: str, sent_at: datetime) -> "Message":
        """Merge what the provider says: in any order and however often it gives one result; of two events of a kind the
        earlier one counts. A message that the provider knows was sent, whatever its sender lived to write."""
        by_kind = {known.kind: known for known in self.deliveries}
        first = min(by_kind.get(event.kind, event), event, key=lambda each: (each.at, each.reason or ""))
        deliveries = sorted((by_kind | {event.kind: first}).values(), key=lambda each: _STEP[each.kind])
        told = replace(self, deliveries=tuple(deliveries))
        if self.status is not MessageStatus.SENDING:
            return told
        return replace(told, status=MessageStatus.SENT, sent_at=sent_at, provider_id=provider_id)


@dataclass(frozen=True, slots=True)
class MailProblem:
    """Why an account is written to no more: `address` bounced for good or complained about a message."""

    address: str
    kind: DeliveryKind
    at: datetime
    message_id: str
