"""Anything that the domain may hold, drawn at random: whole objects for round trips, and pieces for the rules."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from remit.domain.accounts import (
    Account,
    AccountChange,
    Address,
    AutoTopUp,
    Contact,
    ModeChange,
    Note,
    PaymentMode,
    PaymentSettings,
    SavedMethod,
    TaxId,
)
from remit.domain.actor import Actor, Channel
from remit.domain.automations import Automation
from remit.domain.collection import Outcome
from remit.domain.credit_notes import CreditNote, CreditNoteLine
from remit.domain.credits import Credit, CreditKind, TaxOption
from remit.domain.dunning import DunningPolicy, DunningState, PolicyRevision, Promise, Reminder, Tier
from remit.domain.dunning_trials import MAX_DAYS, PolicyTrial, TrialStatus, TrialTerms
from remit.domain.errors import RuleError
from remit.domain.exports import Export, ExportStatus
from remit.domain.firm import DunningChanges, Firm, LostDispute, MoneyRules
from remit.domain.invoice_batches import BatchLine, InvoiceBatch
from remit.domain.invoices import Invoice, NumberSeries, Party, SpoiledNumber, issue
from remit.domain.journal import (
    GENESIS,
    Balance,
    EntryDraft,
    EntryKind,
    JournalEntry,
    Posting,
    Side,
    TopUpState,
    entry_hash,
)
from remit.domain.late_charges import (
    DayCount,
    InterestRule,
    LateCharge,
    LateChargeRules,
    LateFee,
    PartFee,
    Rate,
    SubPeriod,
)
from remit.domain.mail_templates import MailTemplate
from remit.domain.messages import DeliveryEvent, DeliveryKind, MailProblem, Message, MessageStatus
from remit.domain.money import EXPONENTS, split
from remit.domain.open_items import (
    Collection,
    CollectionResult,
    CreditedLine,
    Delivery,
    DiscountOffer,
    OpenItem,
    Postponement,
    Settlement,
    TakenDiscount,
)
from remit.domain.orders import (
    Deduction,
    Discount,
    LineRequest,
    Order,
    OrderKind,
    PricedLines,
    SubscriptionPeriod,
    deducting,
    on_terms,
    parts_of,
    price,
)
from remit.domain.payments import Allocation, Collected, Dispute, DisputeStatus, Fee, Payment, PaymentStatus, Transaction
from remit.domain.plans import AppliesTo, Billing, Interval, Offer, Plan, PlanVersion, Unit
from remit.domain.refunds import Refund, RefundFrom, RefundSource, RefundStatus
from remit.domain.subscriptions import (
    Agreed,
    Cancellation,
    Phase,
    Refusal,
    Subscription,
    SubscriptionEvent,
    SubscriptionEventKind,
)
from remit.domain.summaries import Saying, SummaryContent, SummaryEnrolment, SummarySchedule, Told
from remit.domain.tax import TaxCode, TaxKind, TaxSubtotal
from remit.domain.terms import (
    CardFee,
    ChargeKind,
    Collect,
    DiscountTax,
    Due,
    DueRule,
    EarlyDiscount,
    Method,
    Occasion,
    Part,
    PaymentTerm,
    TermPart,
)
from remit.domain.totals import ChainMark, Reached, Totals, TotalsGenerations, TotalsKey, TotalsKind
from remit.domain.wallet import WalletCharge
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
dues = st.one_of(
    st.just(Due(DueRule.ON_RECEIPT)),
    st.builds(Due, st.just(DueRule.NET_DAYS), st.integers(1, 730)),
    st.builds(Due, st.sampled_from([DueRule.END_OF_MONTH, DueRule.AFTER_SALE, DueRule.AFTER_DELIVERY]), st.integers(0, 730)),
    st.builds(Due, st.just(DueRule.FIXED_DATE), on=dates),
)
percents = st.decimals(Decimal("0.01"), Decimal("99.99"), places=2)
early_discounts = st.builds(EarlyDiscount, percents, st.integers(0, 365), st.sampled_from(DiscountTax))
card_fees = st.builds(
    CardFee, words, st.just(Decimal(0)) | st.decimals(Decimal("0.01"), Decimal(20), places=2), st.integers(1, 10**4)
)


@st.composite
def term_parts(draw: st.DrawFn) -> tuple[TermPart, ...]:
    """The shares of a term: percentages of 100, or percentages and fixed amounts with a rest, wherever it stands."""
    weights = draw(st.lists(st.integers(1, 100), min_size=1, max_size=5))
    hundredths = [hundredth for hundredth in split(10_000, weights) if hundredth]
    parts = [TermPart(draw(dues), percent=Decimal(hundredth) / 100) for hundredth in hundredths]
    if draw(st.booleans()):
        fixed = [TermPart(draw(dues), fixed_minor=amount) for amount in draw(st.lists(st.integers(1, 10**4), max_size=2))]
        rest = TermPart(draw(dues))
        return tuple(draw(st.permutations([*parts[1:], *fixed, rest])))
    return tuple(parts)


@st.composite
def _terms(draw: st.DrawFn) -> PaymentTerm:
    parts = draw(term_parts())
    single = len(parts) == 1 and parts[0].due.rule is not DueRule.AFTER_DELIVERY
    fee = draw(st.none() | card_fees)
    has_fixed = fee is not None or any(part.fixed_minor for part in parts)
    return PaymentTerm(
        id=draw(words),
        name=draw(texts),
        parts=parts,
        methods=draw(methods),
        currency=draw(currencies) if has_fixed else draw(st.none() | currencies),
        discount=draw(st.none() | early_discounts) if single else None,
        collect=draw(st.dictionaries(st.sampled_from(ChargeKind), st.sampled_from(Collect))),
        card_fee=fee,
    )


terms = _terms()

addresses = st.builds(Address, texts, texts, st.sampled_from(["NL", "IE", "JP"]), maybe_text, maybe_text, maybe_text)
tax_ids = st.builds(TaxId, words, texts)
contacts = st.builds(Contact, texts, maybe_text, maybe_text, maybe_text)


def tuples_of[T](values: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(values, max_size=3).map(tuple)


mode_changes = st.builds(ModeChange, dates, st.sampled_from(PaymentMode))
saved_methods = st.builds(
    SavedMethod,
    words,
    words,
    st.sampled_from(Method),
    texts,
    instants,
    st.none() | st.sampled_from(["2027-01", "2031-12"]),
    st.none() | st.just("2027-01"),
)
auto_top_ups = st.builds(AutoTopUp, currencies, st.integers(1, 10**6), st.integers(0, 10**6), st.integers(10**6, 10**9))
payment_settings = st.builds(
    PaymentSettings, tuples_of(saved_methods), st.none() | words, st.none() | words, st.booleans(), st.none() | auto_top_ups
)
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
    switches=st.dictionaries(st.sampled_from(Automation), st.none() | instants, max_size=4),
    dunning_policy_id=st.none() | words,
    dunning_paused_until=st.none() | dates,
    dunning_pause_reason=maybe_text,
    promises=st.dictionaries(
        currencies, st.builds(lambda on, amount: Promise(amount, on, on, amount), dates, st.integers(1, 10**9)), max_size=2
    ),
    methods=methods,
    mode_changes=tuples_of(mode_changes),
    credit_limits=st.dictionaries(currencies, st.integers(0, 10**12), max_size=3),
    apply_credits=st.booleans(),
    payment=payment_settings,
    mail_problem=st.none() | st.builds(MailProblem, texts, st.sampled_from(DeliveryKind), instants, words),
    version=versions,
)
notes = st.builds(Note, ids("nte"), ids("acc"), texts, actors, instants)

# What JSON gives back as it was: the only things that may be kept where no type says what comes.
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(words, json_values, max_size=4)

changes = st.builds(AccountChange, ids("acc"), st.integers(1, 10**6), instants, actors, json_objects, json_objects, maybe_text)

switches = st.dictionaries(st.sampled_from(Automation), instants)


interest_rules = st.builds(
    InterestRule,
    st.sets(dates, min_size=1, max_size=3).map(lambda found: tuple(Rate(day, Decimal("10.15")) for day in sorted(found))),
    st.sampled_from(DayCount),
    st.integers(0, 365),
)
late_fees = st.builds(LateFee, st.dictionaries(currencies, amounts, min_size=1, max_size=2), percents)
late_charge_rules = st.builds(LateChargeRules, late_fees, st.none() | interest_rules)
sub_periods = st.builds(SubPeriod, dates, dates, amounts, rates, st.sampled_from([360, 365, 366]), amounts)
late_charges = st.builds(
    LateCharge,
    ids("inv"),
    texts,
    currencies,
    st.lists(sub_periods, max_size=3).map(tuple),
    st.lists(st.builds(PartFee, dates, amounts), max_size=2).map(tuple),
    st.integers(0, 10**6),
)


@st.composite
def policies(draw: st.DrawFn) -> DunningPolicy:
    days = sorted(draw(st.sets(st.integers(1, 400), min_size=1, max_size=4)))
    tiers = tuple(Tier(number, day, f"dunning_tier_{number}") for number, day in enumerate(days, 1))
    offsets = sorted(draw(st.sets(st.integers(-400, 400), max_size=4)))
    reminders = tuple(Reminder(offset, draw(words)) for offset in offsets)
    charges = draw(st.none() | late_charge_rules)
    return DunningPolicy(tiers, reminders, draw(words), draw(st.integers(0, 99)), charges)


policy_revisions = st.builds(PolicyRevision, policies(), actors, instants)


money_rules = st.builds(
    MoneyRules,
    st.booleans(),
    st.dictionaries(currencies, st.integers(0, 10**12), max_size=3),
    st.booleans(),
    st.sampled_from(["UTC", "America/Los_Angeles"]),
    st.sampled_from(LostDispute),
)
firms = st.builds(
    Firm,
    name=texts,
    email=texts,
    address=addresses,
    time_zone=st.sampled_from(["Europe/Amsterdam", "Asia/Tokyo"]),
    default_currency=currencies,
    tax_ids=tuples_of(tax_ids),
    invoice_prefix=st.sampled_from(["INV", "F1"]),
    credit_note_prefix=st.sampled_from(["CN", "G1"]),
    templates=st.dictionaries(st.sampled_from(OrderKind).map(str), words, max_size=3),
    tax_codes=st.lists(tax_codes, max_size=3).map(lambda codes: {code.code: code for code in codes}),
    terms=st.lists(terms, max_size=3).map(lambda found: {term.id: term for term in found}),
    dunning_policies=st.dictionaries(words, policies(), max_size=2),
    switches=switches,
    money=money_rules,
    mail_templates=st.dictionaries(words, words, max_size=2),
    mail_rate=st.none() | st.integers(1, 500),
    dunning_changes=st.builds(DunningChanges, st.integers(0, 99), st.integers(0, 99), st.none() | instants),
    version=versions,
)

quantities = st.decimals(Decimal("0.000001"), Decimal(1000), places=6)
_KNOWN_CODES = sorted(builders.firm().tax_codes)
lines = st.builds(
    LineRequest,
    texts,
    quantities,
    st.integers(0, 10**9),
    st.sampled_from(_KNOWN_CODES),
    words,
    st.none() | st.sampled_from(ChargeKind),
)
subscriptions = st.builds(SubscriptionPeriod, words, st.integers(1, 10**4), st.booleans(), st.booleans())


@st.composite
def priced_lines(draw: st.DrawFn) -> PricedLines:
    """Some lines, with tax in their prices or on top."""
    wanted = draw(st.lists(lines, min_size=1, max_size=8))
    return price(wanted, draw(currencies), builders.firm(), prices_include_tax=draw(st.booleans()))


@st.composite
def deducted(draw: st.DrawFn, priced: PricedLines) -> PricedLines:
    """The lines with a deposit of a part of each tax category."""
    subtotals = tuple(
        TaxSubtotal(whole.tax_code, draw(st.integers(0, whole.taxable_minor)), draw(st.integers(0, whole.tax_minor)))
        for whole in priced.totals.subtotals
    )
    return deducting(priced, [Deduction(draw(ids("inv")), "INV-2026-000001", subtotals)])


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """An order that its term fits, of any kind and at any stage."""
    priced, term = draw(priced_lines()), draw(terms)
    if term.discount:
        priced = on_terms(priced, term)
    elif draw(st.booleans()):
        priced = draw(deducted(priced))
    try:
        parts_of(priced, term, Occasion(builders.TODAY, builders.TODAY))
    except RuleError:
        term = builders.NET30
    return Order(
        id=draw(ids("ord")),
        account_id=draw(ids("acc")),
        priced=priced,
        term=term,
        placed_at=draw(instants),
        reference=draw(maybe_text),
        kind=draw(st.sampled_from(OrderKind)),
        methods=draw(methods),
        subscription=draw(st.none() | subscriptions),
        reverses=draw(st.none() | ids("crd")),
        note=draw(maybe_text),
        revised_at=draw(st.none() | instants),
        canceled_at=draw(st.none() | instants),
        late_charge=draw(st.none() | late_charges),
        version=draw(versions),
    )


@st.composite
def invoices(draw: st.DrawFn) -> tuple[Invoice, OpenItem, NumberSeries]:
    """An invoice with its open item and the counter after it."""
    order = draw(orders())
    now = draw(instants)
    series = NumberSeries(f"INV-{now.year}", draw(st.integers(0, 10**6)), draw(st.none() | dates))
    prepaid = tuple([ModeChange(date(2020, 1, 1), PaymentMode.PREPAID)] if draw(st.booleans()) else [])
    firm = builders.firm(templates={order.kind: draw(words)})
    return issue(order, builders.account(order.account_id, mode_changes=prepaid), firm, series, now)


taxes = st.lists(st.tuples(words, amounts), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)
discounts = st.builds(Discount, amounts, taxes)
settlements = st.builds(Settlement, ids("pay") | ids("crd"), amounts)
postponements = st.builds(Postponement, st.integers(1, 24), dates, dates, actors, texts, instants)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """A part of which something may be paid; it may still wait for its delivery."""
    amount, due = draw(amounts), draw(st.none() | dates)
    days = draw(st.integers(0, 730)) if due is None else draw(st.none() | st.integers(0, 730))
    return Part(due, amount, draw(st.just(amount) | st.integers(0, amount)), days)


@st.composite
def open_items(draw: st.DrawFn) -> OpenItem:
    """An invoice's open half at any stage, with all that may have happened to it."""
    found = tuple(draw(st.lists(parts(), min_size=1, max_size=4)))
    total, open_minor = sum(part.amount_minor for part in found), sum(part.open_minor for part in found)
    gross = draw(st.integers(0, total))
    tax = draw(st.integers(0, gross))
    return OpenItem(
        account_id=draw(ids("acc")),
        invoice_id=draw(ids("inv")),
        number=f"INV-2026-{draw(st.integers(1, 999_999)):06d}",
        currency=draw(currencies),
        issued_on=draw(dates),
        total_minor=total,
        open_minor=open_minor,
        parts=found,
        methods=draw(methods),
        kind=draw(st.sampled_from(OrderKind)),
        mode=draw(st.sampled_from(PaymentMode)),
        ordered_at=draw(st.none() | instants),
        subscription=draw(st.none() | subscriptions),
        discount=draw(st.none() | st.builds(DiscountOffer, dates, discounts)),
        taken_discount=draw(st.none() | st.builds(TakenDiscount, ids("pay"), discounts)),
        entries=draw(sequences),
        payment_attempt=draw(st.none() | ids("pay")),
        settlements=draw(st.lists(settlements, max_size=3, unique_by=lambda each: each.source_id).map(tuple)),
        credited=(CreditedLine(1, gross - tax, tax),) if gross else (),
        credit_notes=draw(tuples_of(ids("cn"))),
        written_off_minor=draw(st.integers(0, 10**12)),
        recovered_minor=draw(st.integers(0, 10**12)),
        top_up_minor=draw(st.integers(0, 10**12)),
        postponements=draw(tuples_of(postponements)),
        deliveries=draw(tuples_of(st.builds(Delivery, percents, dates, actors, instants))),
        collection=draw(
            st.none()
            | st.builds(
                Collection,
                instants,
                st.sampled_from(CollectionResult),
                st.none() | ids("pay"),
                st.none() | dates,
                st.integers(0, 9),
                tuples_of(words),
            )
        ),
        late_charges=tuple(draw(st.lists(ids("inv"), max_size=2))),
        late_interest_on=draw(st.none() | dates),
        disputed_by=draw(tuples_of(ids("pay"))),
        deducted_on=draw(st.none() | ids("inv")),
        collect_on=draw(st.none() | dates) if open_minor else None,
        is_void=open_minor == 0 and draw(st.booleans()),
        version=draw(versions),
    )


