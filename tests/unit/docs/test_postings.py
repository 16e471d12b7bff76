"""The accountants' page shows every rule of posting, with the numbers that the rules really give (L1, L3)."""

from pathlib import Path

import pytest

from local import postings
from remit.domain.journal import EntryKind, Side


@pytest.fixture(scope="module")
def shown() -> list[postings.Shown]:
    return [shown for _, _, shown in postings.examples()]


def test_every_rule_is_shown(shown: list[postings.Shown]) -> None:
    assert {each.rule for each in shown} == set(postings.rules())


def test_every_kind_of_entry_is_shown(shown: list[postings.Shown]) -> None:
    assert {each.entry.draft.kind for each in shown} == set(EntryKind)


def test_every_rule_says_in_words_what_it_does() -> None:
    assert all(rule.__doc__ for rule in postings.rules().values())


def test_L1_every_table_balances_and_starts_from_a_ledger_that_does(shown: list[postings.Shown]) -> None:
    for each in shown:
        signed = [p.amount_minor if p.side is Side.DEBIT else -p.amount_minor for p in each.entry.draft.postings]
        assert sum(signed) == 0
        assert each.after.sequence == each.before.sequence + 1 == each.entry.sequence


def test_the_page_is_readable_by_an_accountant() -> None:
    page = postings.page()
    assert "| `receivable`, due 2026-04-01 | EUR 121.00 | |\n| `revenue:services` | | EUR 100.00 |\n" in page
    assert "Customer: receivable EUR 0.00 → EUR 121.00, balance EUR 0.00 → EUR 121.00." in page
    assert page.index("### Invoice issued") < page.index("### Payment received") < page.index("### Invoice written off")


def test_a_rule_that_is_shown_under_the_wrong_name_is_refused() -> None:
    section = postings.Section("Invoice voided", "invoice_voided", (postings.Example("…", postings.Story.invoice),))
    with pytest.raises(ValueError, match="posts by invoice_issued"):
        postings._run(section, section.examples[0])


def test_the_check_says_whether_the_file_is_the_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "postings.md"
    assert postings.main(["--check"], file) == 1
    assert postings.main([], file) == 0
    assert postings.main(["--check"], file) == 0
    file.write_text(file.read_text().replace("EUR 121.00", "EUR 120.00"))
    assert postings.main(["--check"], file) == 1
    assert "differs from the rules" in capsys.readouterr().out
