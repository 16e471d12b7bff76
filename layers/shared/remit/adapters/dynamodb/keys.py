"""Every key string of the table and its three indexes. Nothing else in the project spells one.

| item | PK | SK | indexes |
|---|---|---|---|
| account | `A#<account>` | `A` | listing `L#account` / id |
| its history | `A#<account>` | `H#<number>` | |
| balance | `A#<account>` | `B#<currency>` | agenda `G#dunning#<shard>` / date, while anything is open |
| entry | `A#<account>` | `J#<currency>#<sequence>` | listing `L#entry#<month>#<shard>` / date, account, sequence |
| order | `A#<account>` | `Q#<id>` | |
| invoice (immutable) | `A#<account>` | `I#<id>` | listing `L#invoice#<series>` / date, number |
| open item | `A#<account>` | `O#<id>` | open `O#<currency>#<shard>` / account, due date, id, while open |
| payment | `A#<account>` | `P#<id>` | listing `L#payment#<month>#<shard>` / date, account, id, once received |
| credit | `A#<account>` | `C#<id>` | listing `L#credit#<month>#<shard>` / date, account, id |
| message | `A#<account>` | `M#<id>` | |
| number series | `S#<series>` | `S` | listing `L#series` / name |
| guard | `R#<kind>#<value>` | `R` | |
| export | `E#<id>` | `E` | |
| firm | `F` | `F` | |
| clock of a test stack | `X#clock` | `X` | |

A key that all customers would share is split into `SHARDS` by account, so that no index partition is hot.
"""

from datetime import date
from zlib import crc32

SHARDS = 4

FIRM = ("F", "F")
CLOCK = ("X#clock", "X")

AGENDA_INDEX = "agenda"
OPEN_INDEX = "open"
LISTING_INDEX = "listing"


PREFIX = {"AccountChange": "H#", "OpenItem": "O#", "Payment": "P#", "Credit": "C#", "Message": "M#"}
"""What the sort keys of an account's things of one class start with."""


def shard(account_id: str) -> int:
    """The shard of an account: stable for ever, since it is part of stored keys."""
    return crc32(account_id.encode()) % SHARDS


def account_partition(account_id: str) -> str:
    return f"A#{account_id}"


def account_id_of(partition: str) -> str:
    return partition.removeprefix("A#")


def account(account_id: str) -> tuple[str, str]:
    return account_partition(account_id), "A"


def account_change(account_id: str, number: int) -> tuple[str, str]:
    return account_partition(account_id), f"H#{number:08d}"


def balance(account_id: str, currency: str) -> tuple[str, str]:
    return account_partition(account_id), f"B#{currency}"


def entry_prefix(currency: str) -> str:
    return f"J#{currency}#"


def entry(account_id: str, currency: str, sequence: int) -> tuple[str, str]:
    return account_partition(account_id), f"{entry_prefix(currency)}{sequence:010d}"


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


def message(account_id: str, message_id: str) -> tuple[str, str]:
    return account_partition(account_id), f"M#{message_id}"


def series(name: str) -> tuple[str, str]:
    return f"S#{name}", "S"


def series_name_of(partition: str) -> str:
    return partition.removeprefix("S#")


def guard(kind: str, value: str) -> tuple[str, str]:
    return f"R#{kind}#{value}", "R"


def export(export_id: str) -> tuple[str, str]:
    return f"E#{export_id}", "E"


def account_listing(account_id: str) -> tuple[str, str]:
    return "L#account", account_id


def series_listing(name: str) -> tuple[str, str]:
    return "L#series", name


def invoice_series(series_name: str) -> str:
    return f"L#invoice#{series_name}"


def number_of(position: str) -> str:
    """The document number in a position of the listing of invoices."""
    return position.partition("#")[2]


def invoice_listing(series_name: str, issued_on: date, number: str) -> tuple[str, str]:
    """By series, in the order of date and number, which is the order of numbers: one query proves them gapless (I3)."""
    return invoice_series(series_name), f"{issued_on.isoformat()}#{number}"


def month_listing(kind: str, month: str, shard_number: int) -> str:
    """Partition of the listing of `entry`, `payment` or `credit` items effective in a month (`2026-11`)."""
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


def dunning_agenda(shard_number: int) -> str:
    return f"G#dunning#{shard_number}"
