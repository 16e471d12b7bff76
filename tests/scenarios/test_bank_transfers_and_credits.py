"""Step 4 of the main job: money recorded by hand, allocated now or later, and goodwill."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.scenarios.world import A_LAMP, Clock, Customer, World, at_once, line

type ACustomer = Callable[..., Customer]


class TestBankTransfers:
    def test_a_part_is_allocated_and_the_rest_is_credit(self, a_customer: ACustomer, clock: Clock) -> None:
        """P1, P2, A2"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        payment = customer.pays_by_bank(15_000, {invoice: 10_000})
        assert (payment.status, payment.unapplied_minor) == ("succeeded", 5_000)
        assert payment.facts["value_date"] == clock.today.isoformat()
        assert (invoice.status, invoice.open_minor) == ("part_paid", 2_100)
        assert (customer.balance("receivable"), customer.balance("credit"), customer.balance()) == (2_100, 5_000, -2_900)
        entry = customer.entries()[-1]
        assert {(p["account"], p["side"]): p["amount_minor"] for p in entry["postings"]} == {
            ("cash:bank_transfer", "debit"): 15_000,
            ("receivable", "credit"): 10_000,
            ("credit", "credit"): 5_000,
        }
        assert entry["documents"] == {"payment": [payment.id], "invoice": [invoice.id]}
        customer.proves()

    def test_the_rest_is_allocated_later_and_never_more_than_there_is(self, a_customer: ACustomer, world: World) -> None:
        """P2: Σ allocations ≤ payment and ≤ what is open."""
        customer = a_customer()
        first, second = customer.is_invoiced(), customer.is_invoiced(line("Chair", 20_000))
        payment = customer.pays_by_bank(15_000, {first: 10_000})

        before = world.rows_of(customer)
        too_much_for_the_payment = payment.ask_to_allocate({second: 5_001})
        assert (too_much_for_the_payment.status, too_much_for_the_payment.code) == (409, "allocation_exceeds_payment")
        assert too_much_for_the_payment.json["available_minor"] == 5_000
        too_much_for_the_invoice = payment.ask_to_allocate({first: 2_101})
        assert (too_much_for_the_invoice.status, too_much_for_the_invoice.code) == (409, "allocation_exceeds_open")
        assert too_much_for_the_invoice.json["open_minor"] == 2_100
        assert world.rows_of(customer) == before

        assert payment.ask_to_allocate({first: 2_100, second: 2_900}).status == 201
        assert (first.status, second.open_minor) == ("paid", 21_300)
        assert payment.now().unapplied_minor == 0
        assert customer.entries()[-1]["kind"] == "payment_allocated"
        customer.proves()

    def test_nobody_allocates_the_same_money_twice(self, a_customer: ACustomer) -> None:
        """P2 under a race: the condition of the write decides."""
        customer = a_customer()
        invoices = [customer.is_invoiced() for _ in range(4)]
        payment = customer.pays_by_bank(20_000)
        answers = at_once(*[lambda invoice=invoice: payment.ask_to_allocate({invoice: 10_000}) for invoice in invoices])
        assert sorted(answer.status for answer in answers) == [201, 201, 409, 409]
        assert {answer.code for answer in answers if answer.status == 409} == {"allocation_exceeds_payment"}
        assert payment.now().unapplied_minor == 0
        customer.proves()

    def test_oldest_due_first(self, a_customer: ACustomer, clock: Clock) -> None:
        """P2: by due date, not by the order of issue."""
        customer = a_customer()
        due_last, due_first, due_next = (
            customer.is_invoiced(term="net30"),
            customer.is_invoiced(term="on_receipt"),
            customer.is_invoiced(term="bank_only"),
        )
        payment = customer.pays_by_bank(20_000, "oldest_first")
        assert [(a["invoice_id"], a["amount_minor"]) for a in payment.facts["allocations"]] == [
            (due_first.id, 12_100),
            (due_next.id, 7_900),
        ]
        assert (due_first.status, due_next.open_minor, due_last.open_minor) == ("paid", 4_200, 12_100)
        assert customer.pays_by_bank(100_000, "oldest_first").unapplied_minor == 83_700
        customer.proves()

    def test_the_value_date_is_the_day_that_the_money_counts(self, a_customer: ACustomer, clock: Clock) -> None:
        """P1, L3: effective on the value date, recorded today."""
        customer = a_customer()
        customer.is_invoiced()
        last_week = clock.today - timedelta(days=3)
        customer.pays_by_bank(100, value_date=last_week)
        entry = customer.entries()[-1]
        assert entry["effective_on"] == last_week.isoformat()
        assert entry["recorded_at"][:10] >= clock.today.isoformat()[:8]
        for wrong, code in ((1, "value_date_in_future"), (-400, "value_date_too_old")):
            body = customer.bank_transfer(100, value_date=clock.today + timedelta(days=wrong))
            answer = customer.world.api.request("POST", f"{customer.path}/payments", body)
            assert (answer.status, answer.code) == (422, code)

    def test_a_repeat_is_one_payment_and_two_equal_ones_are_two(self, a_customer: ACustomer) -> None:
        """P1, I2: the Idempotency-Key tells a repeat from a second payment of the same amount."""
        customer = a_customer()
        body = customer.bank_transfer(5_000)
        ask = [lambda: customer.world.api.request("POST", f"{customer.path}/payments", body, key=f"first-{customer.id}")] * 3
        answers = at_once(*ask)
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json["id"] for answer in answers}) == 1
        assert sum(answer.replayed for answer in answers) == 2
        customer.pays_by_bank(5_000)
        assert customer.balance("credit") == 10_000

    def test_the_methods_of_the_term_are_enforced(self, a_customer: ACustomer, world: World) -> None:
        """T3: by hand too."""
        customer = a_customer()
        invoice = customer.is_invoiced(term="bank_only")
        body = customer.bank_transfer(12_100, {invoice: 12_100}) | {"method": "cash"}
        before = world.rows_of(customer)
        answer = world.api.request("POST", f"{customer.path}/payments", body)
        assert (answer.status, answer.code) == (409, "method_not_allowed")
        assert world.rows_of(customer) == before
        customer.pays_by_bank(12_100, {invoice: 12_100})
        assert invoice.status == "paid"

    def test_currencies_are_never_mixed(self, a_customer: ACustomer, world: World) -> None:
        """L8"""
        customer = a_customer()
        dollars = customer.is_invoiced(A_LAMP, currency="USD")
        euros = customer.pays_by_bank(12_100)
        before = world.rows_of(customer)
        paid_in_euros = world.api.request("POST", f"{customer.path}/payments", customer.bank_transfer(100, {dollars: 100}))
        assert (paid_in_euros.status, paid_in_euros.code) == (422, "currency_mismatch")
        for currency in ("EUR", "USD"):
            answer = euros.ask_to_allocate({dollars: 100}, currency)
            assert (answer.status, answer.code) == (422, "currency_mismatch")
        assert world.rows_of(customer) == before
        assert (customer.balance(currency="USD"), customer.balance(currency="EUR")) == (12_100, -12_100)
        customer.proves()


