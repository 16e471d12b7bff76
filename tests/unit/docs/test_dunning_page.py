"""The page about dunning shows every example that is tested, with what the decision really gives (D4–D8)."""

from pathlib import Path

import pytest

from local import dunning
from tests.support.dunning_examples import EXAMPLES, REMINDERS


def test_D4_D5_every_example_is_a_row() -> None:
    page = dunning.page()
    for rule in [example.rule for example in EXAMPLES] + [reminding.rule for reminding in REMINDERS]:
        assert f"| {rule} |" in page


def test_the_page_is_readable_by_whoever_sets_a_policy() -> None:
    page = dunning.page()
    said, sent = "tier 1 said on 4 Mar", "tier 2: A, EUR 100.00"
    assert f"| the second tier on its day | 15 Mar | A EUR 100.00 due 1 Mar | {said} | {sent} | notice | 31 Mar |" in page
    assert "| a week before the due date | 13 Mar | B EUR 100.00 due 20 Mar |  | reminder -7 of B | 20 Mar |" in page


def test_the_check_says_whether_the_file_is_the_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "dunning.md"
    assert dunning.main(["--check"], file) == 1
    assert dunning.main([], file) == 0
    assert dunning.main(["--check"], file) == 0
    file.write_text(file.read_text().replace("tier 2", "tier 3"))
    assert dunning.main(["--check"], file) == 1
    assert "differs from the examples" in capsys.readouterr().out
