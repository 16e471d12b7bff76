"""Control calls over HTTP: JSON under ``/_control``. The table at the end lists them all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from local.stripe_double.clock import parse_instant
from local.stripe_double.controls import ControlError, Controls
from local.stripe_double.errors import ApiError

type Body = dict[str, Any]
type Route = Callable[[Controls, Body, str], Any]


def serve(controls: Controls, method: str, path: str, body: str) -> tuple[int, Any]:
    """Status and JSON answer of a control call."""
    try:
        for route_method, pattern, route in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == route_method:
                target = match[1] if match.re.groups else ""
                return 200, route(controls, _json_object(body), target)
    except ControlError as error:
        return 400, {"error": str(error)}
    except ApiError as error:
        return error.status, {"error": error.message}
    return 404, {"error": f"no control call {method} {path}", "calls": calls()}


def calls() -> list[str]:
    """All control calls, for the help text."""
    return [f"{method} {pattern.replace('([^/]+)', '{id}')}" for method, pattern, _ in _ROUTES]


def _json_object(body: str) -> Body:
    try:
        value = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise ControlError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ControlError("the body must be a JSON object")
    return value


def _take(body: Body, types: Mapping[str, type | tuple[type, ...]]) -> Body:
    """The body with only known members of the right type; a typo is told, not ignored."""
    for name, value in body.items():
        if name not in types:
            raise ControlError(f"unknown member '{name}'; known: {', '.join(types) or 'none'}")
        if not isinstance(value, types[name]):
            raise ControlError(f"'{name}' is not of the right type")
    return body


def _count(body: Body) -> int:
    count = body.get("next", 1)
    if not isinstance(count, int) or count < 0:
        raise ControlError("'next' must be a number of events or requests")
    return count


def _do(action: Callable[..., None], *arguments: Any) -> dict[str, bool]:
    action(*arguments)
    return {"ok": True}


def _plain(action: Callable[[Controls], Any]) -> Route:
    """A call that takes nothing."""

    def route(controls: Controls, body: Body, _: str) -> Any:
        _take(body, {})
        return action(controls)

    return route


def _drop(controls: Controls, body: Body, _: str) -> Any:
    return _do(controls.drop_deliveries, _count(_take(body, {"next": int})))


def _release(controls: Controls, body: Body, _: str) -> Any:
    given = _take(body, {"order": str, "seed": int, "event_ids": list, "keep_holding": bool})
    return {"released": controls.release_deliveries(**given)}


def _duplicate(controls: Controls, body: Body, _: str) -> Any:
    given = _take(body, {"next": int, "copies": int})
    return _do(controls.duplicate_deliveries, _count(given), given.get("copies", 1))


def _delay(controls: Controls, body: Body, _: str) -> Any:
    given = _take(body, {"next": int, "seconds": (int, float)})
    return _do(controls.delay_deliveries, _count(given), float(given.get("seconds", 1.0)))


def _redeliver(controls: Controls, body: Body, _: str) -> Any:
    given = _take(body, {"event_id": str})
    if "event_id" not in given:
        raise ControlError("'event_id' is missing")
    return _do(controls.redeliver, given["event_id"])


def _flush(controls: Controls, body: Body, _: str) -> Any:
    given = _take(body, {"timeout_seconds": (int, float)})
    return {"empty": controls.flush(float(given.get("timeout_seconds", 30.0)))}


def _endpoint(controls: Controls, body: Body, _: str) -> Any:
    known = {"url": str, "secrets": list, "signature_age_seconds": int}
    return controls.set_endpoint(**_take(body, known))


def _fault(controls: Controls, body: Body, _: str) -> Any:
    given = _take(body, {"kind": str, "next": int, "method": str, "path": str})
    controls.plan_fault(given.get("kind", ""), _count(given), given.get("method", "*"), given.get("path", "*"))
    return {"planned": controls.faults()}


def _pay(controls: Controls, body: Body, session_id: str) -> Any:
    return controls.pay_session(session_id, **_take(body, {"card": str, "email": str, "name": str}))


def _authenticate(controls: Controls, body: Body, intent_id: str) -> Any:
    return controls.authenticate(intent_id, **_take(body, {"succeeds": bool}))


def _change_method(controls: Controls, body: Body, method_id: str) -> Any:
    return controls.change_payment_method(method_id, **_take(body, {"behaves_as": str, "decline_code": str}))


def _dispute(controls: Controls, body: Body, charge_id: str) -> Any:
    return controls.open_dispute(charge_id, **_take(body, {"amount": int, "reason": str, "inquiry": bool}))


def _decide(controls: Controls, body: Body, dispute_id: str) -> Any:
    return controls.decide_dispute(dispute_id, _take(body, {"outcome": str}).get("outcome", ""))


def _fail_refund(controls: Controls, body: Body, refund_id: str) -> Any:
    return controls.fail_refund(refund_id, **_take(body, {"reason": str}))


def _clock(controls: Controls, body: Body, _: str) -> Any:
    given = _take(body, {"now": (int, str), "advance_seconds": int, "real": bool})
    if len(given) != 1:
        raise ControlError("give one of: now, advance_seconds, real")
    if "advance_seconds" in given:
        return {"now": controls.advance_clock(given["advance_seconds"])}
    if "now" in given:
        try:
            return {"now": controls.set_clock(parse_instant(json.dumps(given["now"])))}
        except ValueError as error:
            raise ControlError(str(error)) from error
    return {"now": controls.release_clock()}


_ROUTES: tuple[tuple[str, str, Route], ...] = (
    ("GET", "/_control", _plain(lambda _: {"calls": calls()})),
    ("POST", "/_control/reset", _plain(lambda controls: _do(controls.reset))),
    ("POST", "/_control/endpoint", _endpoint),
    ("GET", "/_control/events", _plain(lambda controls: {"events": controls.events()})),
    ("GET", "/_control/deliveries", _plain(lambda controls: controls.deliveries())),
    ("POST", "/_control/deliveries/hold", _plain(lambda controls: _do(controls.hold_deliveries))),
    ("POST", "/_control/deliveries/release", _release),
    ("POST", "/_control/deliveries/duplicate", _duplicate),
    ("POST", "/_control/deliveries/delay", _delay),
    ("POST", "/_control/deliveries/drop", _drop),
    ("POST", "/_control/deliveries/redeliver", _redeliver),
    ("POST", "/_control/deliveries/flush", _flush),
    ("GET", "/_control/faults", _plain(lambda controls: {"planned": controls.faults()})),
    ("POST", "/_control/faults", _fault),
    ("POST", "/_control/faults/clear", _plain(lambda controls: _do(controls.clear_faults))),
    ("POST", "/_control/faults/release", _plain(lambda controls: _do(controls.release_requests))),
    ("POST", "/_control/checkout/sessions/([^/]+)/pay", _pay),
    ("POST", "/_control/payment_intents/([^/]+)/authenticate", _authenticate),
    ("POST", "/_control/setup_intents/([^/]+)/authenticate", _authenticate),
    ("POST", "/_control/payment_methods/([^/]+)", _change_method),
    ("POST", "/_control/charges/([^/]+)/dispute", _dispute),
    ("POST", "/_control/disputes/([^/]+)/decide", _decide),
    ("POST", "/_control/refunds/([^/]+)/fail", _fail_refund),
    ("GET", "/_control/test_methods", _plain(lambda controls: {"test_methods": controls.test_methods()})),
    ("GET", "/_control/clock", _plain(lambda controls: {"now": controls.now()})),
    ("POST", "/_control/clock", _clock),
)  # fmt: skip