class TestGoodwill:
    @pytest.mark.parametrize(
        ("option", "code", "amount", "gross", "tax"),
        [
            ("included", "VAT21", 1_210, 1_210, 210),
            ("not_included", "VAT21", 1_000, 1_210, 210),
            ("waived", None, 1_000, 1_000, 0),
        ],
    )
    def test_the_amount_means_what_the_tax_option_says(
        self, a_customer: ACustomer, option: str, code: str | None, amount: int, gross: int, tax: int
    ) -> None:
        """C1, C2, L3"""
        customer = a_customer()
        credit = customer.gets_goodwill(amount, option, code)
        assert (credit["gross_minor"], credit["tax_minor"], credit["open_minor"]) == (gross, tax, gross)
        (entry,) = customer.entries()
        postings = {(p["account"], p["side"]): p["amount_minor"] for p in entry["postings"]}
        expected = {("goodwill", "debit"): gross - tax, ("credit", "credit"): gross}
        assert postings == expected | ({("tax:VAT21", "debit"): tax} if tax else {})
        assert (entry["kind"], entry["reason"]) == ("credit_issued", "Late delivery")
        customer.proves()

    def test_it_lowers_the_balance_and_is_applied_to_nothing_by_itself(self, a_customer: ACustomer) -> None:
        """C3: below zero at balance 0, and later invoices stay open."""
        customer = a_customer()
        credit = customer.gets_goodwill(5_000)
        assert customer.balance() == -5_000
        invoice = customer.is_invoiced()
        assert (invoice.open_minor, invoice.status) == (12_100, "issued")
        assert (customer.balance(), customer.balance("receivable"), customer.balance("credit")) == (7_100, 12_100, 5_000)
        assert customer.world.api.get(f"{customer.path}/credits")["credits"] == [credit]
        assert customer.world.api.get(f"{customer.path}/credits/{credit['id']}") == credit

    @pytest.mark.parametrize(
        ("option", "code", "problem"),
        [
            ("waived", "VAT21", "tax_code_not_wanted"),
            ("included", None, "tax_code_missing"),
            ("included", "NONE", "unknown_tax_code"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, a_customer: ACustomer, world: World, option: str, code: str | None, problem: str
    ) -> None:
        """C2"""
        customer = a_customer()
        before = world.rows_of(customer)
        body = {"amount_minor": 100, "currency": "EUR", "tax_option": option, "tax_code": code, "reason": "x"}
        answer = world.api.request("POST", f"{customer.path}/credits", body)
        assert (answer.status, answer.code) == (422, problem)
        assert world.rows_of(customer) == before


class TestWhyThisBalance:
    def test_every_figure_is_the_sum_of_its_entries(self, a_customer: ACustomer) -> None:
        """L5"""
        customer = a_customer()
        invoice = customer.is_invoiced()
        customer.pays_by_bank(15_000, {invoice: 10_000})
        customer.gets_goodwill(500)
        for figure in ("balance", "receivable", "credit", "wallet", "held"):
            found = customer.explanation(figure)
            assert found["amount_minor"] == customer.balance(figure)
            assert sum(line["change_minor"] for line in found["entries"]) == found["amount_minor"]
            running = 0
            for each in found["entries"]:
                running += each["change_minor"]
                assert each["running_minor"] == running
        kinds = [each["entry"]["kind"] for each in customer.explanation()["entries"]]
        assert kinds == ["invoice_issued", "payment_received", "credit_issued"]

    def test_as_of_a_past_date(self, a_customer: ACustomer, clock: Clock) -> None:
        """L5: by effective date, also for what was recorded later."""
        customer = a_customer()
        monday = clock.today
        customer.is_invoiced()
        clock.moves_by(days=4)
        customer.pays_by_bank(10_000, value_date=monday + timedelta(days=2))
        customer.is_invoiced()
        days = (monday - timedelta(days=1), monday, monday + timedelta(days=1), monday + timedelta(days=2), clock.today)
        assert [customer.explanation(as_of=day)["amount_minor"] for day in days] == [0, 12_100, 12_100, 2_100, 14_200]
        assert customer.explanation()["amount_minor"] == 14_200

    def test_a_long_explanation_goes_on_page_by_page(self, a_customer: ACustomer, world: World) -> None:
        """L5"""
        customer = a_customer()
        for amount in (100, 200, 300, 400, 500):
            customer.gets_goodwill(amount)
        path, changes, after = f"{customer.path}/balances/EUR/explanation", [], 0
        while after is not None:
            page = world.api.get(path, limit=2, after=after)
            assert page["amount_minor"] == -1_500
            changes += [each["change_minor"] for each in page["entries"]]
            after = page["next_after"]
        assert changes == [-100, -200, -300, -400, -500]

    def test_the_account_page_shows_it_all(self, a_customer: ACustomer, world: World) -> None:
        """A6, A2, V3"""
        customer = a_customer()
        paid, open_ = customer.is_invoiced(), customer.is_invoiced(line("Chair", 20_000), term="on_receipt")
        customer.pays_by_bank(12_100, {paid: 12_100})
        page = world.api.get(f"{customer.path}/overview")
        assert page["account"] == customer.account
        assert [item["invoice_id"] for item in page["open_invoices"]] == [open_.id]
        assert [entry["sequence"] for entry in page["latest_entries"]] == [3, 2, 1]
        assert page["balances"] == list(customer.balances.values())
        everything = world.api.get(f"{customer.path}/invoices", show="all")["invoices"]
        assert {item["number"]: item["status"] for item in everything} == {paid.number: "paid", open_.number: "issued"}

    def test_entries_are_chained(self, a_customer: ACustomer) -> None:
        """L7, L2: each entry has its own hash, and numbers run on from 1."""
        customer = a_customer()
        for _ in range(3):
            customer.gets_goodwill(100)
        entries = customer.entries()
        assert [entry["sequence"] for entry in entries] == [1, 2, 3]
        assert len({entry["hash"] for entry in entries}) == 3
        customer.proves()
