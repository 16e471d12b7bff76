"""Prepaid balance: modes, limits, top-ups, usage, withdrawals."""

from datetime import timedelta
from decimal import Decimal

from remit.domain.accounts import AutoTopUp, PaymentMode
from remit.domain.money import Money
from remit.domain.orders import LineRequest
from remit.domain.payments import Payment, PaymentStatus
from remit.domain.terms import Method
from remit.usecases.change_account import change_account
from remit.usecases.change_payment_mode import change_payment_mode
from remit.usecases.charge_wallet import Usage, charge_wallet
from remit.usecases.receive_payment import ReceivedPayment, receive_payment
from remit.usecases.top_up_automatically import WalletEvent, restart_top_up, top_up_automatically
from remit.usecases.top_up_wallet import top_up_wallet
from remit.usecases.withdraw_from_wallet import WithdrawalWish, withdraw_from_wallet
from simulation.operations.table import PRICES, TAX_CODES, money, operation
from simulation.world import CUSTOMER, SCHEDULE, Attempt, World


@operation("change a payment mode", 1)
def changes_mode(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    mode = world.random.choice(tuple(PaymentMode))
    day, firm = world.today + timedelta(days=world.random.choice((0, 0, 1, 30))), world.firm
    return Attempt(
        says=f"{customer.id} is {mode} from {day} on",
        call=lambda request: change_payment_mode(customer.id, mode, day, request, firm, world.books, world.clock),
        body=[mode, day],
        may_refuse=frozenset({"mode_change_in_past"}),
    )


@operation("limit an account", 1)
def limits(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    currency = customer.account.default_currency
    chosen = world.random.choice(({}, {}, {currency: 500_000}, {currency: 20_000}))
    return Attempt(
        says=f"limit {customer.id} to {chosen or 'nothing'}",
        call=lambda request: change_account(
            customer.id, {"credit_limits": chosen}, request.actor, world.firm, world.books, world.books, world.clock
        ),
        kind=None,
    )


@operation("top a wallet up", 3)
def tops_up(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    amount, firm = Money(world.random.choice(PRICES), customer.account.default_currency), world.firm
    return Attempt(
        says=f"ask {customer.id} to top up {money(amount.amount_minor, amount.currency)}",
        call=lambda request: top_up_wallet(customer.id, amount, request, firm, world.books, world.clock, world.ids),
        body=amount,
    )


@operation("record a payment to the wallet", 3)
def pays_into_wallet(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    amount = Money(world.random.choice(PRICES), customer.account.default_currency)
    received = ReceivedPayment(customer.id, amount, Method.BANK_TRANSFER, world.today, to_wallet=True)
    firm = world.firm
    return Attempt(
        says=f"{customer.id} pays {money(amount.amount_minor, amount.currency)} into the wallet",
        call=lambda request: receive_payment(received, request, firm, world.books, world.books, world.clock, world.ids),
        body=received,
        may_refuse=frozenset({"value_date_in_future"}),
    )


@operation("charge a wallet", 5)
def charges_wallet(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    on = world.random.choice
    lines = [LineRequest("usage", Decimal(on(("1", "7.5"))), on(PRICES[:4]), on(TAX_CODES), "usage")]
    usage, firm = Usage(customer.id, "calls", lines), world.firm
    return Attempt(
        says=f"charge usage to the wallet of {customer.id}",
        call=lambda request: charge_wallet(usage, request, firm, world.books, world.clock, world.ids),
        body=usage,
        may_refuse=frozenset({"wallet_too_low", "nothing_to_charge"}),
        by=CUSTOMER,
    )


@operation("withdraw from a wallet", 2)
def withdraws(world: World) -> Attempt | None:
    customer = world.customer()
    filled = [each for each in customer.balances.values() if each.wallet_minor > 0] if customer else []
    balance = world.pick(filled)
    if customer is None or balance is None:
        return None
    amount = Money(world.amount(balance.wallet_minor) + world.sometimes(0.1), balance.currency)
    wish, firm = WithdrawalWish(customer.id, amount, Method.BANK_TRANSFER, "asked for it"), world.firm
    return Attempt(
        says=f"{customer.id} withdraws {money(amount.amount_minor, amount.currency)}",
        call=lambda request: withdraw_from_wallet(wish, request, firm, world.books, world.clock, world.ids),
        body=wish,
        may_refuse=frozenset({"withdrawal_exceeds_paid_balance"}),
    )


@operation("turn the automatic top-up on or off", 1)
def sets_auto_top_up(world: World) -> Attempt | None:
    customer = world.customer()
    if customer is None:
        return None
    currency = customer.account.default_currency
    wanted = AutoTopUp(currency, 5_000, 1_000, world.random.choice((5_000, 60_000))) if world.sometimes(0.8) else None
    return Attempt(
        says=f"top {customer.id} up by itself: {wanted}",
        call=lambda request: change_account(
            customer.id, {"auto_top_up": wanted}, request.actor, world.firm, world.books, world.books, world.clock
        ),
        kind=None,
    )


@operation("look at a wallet", 4)
def looks_at_wallet(world: World) -> Attempt | None:
    """After a charge, or because a payment came to nothing; looking once too often is harmless."""
    customer = world.customer()
    if customer is None or customer.account.payment.auto_top_up is None:
        return None
    currency = customer.account.payment.auto_top_up.currency
    failed = [each.id for each in customer.all(Payment) if each.status in (PaymentStatus.FAILED, PaymentStatus.REVERTED)]
    event = WalletEvent(customer.id, currency, world.pick(failed) if world.sometimes(0.3) else None)
    return Attempt(
        says=f"look at the wallet of {customer.id} in {currency}",
        call=lambda _request: top_up_automatically(event, world.firm, world.books, world.books, world.clock, world.ids),
        by=SCHEDULE,
        kind=None,
        posts_bare=True,
    )


@operation("go on topping up", 1)
def restarts(world: World) -> Attempt | None:
    customer = world.customer()
    stopped = [each for each in customer.balances.values() if each.top_up.stopped] if customer else []
    balance = world.pick(stopped)
    if customer is None or balance is None:
        return None
    firm = world.firm
    return Attempt(
        says=f"go on topping up {customer.id} in {balance.currency}",
        call=lambda request: restart_top_up(customer.id, balance.currency, request, firm, world.books, world.clock),
        body=balance.currency,
    )
