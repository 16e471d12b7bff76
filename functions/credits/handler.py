"""HTTP: credits given to customers, credit notes, and what credit pays."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from remit.adapters.clock import deployed_clock
from remit.adapters.dynamodb.books import DynamoBooks, DynamoJournal
from remit.adapters.dynamodb.firm import current_firm
from remit.adapters.http.api import Api, IdempotencyKey, responses
from remit.adapters.http.parameters import AccountId, Cursor, InvoiceId, Limit
from remit.adapters.ids import UlidIds
from remit.contract.common import Id
from remit.contract.credits import (
    ApplyCreditBody,
    CreditNotesPage,
    CreditNoteView,
    CreditsPage,
    CreditView,
    IssuedCreditNoteView,
    NewCreditBody,
    NewCreditNoteBody,
    ReversalBody,
    Rma,
)
from remit.contract.invoices import InvoiceView
from remit.domain.credit_notes import CreditNote
from remit.domain.credits import Credit, CreditKind
from remit.usecases.apply_credit import apply_credit
from remit.usecases.issue_credit import issue_credit
from remit.usecases.issue_credit_note import IssuedCreditNote, issue_credit_note
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.loading import need, need_account
from remit.usecases.paging import newest_matching
from remit.usecases.ports import account_ref, credit_note_ref, credit_ref
from remit.usecases.reverse import reverse_credit

api = Api("Credits")
books = DynamoBooks()
journal = DynamoJournal()

CreditId = Annotated[Id, Path()]


def present(credit: Credit) -> Any:
    return CreditView.of(credit).model_dump(mode="json")


def present_note(issued: IssuedCreditNote) -> Any:
    return IssuedCreditNoteView.issued(issued).model_dump(mode="json")


@api.app.post(
    "/accounts/<account_id>/credits",
    summary="Give a credit",
    description="Lowers the balance and stays for later; it is applied to nothing by itself unless the account says so.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The credit"),
)
def create(
    account_id: AccountId, body: Annotated[NewCreditBody, Body()], idempotency_key: IdempotencyKey
) -> Response[CreditView]:
    clock = deployed_clock()
    request = api.request(idempotency_key, present)
    return api.created(issue_credit(body.to_wish(account_id), request, current_firm(books), books, clock, UlidIds(clock)))


@api.app.get(
    "/accounts/<account_id>/credits",
    summary="List credits",
    description="`open`: with something left, or with nothing; `kind`: of one kind.",
    tags=[api.tag],
    responses=responses(200, "Newest first"),
)
def index(
    account_id: AccountId,
    open: Annotated[bool | None, Query()] = None,
    kind: Annotated[CreditKind | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CreditsPage:
    def wanted(credit: Credit) -> bool:
        return open in (None, credit.open_minor > 0) and kind in (None, credit.kind)

    need_account(books.load(account_ref(account_id)), account_id)
    found, more = newest_matching(journal, Credit, account_id, wanted, cursor, limit)
    return CreditsPage(credits=[CreditView.of(credit) for credit in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/credits/<credit_id>",
    summary="Read a credit",
    tags=[api.tag],
    responses=responses(200, "The credit"),
)
def read(account_id: AccountId, credit_id: CreditId) -> CreditView:
    ref = credit_ref(account_id, credit_id)
    return CreditView.of(need(books.load(ref), ref))


@api.app.delete(
    "/accounts/<account_id>/credits/<credit_id>",
    summary="Refused: a credit is reversed, never canceled",
    tags=[api.tag],
    responses=responses(409, "`credit_not_cancelable`"),
)
def cancel(account_id: AccountId, credit_id: CreditId) -> None:
    ref = credit_ref(account_id, credit_id)
    need(books.load(ref), ref).cancel()


@api.app.post(
    "/accounts/<account_id>/credits/<credit_id>/allocations",
    summary="Pay invoices with a credit",
    description="Up to 40 in one write; not those in instalments, unless the firm's setting says so.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The credit as it is now"),
)
def allocate(
    account_id: AccountId, credit_id: CreditId, body: Annotated[ApplyCreditBody, Body()], idempotency_key: IdempotencyKey
) -> Response[CreditView]:
    chosen = [allocation.to_domain() for allocation in body.allocations]
    request, firm = api.request(idempotency_key, present), current_firm(books)
    return api.created(apply_credit(account_id, credit_id, body.currency, chosen, request, firm, books, deployed_clock()))


@api.app.post(
    "/accounts/<account_id>/credits/<credit_id>/reversal",
    summary="Take a credit back by an invoice",
    description="Of the credit's whole amount, with the tax that it had reversed, linked and with a note.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The invoice"),
)
def reverse(
    account_id: AccountId, credit_id: CreditId, body: Annotated[ReversalBody, Body()], idempotency_key: IdempotencyKey
) -> Response[InvoiceView]:
    clock, firm = deployed_clock(), current_firm(books)

    def present_invoice(issued: IssuedInvoice) -> Any:
        return InvoiceView.of(issued, firm.today(clock.now())).model_dump(mode="json")

    request = api.request(idempotency_key, present_invoice)
    return api.created(reverse_credit(account_id, credit_id, body.note, request, firm, books, clock))


@api.app.post(
    "/accounts/<account_id>/invoices/<invoice_id>/credit-notes",
    summary="Issue a credit note",
    description="Lowers what its own invoice asks for first; the rest stays as credit. No line is credited above its amount.",
    tags=[api.tag],
    status_code=201,
    responses=responses(201, "The credit note and the credit that it left"),
)
def create_note(
    account_id: AccountId,
    invoice_id: InvoiceId,
    body: Annotated[NewCreditNoteBody, Body()],
    idempotency_key: IdempotencyKey,
) -> Response[IssuedCreditNoteView]:
    clock = deployed_clock()
    request, firm = api.request(idempotency_key, present_note), current_firm(books)
    return api.created(issue_credit_note(body.to_wish(account_id, invoice_id), request, firm, books, clock, UlidIds(clock)))


@api.app.get(
    "/accounts/<account_id>/credit-notes",
    summary="List credit notes",
    description="`rma`: of one return; `invoice_id`: of one invoice.",
    tags=[api.tag],
    responses=responses(200, "Newest first"),
)
def list_notes(
    account_id: AccountId,
    rma: Annotated[Rma | None, Query()] = None,
    invoice_id: Annotated[Id | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CreditNotesPage:
    def wanted(note: CreditNote) -> bool:
        return rma in (None, note.rma) and invoice_id in (None, note.invoice_id)

    need_account(books.load(account_ref(account_id)), account_id)
    found, more = newest_matching(journal, CreditNote, account_id, wanted, cursor, limit)
    return CreditNotesPage(credit_notes=[CreditNoteView.of(note) for note in found], cursor=more)


@api.app.get(
    "/accounts/<account_id>/credit-notes/<credit_note_id>",
    summary="Read a credit note",
    tags=[api.tag],
    responses=responses(200, "The credit note"),
)
def read_note(account_id: AccountId, credit_note_id: Annotated[Id, Path()]) -> CreditNoteView:
    ref = credit_note_ref(account_id, credit_note_id)
    return CreditNoteView.of(need(books.load(ref), ref))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.handle(event, context)
