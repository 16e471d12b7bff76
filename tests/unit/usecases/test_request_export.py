"""Asking for a month's export (Q4)."""

from datetime import UTC, datetime

import pytest

from remit.domain.errors import InvalidError, RuleError
from remit.domain.exports import Export, ExportStatus
from remit.usecases.idempotency import Answer
from remit.usecases.request_export import request_export
from tests.support.builders import CLERK, NOW, Office
from tests.support.refusals import refused


def ask(office: Office, period: str, key: str = "k") -> Answer:
    return request_export(period, office.request(key, period), office.firm, office.books, office.clock, office.ids)


def test_Q4_an_export_is_recorded_as_running_with_who_asked(office: Office) -> None:
    answer = ask(office, "2026-02")
    (export,) = office.books.all(Export)
    assert (export.id, export.period, export.status) == (answer.body["id"], "2026-02", ExportStatus.RUNNING)
    assert (export.requested_by, export.requested_at) == (CLERK, NOW)


def test_Q4_the_same_request_again_is_the_same_export(office: Office) -> None:
    assert ask(office, "2026-02").body == ask(office, "2026-02").body
    assert len(office.books.all(Export)) == 1


def test_Q4_a_month_that_has_not_begun_in_the_firms_zone_is_refused(office: Office) -> None:
    with refused(office.books, "period_in_future", RuleError):
        ask(office, "2026-04")
    office.clock.set(datetime(2026, 3, 31, 22, 30, tzinfo=UTC))  # 1 April in Utrecht
    ask(office, "2026-04")


@pytest.mark.parametrize("period", ["2026-13", "2026", "March", "../2026-03", ""])
def test_Q4_what_is_no_month_is_refused(office: Office, period: str) -> None:
    with refused(office.books, "bad_period", InvalidError):
        ask(office, period)
