"""Anything that the domain may hold, drawn at random: whole objects for round trips, and pieces for the rules."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from remit.domain.accounts import Account, AccountChange, Address, Contact, TaxId
from remit.domain.actor import Actor, Channel
from remit.domain.credits import Credit, CreditKind, TaxOption
from remit.domain.dunning import DunningPolicy, DunningState, Tier
from remit.domain.exports import Export, ExportStatus
from remit.domain.firm import Firm, Switches
from remit.domain.invoices import Invoice, NumberSeries, issue
from remit.domain.journal import GENESIS, Balance, EntryDraft, EntryKind, JournalEntry, Posting, Side, entry_hash
from remit.domain.messages import Message, MessageStatus
from remit.domain.money import EXPONENTS
from remit.domain.open_items import OpenItem
from remit.domain.orders import LineRequest, Order, price
from remit.domain.payments import Allocation, Payment, PaymentStatus, Transaction
from remit.domain.tax import TaxCode, TaxKind
from remit.domain.terms import Due, DueRule, Method, Part, PaymentTerm
from remit.domain.totals import ChainMark, Reached, Totals, TotalsGenerations, TotalsKey, TotalsKind
from remit.usecases.guards import Guard
from tests.support import builders

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=20)
currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.integers(1, 10**12)
dates = st.dates(date(2020, 1, 1), date(2035, 12, 31))
instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda instant: instant.replace(fold=0)
)
maybe_text = st.none() | texts
actors = st.builds(Actor, words, st.sampled_from(Channel))
sequences = st.lists(st.integers(1, 10**6), max_size=4).map(tuple)
versions = st.integers(0, 10**6)


def ids(prefix: str) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=26, max_size=26).map(lambda text: f"{prefix}_{text}")


rates = st.decimals(Decimal("0.0001"), Decimal(100), places=4)
tax_codes = st.one_of(
    st.builds(TaxCode, words, st.just(TaxKind.STANDARD), rates),
    st.builds(TaxCode, words, st.just(TaxKind.ZERO)),
    st.builds(TaxCode, words, st.sampled_from([TaxKind.EXEMPT, TaxKind.REVERSE_CHARGE]), reason=texts),
)
methods = st.lists(st.sampled_from(Method), min_size=1, unique=True).map(tuple)
terms = st.one_of(
    st.builds(PaymentTerm.single, words, texts, st.just(Due(DueRule.ON_RECEIPT)), methods),
    st.builds(PaymentTerm.single, words, texts, st.builds(Due, st.just(DueRule.NET_DAYS), st.integers(1, 365)), methods),
)

addresses = st.builds(Address, texts, texts, st.sampled_from(["NL", "IE", "JP"]), maybe_text, maybe_text, maybe_text)
tax_ids = st.builds(TaxId, words, texts)
contacts = st.builds(Contact, texts, maybe_text, maybe_text, maybe_text)


def tuples_of[T](values: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(values, max_size=3).map(tuple)


accounts = st.builds(
    Account,
    id=ids("acc"),
    name=texts,
    email=texts,
    default_currency=currencies,
    created_at=instants,
    language=st.sampled_from(["en", "nl-BE"]),
    time_zone=st.none() | st.just("Asia/Tokyo"),
    default_term_id=st.none() | words,
    address=st.none() | addresses,
    contacts=tuples_of(contacts),
    tax_ids=tuples_of(tax_ids),
    tags=tuples_of(texts),
    notes=maybe_text,
    send_invoices=st.booleans(),
    send_invoices_since=st.none() | instants,
    dunning=st.booleans(),
    dunning_since=st.none() | instants,
    version=versions,
)

# What JSON gives back as it was: the only things that may be kept where no type says what comes.
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(words, json_values, max_size=4)

changes = st.builds(AccountChange, ids("acc"), st.integers(1, 10**6), instants, actors, json_objects, json_objects)

switches = st.builds(
    Switches,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | instants,
    st.none() | instants,
    st.none() | instants,
)


@st.composite
def policies(draw: st.DrawFn) -> DunningPolicy:
    days = sorted(draw(st.sets(st.integers(1, 400), min_size=1, max_size=4)))
    return DunningPolicy(tuple(Tier(number, day, f"dunning_tier_{number}") for number, day in enumerate(days, 1)))


firms = st.builds(
    Firm,
    name=texts,
    email=texts,
    address=addresses,
    time_zone=st.sampled_from(["Europe/Amsterdam", "Asia/Tokyo"]),
    default_currency=currencies,
    tax_ids=tuples_of(tax_ids),
    invoice_prefix=st.sampled_from(["INV", "F1"]),
    tax_codes=st.lists(tax_codes, max_size=3).map(lambda codes: {code.code: code for code in codes}),
    terms=st.lists(terms, max_size=3).map(lambda found: {term.id: term for term in found}),
    dunning_policy=policies(),
    switches=switches,
    version=versions,
)

quantities = st.decimals(Decimal("0.000001"), Decimal(1000), places=6)
_KNOWN_CODES = sorted(builders.firm().tax_codes)
lines = st.builds(LineRequest, texts, quantities, st.integers(0, 10**9), st.sampled_from(_KNOWN_CODES), words)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    wanted = draw(st.lists(lines, min_size=1, max_size=8))
    priced = price(wanted, draw(currencies), builders.firm(), prices_include_tax=draw(st.booleans()))
    return Order(draw(ids("ord")), draw(ids("acc")), priced, draw(terms), draw(instants), draw(maybe_text))


@st.composite
def invoices(draw: st.DrawFn) -> tuple[Invoice, OpenItem, NumberSeries]:
    """An invoice with its open item and the counter after it."""
    order = draw(orders())
    now = draw(instants)
    series = NumberSeries(f"INV-{now.year}", draw(st.integers(0, 10**6)), draw(st.none() | dates))
    return issue(order, builders.account(order.account_id), builders.firm(), series, now)


@st.composite
def open_items(draw: st.DrawFn) -> OpenItem:
    """An invoice's open half at any stage: several parts, some of them paid."""
    parts = tuple(
        Part(due, amount, draw(st.integers(0, amount)))
        for due, amount in draw(st.lists(st.tuples(dates, amounts), min_size=1, max_size=4))
    )
    return OpenItem(
        account_id=draw(ids("acc")),
        invoice_id=draw(ids("inv")),
        number=f"INV-2026-{draw(st.integers(1, 999_999)):06d}",
        currency=draw(currencies),
        issued_on=draw(dates),
        total_minor=sum(part.amount_minor for part in parts),
        open_minor=sum(part.open_minor for part in parts),
        parts=parts,
        methods=draw(methods),
        entries=draw(sequences),
        payment_attempt=draw(st.none() | ids("pay")),
        version=draw(versions),
    )


