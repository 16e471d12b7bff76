"""Payments and credits as the API speaks of them."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from remit.contract.common import Body, Currency, Day, Id, Page, PositiveMinor, ShortText, SubscriptionId, View
from remit.contract.firm import TaxCodeName
from remit.domain.credits import CreditKind, CreditTerms, TaxOption
from remit.domain.money import Money
from remit.domain.payments import MAX_ALLOCATIONS, Allocation, Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.issue_credit import CreditWish
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
    to_wallet: bool = Field(False, description="What is not allocated tops the wallet up instead of staying credit")

    def to_domain(self, account_id: str) -> ReceivedPayment:
        chosen = None if self.allocations == "oldest_first" else [a.to_domain() for a in self.allocations]  # type: ignore[union-attr]
        amount = Money(self.amount_minor, self.currency)
        return ReceivedPayment(account_id, amount, self.method, self.value_date, self.reference, chosen, self.to_wallet)


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


class NewCreditBody(Body):
    """`amount_minor` is gross with tax `included`, net with `not_included`, untaxed with `waived` (then no `tax_code`)."""

    kind: Literal[CreditKind.GOODWILL, CreditKind.FIRST_PAYMENT, CreditKind.LAST_PAYMENT] = CreditKind.GOODWILL
    amount_minor: PositiveMinor
    currency: Currency
    tax_option: TaxOption
    tax_code: TaxCodeName | None = None
    reason: ShortText
    subscription_id: SubscriptionId | None = Field(None, description="For first and last payment credits, and needed there")
    expires_on: Day | None = Field(None, description="The last day on which it can be used")
    is_refundable: bool = Field(False, description="Whether money may be given back for it")

    def to_wish(self, account_id: str) -> CreditWish:
        terms = CreditTerms(self.kind, self.reason, self.subscription_id, self.expires_on, self.is_refundable)
        return CreditWish(account_id, Money(self.amount_minor, self.currency), self.tax_option, terms, self.tax_code)


class CreditView(View):
    id: Id
    account_id: Id
    currency: str
    kind: CreditKind
    tax_option: TaxOption
    tax_code: str | None
    gross_minor: int
    tax_minor: int
    open_minor: int
    issued_on: date
    reason: str


class CreditsPage(Page):
    credits: list[CreditView]
