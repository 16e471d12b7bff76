"""Payments as the API speaks of them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from remit.contract.common import Body, Currency, Day, Flag, Id, Page, PositiveMinor, ShortText, View
from remit.domain.accounts import Account
from remit.domain.collection import Outcome
from remit.domain.invoices import Invoice
from remit.domain.money import Money
from remit.domain.open_items import InvoiceStatus, OpenItem
from remit.domain.payments import MAX_ALLOCATIONS, Allocation, DisputeStatus, Payment, PaymentState, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.charge_saved_method import ChargeWish
from remit.usecases.payment_attempts import Pick
from remit.usecases.reallocate_payment import Reallocation
from remit.usecases.receive_payment import ReceivedPayment
from remit.usecases.start_checkout import CheckoutWish


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
    to_wallet: Flag = Field(False, description="What is not allocated tops the wallet up instead of staying credit")

    def to_domain(self, account_id: str) -> ReceivedPayment:
        chosen = None if self.allocations == "oldest_first" else [a.to_domain() for a in self.allocations]  # type: ignore[union-attr]
        amount = Money(self.amount_minor, self.currency)
        return ReceivedPayment(account_id, amount, self.method, self.value_date, self.reference, chosen, self.to_wallet)


class AllocateBody(Body):
    """`currency` is the payment's, named again so that nothing is moved by mistake."""

    currency: Currency
    allocations: Annotated[list[AllocationBody], Field(min_length=1, max_length=MAX_ALLOCATIONS)]


class ReallocationBody(Body):
    """`from` is taken back, `to` is paid instead; the rest is unapplied credit again. `currency` is the payment's."""

    currency: Currency
    taken: Annotated[list[AllocationBody], Field(alias="from", min_length=1, max_length=MAX_ALLOCATIONS)]
    made: Annotated[list[AllocationBody], Field(alias="to", max_length=MAX_ALLOCATIONS)] = []

    def to_wish(self, account_id: str, payment_id: str) -> Reallocation:
        taken, made = ([each.to_domain() for each in named] for named in (self.taken, self.made))
        return Reallocation(account_id, payment_id, self.currency, taken, made)


class PaymentReversalBody(Body):
    """`on`: the day on which the money was gone again, such as that of the bank's notice."""

    on: Day
    reason: ShortText


class CheckoutBody(Body):
    """All that settles the invoice today is paid by card."""

    save_method: Flag = Field(False, description="The customer agrees to be charged later; the card is saved")
    capture_later: Flag = Field(False, description="Only authorise; capture within the card's time, mostly 7 days")

    def to_wish(self, account_id: str, invoice_id: str) -> CheckoutWish:
        return CheckoutWish(account_id, [Pick(invoice_id)], self.save_method, self.capture_later)


class PickBody(Body):
    invoice_id: Id
    amount_minor: PositiveMinor | None = Field(None, description="All that settles it today, unless named")

    def to_domain(self) -> Pick:
        return Pick(self.invoice_id, self.amount_minor)


class SeveralCheckoutBody(Body):
    """Several invoices of one currency in one card payment."""

    invoices: Annotated[list[PickBody], Field(min_length=1, max_length=MAX_ALLOCATIONS)]
    save_method: Flag = False

    def to_wish(self, account_id: str) -> CheckoutWish:
        return CheckoutWish(account_id, [each.to_domain() for each in self.invoices], self.save_method)


MethodId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,80}$", examples=["pm_1QYxT2"])]
"""The gateway's id of a saved payment method."""


class ChargeBody(Body):
    """Charge a saved method now, without the customer."""

    method_id: MethodId | None = Field(None, description="The account's default method, unless named")
    amount_minor: PositiveMinor | None = Field(None, description="All that settles the invoice today, unless named")
    capture_later: Flag = Field(False, description="Only authorise, for a card")

    def to_wish(self, account_id: str, invoice_id: str) -> ChargeWish:
        return ChargeWish(account_id, [Pick(invoice_id, self.amount_minor)], self.method_id, self.capture_later)


class CaptureBody(Body):
    amount_minor: PositiveMinor | None = Field(None, description="All that is authorised, unless named; the rest is released")


class NoBody(Body):
    """Nothing to choose."""


class SetupBody(Body):
    """`return_url` is where the customer comes back to."""

    return_url: Annotated[str, Field(pattern=r"^https://[^\s<>\"]+$", max_length=500)]


