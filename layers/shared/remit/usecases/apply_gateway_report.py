"""Take in what the gateway says of a payment (G3, G4, P4)."""

from dataclasses import replace

from remit.domain import posting_rules
from remit.domain.errors import LedgerBrokenError
from remit.domain.firm import Firm
from remit.domain.invoices import OpenItem
from remit.domain.payments import GatewayReport, Payment, PaymentStatus, within_open
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need
from remit.usecases.ports import Books, Changes, Clock, Loaded, balance_ref, open_item_ref, payment_ref
from remit.usecases.receive_payment import settle


def apply_gateway_report(report: GatewayReport, request: Request[Payment], firm: Firm, books: Books, clock: Clock) -> Answer:
    """Merge the report into its payment; the one that first says *succeeded* posts and allocates the money.

    Reports may come twice, late and in any order: `request` guards against the same event, the merge against
    their order. Money that arrives is never refused: what its invoice no longer needs becomes unapplied
    credit. `NotFoundError` when the payment is not known (yet).
    """
    now = clock.now()

    def decide(consistent: bool) -> tuple[Changes, Payment]:
        loaded = books.load(
            payment_ref(report.account_id, report.payment_id),
            balance_ref(report.account_id, report.currency),
            *(open_item_ref(report.account_id, invoice_id) for invoice_id in report.invoice_ids),
        )
        known = need(loaded, payment_ref(report.account_id, report.payment_id))
        payment = known.with_report(report)
        arrived = payment.status is PaymentStatus.SUCCEEDED and known.status is not PaymentStatus.SUCCEEDED
        if not arrived:
            return ([payment] if payment != known else []), payment
        if report.currency != known.currency:
            raise LedgerBrokenError("gateway_currency_differs", f"The gateway reports {report.currency} for {known.id}.")

        value_date = firm.today(report.occurred_at)
        payment = replace(payment, amount_minor=report.amount_minor, unapplied_minor=report.amount_minor, value_date=value_date)
        items = _intended_items(payment, report, loaded, books)
        allocations = within_open(payment.intended, items, payment.amount_minor)
        # The entry names what this report names: what other events told before must not make a difference to the books.
        told = replace(payment, gateway_ids=report.gateway_ids)
        draft = posting_rules.payment_received(told, allocations, Circumstances(value_date, now, request.actor))
        balance = balance_or_new(loaded, report.account_id, report.currency)
        changes, payment = settle(items, balance, payment, allocations, draft)
        return [payment, *changes], payment

    return once(books, request, now, decide)


def _intended_items(payment: Payment, report: GatewayReport, loaded: Loaded, books: Books) -> dict[str, OpenItem]:
    """The open items of the invoices that the payer chose. The report names them, so that they come with the first
    request; should it not, the attempt knows them."""
    refs = {allocation.invoice_id: open_item_ref(payment.account_id, allocation.invoice_id) for allocation in payment.intended}
    unread = [ref for invoice_id, ref in refs.items() if invoice_id not in report.invoice_ids]
    more = books.load(*unread) if unread else loaded
    found = {invoice_id: loaded.get(ref) or more.get(ref) for invoice_id, ref in refs.items()}
    return {invoice_id: item for invoice_id, item in found.items() if item and item.currency == payment.currency}
