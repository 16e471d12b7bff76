"""Every key string of the table and its three indexes. Nothing else in the project spells one.

| item | PK | SK | indexes |
|---|---|---|---|
| account | `A#<account>` | `A` | listing `L#account` / id; agenda `card_expiry` while its default card has an expiry to tell |
| its history | `A#<account>` | `H#<number>` | |
| balance | `A#<account>` | `B#<currency>` | agenda `G#dunning#<shard>` / date, while anything is open |
| entry | `A#<account>` | `J#<currency>#<sequence>` | listing `L#entry#<month>#<shard>` / date, account, sequence |
| order | `A#<account>` | `Q#<id>` | |
| invoice (immutable) | `A#<account>` | `I#<id>` | listing `L#document#<series>` / date, number |
| open item | `A#<account>` | `O#<id>` | open `O#<currency>#<shard>` / account, due date, id, while open; agenda `collection`… |
| payment | `A#<account>` | `P#<id>` | listing `L#payment#<month>#<shard>` / date, account, id; agenda `outcome` and others |
| credit | `A#<account>` | `C#<id>` | listing `L#credit#<month>#<shard>` / date, account, id; agenda `credit_expiry` |
| credit note (immutable) | `A#<account>` | `N#<id>` | listing `L#document#<series>` / date, number |
| refund | `A#<account>` | `F#<id>` | listing `L#refund#<month>#<shard>` / date, account, id; agenda `refund` while on hold |
| wallet charge (immutable) | `A#<account>` | `W#<id>` | |
| note | `A#<account>` | `T#<id>` | |
| subscription | `A#<account>` | `U#<id>` | agenda `subscription` / instant, while a period is to come |
| its events (immutable) | `A#<account>` | `E#<id>` | |
| plan | `B#<plan>` | `B` | listing `L#plan` / id |
| version of a plan (immutable) | `B#<plan>` | `<number>` | |
| message | `A#<account>` | `M#<id>` | listing `L#message#<account>` / instant, id |
| summary enrolment | `A#<account>` | `G#<schedule>` | listing `L#summary#<schedule>` / account; agenda `summary` / instant |
| summary schedule | `U#<id>` | `U` | listing `L#summary_schedule` / id; agenda `summary_schedule` while planned anew |
| version of a mail template (immutable) | `M#<name>#<language>` | `<version>` | |
| number series | `S#<series>` | `S` | listing `L#series` / name |
| spoiled number (immutable) | `S#<series>` | `V#<number>` | listing `L#document#<series>` / date, number |
| invoice batch | `A#` | `K#<id>` | agenda `G#invoice_batch#<shard>` / instant, until it is finished |
| guard | `R#<kind>#<value>` | `R` | |
| revision of a dunning policy (immutable) | `D#<policy>` | `<revision>` | |
| export | `E#<id>` | `E` | |
| trial of a dunning policy | `E#<id>` | `T` | |
| mark: how far a chain is counted in the totals | `Y#<account>` | `<currency>` | |
| totals: how things stand | `T#<generation>` | `<currency>#<shard>` | |
| totals of a month or quarter | `T#<generation>#<kind>#<currency>` | `<period>#<shard>` | |
| generations of totals | `T` | `T` | |
| firm | `F` | `F` | |
| clock of a test stack | `X#clock` | `X` | |

In the agenda, things of a kind lie at `G#<kind>#<shard>` / when they are due.

A key that all customers would share is split into `SHARDS` by account, so that no index partition is hot.
"""

from datetime import date
from zlib import crc32

SHARDS = 4

FIRM = ("F", "F")
CLOCK = ("X#clock", "X")
TOTALS_GENERATIONS = ("T", "T")

AGENDA_INDEX = "agenda"
OPEN_INDEX = "open"
LISTING_INDEX = "listing"


PREFIX = {
    "AccountChange": "H#",
    "Order": "Q#",
    "OpenItem": "O#",
    "Payment": "P#",
    "Credit": "C#",
    "CreditNote": "N#",
    "Refund": "F#",
    "WalletCharge": "W#",
    "Note": "T#",
    "SummaryEnrolment": "G#",
    "Subscription": "U#",
    "SubscriptionEvent": "E#",
}
"""What the sort keys of an account's things of one class start with, whose ids sort by time. (Those of messages do not: they
derive from what is told.)"""


