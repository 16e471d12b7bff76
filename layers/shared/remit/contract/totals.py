"""The firm's totals as the API speaks of them. Currencies are never added up."""

from collections.abc import Sequence
from datetime import date

from remit.contract.common import View
from remit.domain.totals import Ageing
from remit.usecases.read_totals import MonthTotals


class AccountTotalsView(View):
    """An account of the chart, such as `revenue:services` or `receivable`; all customers together."""

    account: str
    debit_minor: int
    credit_minor: int


class MonthTotalsView(View):
    """Σ debits = Σ credits over `accounts`."""

    month: str
    currency: str
    accounts: list[AccountTotalsView]

    @classmethod
    def of(cls, totals: MonthTotals) -> "MonthTotalsView":
        accounts = [
            AccountTotalsView(account=account, debit_minor=debits, credit_minor=credits)
            for account, (debits, credits) in totals.accounts.items()
        ]
        return cls(month=totals.month, currency=totals.currency, accounts=accounts)


class StatusCountsView(View):
    """Status → how many invoices; a status that none is in is left out."""

    currency: str
    statuses: dict[str, int]


class StatusTotalsView(View):
    currencies: list[StatusCountsView]


class AgeingView(View):
    """What is owed in one currency. `unscheduled_minor` waits for a delivery; the others go by days after the due date.
    All of them together are `receivable_minor`."""

    currency: str
    receivable_minor: int
    unscheduled_minor: int
    current_minor: int
    overdue_1_30_minor: int
    overdue_31_60_minor: int
    overdue_61_90_minor: int
    overdue_91_plus_minor: int

    @classmethod
    def of(cls, ageing: Ageing) -> "AgeingView":
        to_30, to_60, to_90, older = ageing.overdue_minor
        return cls(
            currency=ageing.currency,
            receivable_minor=ageing.receivable_minor,
            unscheduled_minor=ageing.unscheduled_minor,
            current_minor=ageing.current_minor,
            overdue_1_30_minor=to_30,
            overdue_31_60_minor=to_60,
            overdue_61_90_minor=to_90,
            overdue_91_plus_minor=older,
        )


class AgeingTotalsView(View):
    as_of: date
    currencies: list[AgeingView]

    @classmethod
    def of(cls, as_of: date, found: Sequence[Ageing]) -> "AgeingTotalsView":
        return cls(as_of=as_of, currencies=[AgeingView.of(ageing) for ageing in found])
