"""Events: what happened, listed for 30 days by Stripe (https://docs.stripe.com/api/events)."""

from __future__ import annotations

from local.stripe_double.lists import page
from local.stripe_double.operations import Call, Operation
from local.stripe_double.parameters import Boolean, ListOf, Text, list_fields, object_fields
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.store import StripeObject


def retrieve(sandbox: Sandbox, call: Call) -> StripeObject:
    return sandbox.find("event", call.path["id"], "id", in_path=True)


def list_all(sandbox: Sandbox, call: Call) -> StripeObject:
    """Newest first; ``type`` may end in ``*`` (``charge.*``)."""
    wanted = call.get("types") or ([call.get("type")] if "type" in call.params else [])
    delivered = call.get("delivery_success")
    events = [
        event
        for event in sandbox.store.newest_first("event")
        if (not wanted or any(_matches(event["type"], pattern) for pattern in wanted))
        and (delivered is None or delivered == (event["pending_webhooks"] == 0))
    ]
    return page(events, call.params, "/v1/events")


def _matches(event_type: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return event_type.startswith(pattern[:-1])
    return event_type == pattern


OPERATIONS = (
    Operation(
        "GET",
        "/v1/events",
        list_fields(type=Text(), types=ListOf(Text(), length_max=20), delivery_success=Boolean()),
        list_all,
    ),
    Operation("GET", "/v1/events/{id}", object_fields(), retrieve),
)
