"""Report a delivery, which the parts of an invoice may wait for (T2)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from remit.domain import posting_rules
from remit.domain.accounts import PaymentMode
from remit.domain.errors import InvalidError
from remit.domain.firm import Firm
from remit.domain.invoices import Invoice
from remit.domain.open_items import Delivery
from remit.domain.operation import Operation
from remit.domain.posting_rules import Effects
from remit.usecases.change_invoice import change_invoice
from remit.usecases.idempotency import Answer, Request
from remit.usecases.issue_invoice import IssuedInvoice
from remit.usecases.loading import need_account
from remit.usecases.ports import Books, Clock, account_ref


def report_delivery(
    account_id: str,
    invoice_id: str,
    percent: Decimal,
    delivered_on: date,
    request: Request[IssuedInvoice],
    firm: Firm,
    books: Books,
    clock: Clock,
) -> Answer:
    """`percent` of the whole order was delivered: its share of what waited is due so many days later as the term says.

    `InvalidError` for a delivery in the future; `RuleError`: `nothing_awaits_delivery`, `delivery_exceeds_order`,
    `too_many_deliveries`.
    """
    now = clock.now()
    if delivered_on > firm.today(now):
        raise InvalidError("delivered_in_future", "What was not delivered yet cannot be reported.", latest=firm.today(now))

    def act(operation: Operation, invoice: Invoice) -> None:
        item = operation.item(invoice_id)
        delivered = item.deliver(Delivery(percent, delivered_on, request.actor, now))
        if delivered.mode is PaymentMode.POSTPAID and delivered.collect_on is None and delivered.open_minor:
            account = need_account(books.load(account_ref(account_id)), account_id)
            if account.payment.collect_automatically:
                delivered = replace(delivered, collect_on=delivered.next_due)
        operation.change(delivered)
        if operation.effects != Effects():  # a share that was paid ahead is owed on no day
            operation.post(posting_rules.due_date_moved, delivered)

    return change_invoice(account_id, invoice_id, f"{percent} % delivered on {delivered_on}", act, request, firm, books, clock)
