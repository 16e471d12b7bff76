"""Who did it, and through which door (L3)."""

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    API = "api"
    GATEWAY = "gateway"
    SCHEDULE = "schedule"
    PAYMENT_PAGE = "payment_page"


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is a user's or an app client's subject, or the name of the automation; never a person's name."""

    id: str
    channel: Channel
