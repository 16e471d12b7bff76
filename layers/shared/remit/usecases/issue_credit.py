"""Give a customer goodwill (C1, C2, C3)."""

from dataclasses import dataclass, replace

from remit.domain import posting_rules
from remit.domain.credits import Credit, TaxOption, goodwill
from remit.domain.firm import Firm
from remit.domain.money import Money
from remit.domain.posting_rules import Circumstances
from remit.usecases.idempotency import Answer, Request, once
from remit.usecases.loading import balance_or_new, need_account
from remit.usecases.ports import Books, Changes, Clock, Ids, account_ref, balance_ref


@dataclass(frozen=True, slots=True)
class GoodwillWish:
    """`amount` is gross, net or untaxed as `tax_option` says; `reason` is kept on the entry."""

    account_id: str
    amount: Money
    tax_option: TaxOption
    reason: str
    tax_code: str | None = None


def issue_goodwill(wish: GoodwillWish, request: Request[Credit], firm: Firm, books: Books, clock: Clock, ids: Ids) -> Answer:
    """Post the credit; it lowers the balance and stays for later, applied to nothing by itself (C3)."""
    now = clock.now()
    credit_id = ids.new("crd")
    code = firm.tax_code(wish.tax_code) if wish.tax_code else None

    def decide(consistent: bool) -> tuple[Changes, Credit]:
        currency = wish.amount.currency
        loaded = books.load(account_ref(wish.account_id), balance_ref(wish.account_id, currency))
        account = need_account(loaded, wish.account_id)
        today = firm.today(now)
        credit = goodwill(credit_id, account.id, wish.amount, wish.tax_option, code, wish.reason, today, now)
        why = Circumstances(today, now, request.actor, wish.reason)
        entry, balance = balance_or_new(loaded, account.id, currency).post(posting_rules.credit_issued(credit, why))
        credit = replace(credit, entries=(entry.sequence,))
        return [credit, entry, balance], credit

    return once(books, request, now, decide)
