"""A refusal leaves no trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from remit.domain.errors import RemitError
from tests.fakes import FakeBooks


@contextmanager
def refused(books: FakeBooks, code: str, error: type[RemitError] = RemitError) -> Iterator[pytest.ExceptionInfo[RemitError]]:
    """What is done inside is refused with this code, and the books are afterwards what they were before, byte by byte. Gives
    the refusal, whose facts can be looked at afterwards."""
    before = books.state()
    with pytest.raises(error) as refusal:
        yield refusal
    assert refusal.value.code == code
    assert books.state() == before
