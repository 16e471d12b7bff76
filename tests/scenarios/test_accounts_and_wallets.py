"""Accounts with their modes, views and notes, and prepaid wallets from the first top-up to the last withdrawal."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.scenarios.world import A_LAMP, Answer, Clock, Customer, World, at_once, eventually, line

type ACustomer = Callable[..., Customer]

CALLS = line("Calls in October", 1_000, category="calls")
"""EUR 12.10 with its tax."""


def is_prepaid(customer: Customer, limit_minor: int = 0) -> None:
    customer.world.api.post(f"{customer.path}/mode-changes", {"mode": "prepaid"})
    if limit_minor:
        customer.changes(credit_limits={"EUR": limit_minor})


def wallet(customer: Customer) -> dict[str, Any]:
    found: dict[str, Any] = customer.world.api.get(f"{customer.path}/wallet", currency="EUR")
    return found


def tops_up(customer: Customer, amount_minor: int) -> str:
    """The id of the top-up invoice, which is not paid yet."""
    body = {"amount_minor": amount_minor, "currency": "EUR"}
    return str(customer.world.api.post(f"{customer.path}/wallet/top-ups", body)["id"])


def pays_into_the_wallet(customer: Customer, amount_minor: int) -> None:
    body = customer.bank_transfer(amount_minor, "oldest_first") | {"to_wallet": True}
    customer.world.api.post(f"{customer.path}/payments", body)


def uses(customer: Customer, *lines: dict[str, Any]) -> Answer:
    body = {"description": "Usage", "lines": list(lines) or [CALLS]}
    return customer.world.api.request("POST", f"{customer.path}/wallet/charges", body)


def withdraws(customer: Customer, amount_minor: int) -> Answer:
    body = {"amount_minor": amount_minor, "currency": "EUR", "method": "bank_transfer", "reason": "Closes the account"}
    return customer.world.api.request("POST", f"{customer.path}/wallet/withdrawals", body)


class TestWallets:
    def test_from_the_first_top_up_to_the_last_withdrawal(self, a_customer: ACustomer) -> None:
        """W1, W3, A4, A5"""
        customer = a_customer()
        is_prepaid(customer, limit_minor=500)
        tops_up(customer, 20_000)
        assert (wallet(customer)["pending_minor"], wallet(customer)["available_minor"]) == (20_000, 500)
        pays_into_the_wallet(customer, 20_000)
        assert (wallet(customer)["pending_minor"], wallet(customer)["available_minor"]) == (0, 20_500)
        assert uses(customer).status == 201
        invoice = customer.is_invoiced(A_LAMP)
        assert invoice.status == "paid"
        assert wallet(customer)["paid_minor"] == 20_000 - 1_210 - 12_100
        refused = withdraws(customer, 6_691)
        assert (refused.status, refused.code, refused.json["withdrawable_minor"]) == (
            409,
            "withdrawal_exceeds_paid_balance",
            6_690,
        )
        assert withdraws(customer, 6_690).status == 201
        moved = customer.world.api.get(f"{customer.path}/wallet/movements", currency="EUR")
        assert [row["amount_minor"] for row in moved["movements"]] == [20_000, -1_210, -12_100, -6_690]
        customer.proves()

    def test_usage_at_once_never_passes_the_limit(self, a_customer: ACustomer) -> None:
        """A5, W1 under a race: the condition of the write decides."""
        customer = a_customer()
        is_prepaid(customer, limit_minor=1_000)
        pays_into_the_wallet(customer, 2_000)
        answers = at_once(*[lambda: uses(customer)] * 4)
        assert sorted(answer.status for answer in answers) == [201, 201, 409, 409]
        assert {answer.code for answer in answers if answer.status == 409} == {"wallet_too_low"}
        assert wallet(customer)["available_minor"] == 3_000 - 2 * 1_210
        customer.proves()

    def test_a_wallet_that_falls_to_its_threshold_asks_for_one_top_up(self, a_customer: ACustomer) -> None:
        """W2: without a saved method the customer is asked, and a person must start it again."""
        customer = a_customer()
        is_prepaid(customer)
        pays_into_the_wallet(customer, 5_000)
        settings = {"currency": "EUR", "amount_minor": 2_000, "threshold_minor": 4_000, "daily_cap_minor": 6_000}
        customer.changes(auto_top_up=settings)
        for _ in range(2):
            assert uses(customer).status == 201
        eventually(lambda: wallet(customer)["pending_minor"] == 2_000, "the automatic top-up")
        assert wallet(customer)["automatic_top_up"]["stopped"] == "no_saved_method"
        pays_into_the_wallet(customer, 2_000)
        customer.world.api.post(f"{customer.path}/wallet/automatic-top-ups", {"currency": "EUR"})
        assert wallet(customer)["automatic_top_up"]["stopped"] is None
        customer.proves()


class TestModes:
    def test_a_mode_begins_on_its_day_and_what_is_open_finishes_in_its_own(self, a_customer: ACustomer, clock: Clock) -> None:
        """A4"""
        customer = a_customer()
        before = customer.is_invoiced()
        body = customer.bank_transfer(20_000) | {"to_wallet": True}
        customer.world.api.post(f"{customer.path}/payments", body)
        change = {"mode": "prepaid", "effective_on": (clock.today + timedelta(days=1)).isoformat()}
        customer.world.api.post(f"{customer.path}/mode-changes", change)
        assert customer.is_invoiced().status == "issued"
        clock.moves_by(1)
        assert customer.is_invoiced().status == "paid"
        assert before.status == "issued"
        customer.proves()

    def test_a_postpaid_customer_owes_no_more_than_its_limit(self, a_customer: ACustomer) -> None:
        """A5: open and ordered count together; two orders at once do not both fit."""
        customer = a_customer()
        customer.changes(credit_limits={"EUR": 30_000})
        customer.is_invoiced()
        body = {"lines": [A_LAMP], "term_id": "net30"}
        answers = at_once(*[lambda: customer.world.api.request("POST", f"{customer.path}/orders", body)] * 2)
        assert sorted(answer.status for answer in answers) == [201, 409]
        refused = next(answer for answer in answers if answer.status == 409)
        assert (refused.code, refused.json["available_minor"]) == ("credit_limit_exceeded", 30_000 - 2 * 12_100)


class TestViews:
    def test_income_less_cashflow_is_the_balance(self, a_customer: ACustomer) -> None:
        """A2, L5"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        customer.pays_by_bank(5_000, {invoice: 3_630})
        customer.gets_goodwill(1_210, "included", "VAT21")
        api = customer.world.api
        income = api.get(f"{customer.path}/income", currency="EUR")
        cashflow = api.get(f"{customer.path}/cashflow", currency="EUR")
        assert (income["closing_minor"], cashflow["closing_minor"]) == (12_100 - 1_210, 5_000)
        assert customer.balance() == income["closing_minor"] - cashflow["closing_minor"]
        why = api.get(f"{customer.path}/balances/EUR/explanation", figure="receivable", document_id=invoice.id)
        assert (why["amount_minor"], [row["change_minor"] for row in why["entries"]]) == (8_470, [12_100, -3_630])

    def test_the_timeline_tells_all_with_who_did_it(self, a_customer: ACustomer, world: World) -> None:
        """A6, A1"""
        customer = a_customer(name="Lamps and Chairs")
        customer.is_invoiced()
        world.api.post(f"{customer.path}/notes", {"text": "Prefers e-mail"})
        customer.changes(tags=["timeline"])
        page = world.api.get(f"{customer.path}/timeline", limit=2)
        rest = world.api.get(f"{customer.path}/timeline", cursor=page["cursor"])
        events = page["events"] + rest["events"]
        assert [event["type"] for event in events] == ["change", "note", "entry", "change"]
        assert all(event["actor"]["id"] for event in events)
        found = world.api.get("/accounts", tag="timeline", name="lamps and", limit=100)["accounts"]
        assert customer.id in [account["id"] for account in found]
