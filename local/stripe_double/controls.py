"""What a test can make the double do. ``control_routes`` offers the same over HTTP under ``/_control``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from local.stripe_double import checkout_sessions, customer_actions, disputes, payment_methods, refunds, test_cards
from local.stripe_double.bank_accounts import ACCOUNTS
from local.stripe_double.clock import LocalClock
from local.stripe_double.courier import Order
from local.stripe_double.engine import Engine
from local.stripe_double.errors import ApiError
from local.stripe_double.faults import Fault, FaultKind
from local.stripe_double.sandbox import snapshot
from local.stripe_double.store import StripeObject

_DAYS_AHEAD_MAX = 3_660


class ControlError(Exception):
    """A control call that can't be done, with the reason."""


class Controls:
    """The hands behind the curtain: deliveries, faults, the customer and the clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # deliveries

    def hold_deliveries(self) -> None:
        """Keep webhooks back until they are released."""
        self._engine.courier.hold()

    def release_deliveries(
        self,
        order: str = "created",
        *,
        seed: int = 0,
        event_ids: Sequence[str] | None = None,
        keep_holding: bool = False,
    ) -> list[str]:
        """Send held webhooks: ``created``, ``reversed``, ``shuffled`` by seed, or in the order of given ids."""
        try:
            return self._engine.courier.release(Order(order), seed=seed, event_ids=event_ids, keep_holding=keep_holding)
        except KeyError as error:
            raise ControlError(f"event {error} is not held") from error
        except ValueError as error:
            raise ControlError(f"order must be one of {', '.join(Order)}") from error

    def duplicate_deliveries(self, next_events: int, copies: int = 1) -> None:
        """Send each of the next events ``copies`` more times."""
        self._engine.courier.duplicate(next_events, copies)

    def delay_deliveries(self, next_events: int, seconds: float) -> None:
        """Send the next events only after ``seconds``."""
        self._engine.courier.delay(next_events, seconds)

    def drop_deliveries(self, next_events: int) -> None:
        """Lose the next events' webhooks."""
        self._engine.courier.drop(next_events)

    def redeliver(self, event_id: str) -> None:
        """Send an event once more."""
        with self._engine.transaction() as sandbox:
            sandbox.find("event", event_id, "event_id", in_path=True)
        self._engine.courier.redeliver(event_id)

    def flush(self, timeout_seconds: float = 30.0) -> bool:
        """Wait until every webhook that is not held was delivered or given up."""
        return self._engine.courier.flush(timeout_seconds)

    def deliveries(self) -> dict[str, Any]:
        """All attempts so far, and what waits or is held."""
        courier = self._engine.courier
        return {
            "attempts": [asdict(attempt) | {"delivered": attempt.delivered} for attempt in courier.attempts()],
            "waiting": courier.waiting(),
            "held": courier.held(),
        }

    def events(self, event_type: str | None = None) -> list[StripeObject]:
        """Events in order of creation."""
        with self._engine.transaction() as sandbox:
            return [snapshot(event) for event in sandbox.store.of_kind("event").values() if event_type in (None, event["type"])]

    # endpoint

    def set_endpoint(
        self,
        url: str | None = None,
        secrets: Sequence[str] | None = None,
        signature_age_seconds: int | None = None,
    ) -> dict[str, Any]:
        """Change where webhooks go or how they are signed; what is ``None`` stays. Two secrets sign side by side."""
        changes: dict[str, object] = {}
        if url is not None:
            changes["url"] = url
        if secrets is not None:
            if not 1 <= len(secrets) <= 2:
                raise ControlError("give one secret, or two while one is rolled")
            changes["secrets"] = tuple(secrets)
        if signature_age_seconds is not None:
            changes["signature_age_seconds"] = signature_age_seconds
        return asdict(self._engine.set_endpoint(**changes))

    # faults

    def plan_fault(self, kind: str, next_requests: int = 1, method: str = "*", path: str = "*") -> None:
        """Let the next matching API requests meet a fault; kinds are in :class:`FaultKind`."""
        try:
            fault = Fault(FaultKind(kind), next_requests, method.upper(), path)
        except ValueError as error:
            raise ControlError(f"kind must be one of {', '.join(FaultKind)}") from error
        self._engine.faults.plan(fault)

    def faults(self) -> list[Mapping[str, Any]]:
        """The faults that no request has met yet."""
        return self._engine.faults.planned()

    def clear_faults(self) -> None:
        """Drop planned faults and let held requests go."""
        self._engine.faults.clear()

    def release_requests(self) -> None:
        """Let requests go that a ``hold_…`` fault keeps."""
        self._engine.faults.release_held()

    def wait_until_held(self, count: int = 1, timeout_seconds: float = 10.0) -> bool:
        """Wait until so many requests are held."""
        return self._engine.faults.wait_until_held(count, timeout_seconds)

    # the customer

    def pay_session(
        self,
        session_id: str,
        card: str = "pm_card_visa",
        *,
        email: str | None = "customer@example.com",
        name: str | None = "Test Customer",
    ) -> dict[str, Any]:
        """Submit a Checkout session with a test card or bank account (``pm_success_de``), as the customer would on its page.

        Answers the outcome (``declined``, or the status of the intent: ``succeeded``, ``requires_capture``,
        ``requires_action``, ``processing``), the session, its payment or setup intent and the decline's error.
        """
        with self._engine.transaction() as sandbox:
            error = None
            try:
                customer_actions.submit_session(sandbox, session_id, card, email=email, name=name)
            except ApiError as problem:
                if problem.status != 402:
                    raise
                error = problem.body("")["error"]
            session = sandbox.find("checkout.session", session_id, "session")
            intent = snapshot(checkout_sessions.intent_of(sandbox, session) or {})
            return {
                "outcome": "declined" if error else intent["status"],
                "session": snapshot(session),
                "payment_intent": intent if session["mode"] == "payment" else None,
                "setup_intent": intent if session["mode"] == "setup" else None,
                "error": error,
            }

    def authenticate(self, intent_id: str, *, succeeds: bool = True) -> StripeObject:
        """Pass or fail 3-D Secure of a payment or setup intent in ``requires_action``."""
        with self._engine.transaction() as sandbox:
            return snapshot(customer_actions.authenticate(sandbox, intent_id, succeeds=succeeds))

    def change_payment_method(
        self, method_id: str, *, behaves_as: str | None = None, decline_code: str | None = None
    ) -> StripeObject:
        """Change what charging a payment method does from now on, as when a saved card is lost.

        It behaves as another test card or bank account of its type, or a card is declined with a code.
        """
        with self._engine.transaction() as sandbox:
            method = sandbox.find("payment_method", method_id, "payment_method", in_path=True)
            if (behaves_as is None) == (decline_code is None):
                raise ControlError("give one of: behaves_as, decline_code")
            if behaves_as is not None:
                payment_methods.behave_as(sandbox, method, behaves_as)
            else:
                payment_methods.decline_with(sandbox, method, str(decline_code))
            return snapshot(method)

    def test_methods(self) -> list[dict[str, str]]:
        """The test cards and bank accounts that the double knows."""
        cards = [
            {"payment_method": f"pm_card_{card.name}", "type": "card", "number": card.number, "label": card.label}
            for card in test_cards.CARDS.values()
        ]
        accounts = [
            {"payment_method": token, "type": account.scheme.kind, "number": account.number, "label": account.label}
            for token, account in ACCOUNTS.items()
        ]
        return cards + accounts

    # the bank

    def open_dispute(
        self,
        charge_id: str,
        *,
        amount: int | None = None,
        reason: str = "fraudulent",
        inquiry: bool = False,
    ) -> StripeObject:
        """Let the customer dispute a charge, whole or in part; a bank debit's dispute is lost at once."""
        if reason not in disputes.REASONS:
            raise ControlError(f"reason must be one of {', '.join(disputes.REASONS)}")
        with self._engine.transaction() as sandbox:
            charge = sandbox.find("charge", charge_id, "charge", in_path=True)
            return snapshot(disputes.open_on(sandbox, charge, reason, amount=amount, inquiry=inquiry))

    def decide_dispute(self, dispute_id: str, outcome: str) -> StripeObject:
        """End an open dispute as ``won`` or ``lost``, an inquiry as ``warning_closed`` or ``escalated``."""
        with self._engine.transaction() as sandbox:
            dispute = sandbox.find("dispute", dispute_id, "dispute", in_path=True)
            try:
                disputes.decide(sandbox, dispute, disputes.Outcome(outcome))
            except ValueError as error:
                raise ControlError(f"outcome must be one of {', '.join(disputes.Outcome)}") from error
            return snapshot(dispute)

    def fail_refund(self, refund_id: str, reason: str = "unknown") -> StripeObject:
        """Let the bank send back a refund that is pending or had succeeded."""
        if reason not in refunds.FAILURE_REASONS:
            raise ControlError(f"reason must be one of {', '.join(refunds.FAILURE_REASONS)}")
        with self._engine.transaction() as sandbox:
            refund = sandbox.find("refund", refund_id, "refund", in_path=True)
            refunds.fail(sandbox, refund, reason)
            return snapshot(refund)

    # clock and state

    def now(self) -> int:
        """The double's time in Unix seconds."""
        return self._engine.clock.now()

    def set_clock(self, instant: int) -> int:
        """Stand still at an instant."""
        self._local_clock().freeze(instant)
        self._let_time_pass()
        return self.now()

    def advance_clock(self, seconds: int) -> int:
        """Move the clock on; what falls due happens before this returns."""
        if not 0 <= seconds <= _DAYS_AHEAD_MAX * 86_400:
            raise ControlError(f"advance by 0 to {_DAYS_AHEAD_MAX} days, in seconds")
        self._local_clock().move_by(seconds)
        self._let_time_pass()
        return self.now()

    def release_clock(self) -> int:
        """Follow the machine's clock again."""
        self._local_clock().release()
        self._let_time_pass()
        return self.now()

    def reset(self) -> None:
        """Forget all objects, events, keys, faults and deliveries; the endpoint stays."""
        self._engine.reset()

    def _local_clock(self) -> LocalClock:
        clock = self._engine.clock
        if not isinstance(clock, LocalClock):
            raise ControlError("the clock is another service's; move it there")
        return clock

    def _let_time_pass(self) -> None:
        with self._engine.transaction() as sandbox:
            sandbox.changes += 1  # the offset is part of the saved state
