"""A message to a customer and what became of it (D11)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from remit.domain.actor import Actor, Channel


class MessageStatus(StrEnum):
    """`SENDING` is written before the mail is handed over, `SENT` after."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


AUTOMATION = Actor("notifications", Channel.SCHEDULE)
"""Who sends what nobody asked for by hand."""


@dataclass(frozen=True, slots=True)
class Message:
    """One e-mail, sent by `actor`. `id` derives from the fact it tells of, so that the same fact is told once.

    `model` is the plain data that the template was filled with, without its pay links: template, version and
    model together reproduce what was sent. `about`: the ids of the documents that it tells of. `policy_id` and
    `policy_revision`: the dunning policy by which it was sent, if by one.
    """

    id: str
    account_id: str
    template: str
    template_version: str
    to: str
    subject: str
    model: dict[str, Any]
    status: MessageStatus
    claimed_at: datetime
    sent_at: datetime | None = None
    provider_id: str | None = None
    failure: str | None = None
    actor: Actor = AUTOMATION
    about: tuple[str, ...] = ()
    policy_id: str | None = None
    policy_revision: int | None = None
    version: int = 0
