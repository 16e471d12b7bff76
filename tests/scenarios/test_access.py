"""Who may do what: tokens and scopes at the API, signatures at the webhook."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local.stripe_double.signatures import signature_header
from tests.scenarios.template import Route, routes
from tests.scenarios.world import Api, Checkout, Customer, World, eventually

type ACustomer = Callable[..., Customer]

GUARDED = [route for route in routes() if route.scope]
OPEN = {str(route) for route in routes() if not route.scope}


def test_what_is_open_is_open_on_purpose() -> None:
    """V2, G2: health, the payment page with its signed link, and the webhook with its signature."""
    assert sorted(OPEN) == ["GET /health", "GET /pay/{token}", "POST /pay/{token}", "POST /webhooks/stripe"]


class TestTokens:
    @pytest.mark.parametrize("each", GUARDED, ids=str)
    def test_no_token_or_a_forged_one_opens_nothing(self, world: World, each: Route) -> None:
        head, payload, signature = world.token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        raised = _encoded(claims | {"scope": "remit/admin", "exp": int(time.time()) + 9_999})
        secret_of_nobody = hmac.new(b"secret", f"{_encoded({'alg': 'HS256'})}.{raised}".encode(), hashlib.sha256).digest()
        for token in (
            None,
            "nonsense",
            f"{head}.{payload}.{signature[::-1]}",
            f"{head}.{raised}.{signature}",
            f"{_encoded({'alg': 'none'})}.{raised}.",
            f"{_encoded({'alg': 'HS256'})}.{raised}.{base64.urlsafe_b64encode(secret_of_nobody).decode().rstrip('=')}",
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = world.anonymous.request(each.method, each.filled(), {}, headers=headers)
            assert answer.status == 401, f"{token}: {answer.text}"

    def test_an_expired_token_opens_nothing(self, world: World) -> None:
        """A client whose tokens live as short as tokens can; the test waits until the token says that it is over."""
        cognito, pool = world.stack.client("cognito-idp"), world.stack.outputs["UserPoolId"]
        reader = world.stack.outputs["ReaderClientId"]
        settings = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=reader)["UserPoolClient"]
        keep = {name: settings[name] for name in ("AllowedOAuthFlows", "AllowedOAuthScopes", "AllowedOAuthFlowsUserPoolClient")}
        units = {"AccessToken": "seconds"}
        cognito.update_user_pool_client(UserPoolId=pool, ClientId=reader, AccessTokenValidity=2, TokenValidityUnits=units, **keep)
        try:
            token = world.stack.access_token(client="ReaderClientId")
        finally:
            cognito.update_user_pool_client(
                UserPoolId=pool, ClientId=reader, AccessTokenValidity=60, TokenValidityUnits={"AccessToken": "minutes"}, **keep
            )
        lives_until = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["exp"]
        assert lives_until - time.time() < 10, "the token is short-lived"
        short_lived = Api(world.stack.api_url, token)
        eventually(lambda: time.time() > lives_until, "the token's end")
        assert short_lived.request("GET", "/firm").status == 401

    def test_a_stranger_gets_no_token(self, world: World) -> None:
        client = world.stack.outputs["OperatorClientId"]
        for secret in ("wrong", ""):
            form = {"grant_type": "client_credentials"}
            answer = httpx.post(world.stack.outputs["TokenUrl"], data=form, auth=(client, secret), timeout=30)
            assert answer.status_code in (400, 401)


class TestScopes:
    @pytest.mark.parametrize("each", [route for route in GUARDED if route.scope and not route.scope.endswith(".read")], ids=str)
    def test_a_reader_writes_nothing(self, world: World, each: Route) -> None:
        key = uuid4().hex
        answer = world.reader.request(each.method, each.filled(), {}, key=key)
        assert answer.status == 403, answer.text
        assert not world.key_was_used(key)

    def test_a_reader_reads(self, world: World, a_customer: ACustomer) -> None:
        customer = a_customer()
        invoice = customer.is_invoiced()
        for path in ("/firm", "/accounts", customer.path, f"{customer.path}/overview", invoice.path, f"{customer.path}/payments"):
            assert world.reader.request("GET", path).status == 200

    @pytest.mark.parametrize("each", GUARDED, ids=str)
    def test_every_route_asks_for_its_own_scope(self, world: World, each: Route, one_scope: dict[str, Api]) -> None:
        """With every other scope but its own it stays shut."""
        assert each.scope in one_scope, "the operator's client may have every scope"
        others = [scope for scope in one_scope if scope != each.scope]
        all_others = Api(world.stack.api_url, world.stack.access_token(scope=" ".join(others)))
        assert all_others.request(each.method, each.filled(), {}).status == 403
        assert one_scope[each.scope].request(each.method, each.filled(), {"never": "valid"}).status not in (401, 403)

    @pytest.fixture(scope="class")
    def one_scope(self, world: World) -> dict[str, Api]:
        scopes = {route.scope for route in GUARDED if route.scope}
        return {scope: Api(world.stack.api_url, world.stack.access_token(scope=scope)) for scope in scopes}


def _encoded(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


class TestTheWebhook:
    """G2: verified on its raw bytes before anything else; a forged or stale one changes nothing."""

    checkout: Checkout

    @pytest.fixture
    def event(self, world: World, a_customer: ACustomer) -> dict[str, Any]:
        """A true event of success that has not come yet."""
        world.the_gateway.holds_deliveries()
        self.checkout = a_customer().is_invoiced().start_checkout()
        self.checkout.pays_with()
        events = world.the_gateway.events_of(self.checkout.payment_id)
        return next(event for event in events if event["type"] == "payment_intent.succeeded")

    def test_forged_stale_and_unsigned_events_change_nothing(self, world: World, event: dict[str, Any]) -> None:
        customer = self.checkout.invoice.customer
        before = world.rows_of(customer)
        signed_now = f"t={int(time.time())},v1={'0' * 64}"
        refused = [
            world.posts_webhook(event, secret="whsec_of_somebody_else"),
            world.posts_webhook(event, age_s=301),
            world.posts_webhook(event, age_s=86_400),
            world.posts_webhook(event, headers={}),
            world.posts_webhook(event, headers={"Stripe-Signature": ""}),
            world.posts_webhook(event, headers={"Stripe-Signature": "nonsense"}),
            world.posts_webhook(event, headers={"Stripe-Signature": signed_now}),
        ]
        assert {(answer.status, answer.code) for answer in refused} == {(400, "bad_signature")}
        assert world.rows_of(customer) == before
        assert self.checkout.payment.status == "pending"

    def test_one_byte_more_breaks_the_signature(self, world: World, event: dict[str, Any]) -> None:
        """The raw bytes are signed, not what they mean."""
        payload = json.dumps(event).encode()
        header = signature_header(payload, [world.keys.webhook_secret], int(time.time()))
        answer = world.posts_webhook(payload + b" ", headers={"Stripe-Signature": header})
        assert (answer.status, answer.code) == (400, "bad_signature")
        assert world.posts_webhook(payload, headers={"Stripe-Signature": header}).json == {"status": "accepted"}
        self.checkout.invoice.becomes_paid()

    @pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b'{"type": 1}', b"[" * 100_000])
    def test_what_is_signed_but_cannot_be_read_is_refused(self, world: World, payload: bytes) -> None:
        answer = world.posts_webhook(payload)
        assert answer.status in (200, 400), answer.text
        if answer.status == 200:
            assert answer.json == {"status": "ignored"}
        else:
            assert answer.code in ("unreadable_event", "bad_signature")

    def test_an_event_of_ours_that_lacks_something_is_refused(self, world: World, event: dict[str, Any]) -> None:
        del event["data"]["object"]["currency"]
        answer = world.posts_webhook(event | {"id": f"evt_{uuid4().hex}"})
        assert (answer.status, answer.code) == (400, "unreadable_event")

    def test_an_enormous_event_is_refused(self, world: World) -> None:
        answer = world.posts_webhook({"id": "evt_big", "type": "x", "filler": "x" * 260_000})
        assert (answer.status, answer.code) == (413, "event_too_large")

    def test_events_that_are_none_of_ours_are_ignored(self, world: World) -> None:
        for event in (
            {"id": "evt_1", "type": "customer.created", "data": {"object": {}}},
            {"id": "evt_2", "type": "payment_intent.succeeded", "data": {"object": {"metadata": {}}}},
            {"id": "evt_3"},
        ):
            answer = world.posts_webhook(event)
            assert (answer.status, answer.json) == (200, {"status": "ignored"})

    def test_while_a_secret_is_rotated_both_are_good(self, world: World, event: dict[str, Any]) -> None:
        """G2: the new one at once in new starts; the old one until it is taken out."""
        client, arn = world.stack.client("secretsmanager"), world.stack.outputs["GatewaySecretArn"]
        usual = client.get_secret_value(SecretId=arn)["SecretString"]
        old, new = world.keys.webhook_secret, f"whsec_{uuid4().hex}"
        rotated = json.loads(usual) | {"webhook_secret": new, "webhook_secret_previous": old}
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(rotated))
        world.firm.forgets_its_settings_in("PaymentWebhooksFunction")
        try:
            assert world.posts_webhook(event | {"type": "charge.refunded"}, secret=new).json == {"status": "ignored"}
            assert world.posts_webhook(event, secret=old).json == {"status": "accepted"}
            only_new = {name: value for name, value in rotated.items() if name != "webhook_secret_previous"}
            client.put_secret_value(SecretId=arn, SecretString=json.dumps(only_new))
            world.firm.forgets_its_settings_in("PaymentWebhooksFunction")
            assert world.posts_webhook(event, secret=old).code == "bad_signature"
        finally:
            client.put_secret_value(SecretId=arn, SecretString=usual)
            world.firm.forgets_its_settings_in("PaymentWebhooksFunction")
        self.checkout.invoice.becomes_paid()
