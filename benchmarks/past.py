"""Years of business in seconds: history written straight into the table, as the domain would have made it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from remit.adapters.dynamodb.mapping import to_record
from remit.domain import posting_rules
from remit.domain.accounts import Account, AccountChange, Address, TaxId
from remit.domain.invoices import NumberSeries, issue, series_name
from remit.domain.journal import Balance
from remit.domain.open_items import OpenItem
from remit.domain.operation import Operation
from remit.domain.orders import LineRequest, Order, price
from remit.domain.payments import Allocation, Payment, PaymentStatus
from remit.domain.posting_rules import Circumstances
from remit.domain.terms import Method
from remit.usecases.ports import series_ref
from tests.integration.office import CLERK, TEN_LINES, Office
from tests.integration.state import write_all


@dataclass(frozen=True)
class Customer:
    """An account with a past, and its invoices that are still open, oldest first."""

    account_id: str
    open_items: tuple[OpenItem, ...]


def customer(
    office: Office,
    store: Any,
    *,
    paid: int,
    unpaid: int = 0,
    until: datetime | None = None,
    lines: tuple[LineRequest, ...] = TEN_LINES,
    term: str = "net30",
) -> Customer:
    """An account that was sent `paid` + `unpaid` invoices, one an hour, the last one at `until`, and paid the first ones."""
    until = until or office.clock.now()
    past = _Past(office, until - timedelta(hours=paid + unpaid), lines, term)
    things = [*past.opened()]
    open_items: list[OpenItem] = []
    for number in range(paid + unpaid):
        things += past.issued(until - timedelta(hours=paid + unpaid - number - 1))
        if number < paid:
            things += past.paid()
        else:
            open_items.append(past.item)
            things.append(past.item)
    things += past.standing()
    write_all(store, [{"PutRequest": {"Item": to_record(thing).serialize()}} for thing in things])
    return Customer(past.account.id, tuple(open_items))


class _Past:
    """The ledger of one account as it comes to be; every step returns what is written for good."""

    def __init__(self, office: Office, opened_at: datetime, lines: tuple[LineRequest, ...], term: str) -> None:
        self._office, self._firm = office, office.firm
        self._priced = price(lines, self._firm.default_currency, self._firm, prices_include_tax=False)
        self._term = self._firm.term(term)
        self.account = Account(
            office.ids.new("acc"), "Blue Harbour Trading GmbH", "ap@blueharbour.example", self._firm.default_currency,
            opened_at, address=Address("Am Sandtorkai 27", "Hamburg", "DE", postal_code="20457"),
            tax_ids=(TaxId("eu_vat", "DE287654321"),),
        )  # fmt: skip
        self._balance = Balance(self.account.id, self._firm.default_currency)
        name = series_name(self._firm.invoice_prefix, self._firm.today(opened_at))
        self._series = office.books.load(series_ref(name)).get(series_ref(name)) or NumberSeries(name)
        self.item: OpenItem

    def opened(self) -> Iterator[Any]:
        yield self.account
        yield AccountChange(self.account.id, 1, self.account.created_at, CLERK, {}, {"name": self.account.name})

    def issued(self, now: datetime) -> Iterator[Any]:
        self._now = now
        order = Order(self._office.ids.new("ord"), self.account.id, self._priced, self._term, now, "PO-7781")
        invoice, item, self._series = issue(order, self.account, self._firm, self._series, now)
        operation = Operation(self._balance, Circumstances(invoice.issued_on, now, CLERK))
        operation.create(item)
        entry = operation.post(posting_rules.invoice_issued, invoice, None)
        self.item, self._balance = operation.item(item.invoice_id), operation.balance
        overdue_from = (item.next_due or invoice.issued_on) + timedelta(days=1)
        self._due_first = getattr(self, "_due_first", overdue_from)
        yield from (order, invoice, entry)

    def paid(self) -> Iterator[Any]:
        today, allocations = self._firm.today(self._now), [Allocation(self.item.invoice_id, self.item.open_minor)]
        payment = Payment(
            id=self._office.ids.new("pay"), account_id=self.account.id, currency=self.item.currency,
            amount_minor=self.item.total_minor, method=Method.BANK_TRANSFER, cash_account="bank_transfer",
            status=PaymentStatus.SUCCEEDED, created_at=self._now, value_date=today,
            reference=self.item.number, unapplied_minor=self.item.total_minor,
        )  # fmt: skip
        operation = Operation(self._balance, Circumstances(today, self._now, CLERK))
        operation.hold(self.item)
        operation.create(payment)
        operation.pay_from(payment.id, allocations, today)
        entry = operation.post(posting_rules.payment_received, payment)
        self._balance = operation.balance
        yield from (operation.get(Payment, payment.id), entry, operation.item(self.item.invoice_id))
        del self._due_first

    def standing(self) -> Iterator[Any]:
        """The balance with its place in the agenda, and the number counter."""
        yield replace(self._balance, look_again_on=getattr(self, "_due_first", None))
        yield self._series
