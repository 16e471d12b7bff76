"""How fast a run of letters goes, in messages per second: some at a time, then a rest (D7).

Plain arithmetic of what was sent; nothing here looks at a clock. Time that the sending itself takes comes on top, so a run is
never faster on the average than it is told to be.
"""

import math
from dataclasses import dataclass

MAX_RATE = 500
"""Messages per second; more than a mail provider grants."""

BURST_S = 10
"""Seconds' worth of messages that are sent before each rest: what a provider evens out, and few enough steps for a run."""

MAX_ACCOUNTS, MAX_LANES = 500, 10
"""Accounts looked at between two rests, and at the same time, when nothing limits the rate."""

PER_LANE = 5
"""Messages that one lane sends in a second at most: each is claimed, handed over and marked."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`accounts` between two rests, `lanes` of them at the same time."""

    accounts: int
    lanes: int


def pace(rate: int | None) -> Pace:
    """The pace that keeps to `rate` messages a second; None: as fast as it goes.

    >>> pace(14)
    Pace(accounts=140, lanes=2)
    """
    if rate is None:
        return Pace(MAX_ACCOUNTS, MAX_LANES)
    return Pace(min(MAX_ACCOUNTS, rate * BURST_S), max(1, min(MAX_LANES, rate // PER_LANE)))


def rest_s(messages: int, rate: int | None) -> int:
    """How many whole seconds to rest after so many messages.

    >>> rest_s(141, 14)
    11
    """
    return math.ceil(messages / rate) if rate else 0
