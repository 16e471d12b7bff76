"""``python -m local.dunning``: docs/dunning.md, when a customer is reminded and how firmly, by example.

The examples are those that the tests run (tests/support/dunning_examples.py); what they bring about comes from
``domain/dunning.py`` itself. ``--check`` only compares with the file and says what differs.
"""

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from local.stack import ROOT
from remit.domain import dunning
from remit.domain.dunning import Decision, DunningState, OpenPart
from remit.domain.money import decimal_text
from tests.support.dunning_examples import EXAMPLES, POLICY, REMINDERS, REMINDING, Example, Reminding

FILE = ROOT / "docs" / "dunning.md"

INTRODUCTION = """# When a customer is reminded, and how firmly

<!-- Written by `make docs` from tests/support/dunning_examples.py and layers/shared/remit/domain/dunning.py. Change those, not
this. -->

One function decides (`decide` in `domain/dunning.py`), from what an account owes, what was said before, its policy and the date.
These examples are its tests; what they bring about was computed by it. All days are of 2026.
"""


def page() -> str:
    """The whole page."""
    tiers = ", ".join(f"tier {tier.number} from day {tier.from_days}" for tier in POLICY.tiers)
    days = ", ".join(f"{reminder.offset_days:+d}" if reminder.offset_days else "0" for reminder in REMINDING.reminders)
    parts = [
        INTRODUCTION,
        "## The rules\n",
        _words_of(dunning.decide) + "\n",
        f"## Past-due notices\n\nThe policy: {tiers}, each counted in days past due of the oldest open part.\n",
        _table(("rule", "today", "owed", "and", "sent", "why", "next look"), (_notice_row(each) for each in EXAMPLES)),
        f"\n## Reminders\n\nThe policy: on the days {days}, counted from the due date.\n",
        _table(("rule", "today", "owed", "and", "sent", "next look"), (_reminder_row(each) for each in REMINDERS)),
    ]
    return "\n".join(parts)


def _words_of(function: object) -> str:
    """The function's docstring without its example in code."""
    return (inspect.getdoc(function) or "").partition(">>>")[0].strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _notice_row(example: Example) -> Sequence[str]:
    decision = example.decision()
    facts = [
        _said(example.said),
        _credit(example.credit),
        "" if example.since else "notices are off",
        f"notices on since {_day(example.since)}" if example.since and example.since.year == example.today.year else "",
        f"paused through {_day(example.paused_until)}" if example.paused_until else "",
        f"promised EUR {_amount(example.promise.amount_minor)} by {_day(example.promise.by)}" if example.promise else "",
    ]
    sent = _notice(decision)
    again = _day(decision.look_again_on)
    return (example.rule, _day(example.today), _owed(example.items), _joined(facts), sent, decision.why, again)


def _reminder_row(example: Reminding) -> Sequence[str]:
    decision = example.decision()
    facts = [
        f"looked after through {_day(example.through)}" if example.through else "",
        _credit(example.credit),
        "" if example.since else "reminders are off",
        f"reminders on since {_day(example.since)}" if example.since and example.since.year == example.today.year else "",
        f"notices on since {_day(example.notices_since)}" if example.notices_since else "",
        f"paused through {_day(example.paused_until)}" if example.paused_until else "",
    ]
    sent = [_notice(decision)] if decision.notice else []
    sent += [f"reminder {due.reminder.offset_days:+d} of {_numbers(due.parts)}" for due in decision.reminders]
    again = _day(decision.look_again_on)
    return (example.rule, _day(example.today), _owed(example.items), _joined(facts), _joined(sent), again)


def _notice(decision: Decision) -> str:
    if decision.notice is None:
        return ""
    asks = " and ".join(f"{currency} {_amount(net)}" for currency, net in sorted(decision.notice.net_minor.items()))
    return f"tier {decision.notice.tier.number}: {_numbers(decision.notice.parts)}, {asks}"


def _owed(parts: Sequence[OpenPart]) -> str:
    return _joined(f"{part.number} {part.currency} {_amount(part.part.open_minor)} due {_day(part.due_date)}" for part in parts)


def _numbers(parts: Sequence[OpenPart]) -> str:
    return ", ".join(part.number for part in parts)


def _said(said: DunningState) -> str:
    return f"tier {said.tier} said on {_day(said.notified_on)}" if said.notified_on else ""


def _credit(credit: Mapping[str, int]) -> str:
    return _joined(f"credit {currency} {_amount(minor)}" for currency, minor in sorted(credit.items()))


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(text for text in texts if text)


def _amount(minor: int) -> str:
    return decimal_text(minor, "EUR")


def _day(day: date | None) -> str:
    return f"{day.day} {day:%b}" if day else "never"


def main(arguments: list[str], file: Path = FILE) -> int:
    text = page()
    if "--check" in arguments:
        same = file.exists() and file.read_text() == text
        print(f"{file.name} is what the examples say" if same else f"{file.name} differs from the examples: run 'make docs'")
        return 0 if same else 1
    file.write_text(text)
    print(f"{file.name}: {len(EXAMPLES) + len(REMINDERS)} examples")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
