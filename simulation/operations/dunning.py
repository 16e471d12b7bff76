"""What people decide about dunning: policies, which they try first, pauses, promises to pay, notices by hand."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from remit.adapters.email.catalogue import asking_letters
from remit.domain.accounts import Account
from remit.domain.dunning import DunningPolicy, Reminder, Tier
from remit.domain.dunning_trials import TrialTerms
from remit.domain.firm import STANDARD_POLICY
from remit.usecases.change_account import change_account
from remit.usecases.pause_dunning import end_pause, pause_dunning
from remit.usecases.promise_to_pay import PromiseWish, promise_to_pay, withdraw_promise
from remit.usecases.send_notice import send_notice
from remit.usecases.set_dunning_policy import set_dunning_policy
from remit.usecases.try_policy import AccountTrial, try_policy
from simulation.operations.invoices import chosen_item
from simulation.operations.late_charges import RULES
from simulation.operations.table import MAIL_MAY_WAIT, expect, operation
from simulation.world import Attempt, World

POLICIES = (STANDARD_POLICY, "strict", "patient")


def any_policy(world: World) -> DunningPolicy:
    """With or without reminders and late charges, and with two tiers of any days."""
    first = world.random.choice((1, 3, 7))
    tiers = (Tier(1, first, "dunning_tier_1"), Tier(2, first + world.random.choice((7, 20)), "dunning_tier_2"))
    offsets = world.random.choice(((), (-7, 0, 3), (0,), (-3, 10)))
    reminders = tuple(Reminder(days, "reminder_overdue" if days > 0 else "reminder_upcoming") for days in offsets)
    return DunningPolicy(tiers, reminders, world.random.choice(POLICIES), late_charges=world.random.choice(RULES))


@operation("set a dunning policy", 1)
def sets_policy(world: World) -> Attempt:
    wanted = any_policy(world)

    def note(policy: DunningPolicy) -> None:
        expect("a policy is as it was asked to be", replace(policy, revision=0) == wanted, policy.id)
        world.firm = replace(world.firm, dunning_policies={**world.firm.dunning_policies, policy.id: policy})

    return Attempt(
        says=f"set the dunning policy {wanted.id}",
        call=lambda request: set_dunning_policy(wanted, asking_letters(), request.actor, world.books, world.clock),
        may_refuse=frozenset({"firm_not_set_up"}),
        note=note,
        kind=None,
    )


@operation("try a policy", 2)
def tries_policy(world: World) -> Attempt | None:
    """On up to half a year of an account, mostly one that is late, which writes and sends nothing, unless somebody else came in
    between."""
    found = chosen_item(world, lambda item: item.is_overdue(world.today))
    if found is None:
        return None
    customer, _ = found
    last = world.today - timedelta(days=world.random.choice((0, 1, 40)))
    terms = TrialTerms(any_policy(world), last - timedelta(days=world.random.choice((0, 30, 180))), last)

    def call(_request: Any) -> AccountTrial:
        written, sent, attempts = world.books.writes, len(world.mailer.sent), world.attempts
        trial = try_policy(customer.id, terms, world.firm, world.books, world.books)
        changed = world.books.writes != written or len(world.mailer.sent) != sent
        expect("a trial changes and sends nothing", not changed or world.attempts != attempts, f"{customer.id}: {terms}")
        return trial

    def note(trial: AccountTrial) -> None:
        days = [letter.on for letter in trial.letters]
        within = days == sorted(days) and all(terms.first <= day <= terms.last for day in days)
        expect("a trial writes on its own days", within, f"{customer.id}: {days}")

    return Attempt(says=f"try a policy on {customer.id} from {terms.first} to {terms.last}", call=call, note=note, kind=None)


@operation("give an account a policy", 1)
def gives_policy(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    chosen = world.random.choice((None, *world.firm.dunning_policies))
    firm = world.firm
    return Attempt(
        says=f"dun {customer.id} by {chosen or STANDARD_POLICY}",
        call=lambda request: change_account(
            customer.id, {"dunning_policy_id": chosen}, request.actor, firm, world.books, world.books, world.clock
        ),
        kind=None,
    )


@operation("pause an account's dunning", 2)
def pauses(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    until = world.today + timedelta(days=world.random.choice((-1, 0, 3, 20)))
    ends = world.sometimes(0.3)

    def call(request: Any) -> Account:
        if ends:
            return end_pause(customer.id, request.actor, world.firm, world.books, world.books, world.clock)
        return pause_dunning(customer.id, until, "on leave", request.actor, world.firm, world.books, world.books, world.clock)

    def note(account: Account) -> None:
        expect("a pause is as it was asked to be", account.dunning_paused_until == (None if ends else until), account.id)

    return Attempt(
        says=f"end the pause of {customer.id}" if ends else f"pause {customer.id} until {until}",
        call=call,
        may_refuse=frozenset({"pause_out_of_range"}),
        note=note,
        kind=None,
    )


@operation("promise to pay", 2)
def promises(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    amount, days = world.random.choice((1, 999, 12_100)), world.random.choice((-1, 0, 5, 30, 100))
    by = world.today + timedelta(days=days)
    wish = PromiseWish(customer.id, amount, by, customer.account.default_currency, "by phone")
    return Attempt(
        says=f"{customer.id} promises {amount} by {by}",
        call=lambda request: promise_to_pay(wish, request, world.firm, world.books, world.books, world.clock),
        body=[customer.id, amount, by.isoformat()],
        may_refuse=frozenset({"nothing_overdue", "promise_exceeds_overdue", "promise_out_of_range"}),
    )


@operation("withdraw a promise", 1)
def withdraws(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    currency = customer.account.default_currency
    return Attempt(
        says=f"withdraw the promise of {customer.id}",
        call=lambda request: withdraw_promise(
            customer.id, currency, None, request, world.firm, world.books, world.books, world.clock
        ),
        body=[customer.id, currency],
        may_refuse=frozenset({"promise_not_found"}),
    )


@operation("send a notice by hand", 2)
def sends_notice(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    return Attempt(
        says=f"send {customer.id} a notice",
        call=lambda request: send_notice(
            customer.id, request, world.firm, world.books, world.books, world.letters, world.mailer, world.clock
        ),
        body=[customer.id],
        may_refuse=MAIL_MAY_WAIT | {"nothing_overdue", "only_disputed", "prepaid_not_reminded", "below_first_tier"},
    )
