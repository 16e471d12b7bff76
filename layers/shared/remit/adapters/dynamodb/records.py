"""How domain objects lie in the table: one record class per kind of item, all of one base and one connection.

Every record keeps its immutable facts in `body` and, where it has any, its changing ones in attributes of
their own: the indexes project bodies, so a change that they need not know of costs no index write. Bodies are
JSON; an invoice's is deflated, which keeps ten lines within one kilobyte.

PynamoDB makes a botocore client per model class unless they share one: `Record` makes the connection first and
its subclasses inherit it. A transaction holds puts only, so that its cancellation reasons keep their order.
"""

import os
from typing import Any

from pynamodb.attributes import Attribute, BinaryAttribute, DiscriminatorAttribute, UnicodeAttribute
from pynamodb.constants import NUMBER
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection
from pynamodb.models import Model

from remit.adapters.dynamodb import keys

_BODY_PROJECTION = ["type", "currency", "body", "deflated"]


class IntegerAttribute(Attribute[int]):
    """A whole number and nothing else: PynamoDB's own NumberAttribute would store a float silently."""

    attr_type = NUMBER

    def serialize(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{self.attr_name} is a whole number, not {type(value).__name__}")
        return str(value)

    def deserialize(self, value: str) -> int:
        return int(value)


class AgendaIndex(GlobalSecondaryIndex["Record"]):
    """What is due next, by kind and date: found without touching what is not.

    `type` is projected because PynamoDB filters every query by it: an index without it would look empty.
    """

    class Meta:
        index_name = keys.AGENDA_INDEX
        projection = IncludeProjection(["type"])

    agenda_pk = UnicodeAttribute(hash_key=True)
    agenda_at = UnicodeAttribute(range_key=True)


class OpenIndex(GlobalSecondaryIndex["Record"]):
    """Open items by currency, account and due date; an item leaves it when it is settled."""

    class Meta:
        index_name = keys.OPEN_INDEX
        projection = IncludeProjection([*_BODY_PROJECTION, "open_minor", "parts"])

    open_pk = UnicodeAttribute(hash_key=True)
    open_sk = UnicodeAttribute(range_key=True)


class ListingIndex(GlobalSecondaryIndex["Record"]):
    """Documents, entries and money by kind and month, for export and lists."""

    class Meta:
        index_name = keys.LISTING_INDEX
        projection = IncludeProjection([*_BODY_PROJECTION, "sequence", "previous_hash", "hash"])

    list_pk = UnicodeAttribute(hash_key=True)
    list_sk = UnicodeAttribute(range_key=True)


class Record(Model):
    """Any item of the table; reading through it gives the right subclass by `type`."""

    class Meta:
        table_name = os.environ.get("TABLE_NAME", "remit")
        region = os.environ.get("AWS_REGION", os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
        # A lost connection must not eat the function's own time-out; the use cases retry what is safe.
        connect_timeout_seconds = 2
        read_timeout_seconds = 8
        max_retry_attempts = 2

    pk = UnicodeAttribute(hash_key=True, attr_name="PK")
    sk = UnicodeAttribute(range_key=True, attr_name="SK")
    type = DiscriminatorAttribute()
    version = IntegerAttribute(null=True)
    body = UnicodeAttribute(null=True)
    currency = UnicodeAttribute(null=True)
    list_pk = UnicodeAttribute(null=True)
    list_sk = UnicodeAttribute(null=True)
    agenda_pk = UnicodeAttribute(null=True)
    agenda_at = UnicodeAttribute(null=True)
    agenda_index = AgendaIndex()
    open_index = OpenIndex()
    listing_index = ListingIndex()


class AccountRecord(Record, discriminator="account"):
    pass


class AccountChangeRecord(Record, discriminator="account_change"):
    pass


class BalanceRecord(Record, discriminator="balance"):
    """`agenda_*` are present while the account owes anything; `dunning` is what was last said, `state` what else may change
    without an entry, as JSON."""

    receivable_minor = IntegerAttribute()
    credit_minor = IntegerAttribute()
    wallet_minor = IntegerAttribute()
    held_minor = IntegerAttribute()
    sequence = IntegerAttribute()
    last_hash = UnicodeAttribute()
    dunning = UnicodeAttribute()
    state = UnicodeAttribute(null=True)


class EntryRecord(Record, discriminator="entry"):
    """`body` holds the facts that are hashed, `hash` and `previous_hash` the links."""

    sequence = IntegerAttribute()
    previous_hash = UnicodeAttribute()
    hash = UnicodeAttribute()


class OrderRecord(Record, discriminator="order"):
    deflated = BinaryAttribute(legacy_encoding=False)


class InvoiceRecord(Record, discriminator="invoice"):
    deflated = BinaryAttribute(legacy_encoding=False)


class OpenItemRecord(Record, discriminator="open_item"):
    """`deflated` holds the facts, without what the keys say: 1,000 of them are read for 40 units through the open index."""

    deflated = BinaryAttribute(legacy_encoding=False)
    open_minor = IntegerAttribute()
    parts = UnicodeAttribute()
    state = UnicodeAttribute(null=True)
    open_pk = UnicodeAttribute(null=True)
    open_sk = UnicodeAttribute(null=True)


class PaymentRecord(Record, discriminator="payment"):
    """`deflated` holds the facts and `content` what changes, which no index projects: with the address of a hosted page, which
    is long, both stay within a kilobyte."""

    deflated = BinaryAttribute(legacy_encoding=False)
    content = BinaryAttribute(legacy_encoding=False, null=True)


class CreditRecord(Record, discriminator="credit"):
    state = UnicodeAttribute(null=True)


class CreditNoteRecord(Record, discriminator="credit_note"):
    deflated = BinaryAttribute(legacy_encoding=False)


class RefundRecord(Record, discriminator="refund"):
    state = UnicodeAttribute(null=True)


class WalletChargeRecord(Record, discriminator="wallet_charge"):
    deflated = BinaryAttribute(legacy_encoding=False)


class NoteRecord(Record, discriminator="note"):
    pass


class SubscriptionRecord(Record, discriminator="subscription"):
    deflated = BinaryAttribute(legacy_encoding=False)


class SubscriptionEventRecord(Record, discriminator="subscription_event"):
    pass


class PlanRecord(Record, discriminator="plan"):
    pass


class PlanVersionRecord(Record, discriminator="plan_version"):
    deflated = BinaryAttribute(legacy_encoding=False)


class MessageRecord(Record, discriminator="message"):
    """`content` is projected nowhere: the listing knows when a message was written, and its fate costs no index write."""

    content = BinaryAttribute(legacy_encoding=False)


class SummaryScheduleRecord(Record, discriminator="summary_schedule"):
    pass


class SummaryEnrolmentRecord(Record, discriminator="summary_enrolment"):
    """`state` is projected nowhere: what moves on costs no write of the listing."""

    state = UnicodeAttribute()


class MailTemplateRecord(Record, discriminator="mail_template"):
    deflated = BinaryAttribute(legacy_encoding=False)


class SeriesRecord(Record, discriminator="series"):
    last = IntegerAttribute()
    last_issued_on = UnicodeAttribute(null=True)


class SpoiledNumberRecord(Record, discriminator="spoiled_number"):
    pass


class InvoiceBatchRecord(Record, discriminator="invoice_batch"):
    deflated = BinaryAttribute(legacy_encoding=False)


class GuardRecord(Record, discriminator="guard"):
    """What it guards stands in its key. `expires_at` is the table's time-to-live attribute, in epoch seconds; absent: kept for
    good."""

    deflated = BinaryAttribute(legacy_encoding=False)
    expires_at = IntegerAttribute(null=True)


class FirmRecord(Record, discriminator="firm"):
    pass


class PolicyRevisionRecord(Record, discriminator="policy_revision"):
    pass


class ExportRecord(Record, discriminator="export"):
    pass


class PolicyTrialRecord(Record, discriminator="policy_trial"):
    pass


class ChainMarkRecord(Record, discriminator="chain_mark"):
    pass


class TotalsRecord(Record, discriminator="totals"):
    """`body` holds the key, `deflated` the figures."""

    deflated = BinaryAttribute(legacy_encoding=False)


class TotalsGenerationsRecord(Record, discriminator="totals_generations"):
    pass


class ClockRecord(Record, discriminator="clock"):
    offset_seconds = IntegerAttribute()
