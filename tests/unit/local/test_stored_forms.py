"""A local stack never starts on data that was stored in another form than the code's."""

import shutil
from pathlib import Path

import pytest

from local import run, stack
from local.stack import Stack, StackError
from local.stored_forms import REMIT, fingerprint


@pytest.fixture(scope="module")
def forms() -> str:
    """Of the code as it is."""
    return fingerprint()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the package, to change."""
    return Path(shutil.copytree(REMIT, tmp_path / "remit", ignore=shutil.ignore_patterns("__pycache__")))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("domain/journal.py", "receivable_minor: int", "owed_minor: int"),
        ("domain/payments.py", 'SUCCEEDED = "succeeded"', 'SUCCEEDED = "done"'),
        ("domain/open_items.py", "is_void: bool = False", "is_void: bool = True"),
        ("adapters/dynamodb/keys.py", 'f"A#', 'f"ACCOUNT#'),
        ("adapters/dynamodb/deflate.py", '"msg_dunning_inv_01"', '"msg_dunning_inv_02"'),
        ("adapters/dynamodb/mails_en_1.b85", "a", "b"),
        ("adapters/dynamodb/mapping.py", '"granted_minor":', '"given_minor":'),
        ("usecases/guards.py", "fingerprint: str", "digest: str"),
    ],
)
def test_another_form_has_another_fingerprint(sources: Path, forms: str, path: str, old: str, new: str) -> None:
    change(sources / path, old, new)
    assert fingerprint(sources) != forms


def test_words_and_rules_are_no_form(sources: Path, forms: str) -> None:
    change(sources / "adapters" / "dynamodb" / "mapping.py", '"""Domain objects', '"""Things of the domain')
    change(sources / "adapters" / "dynamodb" / "keys.py", "\nfrom ", "\n# A comment\nfrom ")
    change(sources / "domain" / "open_items.py", "def can_be_charged_late(self)", "def may_be_charged_late(self)")
    assert fingerprint(sources) == forms


@pytest.fixture
def left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack of `make run` with data from an earlier time; no engine can be started from here."""
    monkeypatch.setattr(stack, "LOCAL", tmp_path)
    monkeypatch.setattr(stack, "ENGINE_PYTHON", tmp_path / "nowhere")
    left = Stack(name=run.STACK_NAME)
    left.data.mkdir(parents=True)
    return left


@pytest.mark.parametrize("known", [{}, {"forms": "of another version"}])
def test_make_run_says_in_one_line_what_to_do_with_data_of_another_version(left_behind: Stack, known: dict[str, str]) -> None:
    left_behind.remember(**known)
    with pytest.raises(StackError, match=r"another version.*'make clean'") as refusal:
        run.run()
    assert "\n" not in str(refusal.value)
    assert left_behind.data.exists()
    assert not left_behind.log_file.exists()


def test_data_of_this_version_is_started_on(left_behind: Stack, forms: str) -> None:
    left_behind.remember(forms=forms)
    with pytest.raises(StackError, match="environments are missing"):
        left_behind.start()


def test_where_nothing_is_stored_nothing_is_refused(left_behind: Stack) -> None:
    left_behind.data.rmdir()
    with pytest.raises(StackError, match="environments are missing"):
        left_behind.start()
