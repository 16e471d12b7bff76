"""The tasks of the recurring payments: each finds what is due, and does one thing of it (S2, P3)."""

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import yaml

from remit.domain import errors
from remit.domain.errors import NotFoundError
from remit.domain.open_items import InvoiceStatus
from tests.support import payments as pay
from tests.support import subscribing as sub
from tests.support.builders import Office
from tests.support.handlers import CONTEXT, ROOT


@pytest.fixture
def tasks(deployed: Callable[[str], ModuleType]) -> ModuleType:
    return deployed("recurring_payments")


def test_S2_what_is_due_is_found_and_renewed_until_nothing_is(tasks: ModuleType, office: Office) -> None:
    sub.plan(office, interval=sub.Interval(1, sub.Unit.DAY))
    account_id = office.open_account()
    subscription_id = sub.subscribe(office, account_id)
    sub.subscribe(office, office.open_account(), anchor=office.firm.today(office.clock.now()).replace(day=30))
    office.clock.advance(days=12)
    found = tasks.find_due_subscriptions({"cursor": None}, CONTEXT)
    assert found == {"items": [{"account_id": account_id, "id": subscription_id}], "cursor": None}
    first = tasks.renew(found["items"][0], CONTEXT)
    assert (first["invoices"], first["more"], first["refusal"]) == (12, True, None)
    assert tasks.renew({"account_id": first["account_id"], "id": first["id"]}, CONTEXT)["more"] is False
    assert tasks.find_due_subscriptions({}, CONTEXT)["items"] == []


def test_S2_a_refused_renewal_is_no_failure_of_the_run(tasks: ModuleType, office: Office) -> None:
    sub.plan(office)
    account_id = office.open_account(default_term_id=None)
    subscription_id = sub.subscribe(office, account_id)
    done = tasks.renew({"account_id": account_id, "id": subscription_id}, CONTEXT)
    assert (done["invoices"], done["refusal"], done["more"]) == (0, "no_payment_term", False)
    with pytest.raises(NotFoundError):
        tasks.renew({"account_id": account_id, "id": "sub_of_nobody"}, CONTEXT)


def test_P3_due_invoices_are_found_and_charged_once(tasks: ModuleType, office: Office) -> None:
    account_id = office.open_account()
    pay.saves(office, account_id)
    pay.collects_automatically(office, account_id)
    invoice_id = office.invoice(account_id)
    assert tasks.find_due_collections({"cursor": None}, CONTEXT)["items"] == []
    office.clock.advance(days=30)
    (due,) = tasks.find_due_collections({"cursor": None}, CONTEXT)["items"]
    assert due == {"account_id": account_id, "id": invoice_id}
    assert tasks.collect(due, CONTEXT)["result"] == "started"
    assert tasks.collect(due, CONTEXT)["result"] is None
    assert office.item(account_id, invoice_id).status is InvoiceStatus.PAID
    pay.proves(office, account_id)


def test_S2_what_the_machine_tries_again_are_the_projects_own_errors() -> None:
    """A renamed class would silently be retried no more."""

    def named(state: Any) -> list[str]:
        if isinstance(state, dict):
            own = [name for retry in state.get("Retry", []) for name in retry["ErrorEquals"]]
            return own + [name for each in state.values() for name in named(each)]
        return []

    text = (ROOT / "statemachines" / "recurring_payments.asl.yaml").read_text()
    names = {name for name in named(yaml.safe_load(text)) if not re.match(r"(Lambda|States)\.", name)}
    assert names == {errors.TransientError.__name__, errors.ConflictError.__name__}
