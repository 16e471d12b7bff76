"""Payments as the API speaks of them."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from remit.contract.common import Body, Currency, Day, Id, Page, PositiveMinor, ShortText, View
from remit.domain.money import Money
from remit.domain.payments import MAX_ALLOCATIONS, Allocation, Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.receive_payment import ReceivedPayment


class AllocationBody(Body):
    invoice_id: Id
    amount_minor: PositiveMinor

    def to_domain(self) -> Allocation:
        return Allocation(self.invoice_id, self.amount_minor)


Allocations = Annotated[list[AllocationBody], Field(max_length=MAX_ALLOCATIONS)]


class NewPaymentBody(Body):
    """A payment received outside the gateway. `allocations`: a list of choices, or `oldest_first`; what neither
    takes stays unapplied credit of the account."""

    amount_minor: PositiveMinor
    currency: Currency
    method: Method
    value_date: Day
    reference: ShortText | None = None
    allocations: Allocations | Literal["oldest_first"] = []

    def to_domain(self, account_id: str) -> ReceivedPayment:
        chosen = None if self.allocations == "oldest_first" else [a.to_domain() for a in self.allocations]  # type: ignore[union-attr]
        amount = Money(self.amount_minor, self.currency)
        return ReceivedPayment(account_id, amount, self.method, self.value_date, self.reference, chosen)


class AllocateBody(Body):
    """`currency` is the payment's, named again so that nothing is moved by mistake."""

    currency: Currency
    allocations: Annotated[list[AllocationBody], Field(min_length=1, max_length=MAX_ALLOCATIONS)]


class CheckoutBody(Body):
    """Nothing to choose: all that is open is paid by card."""


class AllocationView(View):
    invoice_id: Id
    amount_minor: int


class TransactionView(View):
    occurred_at: datetime
    type: str
    id: str
    amount_minor: int
    note: str | None


class PaymentView(View):
    id: Id
    account_id: Id
    currency: str
    amount_minor: int
    unapplied_minor: int
    method: Method
    status: PaymentStatus
    created_at: datetime
    value_date: date | None
    reference: str | None
    failure: str | None
    allocations: list[AllocationView]
    transactions: list[TransactionView]
    gateway_ids: list[str]
    entries: list[str] = Field(description="Ids of its journal entries")

    @classmethod
    def of(cls, payment: Payment) -> "PaymentView":
        plain = {name: getattr(payment, name) for name in cls.model_fields}
        entries = [f"{payment.account_id}.{payment.currency}.{sequence}" for sequence in payment.entries]
        return cls.model_validate(plain | {"entries": entries})


class PaymentsPage(Page):
    payments: list[PaymentView]


class CheckoutView(View):
    """Where to send the customer. The same attempt is returned while it is under way."""

    payment_id: Id
    checkout_url: str
    expires_at: datetime | None
