"""The page of requirements finds what tests cite, and nothing else."""

from pathlib import Path

import pytest

from local import requirements
from local.requirements import Citation, citations_of, codes_in_name, codes_in_text

SOURCE = '''
"""Rules of something (L8)."""

def test_R5_R6_refund_is_impossible(): ...

def test_plain():
    """P1–P3, A2: several."""
    assert "X9"  # holds for wallets too (W1)

def helper_R9_is_no_test():
    """(R10)"""

class TestMany:
    """All of these (D5)."""

    def test_one(self): ...
'''


def test_a_name_cites_by_its_words() -> None:
    assert codes_in_name("test_R5_R6_refund") == {"R5", "R6"}
    assert codes_in_name("test_r5_R123_x") == set()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("P1, P2, A2", {"P1", "P2", "A2"}),
        ("P2: Σ allocations ≤ payment.", {"P2"}),
        ("The order of events (G3, P4) is none.", {"G3", "P4"}),
        ("Prices (guarantee 6, Q1).", {"Q1"}),
        ("T1–T3 hold.", {"T1", "T2", "T3"}),
        ("Files are in S3 for ever.", set()),
    ],
)
def test_a_text_cites_at_its_beginning_and_in_parentheses(text: str, codes: set[str]) -> None:
    assert codes_in_text(text) == codes


def test_citations_are_of_tests_of_their_classes_and_of_whole_files() -> None:
    found = set(citations_of(SOURCE, "tests/x.py"))
    cited = {
        None: {"L8"},
        "test_R5_R6_refund_is_impossible": {"R5", "R6"},
        "test_plain": {"P1", "P2", "P3", "A2", "W1"},
        "test_one": {"D5"},
    }
    assert found == {Citation(code, "tests/x.py", test) for test, codes in cited.items() for code in codes}


def test_the_page_has_a_row_per_requirement_and_calls_open_what_no_test_cites() -> None:
    page = requirements.page([Citation("R5", "tests/unit/b.py", "t"), Citation("R5", "tests/unit/a.py", None)])
    row = next(line for line in page.splitlines() if line.startswith("| R5 |"))
    assert row.endswith("| [unit/a](../tests/unit/a.py), [unit/b](../tests/unit/b.py) (1) |")
    codes = [code for chapter in requirements.requirements().values() for code in chapter["codes"]]
    assert page.count("\n| ") == len(codes) + len(requirements.requirements())
    assert page.count("*open*") == len(codes) - 1


def test_no_test_cites_a_code_that_there_is_not() -> None:
    """In its name: there it can only be meant as one."""
    codes = {code for chapter in requirements.requirements().values() for code in chapter["codes"]}
    for path in sorted(requirements.TESTS.rglob("test_*.py")):
        for citation in citations_of(path.read_text(), path.name):
            unknown = codes_in_name(citation.test or "") - codes
            assert not unknown, f"{path.name}: {citation.test}"


def test_the_check_says_whether_the_file_is_the_pages(tmp_path: Path) -> None:
    file = tmp_path / "requirements.md"
    assert requirements.main(["--check"], file) == 1
    assert requirements.main([], file) == 0
    assert requirements.main(["--check"], file) == 0
