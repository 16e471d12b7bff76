"""Give a customer a credit outside any invoice (C1, C2, C3)."""

from dataclasses import dataclass

from remit.domain import posting_rules
from remit.domain.credits import Credit, CreditTerms, TaxOption, new_credit
from remit.domain.firm import Firm
from remit.domain.money import Money
from remit.domain.operation import Operation
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref, balance_ref


@dataclass(frozen=True, slots=True)
class CreditWish:
    """`amount` is gross, net or untaxed as `tax_option` says."""

    account_id: str
    amount: Money
    tax_option: TaxOption
    terms: CreditTerms
    tax_code: str | None = None


def issue_credit(wish: CreditWish, request: Request[Credit], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Post the credit; it lowers the balance and stays for later, applied to nothing by itself (C3)."""
    now = clock.now()
    credit_id = ids.new("crd")
    code = firm.tax_code(wish.tax_code) if wish.tax_code else None

    def decide(consistent: bool) -> tuple[Changes, Credit]:
        currency = wish.amount.currency
        loaded = books.load(account_ref(wish.account_id), balance_ref(wish.account_id, currency))
        account = need_account(loaded, wish.account_id)
        today = firm.today(now)
        credit = new_credit(credit_id, account.id, wish.amount, wish.tax_option, code, wish.terms, today, now)
        why = Circumstances(today, now, request.actor, wish.terms.reason)
        operation = Operation(balance_or_new(loaded, account.id, currency), why)
        operation.create(credit)
        operation.post_plain(posting_rules.credit_issued, credit)
        return operation.changes(), operation.get(Credit, credit_id)

    return once(books, request, now, decide)