def shard(account_id: str) -> int:
    """The shard of an account: stable for ever, since it is part of stored keys."""
    return crc32(account_id.encode()) % SHARDS


def account_partition(account_id: str) -> str:
    return f"A#{account_id}"


def is_of_account(partition: str) -> bool:
    """Whether it is an account's: a spoiled number is listed among the invoices, and lies with its series."""
    return partition.startswith("A#")


def account_id_of(partition: str) -> str:
    return partition.removeprefix("A#")


def account(account_id: str) -> tuple[str, str]:
    return account_partition(account_id), "A"


def account_change(account_id: str, place: str) -> tuple[str, str]:
    return account_partition(account_id), f"H#{place}"


def balance(account_id: str, currency: str) -> tuple[str, str]:
    return account_partition(account_id), f"B#{currency}"


def entry_prefix(currency: str) -> str:
    return f"J#{currency}#"


def entry(account_id: str, currency: str, sequence: int) -> tuple[str, str]:
    return account_partition(account_id), f"{entry_prefix(currency)}{sequence:010d}"


def entry_named(account_id: str, name: str) -> tuple[str, str]:
    """An entry by `<currency>#<sequence>`, as a reference names it."""
    return account_partition(account_id), f"J#{name}"


def order(account_id: str, order_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"Q#{order_id}"


def invoice(account_id: str, invoice_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"I#{invoice_id}"


def open_item(account_id: str, invoice_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"O#{invoice_id}"


def payment(account_id: str, payment_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"P#{payment_id}"


def credit(account_id: str, credit_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"C#{credit_id}"


def credit_note(account_id: str, credit_note_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"N#{credit_note_id}"


def refund(account_id: str, refund_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"F#{refund_id}"


def wallet_charge(account_id: str, charge_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"W#{charge_id}"


def note(account_id: str, note_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"T#{note_id}"


def subscription(account_id: str, subscription_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"U#{subscription_id}"


def subscription_event(account_id: str, event_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"E#{event_id}"


def plan(plan_id: str) -> tuple[str, str]:
    return f"B#{plan_id}", "B"


def plan_version(plan_id: str, number: str) -> tuple[str, str]:
    return f"B#{plan_id}", number


def plan_listing(plan_id: str) -> tuple[str, str]:
    return "L#plan", plan_id


def message(account_id: str, message_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"M#{message_id}"


def message_partition(account_id: str) -> str:
    """Partition of the listing for the messages of one account, by time."""
    return f"L#message#{account_id}"


def summary_enrolment(account_id: str, schedule_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"G#{schedule_id}"


def enrolled_in(schedule_id: str) -> str:
    """Partition of the listing for the accounts that get a schedule's summaries. What moves on does not touch it."""
    return f"L#summary#{schedule_id}"


def summary_schedule(schedule_id: str) -> tuple[str, str]:
    return f"U#{schedule_id}", "U"


def summary_schedule_listing(schedule_id: str) -> tuple[str, str]:
    return "L#summary_schedule", schedule_id


def mail_template_partition(template: str) -> str:
    """`template` is `<name>/<language>`."""
    return f"M#{template.replace('/', '#')}"


def mail_template(template: str, version: str) -> tuple[str, str]:
    return mail_template_partition(template), version


def series(name: str) -> tuple[str, str]:
    return f"S#{name}", "S"


def spoiled_number(number: str) -> tuple[str, str]:
    return f"S#{number.rpartition('-')[0]}", f"V#{number}"


def invoice_batch(batch_id: str) -> tuple[str, str]:
    """Under no account: a batch is the firm's."""
    return account_partition(""), f"K#{batch_id}"


def series_name_of(partition: str) -> str:
    return partition.removeprefix("S#")


def guard(kind: str, value: str) -> tuple[str, str]:
    return f"R#{kind}#{value}", "R"


def guarded_fact(partition: str) -> tuple[str, str]:
    """Kind and value of what a guard stands for; a kind has no `#`."""
    kind, _, value = partition.removeprefix("R#").partition("#")
    return kind, value


def policy_revision(policy_id: str, revision: int) -> tuple[str, str]:
    return f"D#{policy_id}", f"{revision:08d}"


def export(export_id: str) -> tuple[str, str]:
    return f"E#{export_id}", "E"


def policy_trial(trial_id: str) -> tuple[str, str]:
    return f"E#{trial_id}", "T"


def chain_mark(account_id: str, currency: str) -> tuple[str, str]:
    """Beside the account's partition, not in it: there lies what the business wrote."""
    return f"Y#{account_id}", currency


def marked_account(partition: str) -> str:
    return partition.removeprefix("Y#")


def standing_partition(generation: int) -> str:
    """All currencies and shards of a generation in one partition: few small items, read by one query."""
    return f"T#{generation}"


def standing_prefix(currency: str) -> str:
    return f"{currency}#"


def standing(generation: int, currency: str, shard_number: int) -> tuple[str, str]:
    return standing_partition(generation), f"{standing_prefix(currency)}{shard_number}"


def period_partition(generation: int, kind: str, currency: str) -> str:
    return f"T#{generation}#{kind}#{currency}"


def period_totals(generation: int, kind: str, currency: str, period: str, shard_number: int) -> tuple[str, str]:
    return period_partition(generation, kind, currency), f"{period}#{shard_number}"


def first_shard(period: str) -> str:
    """Where the totals of a period begin."""
    return f"{period}#"


def last_shard(period: str) -> str:
    return f"{period}#~"


def account_listing(account_id: str) -> tuple[str, str]:
    return "L#account", account_id


def series_listing(name: str) -> tuple[str, str]:
    return "L#series", name


def document_series(series_name: str) -> str:
    return f"L#document#{series_name}"


def number_of(position: str) -> str:
    """The document number in a position of the listing of invoices and credit notes."""
    return position.partition("#")[2]


def document_listing(series_name: str, issued_on: date, number: str) -> tuple[str, str]:
    """By series, in the order of date and number, which is the order of numbers: one query proves them gapless (I3)."""
    return document_series(series_name), f"{issued_on.isoformat()}#{number}"


def month_listing(kind: str, month: str, shard_number: int) -> str:
    """Partition of the listing of `entry`, `payment`, `credit` or `refund` items effective in a month (`2026-11`)."""
    return f"L#{kind}#{month}#{shard_number}"


def dated_listing(kind: str, on: date, account_id: str, rest: str) -> tuple[str, str]:
    return month_listing(kind, f"{on:%Y-%m}", shard(account_id)), f"{on.isoformat()}#{account_id}#{rest}"


def open_partition(currency: str, shard_number: int) -> str:
    return f"O#{currency}#{shard_number}"


def open_of_account(account_id: str) -> str:
    """Prefix of the open index's sort key for one account."""
    return f"{account_id}#"


def open_position(account_id: str, currency: str, due: date, invoice_id: str) -> tuple[str, str]:
    return open_partition(currency, shard(account_id)), f"{open_of_account(account_id)}{due.isoformat()}#{invoice_id}"


def agenda(kind: str, shard_number: int) -> str:
    """Partition of the agenda for things of one kind."""
    return f"G#{kind}#{shard_number}"


def agenda_place(shard_number: int, at: str = "", pk: str = "", sk: str = "") -> str:
    """Where a reader of the agenda goes on: behind an item of a shard, or at its beginning."""
    return "|".join((str(shard_number), at, pk, sk))


def agenda_place_of(cursor: str) -> tuple[int, tuple[str, str, str] | None]:
    """The shard, and the item behind which to go on: when it is due, its PK and SK; None: from the beginning."""
    shard_number, at, pk, sk = cursor.split("|")
    return int(shard_number), (at, pk, sk) if at else None


def id_of(sort_key: str) -> str:
    """The id in the sort key of an account's thing: a balance's currency, a document's id."""
    return sort_key.partition("#")[2]


def owner_and_id(partition: str, sort_key: str) -> tuple[str, str]:
    """The account and the id of a thing that is due; a thing of the firm's own has its id in the partition."""
    if partition.startswith("A#"):
        return account_id_of(partition), id_of(sort_key)
    return "", id_of(partition)