allocations = st.builds(Allocation, ids("inv"), amounts)
transactions = st.builds(Transaction, instants, st.sampled_from(["capture", "failure"]), words, amounts, maybe_text)
payments = st.builds(
    Payment,
    id=ids("pay"),
    account_id=ids("acc"),
    currency=currencies,
    amount_minor=amounts,
    method=st.sampled_from(Method),
    cash_account=words,
    status=st.sampled_from(PaymentStatus),
    created_at=instants,
    value_date=st.none() | dates,
    reference=maybe_text,
    unapplied_minor=st.integers(0, 10**12),
    intended=tuples_of(allocations),
    allocations=tuples_of(allocations),
    gateway_ids=tuples_of(words),
    transactions=tuples_of(transactions),
    reported_at=st.none() | instants,
    failure=maybe_text,
    checkout_url=maybe_text,
    expires_at=st.none() | instants,
    entries=sequences,
    version=versions,
)
credits = st.builds(
    Credit,
    id=ids("crd"),
    account_id=ids("acc"),
    currency=currencies,
    kind=st.sampled_from(CreditKind),
    tax_option=st.sampled_from(TaxOption),
    gross_minor=amounts,
    tax_minor=st.integers(0, 10**9),
    open_minor=st.integers(0, 10**12),
    issued_on=dates,
    issued_at=instants,
    reason=texts,
    tax_code=st.none() | words,
    entries=sequences,
    version=versions,
)
messages = st.builds(
    Message,
    id=words,
    account_id=ids("acc"),
    template=words,
    template_version=words,
    to=texts,
    subject=texts,
    model=json_objects,
    status=st.sampled_from(MessageStatus),
    claimed_at=instants,
    sent_at=st.none() | instants,
    provider_id=maybe_text,
    failure=maybe_text,
    version=versions,
)
exports = st.builds(
    Export,
    id=words,
    period=st.just("2026-11"),
    requested_by=actors,
    requested_at=instants,
    status=st.sampled_from(ExportStatus),
    finished_at=st.none() | instants,
    files=st.none() | st.dictionaries(words, texts, max_size=3),
    control_totals=st.none() | json_objects,
    failure=maybe_text,
    version=versions,
)
series = st.builds(NumberSeries, words, st.integers(1, 10**6), st.none() | dates)
whole_seconds = instants.map(lambda instant: instant.replace(microsecond=0))
guards = st.builds(Guard, words, words, words, json_values, instants, st.none() | whole_seconds)


