"""A refusal leaves no trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from remit.domain.errors import RemitError
from tests.fakes import FakeBooks


@contextmanager
def refused(books: FakeBooks, code: str, error: type[RemitError] = RemitError) -> Iterator[dict[str, Any]]:
    """What is done inside is refused with this code, and the books are afterwards what they were before, byte by byte. The
    refusal's facts are in the result then."""
    before = books.state()
    facts: dict[str, Any] = {}
    with pytest.raises(error) as refusal:
        yield facts
    facts |= refusal.value.facts
    assert refusal.value.code == code
    assert books.state() == before
