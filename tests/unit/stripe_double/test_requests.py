"""What every operation has in common: keys, versions, parameters, errors, lists, expansion."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stripe._encode import _api_encode

from local.stripe_double.api import OPERATIONS
from local.stripe_double.errors import ApiError
from local.stripe_double.form import parse_form
from local.stripe_double.operations import Operation
from local.stripe_double.server import Double
from tests.unit.stripe_double.specification import JudgingClient, component, form_value, problems


def send(double: Double, path: str, body: str | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
    """A request past the SDK. The answer is an error of Stripe's shape, or the object."""
    given_headers = {"Authorization": "Bearer sk_test_1", "Content-Type": "application/x-www-form-urlencoded"}
    given_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = body.encode() if body is not None else None
    request = urllib.request.Request(double.url + path, data, given_headers)  # noqa: S310 (http to the double)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        refusal = json.loads(error.read())
        assert problems(refusal, component("error")) is None
        return error.code, refusal["error"]


def test_a_test_key_is_needed_and_a_live_key_is_not_repeated(double: Double) -> None:
    assert send(double, "/v1/customers", Authorization="")[0] == 401
    assert send(double, "/v1/customers", Authorization="Basic %%%")[0] == 401
    status, error = send(double, "/v1/customers", Authorization="Bearer sk_live_do_not_show_me")
    assert status == 401
    assert "do_not_show_me" not in error["message"]
    assert send(double, "/v1/customers", Authorization="Basic c2tfdGVzdF8xOg==")[0] == 200


def test_another_api_version_is_refused(double: Double) -> None:
    status, error = send(double, "/v1/customers", Stripe_Version="2020-08-27")
    assert (status, error["message"][:28]) == (400, "Invalid Stripe API version: ")


def test_answers_carry_request_id_and_version(client: stripe.StripeClient, http_client: JudgingClient) -> None:
    client.v1.customers.create({}, {"idempotency_key": "k"})
    headers = http_client.last_headers
    assert headers["Request-Id"].startswith("req_")
    assert headers["Stripe-Version"] == "2026-05-27.dahlia"
    assert headers["Idempotency-Key"] == "k"


@pytest.mark.parametrize("path", ["/v1/unknown", "/v1/customers/cus_1/unknown", "/v1/"])
def test_unknown_urls_are_404(double: Double, path: str) -> None:
    status, error = send(double, path)
    assert status == 404
    assert error["message"].startswith(f"Unrecognized request URL (GET: {path})")


def test_json_bodies_are_refused(double: Double) -> None:
    status, error = send(double, "/v1/customers", "{}", Content_Type="application/json")
    assert status == 400
    assert "content type" in error["message"]


def test_missing_objects_are_404_in_the_path_and_400_as_parameter(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.retrieve("pi_none")
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (404, "resource_missing", "intent")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.create({"amount": 500, "currency": "eur", "customer": "cus_none"})
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, "resource_missing", "customer")


def test_a_deleted_customer_is_shown_as_deleted_and_cannot_be_used(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({})
    client.v1.customers.delete(customer.id)
    assert client.v1.customers.retrieve(customer.id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.payment_intents.create({"amount": 500, "currency": "eur", "customer": customer.id})
    assert client.v1.customers.list().data == []


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("amount=500", "parameter_missing", "currency"),
        ("amount=500&currency=eur&colour=red", "parameter_unknown", "colour"),
        ("amount=500&currency=eur&automatic_payment_methods[on]=1", "parameter_unknown", "automatic_payment_methods[on]"),
        ("amount=&currency=eur", "parameter_invalid_empty", "amount"),
        ("amount=500&currency=eur&confirm=yes", None, "confirm"),
        ("amount=500&currency=eur&metadata[a][b]=c", None, "metadata[a]"),
        ("amount=500&currency=eur&metadata=x", None, "metadata"),
        ("amount=500&currency=eur&capture_method=never", None, "capture_method"),
        ("amount=500&currency=eur&payment_method_types=card", None, "payment_method_types"),
        ("amount[x]=500&currency=eur", None, "amount"),
        ("amount=500&currency=eur&a]b=1", None, "a]b"),
        ("amount=500&amount[x]=1&currency=eur", None, "amount[x]"),
        ("amount=500&currency=eur&description=" + "x" * 1001, None, "description"),
    ],
)
def test_parameters_are_checked_as_stripe_does(double: Double, body: str, code: str | None, param: str) -> None:
    status, error = send(double, "/v1/payment_intents", body)
    assert status == 400
    assert (error["type"], error.get("code"), error["param"]) == ("invalid_request_error", code, param)


