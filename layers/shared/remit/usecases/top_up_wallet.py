"""Ask a customer to top the wallet up (W1)."""

from dataclasses import replace

from remit.domain.accounts import Account
from remit.domain.firm import Firm
from remit.domain.invoices import NumberSeries, series_name
from remit.domain.journal import Balance
from remit.domain.money import Money
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.domain.wallet import top_up_order
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.issue_invoice import IssuedInvoice, bill
from remit.usecases.loading import balance_or_new, need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref, balance_ref, series_ref


def top_up_wallet(
    account_id: str, amount: Money, request: Request[IssuedInvoice], firm: Firm, books: Books, clock: Clock, ids: Ids
) -> Answer:
    """Issue a top-up invoice, due at once; what is paid of it reaches the wallet with the payment.

    `NotFoundError` for an unknown account.
    """
    now = clock.now()
    order_id = ids.new("ord")

    def decide(consistent: bool) -> tuple[Changes, IssuedInvoice]:
        series = series_ref(series_name(firm.invoice_prefix, firm.today(now)))
        loaded = books.load(account_ref(account_id), balance_ref(account_id, amount.currency), series)
        account = need_account(loaded, account_id)
        balance = balance_or_new(loaded, account_id, amount.currency)
        why = Circumstances(firm.today(now), now, request.actor)
        return top_up(account, balance, amount, order_id, why, firm, loaded.get(series) or NumberSeries(series.id))

    return once(books, request, now, decide)


def top_up(
    account: Account,
    balance: Balance,
    amount: Money,
    order_id: str,
    why: Circumstances,
    firm: Firm,
    series: NumberSeries,
    *,
    collect: bool = False,
) -> tuple[Changes, IssuedInvoice]:
    """The order of a top-up and its invoice at once. `collect`: the saved method is charged for it today."""
    order = top_up_order(order_id, account, amount, why.recorded_at)
    operation = Operation(balance, why)
    invoice, advanced = bill(operation, order, account, firm, series, None)
    if collect:
        operation.change(replace(operation.item(invoice.id), collect_on=invoice.issued_on))
    return [*operation.changes(), order, invoice, advanced], IssuedInvoice(invoice, operation.item(invoice.id))
