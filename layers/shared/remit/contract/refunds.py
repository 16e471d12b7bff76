"""Refunds and cancellations as the API speaks of them."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from remit.contract.common import ActorView, Body, Currency, Id, Page, PositiveMinor, ShortText, View
from remit.contract.credits import CreditNoteView, CreditView, LineCreditBody, Rma
from remit.domain.credit_notes import CreditNoteTerms
from remit.domain.credits import TaxOption
from remit.domain.money import Money
from remit.domain.open_items import InvoiceStatus
from remit.domain.orders import MAX_LINES
from remit.domain.refunds import Refund, RefundFrom, RefundStatus
from remit.domain.terms import Method
from remit.usecases.cancel_purchase import Cancellation, CancellationWish, RefundChoice
from remit.usecases.issue_credit_note import CreditNoteWish
from remit.usecases.refund_credit import CreditRefundWish
from remit.usecases.refund_payment import RefundWish


class RefundPaymentBody(Body):
    """How much of a receipt to give back. `method` only where one may choose: a card payment goes back to its card."""

    amount_minor: PositiveMinor
    reason: ShortText
    method: Method | None = None

    def to_wish(self, account_id: str, payment_id: str) -> RefundWish:
        return RefundWish(account_id, payment_id, self.amount_minor, self.reason, self.method)


class RefundCreditBody(Body):
    """How much of the available credit to pay out by hand: never to a card."""

    amount_minor: PositiveMinor
    currency: Currency
    method: Method
    reason: ShortText

    def to_wish(self, account_id: str) -> CreditRefundWish:
        return CreditRefundWish(account_id, Money(self.amount_minor, self.currency), self.method, self.reason)


class CancelRefundBody(Body):
    reason: ShortText | None = None


class ApproveRefundBody(Body):
    """Nothing to choose: the refund goes as it was asked for."""


class CancelPurchaseBody(Body):
    """What to cancel: `all` that is left, or lines in full or in part. `refund` is `none`, an amount, or what is `suggested`:
    exactly the credit, as far as the invoice's payments captured and have it left. `transfer_to` is the invoice of a new
    purchase that the credit pays, without a refund."""

    items: Literal["all"] | Annotated[list[LineCreditBody], Field(min_length=1, max_length=MAX_LINES)]
    refund: RefundChoice | PositiveMinor = RefundChoice.NONE
    refund_method: Method | None = None
    transfer_to: Id | None = None
    tax_option: TaxOption = TaxOption.INCLUDED
    reason: ShortText
    rma: Rma | None = None

    def to_wish(self, account_id: str, invoice_id: str) -> CancellationWish:
        lines = None if isinstance(self.items, str) else [line.to_domain() for line in self.items]
        terms = CreditNoteTerms(self.reason, self.tax_option, self.rma)
        credit = CreditNoteWish(account_id, invoice_id, lines, terms)
        return CancellationWish(credit, self.refund, self.refund_method, self.transfer_to)


class RefundSourceView(View):
    """What it consumed, and puts back if it comes to nothing."""

    account: RefundFrom
    document_id: str
    amount_minor: int


class RefundView(View):
    """`submit_at`: when a refund on hold goes to the processor. Until then it may be canceled on `cancelable_on`."""

    id: Id
    account_id: Id
    currency: str
    amount_minor: int
    method: Method
    status: RefundStatus
    reason: str
    requested_on: date
    requested_at: datetime
    requested_by: ActorView
    approved_by: ActorView | None
    cancelable_on: date
    submit_at: datetime | None
    payment_id: str | None
    credit_note_id: str | None
    gateway_id: str | None
    failure: str | None
    reversed_by: str | None
    sources: list[RefundSourceView]
    entries: list[str] = Field(description="Ids of its journal entries")

    @classmethod
    def of(cls, refund: Refund) -> "RefundView":
        plain = {name: getattr(refund, name) for name in cls.model_fields}
        entries = [f"{refund.account_id}.{refund.currency}.{sequence}" for sequence in refund.entries]
        return cls.model_validate(plain | {"entries": entries})


class RefundsPage(Page):
    refunds: list[RefundView]


class CanceledInvoiceView(View):
    """How the canceled purchase's invoice, or the new one's, stands now."""

    invoice_id: Id
    number: str
    status: InvoiceStatus
    open_minor: int


class CancellationView(View):
    """All that came of canceling a purchase."""

    credit_note: CreditNoteView
    credit: CreditView
    refunds: list[RefundView]
    invoice: CanceledInvoiceView
    transferred_to: CanceledInvoiceView | None

    @classmethod
    def of(cls, done: Cancellation) -> "CancellationView":
        target = done.transferred_to
        return cls(
            credit_note=CreditNoteView.of(done.note),
            credit=CreditView.of(done.credit),
            refunds=[RefundView.of(refund) for refund in done.refunds],
            invoice=CanceledInvoiceView.model_validate(done.open_item),
            transferred_to=CanceledInvoiceView.model_validate(target) if target else None,
        )
