"""Accounts and the firm, while business goes on."""

from dataclasses import replace
from typing import Any

from remit.domain.accounts import Account, setting
from remit.domain.automations import Automation
from remit.domain.firm import LostDispute, MoneyRules
from remit.domain.terms import Due, DueRule, PaymentTerm
from remit.usecases.change_account import change_account
from remit.usecases.open_account import NewAccount, open_account
from remit.usecases.set_firm import set_firm
from simulation.operations.table import CURRENCIES, TERMS, expect, operation
from simulation.world import ACTIVE_CUSTOMERS, REFUSED, Attempt, World


@operation("open an account", 3)
def opens_account(world: World) -> Attempt:
    chosen = {
        "name": f"Customer {world.ids.made}",
        "email": world.random.choice(("ap@customer.example", "ap@customer.example", REFUSED)),
        "default_currency": world.random.choice(CURRENCIES),
        "default_term_id": world.random.choice((*TERMS[:2], None)),
        "dunning": world.sometimes(0.8),
        "reminders": world.sometimes(0.8),
    }
    wish = NewAccount(chosen)

    def note(answer: Any) -> None:
        if answer.body["id"] in world.active:
            return
        if len(world.active) >= ACTIVE_CUSTOMERS:
            world.active.remove(world.random.choice(world.active))
        world.active.append(answer.body["id"])

    return Attempt(
        says=f"open an account in {chosen['default_currency']}",
        call=lambda request: open_account(wish, request, world.firm, world.books, world.clock, world.ids),
        body=chosen,
        note=note,
    )


@operation("change an account", 2)
def changes_account(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    name = world.random.choice(("dunning", "reminders", "send_invoices", "notes", "apply_credits"))
    value = world.random.choice(("one note", "another") if name == "notes" else (True, False))

    def note(account: Account) -> None:
        expect("an account is as it was asked to be", setting(account, name) == value, f"{name} of {account.id}")

    firm = world.firm
    return Attempt(
        says=f"set {name} of {customer.id} to {value}",
        call=lambda request: change_account(
            customer.id, {name: value}, request.actor, firm, world.books, world.books, world.clock
        ),
        note=note,
        kind=None,
    )


@operation("set the firm", 1)
def sets_firm(world: World) -> Attempt:
    """Switches, terms, prefix and time zone, all of them while business goes on."""
    on = world.random.choice
    wanted = replace(
        world.firm,
        switches={automation: world.clock.now() for automation in Automation if on((True, True, False))},
        terms={**world.firm.terms, "net7": PaymentTerm.single("net7", "Net 7", Due(DueRule.NET_DAYS, on((7, 8))))},
        money=MoneyRules(
            credits_pay_instalments=on((True, False)),
            refund_limits=on(({}, {"EUR": 10_000, "USD": 5_000})),
            hold_refunds=on((True, True, False)),
            gateway_time_zone=on(("UTC", "America/New_York")),
            lost_dispute=on(tuple(LostDispute)),
        ),
        invoice_prefix=on(("INV", "INV", "INV", "RE")),
        time_zone=on(("Europe/Amsterdam", "Europe/Amsterdam", "America/New_York", "Pacific/Auckland")),
    )

    def note(firm: Any) -> None:
        world.firm = firm

    return Attempt("set the firm's profile", lambda _request: set_firm(wanted, world.books, world.clock), note=note, kind=None)