class PaymentMethodView(View):
    id: str
    method: Method
    label: str
    expires: str | None = Field(description="YYYY-MM")
    saved_at: datetime
    is_default: bool


class PaymentMethodsView(View):
    """How the account pays. Nothing here could pay anywhere else."""

    methods: list[PaymentMethodView]
    collect_automatically: bool

    @classmethod
    def of(cls, account: Account) -> "PaymentMethodsView":
        settings = account.payment
        methods = [
            PaymentMethodView(
                id=saved.id,
                method=saved.method,
                label=saved.label,
                expires=saved.expires,
                saved_at=saved.saved_at,
                is_default=saved.id == settings.default_method,
            )
            for saved in settings.saved_methods
        ]
        return cls(methods=methods, collect_automatically=settings.collect_automatically)


class SetupView(View):
    """Where to send the customer to save a method. It is saved when the gateway says so."""

    setup_url: str
    expires_at: datetime


class AllocationView(View):
    invoice_id: Id
    amount_minor: int


class TransactionView(View):
    occurred_at: datetime
    type: str
    id: str
    amount_minor: int
    note: str | None


class DisputeView(View):
    id: str
    status: DisputeStatus
    amount_minor: int
    fee_minor: int
    reason: str | None
    opened_at: datetime | None
    reported_at: datetime


class FeeView(View):
    net_minor: int
    tax_minor: int
    tax_code: str


class PaidInvoiceView(View):
    """An invoice that a payment is for, with the order behind it."""

    invoice_id: Id
    number: str
    order_id: Id
    status: InvoiceStatus
    total_minor: int
    open_minor: int

    @classmethod
    def of(cls, invoice: Invoice, item: OpenItem) -> "PaidInvoiceView":
        return cls(
            invoice_id=invoice.id,
            number=invoice.number,
            order_id=invoice.order_id,
            status=item.status,
            total_minor=item.total_minor,
            open_minor=item.open_minor,
        )


class CollectedView(View):
    """Which automatic attempt a payment is: its number for that due date, and, failed, when it is tried again."""

    due_on: date
    number: int
    retry_on: date | None
    payer_must_act: Outcome | None


class PaymentView(View):
    """A payment and all that happened to it. `state` sums the status up: `outstanding`, `cleared` or `failed`."""

    id: Id
    account_id: Id
    currency: str
    amount_minor: int
    unapplied_minor: int
    refunded_minor: int
    disputed_minor: int
    refundable_minor: int
    wallet_minor: int
    method: Method
    status: PaymentStatus
    state: PaymentState
    created_at: datetime
    value_date: date | None
    reference: str | None
    failure: str | None
    is_hard_failure: bool = Field(description="Trying the same method again is pointless")
    saved_method: str | None
    fee: FeeView | None = Field(description="The card fee in it")
    capture_minor: int | None = Field(description="What of an authorisation was asked to be captured")
    authorized_until: datetime | None
    look_up_at: datetime | None = Field(description="When the gateway is asked for an outcome that is not known")
    collected: CollectedView | None = Field(description="Of an automatic collection")
    intended: list[AllocationView]
    allocations: list[AllocationView]
    transactions: list[TransactionView]
    disputes: list[DisputeView]
    gateway_ids: list[str]
    entries: list[str] = Field(description="Ids of its journal entries")

    @classmethod
    def of(cls, payment: Payment) -> "PaymentView":
        plain = {name: getattr(payment, name) for name in cls.model_fields}
        entries = [f"{payment.account_id}.{payment.currency}.{sequence}" for sequence in payment.entries]
        return cls.model_validate(plain | {"entries": entries})


class ExpandedPaymentView(PaymentView):
    invoices: list[PaidInvoiceView] | None = Field(None, description="With `expand=invoices`: those it is for")

    @classmethod
    def expanded(cls, payment: Payment, invoices: Sequence[tuple[Invoice, OpenItem]] | None) -> "ExpandedPaymentView":
        shown = [PaidInvoiceView.of(invoice, item) for invoice, item in invoices] if invoices is not None else None
        return cls(**dict(PaymentView.of(payment)), invoices=shown)


class PaymentsPage(Page):
    payments: list[PaymentView]


class CheckoutView(View):
    """Where to send the customer. The same attempt is returned while it is under way."""

    payment_id: Id
    checkout_url: str
    expires_at: datetime | None
