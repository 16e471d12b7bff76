"""Credits and credit notes as the API speaks of them."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from remit.contract.common import Body, Currency, Day, Flag, Id, LongText, Page, PositiveMinor, ShortText, SubscriptionId, View
from remit.contract.firm import TaxCodeName
from remit.contract.payments import AllocationBody
from remit.domain.credit_notes import CreditNote, CreditNoteLine, CreditNoteTerms, LineCredit
from remit.domain.credits import Credit, CreditKind, CreditTerms, TaxOption
from remit.domain.money import Money
from remit.domain.orders import MAX_LINES
from remit.domain.payments import MAX_ALLOCATIONS
from remit.usecases.issue_credit import CreditWish
from remit.usecases.issue_credit_note import CreditNoteWish, IssuedCreditNote

Rma = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
"""The firm's own number of a return."""


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
    is_refundable: Flag = Field(False, description="Whether money may be given back for it")

    def to_wish(self, account_id: str) -> CreditWish:
        terms = CreditTerms(self.kind, self.reason, self.subscription_id, self.expires_on, self.is_refundable)
        return CreditWish(account_id, Money(self.amount_minor, self.currency), self.tax_option, terms, self.tax_code)


class ApplyCreditBody(Body):
    """`currency` is the credit's, named again so that nothing is moved by mistake."""

    currency: Currency
    allocations: Annotated[list[AllocationBody], Field(min_length=1, max_length=MAX_ALLOCATIONS)]


class ReversalBody(Body):
    """Why it is taken back; printed on the invoice that does."""

    note: LongText


class CreditView(View):
    """`open_minor` is what is unused; `reversed_by` the invoice that took it back."""

    id: Id
    account_id: Id
    currency: str
    kind: CreditKind
    tax_option: TaxOption
    tax_code: str | None
    gross_minor: int
    tax_minor: int
    open_minor: int
    expired_minor: int
    issued_on: date
    expires_on: date | None
    reason: str
    subscription_id: str | None
    is_refundable: bool
    credit_note_id: str | None
    invoice_id: str | None
    reversed_by: str | None
    entries: list[str] = Field(description="Ids of its journal entries")

    @classmethod
    def of(cls, credit: Credit) -> "CreditView":
        plain = {name: getattr(credit, name) for name in cls.model_fields}
        entries = [f"{credit.account_id}.{credit.currency}.{sequence}" for sequence in credit.entries]
        return cls.model_validate(plain | {"entries": entries})


class CreditsPage(Page):
    credits: list[CreditView]


class LineCreditBody(Body):
    """A line of the invoice, counted from 1. `amount_minor` is gross with tax `included`, net with `not_included`, untaxed
    with `waived`; left out, it is all that is left of the line."""

    line: Annotated[int, Field(strict=True, ge=1, le=MAX_LINES)]
    amount_minor: PositiveMinor | None = None

    def to_domain(self) -> LineCredit:
        return LineCredit(self.line, self.amount_minor)


class NewCreditNoteBody(Body):
    """What to take off which lines. `rma` is the firm's own number of the return that led to it."""

    lines: Annotated[list[LineCreditBody], Field(min_length=1, max_length=MAX_LINES)]
    tax_option: TaxOption = TaxOption.INCLUDED
    reason: ShortText
    rma: Rma | None = None

    def to_wish(self, account_id: str, invoice_id: str) -> CreditNoteWish:
        terms = CreditNoteTerms(self.reason, self.tax_option, self.rma)
        return CreditNoteWish(account_id, invoice_id, [line.to_domain() for line in self.lines], terms)


class CreditNoteLineView(View):
    line: int
    description: str
    tax_code: str
    net_minor: int
    tax_minor: int
    gross_minor: int

    @classmethod
    def of(cls, line: CreditNoteLine) -> "CreditNoteLineView":
        plain = {name: getattr(line, name) for name in cls.model_fields}
        return cls.model_validate(plain | {"tax_code": line.tax_code.code})


class CreditNoteView(View):
    """`applied_minor` was taken off what its invoice asked for; the rest is the credit `credit_id`."""

    id: Id
    number: str
    account_id: Id
    currency: str
    invoice_id: Id
    invoice_number: str
    invoice_issued_on: date
    order_id: Id
    issued_on: date
    issued_at: datetime
    tax_option: TaxOption
    reason: str
    rma: str | None
    lines: list[CreditNoteLineView]
    net_minor: int
    tax_minor: int
    gross_minor: int
    applied_minor: int
    credit_id: Id

    @classmethod
    def of(cls, note: CreditNote) -> "CreditNoteView":
        plain = {name: getattr(note, name) for name in cls.model_fields}
        return cls.model_validate(plain | {"lines": [CreditNoteLineView.of(line) for line in note.lines]})


class IssuedCreditNoteView(CreditNoteView):
    """The note with the credit that it left."""

    credit: CreditView

    @classmethod
    def issued(cls, issued: IssuedCreditNote) -> "IssuedCreditNoteView":
        plain = CreditNoteView.of(issued.note).model_dump()
        return cls.model_validate(plain | {"credit": CreditView.of(issued.credit).model_dump()})


class CreditNotesPage(Page):
    credit_notes: list[CreditNoteView]