def test_metadata_is_merged_unset_and_bounded(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    customer = client.v1.customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert customer.metadata.to_dict() == {"b": "2", "c": "3"}
    assert client.v1.customers.update(customer.id, {"metadata": ""}).metadata.to_dict() == {}
    too_much = [{f"k{number}": "v" for number in range(51)}, {"k" * 41: "v"}, {"k": "v" * 501}]
    for metadata in too_much:
        with pytest.raises(stripe.InvalidRequestError, match=r"[Mm]etadata"):
            client.v1.customers.create({"metadata": metadata})


def test_lists_are_paged_in_both_directions(client: stripe.StripeClient) -> None:
    ids = [client.v1.customers.create({"name": f"C{number}"}).id for number in range(5)][::-1]
    first = client.v1.customers.list({"limit": 2})
    assert ([item.id for item in first.data], first.has_more) == (ids[:2], True)
    last = client.v1.customers.list({"limit": 3, "starting_after": ids[1]})
    assert ([item.id for item in last.data], last.has_more) == (ids[2:], False)
    back = client.v1.customers.list({"limit": 2, "ending_before": ids[3]})
    assert ([item.id for item in back.data], back.has_more) == (ids[1:3], True)
    assert [item.id for item in client.v1.customers.list({"limit": 1}).auto_paging_iter()] == ids
    for refused in ({"limit": 0}, {"limit": 101}, {"starting_after": "cus_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.customers.list(refused)


def test_lists_are_filtered_by_creation_time(client: stripe.StripeClient, double: Double) -> None:
    start = double.control.set_clock(1_800_000_000)
    for _ in range(3):
        client.v1.customers.create({})
        double.control.advance_clock(10)
    assert len(client.v1.customers.list({"created": start + 10}).data) == 1
    assert len(client.v1.customers.list({"created": {"gt": start, "lte": start + 20}}).data) == 2


def test_only_references_can_be_expanded(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.customers.create({"expand": ["name"]})
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        client.v1.charges.list({"expand": ["data.payment_intent.latest_charge.payment_intent.latest_charge.customer"]})


_LETTERS = "ab_ .&=+%;é漢"
_WORDS = st.text(_LETTERS, min_size=1, max_size=8)
_VALUES = st.recursive(
    st.text(_LETTERS, max_size=8),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_WORDS, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(params=st.dictionaries(_WORDS, _VALUES, max_size=4))
def test_forms_of_the_sdk_are_read_back(params: dict[str, Any]) -> None:
    def indexed(value: Any) -> Any:
        if isinstance(value, list):
            return {str(place): indexed(item) for place, item in enumerate(value)}
        if isinstance(value, dict):
            return {name: indexed(item) for name, item in value.items()}
        return value

    encoded = urlencode(list(_api_encode(params)))
    assert parse_form(encoded) == form_value(encoded) == indexed(params)


@given(body=st.text(_LETTERS + "[]01", max_size=60))
def test_no_body_breaks_the_parser(body: str) -> None:
    with contextlib.suppress(ApiError):  # a refusal is fine, a crash is not
        parse_form(body)


_PIECES = [
    *("amount=500", "amount=-1", "amount=", "currency=eur", "currency=", "confirm=true", "customer=cus_none"),
    *("payment_method=pm_card_visa", "payment_method=pm_none", "metadata[a]=b", "metadata=", "expand[]=customer"),
    *("mode=payment", "success_url=https://firm.example", "line_items[0][quantity]=2", "line_items[0]=x", "line_items="),
    *("line_items[0][price_data][currency]=eur", "line_items[0][price_data][unit_amount]=500", "expires_at=9"),
    *("line_items[0][price_data][product_data][name]=Tea", "charge=ch_none", "payment_intent=pi_none", "type=card"),
    *("card[number]=4242424242424242", "card[exp_month]=13", "card[token]=tok_visa", "card[token]=tok_none", "%00=%ff"),
    *("automatic_payment_methods[enabled]=false", "return_url=x", "off_session=one_off", "setup_future_usage=off_session"),
]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operation=st.sampled_from([operation for operation in OPERATIONS if operation.method == "POST"]),
    body=st.lists(st.sampled_from(_PIECES), max_size=6).map("&".join),
)
def test_no_request_breaks_an_operation(double: Double, operation: Operation, body: str) -> None:
    status, _ = send(double, re.sub(r"\{\w+\}", "none", operation.path), body)
    assert status < 500
