"""A refusal leaves no trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from remit.domain.errors import RemitError
from tests.fakes import FakeBooks


@contextmanager
def refused(books: FakeBooks, code: str, error: type[RemitError] = RemitError) -> Iterator[None]:
    """What is done inside is refused with this code, and the books are afterwards what they were before, byte by byte."""
    before = books.state()
    with pytest.raises(error) as refusal:
        yield
    assert refusal.value.code == code
    assert books.state() == before