@st.composite
def drafts(draw: st.DrawFn, account_id: str | None = None, currency: str | None = None) -> EntryDraft:
    """A balanced entry of any accounts of the chart."""
    names = st.sampled_from(
        ["receivable", "credit", "wallet", "held", "cash:stripe", "revenue:services", "tax:VAT21", "goodwill"]
    )
    debits = draw(st.lists(st.tuples(names, amounts), min_size=1, max_size=3))
    total = sum(amount for _, amount in debits)
    documents = st.none() | ids("inv") | ids("pay")
    postings = [Posting(name, Side.DEBIT, amount, draw(documents)) for name, amount in debits]
    return EntryDraft(
        kind=draw(st.sampled_from(EntryKind)),
        account_id=account_id or draw(ids("acc")),
        currency=currency or draw(currencies),
        effective_on=draw(dates),
        recorded_at=draw(instants),
        actor=draw(actors),
        postings=(*postings, Posting(draw(names), Side.CREDIT, total, draw(documents))),
        documents=draw(st.dictionaries(st.sampled_from(["invoice", "payment", "gateway"]), tuples_of(words), max_size=3)),
        order_id=draw(st.none() | ids("ord")),
        reason=draw(maybe_text),
    )


@st.composite
def entries(draw: st.DrawFn) -> JournalEntry:
    draft, sequence = draw(drafts()), draw(st.integers(1, 10**9))
    return JournalEntry(draft, sequence, GENESIS, entry_hash(draft, sequence, GENESIS))


@st.composite
def balances(draw: st.DrawFn) -> Balance:
    figures = st.integers(0, 10**15)
    return Balance(
        account_id=draw(ids("acc")),
        currency=draw(currencies),
        receivable_minor=draw(figures),
        credit_minor=draw(figures),
        wallet_minor=draw(figures),
        held_minor=draw(figures),
        sequence=draw(st.integers(0, 10**9)),
        last_hash=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        look_again_on=draw(st.none() | dates),
        dunning=DunningState(draw(st.integers(0, 9)), draw(st.none() | dates), draw(st.none() | dates)),
        version=draw(versions),
    )


@st.composite
def chains(draw: st.DrawFn, min_size: int = 2) -> tuple[Balance, list[JournalEntry]]:
    """Entries of one account that never go below zero, as `Balance.post` makes them, and the balance after them."""
    balance = Balance("acc_1", "EUR")
    posted: list[JournalEntry] = []
    for number in range(draw(st.integers(min_size, 8))):
        amount = draw(amounts)
        goes_down = balance.receivable_minor > 0 and draw(st.booleans())
        amount = min(amount, balance.receivable_minor) if goes_down else amount
        sides = (Side.CREDIT, Side.DEBIT) if goes_down else (Side.DEBIT, Side.CREDIT)
        draft = EntryDraft(
            EntryKind.PAYMENT_RECEIVED if goes_down else EntryKind.INVOICE_ISSUED,
            "acc_1",
            "EUR",
            draw(dates),
            builders.NOW + timedelta(minutes=number),
            builders.CLERK,
            (
                Posting("receivable", sides[0], amount, f"inv_{number}"),
                Posting("cash:bank_transfer" if goes_down else "revenue:sales", sides[1], amount, None),
            ),
        )
        entry, balance = balance.post(draft)
        posted.append(entry)
    return balance, posted


hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
generations = st.builds(TotalsGenerations, st.integers(1, 99), st.none() | st.integers(2, 99), st.integers(1, 99), versions)
chain_marks = st.builds(
    ChainMark, ids("acc"), currencies, tuples_of(st.builds(Reached, st.integers(1, 99), st.integers(1, 10**9), hashes)), versions
)


@st.composite
def totals(draw: st.DrawFn) -> Totals:
    """Of any kind, with any figures."""
    kind = draw(st.sampled_from(TotalsKind))
    period = {TotalsKind.LEDGER: "2026-11", TotalsKind.DUE: "2026Q4", TotalsKind.STANDING: ""}[kind]
    figures = draw(st.dictionaries(words, st.integers(-(10**15), 10**15), max_size=5))
    return Totals(
        draw(st.integers(1, 99)), TotalsKey(kind, draw(currencies), period, draw(st.integers(0, 3))), figures, draw(versions)
    )
