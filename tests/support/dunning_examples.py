"""When a customer is reminded, and how firmly: the specification by example (D1, D4–D8, D10).

These tables are the test of `domain/dunning.py` and the text of docs/dunning.md.

The firm's policy is the one that Remit comes with: a friendly letter from the 3rd day past due, a firm one from the 14th, a last
one from the 30th. Days are counted from the due date of the oldest invoice part that is still open: an invoice due on
1 March is 3 days past due on 4 March.

Each example says who owes what (`A EUR 100 due 1 Mar`), what was said before, what day it is, and what happens:
which tier's letter is sent, if any, why, and on which day the account is looked at again.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

from remit.domain.dunning import Decision, DunningPolicy, DunningState, OpenPart, Promise, Reminder, Situation, decide
from remit.domain.terms import Part

POLICY = DunningPolicy()


def mar(day: int) -> date:
    """The n-th of March 2026; 32 is 1 April."""
    return date(2026, 3, 1) + timedelta(days=day - 1)


def owes(name: str, due: date, open_minor: int = 10000, currency: str = "EUR") -> OpenPart:
    return OpenPart(f"inv_{name}", name, currency, due - timedelta(days=30), Part(due, 10000, open_minor))


A = owes("A", mar(1))  # 3 days past due on 4 March, 14 on 15 March, 30 on 31 March
B = owes("B", mar(20))  # 3 days past due on 23 March, 14 on 3 April, 30 on 19 April
USD = owes("U", mar(10), currency="USD")
PAID = owes("P", mar(1), open_minor=0)
NEVER = DunningState()
LONG_AGO = date(2020, 1, 1)
UNTIL_20 = Promise(10000, mar(20), mar(10), 10000)
HALF_UNTIL_20 = Promise(5000, mar(20), mar(10), 10000)


def said(tier: int, oldest_due: date, on: date) -> DunningState:
    return DunningState(tier, oldest_due, on)


# What was said of A, each on its day.
FIRST, SECOND, LAST = said(1, mar(1), mar(4)), said(2, mar(1), mar(15)), said(3, mar(1), mar(31))


@dataclass(frozen=True)
class Example:
    """`tier` None: nothing is sent. `lists`: the invoices in the letter; `asks`: per currency, what it asks for."""

    rule: str
    today: date
    items: tuple[OpenPart, ...]
    tier: int | None
    why: str
    again: date | None
    said: DunningState = NEVER
    credit: dict[str, int] = field(default_factory=dict)
    since: date | None = LONG_AGO
    paused_until: date | None = None
    promise: Promise | None = None
    lists: str | None = None
    asks: dict[str, int] | None = None

    def decision(self) -> Decision:
        promises = {"EUR": self.promise} if self.promise else {}
        situation = Situation(self.items, self.said, self.credit, self.since, paused_until=self.paused_until, promises=promises)
        return decide(situation, POLICY, self.today)


# fmt: off
EXAMPLES = [
    # Not yet
    Example("nothing is open: nothing to do, ever",              mar(4), (), None, "not_overdue", None),
    Example("a paid invoice is not looked at",                   mar(40), (PAID,), None, "not_overdue", None),
    Example("before the due date: look again the day after it",  mar(1) - timedelta(9), (A,), None, "not_overdue", mar(2)),
    Example("on the due date itself nothing is overdue (T7)",    mar(1), (A,), None, "not_overdue", mar(2)),
    Example("below the first tier: wait for it",                 mar(2), (A,), None, "below_first_tier", mar(4)),
    Example("the day before the first tier",                     mar(3), (A,), None, "below_first_tier", mar(4)),

    # Each tier once
    Example("the first tier on its day",                         mar(4), (A,), 1, "notice", mar(15), lists="A"),
    Example("the second tier on its day",                        mar(15), (A,), 2, "notice", mar(31), said=FIRST),
    Example("the third and last: then there is no more to say",  mar(31), (A,), 3, "notice", None, said=SECOND),
    Example("a tier is said once: wait for the next",            mar(5), (A,), None, "already_notified", mar(15), said=FIRST),
    Example("after the last tier nothing is said again",         mar(99), (A,), None, "already_notified", None, said=LAST),
    Example("on the same day nothing is said twice",             mar(4), (A,), None, "already_notified", mar(15), said=FIRST),

    # State decides, not "exactly N days" (D7)
    Example("a missed day catches up",                           mar(6), (A,), 1, "notice", mar(15)),
    Example("missed weeks catch up with one letter, the one that fits today",
                                                                 mar(20), (A,), 2, "notice", mar(31)),
    Example("missed months too",                                 mar(90), (A,), 3, "notice", None),
    Example("a run that was late by a tier skips that tier",     mar(40), (A,), 3, "notice", None, said=FIRST),

    # One letter about all that is overdue, by the age of the oldest (D5)
    Example("one letter lists all that is overdue, oldest first",
            mar(24), (B, A), 2, "notice", mar(31), said=FIRST, lists="AB", asks={"EUR": 20000}),
    Example("what is not yet overdue is not listed; its day is kept in mind",
            mar(15), (B, A), 2, "notice", mar(21), said=FIRST, lists="A", asks={"EUR": 10000}),
    Example("the oldest was paid: a younger takes over, at its own tier",
            mar(23), (PAID, B), 1, "notice", mar(34), said=SECOND, lists="B"),
    Example("the oldest was paid and the younger is below the first tier",
            mar(22), (PAID, B), None, "below_first_tier", mar(23), said=SECOND),
    Example("a younger one takes over on a day that had a letter: not before tomorrow",
            mar(31), (B,), None, "already_notified", mar(32), said=LAST),
    Example("and tomorrow it is said",
            mar(32), (B,), 1, "notice", mar(34), said=LAST, lists="B"),
    Example("a second invoice due on the same day is the same episode",
            mar(5), (owes("A2", mar(1)),), None, "already_notified", mar(15), said=FIRST),

    # Who has paid is not reminded, though nobody allocated the payment yet (D7)
    Example("unapplied credit covers all that is overdue: look again tomorrow",
            mar(4), (A,), None, "not_owing", mar(5), credit={"EUR": 10000}),
    Example("more credit than is owed is no reason to write either",
            mar(4), (A,), None, "not_owing", mar(5), credit={"EUR": 99999}),
    Example("credit covers a part: the letter asks for the rest",
            mar(4), (A,), 1, "notice", mar(15), credit={"EUR": 9999}, asks={"EUR": 1}),
    Example("credit is set off against what is overdue, not against what is due later",
            mar(15), (A, B), None, "not_owing", mar(16), credit={"EUR": 10000}),

    # Currencies side by side, never added (L8)
    Example("two currencies in one letter, each with its own sum",
            mar(15), (USD, A), 2, "notice", mar(31), lists="AU", asks={"EUR": 10000, "USD": 10000}),
    Example("credit in one currency pays nothing in another",
            mar(15), (USD, A), 2, "notice", mar(31), credit={"USD": 4000}, lists="AU", asks={"EUR": 10000, "USD": 6000}),
    Example("a currency that is covered is left out, and its age with it; its credit may be used elsewhere tomorrow",
            mar(15), (USD, A), 1, "notice", mar(16), credit={"EUR": 10000}, lists="U", asks={"USD": 10000}),

    # Switched on later: nothing is sent for the past (D1)
    Example("a tier reached before dunning was switched on stays unsaid",
            mar(10), (A,), None, "before_switched_on", mar(15), since=mar(5)),
    Example("a tier reached on the very day is said",            mar(4), (A,), 1, "notice", mar(15), since=mar(4)),
    Example("the next tier is said",                             mar(15), (A,), 2, "notice", mar(31), since=mar(5)),
    Example("an account beyond the last tier stays silent",      mar(60), (A,), None, "before_switched_on", None, since=mar(50)),
    Example("…but a younger invoice is kept in mind",
            mar(40), (A, owes("C", mar(60))), None, "before_switched_on", mar(61), since=mar(35)),
    Example("switched off: not said, but kept in mind",          mar(4), (A,), None, "switched_off", mar(15), since=None),

    # Paused until a date (D6)
    Example("silent through that day",
            mar(15), (A,), None, "paused", mar(21), said=FIRST, paused_until=mar(20)),
    Example("and on its last day",
            mar(20), (A,), None, "paused", mar(21), said=FIRST, paused_until=mar(20)),
    Example("the day after, one notice at the tier of that day",
            mar(21), (A,), 2, "notice", mar(31), said=FIRST, paused_until=mar(20)),
    Example("also at the tier that was said before the pause",
            mar(11), (A,), 1, "notice", mar(15), said=FIRST, paused_until=mar(10)),
    Example("once",
            mar(12), (A,), None, "already_notified", mar(15), said=said(1, mar(1), mar(11)), paused_until=mar(10)),
    Example("nothing is owed: no pause to keep in mind",
            mar(15), (PAID,), None, "not_overdue", None, paused_until=mar(20)),

    # A promise to pay (D8)
    Example("silent while it may be kept, which is looked after daily",
            mar(15), (A,), None, "promised", mar(16), said=FIRST, promise=UNTIL_20),
    Example("broken: one notice the day after, at the tier of that day",
            mar(21), (A,), 2, "notice", mar(31), said=FIRST, promise=UNTIL_20),
    Example("broken within a tier: that tier again",
            mar(13), (A,), 1, "notice", mar(15), said=FIRST, promise=Promise(10000, mar(12), mar(10), 10000)),
    Example("paid less than promised: broken",
            mar(21), (owes("A", mar(1), 6000),), 2, "notice", mar(31), said=FIRST, promise=HALF_UNTIL_20),
    Example("kept: what is left of the debt is dunned as if none had been given",
            mar(13), (owes("A", mar(1), 5000),), None, "already_notified", mar(15), said=FIRST,
            promise=HALF_UNTIL_20),
    Example("money that nobody has allocated keeps it too",
            mar(15), (A,), 2, "notice", mar(31), said=FIRST, promise=HALF_UNTIL_20,
            credit={"EUR": 5000}, asks={"EUR": 5000}),
    Example("it silences its own currency only",
            mar(15), (USD, A), 1, "notice", mar(16), said=FIRST, promise=UNTIL_20, lists="U"),
]
# fmt: on


# Reminders (D4): a week before the due date, on it, and three and ten days after.

REMINDING = DunningPolicy(reminders=tuple(Reminder(days, f"reminder_{days}") for days in (-7, 0, 3, 10)))


@dataclass(frozen=True)
class Reminding:
    """`reminders`: offset → the invoices in the letter. `through`: up to which day was looked after before."""

    rule: str
    today: date
    items: tuple[OpenPart, ...]
    reminders: dict[int, str]
    again: date | None
    through: date | None = None
    since: date | None = LONG_AGO
    credit: dict[str, int] = field(default_factory=dict)
    notices_since: date | None = None
    paused_until: date | None = None

    def decision(self) -> Decision:
        said = DunningState(reminded_through=self.through)
        situation = Situation(self.items, said, self.credit, self.notices_since, self.since, self.paused_until)
        return decide(situation, REMINDING, self.today)


JUST_ISSUED = OpenPart("inv_J", "J", "EUR", mar(15), Part(mar(20), 10000, 10000))  # its -7 would be on 13 March

# fmt: off
REMINDERS = [
    Reminding("a week before the due date",             mar(13), (B,), {-7: "B"}, mar(20)),
    Reminding("on the due date",                        mar(20), (B,), {0: "B"}, mar(21), through=mar(13)),
    Reminding("after it",                               mar(23), (B,), {3: "B"}, mar(30), through=mar(20)),
    Reminding("once",                                   mar(13), (B,), {}, mar(20), through=mar(13)),
    Reminding("before its time: look again then",       mar(1), (B,), {}, mar(13)),
    Reminding("a missed day catches up",                mar(15), (B,), {-7: "B"}, mar(20), through=mar(12)),
    Reminding("missed weeks catch up with the latest",  mar(24), (B,), {3: "B"}, mar(30), through=mar(10)),
    Reminding("what announces the due date is not sent after it",
              mar(22), (B,), {}, mar(23), through=mar(19)),
    Reminding("the invoice itself speaks for the days up to its issue",
              mar(15), (JUST_ISSUED,), {}, mar(20)),
    Reminding("nothing for the time before they were switched on (D1)",
              mar(15), (B,), {}, mar(20), since=mar(14)),
    Reminding("switched off: neither sent nor planned", mar(13), (B,), {}, mar(21), since=None),
    Reminding("a paid part is not reminded of",         mar(4), (PAID,), {}, None),
    Reminding("who has credit for all of it is not reminded (D7)",
              mar(13), (B,), {}, mar(20), credit={"EUR": 10000}),
    Reminding("parts of one day in one letter, of another in another",
              mar(13), (B, owes("B2", mar(20)), owes("C", mar(10))), {-7: "BB2", 3: "C"}, mar(20), through=mar(12)),
    Reminding("what a notice lists in the same run is not reminded of besides",
              mar(23), (B,), {}, mar(30), through=mar(20), notices_since=mar(1)),
    Reminding("in a pause nothing is said",             mar(20), (B,), {}, mar(23), through=mar(13), paused_until=mar(22)),
    Reminding("after it the latest, once",              mar(24), (B,), {3: "B"}, mar(30), through=mar(13), paused_until=mar(23)),
]
# fmt: on