allocations = st.builds(Allocation, ids("inv"), amounts)
transactions = st.builds(
    Transaction, instants, st.sampled_from(["capture", "failure"]), words, amounts, maybe_text, st.booleans()
)
disputes = st.builds(
    Dispute,
    words,
    st.sampled_from(DisputeStatus),
    amounts,
    st.integers(0, 10**6),
    instants,
    maybe_text,
    st.none() | st.sampled_from(DisputeStatus),
    st.integers(0, 10**12),
    is_soft=st.booleans(),
)
collected = st.builds(
    Collected, dates, st.integers(1, 9), texts, st.none() | dates, st.none() | dates, st.none() | st.sampled_from(Outcome)
)
fees = st.builds(Fee, amounts, st.integers(0, 10**9), words)
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
    refunded_minor=st.integers(0, 10**12),
    intended=tuples_of(allocations),
    allocations=tuples_of(allocations),
    gateway_ids=tuples_of(words),
    transactions=tuples_of(transactions),
    disputes=tuples_of(disputes),
    reported_at=st.none() | instants,
    failure=maybe_text,
    is_hard_failure=st.booleans(),
    checkout_url=maybe_text,
    expires_at=st.none() | instants,
    fee=st.none() | fees,
    to_wallet=st.booleans(),
    wallet_minor=st.integers(0, 10**12),
    saved_method=st.none() | words,
    method_saved_for_later=st.booleans(),
    capture_later=st.booleans(),
    capture_minor=st.none() | amounts,
    authorized_until=st.none() | instants,
    look_up_at=st.none() | instants,
    collected=st.none() | collected,
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
    subscription_id=st.none() | words,
    expires_on=st.none() | dates,
    is_refundable=st.booleans(),
    credit_note_id=st.none() | ids("cn"),
    invoice_id=st.none() | ids("inv"),
    reversed_by=st.none() | ids("inv"),
    entries=sequences,
    version=versions,
)
parties = st.builds(Party, texts, texts, st.none() | addresses, tuples_of(tax_ids))
credit_note_lines = st.builds(
    CreditNoteLine, st.integers(1, 10**4), texts, words, tax_codes, st.integers(0, 10**9), st.integers(0, 10**9)
)
credit_notes = st.builds(
    CreditNote,
    id=ids("cn"),
    number=words,
    series=words,
    account_id=ids("acc"),
    currency=currencies,
    invoice_id=ids("inv"),
    invoice_number=words,
    invoice_issued_on=dates,
    order_id=ids("ord"),
    issued_on=dates,
    issued_at=instants,
    seller=parties,
    buyer=parties,
    lines=st.lists(credit_note_lines, min_size=1, max_size=4).map(tuple),
    tax_option=st.sampled_from(TaxOption),
    reason=texts,
    applied_minor=st.integers(0, 10**12),
    credit_id=ids("crd"),
    rma=maybe_text,
    invoice_kind=st.sampled_from(OrderKind),
)
refund_sources = st.builds(RefundSource, st.sampled_from(RefundFrom), ids("inv"), amounts)
refunds = st.builds(
    Refund,
    id=ids("rfd"),
    account_id=ids("acc"),
    currency=currencies,
    amount_minor=amounts,
    method=st.sampled_from(Method),
    cash_account=words,
    sources=tuples_of(refund_sources),
    status=st.sampled_from(RefundStatus),
    requested_on=dates,
    requested_at=instants,
    requested_by=actors,
    reason=texts,
    payment_id=st.none() | ids("pay"),
    credit_note_id=st.none() | ids("cn"),
    submit_at=st.none() | instants,
    approved_by=st.none() | actors,
    gateway_id=st.none() | words,
    reported_at=st.none() | instants,
    failure=maybe_text,
    reversed_by=st.none() | ids("inv"),
    entries=sequences,
    version=versions,
)
wallet_charges = st.builds(WalletCharge, ids("wch"), ids("acc"), priced_lines(), dates, instants, texts, sequences)
intervals = st.builds(Interval, st.integers(1, 9), st.sampled_from(Unit))
offers = st.builds(Offer, texts, st.lists(lines, min_size=1, max_size=3).map(tuple), st.booleans(), st.none() | words)
plans = st.builds(
    Plan,
    words,
    texts,
    currencies,
    intervals,
    st.sampled_from(Billing),
    instants,
    st.integers(1, 10**4),
    st.integers(1, 10**4),
    versions,
)
plan_versions = st.builds(PlanVersion, words, st.integers(1, 10**4), offers, st.sampled_from(AppliesTo), instants, actors)
agreements = st.builds(Agreed, words, st.integers(1, 99), st.integers(1, 99), intervals, st.sampled_from(Billing))
some_days = st.dates(date(2020, 1, 1), date(2090, 12, 31))
phases = st.builds(Phase, st.just(1), some_days, some_days, st.just(1), agreements)
subscribed = st.builds(
    Subscription,
    id=ids("sub"),
    account_id=ids("acc"),
    currency=currencies,
    time_zone=st.sampled_from(["Europe/Amsterdam", "Asia/Tokyo"]),
    created_at=instants,
    phases=st.lists(phases, min_size=1, max_size=2).map(tuple),
    next_period=st.integers(1, 9),
    stop_before=st.none() | st.integers(1, 99),
    held_from=st.none() | st.integers(1, 99),
    cancellation=st.none() | st.builds(Cancellation, some_days, instants, actors, maybe_text),
    last_refusal=st.none() | st.builds(Refusal, st.integers(1, 99), words, texts, instants),
    retry_on=st.none() | some_days,
    version=versions,
)
subscription_events = st.builds(
    SubscriptionEvent,
    ids("sev"),
    ids("acc"),
    ids("sub"),
    st.sampled_from(SubscriptionEventKind),
    instants,
    actors,
    json_objects,
)
delivery_events = st.builds(DeliveryEvent, st.sampled_from(DeliveryKind), instants, maybe_text)
mail_templates = st.builds(MailTemplate, ids("tpl"), words, st.sampled_from(["en", "de"]), texts, texts, texts, instants, actors)
messages = st.builds(
    Message,
    id=words,
    account_id=ids("acc"),
    template=words,
    template_version=words,
    to=texts,
    subject=texts,
    status=st.sampled_from(MessageStatus),
    claimed_at=instants,
    sent_at=st.none() | instants,
    provider_id=maybe_text,
    failure=maybe_text,
    policy_id=st.none() | words,
    policy_revision=st.none() | st.integers(0, 99),
    version=versions,
    html=st.just("") | texts,
    text=st.just("") | texts,
    template_failure=maybe_text,
    deliveries=tuples_of(delivery_events),
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
policy_trials = st.builds(
    PolicyTrial,
    id=words,
    terms=st.builds(
        lambda first, days, policy, hour: TrialTerms(policy, first, first + timedelta(days=days), time(hour)),
        st.dates(date(2020, 1, 1), date(2030, 1, 1)),
        st.integers(0, MAX_DAYS - 1),
        st.just(DunningPolicy()) | st.just(DunningPolicy((Tier(1, 2, "a"),), (Reminder(-3, "b"),), "proposed")),
        st.integers(0, 23),
    ),
    requested_by=actors,
    requested_at=instants,
    status=st.sampled_from(TrialStatus),
    finished_at=st.none() | instants,
    files=st.none() | st.dictionaries(words, texts, max_size=3),
    summary=st.none() | json_objects,
    failure=maybe_text,
    version=versions,
)
series = st.builds(NumberSeries, words, st.integers(1, 10**6), st.none() | dates)
summary_schedules = st.builds(
    SummarySchedule,
    id=ids("sch"),
    name=texts,
    cron=words,
    time_zone=words,
    content=st.sampled_from(SummaryContent),
    created_at=instants,
    planned_at=instants,
    enabled=st.booleans(),
    plan=st.integers(1, 99),
    replan_at=st.none() | instants,
    removed_at=st.none() | instants,
    version=versions,
)
_told = st.dictionaries(st.sampled_from(["EUR", "JPY"]), st.builds(Told, st.integers(0, 10**6), st.integers(-(10**9), 10**9)))
summary_enrolments = st.builds(
    SummaryEnrolment,
    account_id=ids("acc"),
    schedule_id=ids("sch"),
    enrolled_at=instants,
    plan=st.integers(1, 99),
    next_slot=st.none() | instants,
    told=_told,
    saying=st.none() | st.builds(Saying, instants, _told),
    withdrawn_at=st.none() | instants,
    version=versions,
)
whole_seconds = instants.map(lambda instant: instant.replace(microsecond=0))
guards = st.builds(Guard, words, words, words, json_values, instants, st.none() | whole_seconds)


@st.composite
def drafts(draw: st.DrawFn, account_id: str | None = None, currency: str | None = None) -> EntryDraft:
    """A balanced entry of any accounts of the chart."""
    names = st.sampled_from(
        [
            "receivable", "credit", "wallet", "granted", "held", "cash:stripe", "revenue:services", "tax:VAT21", "goodwill",
            "refunds_in_transit", "discounts", "gateway_fees", "disputes", "bad_debt", "deposits", "top_ups",
        ]
    )  # fmt: skip
    debits = draw(st.lists(st.tuples(names, amounts), min_size=1, max_size=3))
    total = sum(amount for _, amount in debits)
    about = draw(st.lists(ids("inv"), min_size=1, max_size=3))
    documents = st.none() | ids("pay") | st.sampled_from(about)
    due_dates = st.none() | dates
    postings = [Posting(name, Side.DEBIT, amount, draw(documents), draw(due_dates)) for name, amount in debits]
    statuses = st.tuples(st.sampled_from(["", "issued"]), st.sampled_from(["part_paid", "paid", "void"]))
    return EntryDraft(
        kind=draw(st.sampled_from(EntryKind)),
        account_id=account_id or draw(ids("acc")),
        currency=currency or draw(currencies),
        effective_on=draw(dates),
        recorded_at=draw(instants),
        actor=draw(actors),
        postings=(*postings, Posting(draw(names), Side.CREDIT, total, draw(documents), draw(due_dates))),
        documents=draw(
            st.dictionaries(
                st.sampled_from(["invoice", "payment", "gateway", "credit", "credit_note", "refund"]),
                tuples_of(words | st.sampled_from(about)),
                max_size=3,
            )
        ),
        order_id=draw(st.none() | ids("ord")),
        reason=draw(maybe_text),
        reverses=draw(st.none() | st.integers(1, 10**9)),
        statuses=draw(st.dictionaries(ids("inv") | st.sampled_from(about), statuses, max_size=3)),
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
        wallet_minor=draw(st.integers(-(10**15), 10**15)),
        held_minor=draw(figures),
        granted_minor=draw(figures),
        unbilled_minor=draw(figures),
        lots=draw(tuples_of(ids("pay") | ids("crd"))),
        sequence=draw(st.integers(0, 10**9)),
        last_hash=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        look_again_on=draw(st.none() | dates),
        dunning=DunningState(
            draw(st.integers(0, 9)),
            draw(st.none() | dates),
            draw(st.none() | dates),
            draw(st.none() | dates),
            draw(st.integers(-400, 1)),
        ),
        top_up=draw(st.builds(TopUpState, st.none() | ids("inv"), st.none() | dates, st.integers(0, 10**9), maybe_text)),
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


spoiled_numbers = st.builds(
    SpoiledNumber, words, st.integers(1, 10**6), dates, ids("acc"), ids("ord"), ids("bat"), words, instants
)
batch_lines = st.builds(BatchLine, ids("acc"), ids("ord"), st.none() | st.integers(1, 10**6), maybe_text, maybe_text, maybe_text)
invoice_batches = st.builds(
    InvoiceBatch,
    id=ids("bat"),
    series=words,
    issued_on=dates,
    reserved_at=instants,
    actor=actors,
    lines=tuples_of(batch_lines),
    finished_at=st.none() | instants,
    version=versions,
)
