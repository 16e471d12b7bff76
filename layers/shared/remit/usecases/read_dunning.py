"""How an account's dunning stands, and what would be sent (D4–D8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from remit.domain.accounts import Account
from remit.domain.automations import Automation
from remit.domain.dunning import Decision, DunningPolicy, DunningState, decide, promise_state
from remit.domain.firm import DUNNING_SWITCHES, Firm
from remit.usecases.dun_account import NO_DAY_KNOWN
from remit.usecases.dunning_situation import find_situation
from remit.usecases.ports import Clock, Journal
from remit.usecases.promise_to_pay import GivenPromise
from remit.usecases.wake_account import read_to_wake


@dataclass(frozen=True, slots=True)
class DunningStanding:
    """`switched_on`: since when the firm and the account want it, None while one of them does not. `said`: what was said last.
    `next_look_on`: when a run looks at the account next, None while no day calls for it. `today`: what it would do if it did
    so now, by the very decision that it takes. `disputed` and `prepaid`: the numbers of the invoices that it leaves out."""

    account: Account
    policy: DunningPolicy
    switched_on: Mapping[Automation, datetime | None]
    promises: Sequence[GivenPromise]
    said: DunningState
    next_look_on: date | None
    today: Decision
    disputed: Sequence[str]
    prepaid: Sequence[str]


def read_dunning(account_id: str, firm: Firm, journal: Journal, clock: Clock) -> DunningStanding:
    """`NotFoundError` for an unknown account, `TransientError` while the index of open items is behind."""
    account, balances = read_to_wake(account_id, journal)
    found = find_situation(account, balances, firm, journal)
    situation, policy, today = found.situation, firm.dunning_policy(account), firm.today(clock.now())
    looks = [balance.look_again_on for balance in balances if balance.look_again_on not in (None, NO_DAY_KNOWN)]
    return DunningStanding(
        account=account,
        policy=policy,
        switched_on={automation: firm.switched_on(automation, account) for automation in sorted(DUNNING_SWITCHES)},
        promises=[
            GivenPromise(currency, promise, promise_state(promise, currency, situation, today))
            for currency, promise in sorted(account.promises.items())
        ],
        said=situation.said,
        next_look_on=min((day for day in looks if day), default=None),
        today=decide(situation, policy, today),
        disputed=[item.number for item in found.disputed],
        prepaid=[item.number for item in found.prepaid],
    )
