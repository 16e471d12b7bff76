"""The deployed stack as its users see it, in their words: the firm, its customers, the gateway, the mailbox, the clock.

Everything goes through the stack's own doors (HTTP, mail, webhooks, state machines); what a test looks at behind
them, such as the table or a queue, is named so. One `World` serves a whole test session: no test relies on what
another left behind, and the clock only moves forward.
"""

import html
import itertools
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import cached_property
from itertools import batched
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx

from local import gateway as gateway_process
from local.invoke import load_event
from local.stack import HOST, Stack, free_port, running_stack
from local.stripe_double.signatures import signature_header
from remit.adapters.payment_links import PaymentLinks

PATIENCE_S = 30.0
LOOK_AGAIN_S = 0.1
NOT_ENCRYPTED = ssl.create_default_context()
"""All talk stays on this machine, unencrypted; without this each client would load all certificates anew."""
FASTER_WAITS = 0.1
"""State machines wait a tenth of what they say: retries stay in order, and tests stay short."""


def eventually[T](look: Callable[[], T], what: str = "it", patience_s: float = PATIENCE_S) -> T:
    """What `look` sees as soon as it is something; fails after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what} did not happen within {patience_s:.0f} s"
        time.sleep(LOOK_AGAIN_S)
    return seen


def at_once[T](*actions: Callable[[], T]) -> list[T]:
    """Do all of these at the same time; their results, in order."""
    with ThreadPoolExecutor(len(actions)) as pool:
        return [doing.result() for doing in [pool.submit(action) for action in actions]]


# ---- HTTP -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The stable code of a problem; fails unless the answer is a well-formed problem (RFC 9457)."""
        assert self.headers["content-type"] == "application/problem+json", self.text
        problem = self.json
        assert problem["status"] == self.status
        assert problem["type"] == f"urn:remit:problem:{problem['code']}"
        assert {"title", "detail", "correlation_id"} <= problem.keys()
        return str(problem["code"])

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"


class Api:
    """The API as one client of it sees it."""

    def __init__(self, base_url: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=base_url, headers=headers, timeout=60, verify=NOT_ENCRYPTED)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        content: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask anything and see the answer. `key` is the Idempotency-Key of a POST: a new one, the one given, or none."""
        sent = dict(headers or {})
        if method == "POST" and key is not None:
            sent.setdefault("Idempotency-Key", key or uuid4().hex)
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
            answer = self.http.request(method, path, content=content, headers=sent)
        else:
            answer = self.http.request(method, path, json=body, headers=sent)
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.text)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.request("GET", path + (f"?{httpx.QueryParams(query)}" if query else ""))
        assert answer.status == 200, answer.text
        return answer.json

    def post(self, path: str, body: Any = None, *, expect: int = 201, key: str = "") -> Any:
        answer = self.request("POST", path, body, key=key)
        assert answer.status == expect, answer.text
        return answer.json

    def put(self, path: str, body: Any) -> Any:
        answer = self.request("PUT", path, body)
        assert answer.status == 200, answer.text
        return answer.json

    def delete(self, path: str) -> Any:
        answer = self.request("DELETE", path)
        assert answer.status == 200, answer.text
        return answer.json

    def patch(self, path: str, body: Any) -> Any:
        answer = self.request("PATCH", path, body)
        assert answer.status == 200, answer.text
        return answer.json


# ---- Time -----------------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """The one clock of the stack (O3), in the firm's time zone. The gateway's goes with it, as it does in life."""

    world: "World"
    zone: ClassVar = ZoneInfo("Europe/Amsterdam")

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.world.api.get("/clock")["now"])

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def moves_to(self, moment: date | datetime | str) -> None:
        """Move to nine in the morning of a date, or to an instant."""
        if isinstance(moment, str):
            moment = date.fromisoformat(moment)
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time_of_day(9), self.zone)
        self.world.api.put("/clock", {"now": moment.isoformat()})
        behind_s = moment.timestamp() - self.world.the_gateway.control("clock", method="GET")["now"]
        self.world.the_gateway.control("clock", {"advance_seconds": max(0, round(behind_s))})

    def moves_by(self, days: int) -> None:
        self.moves_to(self.today + timedelta(days=days))


# ---- The firm -------------------------------------------------------------------------------------------------------

SAMPLE_FIRM: dict[str, Any] = json.loads(load_event("firm", "set")["body"])
PROFILE: dict[str, Any] = SAMPLE_FIRM | {"switches": dict.fromkeys(SAMPLE_FIRM["switches"], False)}
"""The firm of the sample events, with its automations as they are by default: off (D1)."""


@dataclass
class Firm:
    """The firm's settings, as its operator sets them."""

    world: "World"
    _profile: dict[str, Any] = field(default_factory=dict)

    def is_set_up(self, **changes: Any) -> None:
        """The usual profile with these changes; what the firm has already is not sent again."""
        profile = PROFILE | changes
        if profile != self._profile:
            self.world.api.put("/firm", profile)
            self._profile = profile

    def may_have_been_changed(self) -> None:
        """Somebody else has set the profile: it is sent again when it is next asked for."""
        self._profile = {}

    def switches_on(self, *switches: str) -> None:
        self.is_set_up(**self._profile | {"switches": dict.fromkeys(switches, True)})

    def forgets_its_settings_in(self, *functions: str) -> None:
        """New starts of these functions: a warm one may use the firm's settings for a minute after they changed."""
        client = self.world.stack.client("lambda")
        for function in functions:
            name = self.world.stack.physical_id(function)
            same = client.get_function_configuration(FunctionName=name)["Timeout"]
            client.update_function_configuration(FunctionName=name, Timeout=same)


# ---- Customers and what they owe ------------------------------------------------------------------------------------


def line(description: str, price_minor: int, tax_code: str = "VAT21", **more: Any) -> dict[str, Any]:
    """A line of an order."""
    return {"description": description, "unit_price_minor": price_minor, "tax_code": tax_code, **more}


A_LAMP = line("Desk lamp", 10_000, category="goods")
"""EUR 121.00 with its tax."""

_NAMES = itertools.count(1)


@dataclass
class Customer:
    """A customer's account, and what its people do."""

    world: "World"
    account: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.account["id"])

    @property
    def email(self) -> str:
        return str(self.account["email"])

    @property
    def path(self) -> str:
        return f"/accounts/{self.id}"

    def ask_for_a_quote(self, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
        quote: dict[str, Any] = self.world.api.post(f"{self.path}/quotes", {"lines": list(lines)} | more, expect=200)
        return quote

    def orders(self, *lines: dict[str, Any], term: str = "net30", **more: Any) -> "Order":
        body = {"lines": list(lines) or [A_LAMP], "term_id": term} | more
        return Order(self, self.world.api.post(f"{self.path}/orders", body))

    def is_invoiced(self, *lines: dict[str, Any], term: str = "net30", **more: Any) -> "Invoice":
        """Orders, and gets the invoice."""
        return self.orders(*lines, term=term, **more).issue_invoice()

    def pays_by_bank(
        self,
        amount_minor: int,
        allocations: Mapping["Invoice", int] | str | None = None,
        currency: str = "EUR",
        value_date: date | None = None,
        key: str = "",
    ) -> "Payment":
        body = self.bank_transfer(amount_minor, allocations, currency, value_date)
        return Payment(self, self.world.api.post(f"{self.path}/payments", body, key=key))

    def bank_transfer(
        self,
        amount_minor: int,
        allocations: Mapping["Invoice", int] | str | None = None,
        currency: str = "EUR",
        value_date: date | None = None,
    ) -> dict[str, Any]:
        """What the bookkeeper writes down."""
        chosen: Any = allocations
        if not isinstance(allocations, str):
            chosen = [{"invoice_id": invoice.id, "amount_minor": amount} for invoice, amount in (allocations or {}).items()]
        return {
            "amount_minor": amount_minor,
            "currency": currency,
            "method": "bank_transfer",
            "value_date": (value_date or self.world.clock.today).isoformat(),
            "allocations": chosen,
        }

    def gets_goodwill(self, amount_minor: int, tax_option: str = "waived", tax_code: str | None = None) -> dict[str, Any]:
        body = {"amount_minor": amount_minor, "currency": "EUR", "tax_option": tax_option, "reason": "Late delivery"}
        credit: dict[str, Any] = self.world.api.post(f"{self.path}/credits", body | ({"tax_code": tax_code} if tax_code else {}))
        return credit

    def changes(self, **fields: Any) -> None:
        self.account = self.world.api.patch(self.path, fields)

    @property
    def balances(self) -> dict[str, dict[str, Any]]:
        found = self.world.api.get(f"{self.path}/balances")["balances"]
        return {balance["currency"]: balance for balance in found}

    def balance(self, figure: str = "balance", currency: str = "EUR") -> int:
        found = self.balances.get(currency)
        return int(found[f"{figure}_minor"]) if found else 0

    def entries(self, currency: str = "EUR") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.world.api.get(f"{self.path}/entries", currency=currency, limit=100)["entries"]
        return found

    def explanation(self, figure: str = "balance", currency: str = "EUR", as_of: date | None = None) -> dict[str, Any]:
        query: dict[str, Any] = {"figure": figure} | ({"as_of": as_of.isoformat()} if as_of else {})
        found: dict[str, Any] = self.world.api.get(f"{self.path}/balances/{currency}/explanation", **query)
        return found

    @property
    def payments(self) -> list["Payment"]:
        return [Payment(self, found) for found in self.world.api.get(f"{self.path}/payments")["payments"]]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What the firm sent, as its books say, newest first."""
        found: list[dict[str, Any]] = self.world.api.get(f"{self.path}/messages", limit=100)["messages"]
        return found

    def proves(self) -> None:
        """Replaying the entries explains everything, and every entry is balanced and says who did it (L1, L3, L6)."""
        proof = self.world.api.get(f"{self.path}/replay")
        assert proof["differences"] == []
        for currency in self.balances:
            for entry in self.entries(currency):
                sides = {"debit": 0, "credit": 0}
                for posting in entry["postings"]:
                    assert posting["amount_minor"] > 0
                    sides[posting["side"]] += posting["amount_minor"]
                assert sides["debit"] == sides["credit"], entry
                assert entry["actor"]["id"], entry
                assert entry["actor"]["channel"], entry
                assert entry["documents"], entry


@dataclass
class Order:
    customer: Customer
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    def ask_for_invoice(self, key: str = "") -> Answer:
        api = self.customer.world.api
        return api.request("POST", f"{self.customer.path}/invoices", {"order_id": self.id}, key=key)

    def issue_invoice(self) -> "Invoice":
        answer = self.ask_for_invoice()
        assert answer.status == 201, answer.text
        return Invoice(self.customer, answer.json)


@dataclass
class Invoice:
    customer: Customer
    facts: dict[str, Any]

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Invoice) and other.id == self.id

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @property
    def number(self) -> str:
        return str(self.facts["number"])

    @property
    def total_minor(self) -> int:
        return int(self.facts["totals"]["gross_minor"])

    @property
    def due_date(self) -> date:
        return date.fromisoformat(self.facts["parts"][0]["due_date"])

    @property
    def path(self) -> str:
        return f"{self.customer.path}/invoices/{self.id}"

    @property
    def entry_id(self) -> str:
        return str(self.facts["entries"][0])

    def now(self) -> dict[str, Any]:
        """The invoice as the API shows it at this moment."""
        found: dict[str, Any] = self.customer.world.api.get(self.path)
        return found

    @property
    def status(self) -> str:
        return str(self.now()["status"])

    @property
    def open_minor(self) -> int:
        return int(self.now()["open_minor"])

    def start_checkout(self) -> "Checkout":
        found = self.customer.world.api.post(f"{self.path}/checkout", {})
        return Checkout(self, str(found["payment_id"]), str(found["checkout_url"]))

    def ask_for_checkout(self, key: str = "") -> Answer:
        return self.customer.world.api.request("POST", f"{self.path}/checkout", {}, key=key)

    def pays_by_card(self, card: str = "pm_card_visa") -> "Checkout":
        """The customer goes to the gateway's page and pays; what the gateway tells us of it comes later."""
        checkout = self.start_checkout()
        checkout.pays_with(card)
        return checkout

    def becomes_paid(self) -> dict[str, Any]:
        return eventually(lambda: (found := self.now())["status"] == "paid" and found, f"{self.number} being paid")


@dataclass
class Checkout:
    """The gateway's page for one attempt to pay."""

    invoice: Invoice
    payment_id: str
    url: str

    @property
    def session_id(self) -> str:
        return urlsplit(self.url).path.rsplit("/", 1)[-1]

    def pays_with(self, card: str = "pm_card_visa") -> str:
        """The outcome, as the gateway shows it to the customer."""
        done = self.invoice.customer.world.the_gateway.control(f"checkout/sessions/{self.session_id}/pay", {"card": card})
        return str(done["outcome"])

    @property
    def payment(self) -> "Payment":
        customer = self.invoice.customer
        return Payment(customer, customer.world.api.get(f"{customer.path}/payments/{self.payment_id}"))


@dataclass
class Payment:
    customer: Customer
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @property
    def status(self) -> str:
        return str(self.facts["status"])

    @property
    def unapplied_minor(self) -> int:
        return int(self.facts["unapplied_minor"])

    def now(self) -> Self:
        return type(self)(self.customer, self.customer.world.api.get(f"{self.customer.path}/payments/{self.id}"))

    def ask_to_allocate(self, allocations: Mapping[Invoice, int], currency: str = "EUR", key: str = "") -> Answer:
        chosen = [{"invoice_id": invoice.id, "amount_minor": amount} for invoice, amount in allocations.items()]
        body = {"currency": currency, "allocations": chosen}
        return self.customer.world.api.request("POST", f"{self.customer.path}/payments/{self.id}/allocations", body, key=key)


# ---- Mail and the page behind its link ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    text: str
    html: str

    @property
    def pay_link(self) -> str:
        """The link in the text, which is the one in the HTML too."""
        found = re.search(r"https?://\S+/pay/[\w.\-]+", self.text)
        assert found, self.text
        assert found[0] in html.unescape(self.html)
        return found[0]


@dataclass
class Mailbox:
    """Where all mail of the stack ends up."""

    world: "World"

    def of(self, customer: Customer) -> list[Mail]:
        """What this customer got so far, oldest first."""
        return [
            Mail(message["To"][0], message["Subject"], message["BodyText"], message["BodyHtml"])
            for message in self.world.stack.sent_mail()
            if message["To"] == [customer.email]
        ]

    def awaits(self, customer: Customer, template: str, count: int = 1) -> list[Mail]:
        """All the customer's mail, once `count` messages of this template were sent."""

        def sent() -> bool:
            return sum(m["template"] == template and m["status"] == "sent" for m in customer.messages) >= count

        eventually(sent, f"the {template} mail")
        return self.of(customer)


@dataclass(frozen=True)
class PaymentPage:
    """The page behind the link in an e-mail, fetched without any cookie or token."""

    link: str

    def get(self, returned: bool = False) -> httpx.Response:
        return httpx.get(self.link + ("?returned=paid" if returned else ""), timeout=60)

    def press_pay(self) -> httpx.Response:
        return httpx.post(self.link, timeout=60)


# ---- The gateway ----------------------------------------------------------------------------------------------------


@dataclass
class TheGateway:
    """The payment gateway's double, and the strings behind it."""

    url: str
    disturbed: bool = False

    @cached_property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, verify=NOT_ENCRYPTED)

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        self.disturbed = self.disturbed or path in ("deliveries/hold", "deliveries/duplicate", "deliveries/drop", "faults")
        answer = self.http.request(method, f"/_control/{path}", json=body or {})
        answer.raise_for_status()
        return answer.json()

    def holds_deliveries(self) -> None:
        self.control("deliveries/hold")

    def releases_deliveries(self, order: str = "created", seed: int = 0, event_ids: Sequence[str] | None = None) -> list[str]:
        chosen: dict[str, Any] = {"event_ids": list(event_ids)} if event_ids is not None else {"order": order, "seed": seed}
        released: list[str] = self.control("deliveries/release", chosen)["released"]
        return released

    def delivers_twice(self, next_events: int = 50) -> None:
        self.control("deliveries/duplicate", {"next": next_events, "copies": 1})

    def loses_deliveries(self, next_events: int) -> None:
        self.control("deliveries/drop", {"next": next_events})

    def delivers_again(self, event_id: str) -> None:
        self.control("deliveries/redeliver", {"event_id": event_id})

    def has_delivered_everything(self) -> None:
        assert self.control("deliveries/flush", {"timeout_seconds": PATIENCE_S})["empty"]

    def fails(self, kind: str, next_requests: int = 1, path: str = "/v1/checkout/sessions") -> None:
        self.control("faults", {"kind": kind, "next": next_requests, "method": "POST", "path": path})

    def behaves(self) -> None:
        """No faults, nothing held back, nothing lost or doubled from now on."""
        if not self.disturbed:
            return
        self.control("faults/clear")
        self.control("deliveries/duplicate", {"next": 0, "copies": 1})
        self.control("deliveries/drop", {"next": 0})
        self.control("deliveries/delay", {"next": 0, "seconds": 0})
        self.control("deliveries/release", {"order": "created"})
        self.disturbed = False

    def events_of(self, payment_id: str) -> list[dict[str, Any]]:
        """The gateway's events of one payment, in the order in which they happened."""
        found = self.control("events", method="GET")["events"]
        return [e for e in found if (e["data"]["object"].get("metadata") or {}).get("remit_payment_id") == payment_id]

    def refunds_in_the_dashboard(self, session_id: str, amount_minor: int, api_key: str) -> str:
        """Somebody gives money back without Remit; Stripe's id of the refund."""
        session = self.http.get(f"/v1/checkout/sessions/{session_id}", auth=(api_key, "")).raise_for_status().json()
        form = {"payment_intent": session["payment_intent"], "amount": str(amount_minor)}
        return str(self.http.post("/v1/refunds", data=form, auth=(api_key, "")).raise_for_status().json()["id"])

    def sessions_of(self, payment_id: str, api_key: str) -> list[dict[str, Any]]:
        """The Checkout sessions that were opened for one attempt."""
        answer = self.http.get("/v1/checkout/sessions?limit=100", auth=(api_key, ""))
        return [session for session in answer.raise_for_status().json()["data"] if session["client_reference_id"] == payment_id]


# ---- What the firm's operators run ----------------------------------------------------------------------------------


@dataclass
class StateMachine:
    """A state machine of the stack."""

    world: "World"
    output: str

    @property
    def arn(self) -> str:
        return self.world.stack.outputs[self.output]

    def runs(self, given: Any = None) -> dict[str, Any]:
        """Run it to its end, as a schedule would."""
        started = self.world.states.start_execution(stateMachineArn=self.arn, input=json.dumps(given or {}))
        return self.ends(started["executionArn"])

    def ends(self, execution_arn: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.world.states.describe_execution(executionArn=execution_arn)
            return found if found["status"] != "RUNNING" else None

        return eventually(ended, f"the end of {execution_arn}", 120) or {}

    def execution(self, name: str) -> str:
        """The ARN of the execution of that name."""
        return f"{self.arn.replace(':stateMachine:', ':execution:')}:{name}"


@dataclass
class Dunning:
    world: "World"

    def runs(self) -> None:
        """Look for overdue accounts, over the API, and wait until all was done."""
        self._end(self._start())

    def runs_at_once(self, times: int) -> None:
        for run in at_once(*[self._start] * times):
            self._end(run)

    def runs_and_counts(self, messages_per_second: int) -> dict[str, Any]:
        """A run that keeps to so many messages a second, and what came of it."""
        run_id = str(self.world.api.post("/dunning-runs", {"messages_per_second": messages_per_second}, expect=202)["id"])
        self._end(run_id)
        counted: dict[str, Any] = self.world.api.get(f"/dunning-runs/{run_id}")
        return counted

    def _start(self) -> str:
        return str(self.world.api.post("/dunning-runs", expect=202)["id"])

    def _end(self, run_id: str) -> None:
        machine = StateMachine(self.world, "DunningArn")
        assert machine.ends(machine.execution(run_id))["status"] == "SUCCEEDED"

    def notices_of(self, customer: Customer) -> list[str]:
        """The templates of the notices that were sent to the customer, newest first."""
        return [m["template"] for m in customer.messages if m["template"].startswith("dunning") and m["status"] == "sent"]

    def letters_to(self, customer: Customer) -> list[str]:
        """The templates of all that asked the customer to pay, oldest first."""
        asking = ("dunning", "reminder")
        return [m["template"] for m in customer.messages if m["template"].startswith(asking) and m["status"] == "sent"][::-1]

    def policy_is(
        self,
        policy_id: str,
        tiers: Sequence[int] = (3, 14, 30),
        reminders: Sequence[int] = (),
        late_charges: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The policy of that id has these tiers and reminders, with their usual letters, and these late charges."""
        body = {
            "late_charges": late_charges,
            "tiers": [{"from_days": days} for days in tiers],
            "reminders": [{"offset_days": days} for days in reminders],
        }
        set_to: dict[str, Any] = self.world.api.put(f"/dunning-policies/{policy_id}", body)
        return set_to


@dataclass
class RecurringPayments:
    world: "World"

    def runs(self) -> None:
        """Bill due subscriptions and collect due invoices, over the API, and wait until all was done."""
        self._end(self._start())

    def runs_at_once(self, times: int) -> None:
        for run in at_once(*[self._start] * times):
            self._end(run)

    def _start(self) -> str:
        return str(self.world.api.post("/recurring-payment-runs", expect=202)["id"])

    def _end(self, run_id: str) -> None:
        machine = StateMachine(self.world, "RecurringPaymentsArn")
        assert machine.ends(machine.execution(run_id))["status"] == "SUCCEEDED"


@dataclass(frozen=True)
class Export:
    facts: dict[str, Any]
    files: dict[str, bytes]

    @property
    def totals(self) -> dict[str, Any]:
        found: dict[str, Any] = self.facts["control_totals"]["currencies"]
        return found


@dataclass
class Queue:
    """A queue of the stack, as an operator looks at it."""

    world: "World"
    output: str

    @property
    def url(self) -> str:
        return self.world.stack.outputs[self.output]

    def is_emptied(self) -> None:
        self.world.sqs.purge_queue(QueueUrl=self.url)

    def take(self) -> list[str]:
        """Take what is there off the queue."""
        found = self.world.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.world.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in found]

    def receives(self) -> list[str]:
        return eventually(self.take, f"a message in {self.output}")

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """What fails comes again at once instead of after two minutes."""
        usual = self.world.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        self.world.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": "1"})
        try:
            yield
        finally:
            self.world.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=usual)

    def put(self, body: str) -> None:
        self.world.sqs.send_message(QueueUrl=self.url, MessageBody=body)


@dataclass
class Listener:
    """Somebody who follows the stack's event bus."""

    world: "World"
    url: str
    heard: list[dict[str, Any]] = field(default_factory=list)

    def about(self, account_id: str) -> list[dict[str, Any]]:
        """The events of one account that were heard so far."""
        found = self.world.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.world.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            self.heard.append(json.loads(message["Body"]))
        return [event for event in self.heard if event["detail"]["account_id"] == account_id]


# ---- All of it ------------------------------------------------------------------------------------------------------


@dataclass(repr=False)
class World:
    """The stack and everybody around it."""

    stack: Stack
    gateway_url: str
    keys: gateway_process.Keys
    before_the_firm_was_set_up: list[Answer] = field(default_factory=list)
    told: set[str] = field(default_factory=set, repr=False)
    """Personal data and secrets that went into the stack; none of it may be in its logs."""

    def __post_init__(self) -> None:
        self.token = self.stack.access_token()
        self.told.add(self.token)
        self.api = Api(self.stack.api_url, self.token)
        self.the_gateway = TheGateway(self.gateway_url)
        self.clock = Clock(self)
        self.firm = Firm(self)
        self.mailbox = Mailbox(self)
        self.dunning = Dunning(self)
        self.recurring_payments = RecurringPayments(self)

    @cached_property
    def states(self) -> Any:
        return self.stack.client("stepfunctions")

    @cached_property
    def sqs(self) -> Any:
        return self.stack.client("sqs")

    @cached_property
    def dynamodb(self) -> Any:
        return self.stack.client("dynamodb")

    @cached_property
    def logs(self) -> Any:
        return self.stack.client("logs")

    @cached_property
    def reader(self) -> Api:
        """A client that may read, and nothing else."""
        return Api(self.stack.api_url, self.stack.access_token(client="ReaderClientId"))

    @cached_property
    def second_person(self) -> Api:
        """Who may approve refunds that somebody else asked for."""
        return Api(self.stack.api_url, self.stack.access_token(client="ApproverClientId"))

    @cached_property
    def anonymous(self) -> Api:
        return Api(self.stack.api_url, None)

    def opens(self) -> None:
        """A new stack, up to the firm that is set up and does business in the middle of a quiet month."""
        self.stack.scale_waits(FASTER_WAITS)
        wish = {"name": "Too Early", "email": "early@customer.example"}
        if self.api.request("GET", "/firm").status != 200:
            self.before_the_firm_was_set_up = [self.api.request("GET", "/firm"), self.api.request("POST", "/accounts", wish)]
        # Far from midnight, and days from either end of the month.
        self.clock.moves_to((self.clock.today.replace(day=1) + timedelta(days=35)).replace(day=5))
        self.firm.is_set_up()

    def a_customer(self, name: str | None = None, *, email: str | None = None, **more: Any) -> Customer:
        """A new customer with a name, an address and an e-mail address of its own."""
        number = next(_NAMES)
        body = {
            "name": name or f"Zwaluwstaart {number} & Dochters",
            "email": email or f"boekhouding{number}.{uuid4().hex[:6]}@zwaluwstaart.example",
            "address": {"line1": f"Lindengrachtkade {number}", "postal_code": "3511 AB", "city": "Utrecht", "country": "NL"},
        } | more
        self.told |= {body["name"], body["email"], "Lindengrachtkade", "Zwaluwstaart", "zwaluwstaart.example"}
        return Customer(self, self.api.post("/accounts", body))

    def exports(self, period: str) -> Export:
        """Ask for a month's export over the API, wait for it, and fetch its files."""
        return self.export_named(str(self.api.post("/exports", {"period": period}, expect=202)["id"]))

    def export_named(self, export_id: str) -> Export:
        def finished() -> dict[str, Any] | None:
            found: dict[str, Any] = self.api.get(f"/exports/{export_id}")
            return found if found["status"] != "running" else None

        facts = eventually(finished, f"the end of {export_id}", 120) or {}
        assert facts["status"] == "done", facts
        files = {name: httpx.get(url, timeout=60).raise_for_status().content for name, url in facts["urls"].items()}
        return Export(facts, files)

    def queue(self, output: str) -> Queue:
        return Queue(self, output)

    def rows_of(self, customer: Customer) -> list[Any]:
        """Everything that the table holds of a customer: to see that something was not written."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.stack.outputs["TableName"],
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": f"A#{customer.id}"}},
            ConsistentRead=True,
        )
        return [row for page in pages for row in page["Items"]]

    def key_was_used(self, key: str) -> bool:
        """Whether a request with this Idempotency-Key wrote anything: the key is written with it or not at all."""
        found = self.dynamodb.get_item(
            TableName=self.stack.outputs["TableName"],
            Key={"PK": {"S": f"R#idempotency#{key}"}, "SK": {"S": "R"}},
            ConsistentRead=True,
        )
        return "Item" in found

    def log_lines(self) -> Iterator[str]:
        """Every line that a function or the API has logged."""
        functions = self.stack.outputs["FunctionLogsName"]
        for group in (functions, functions.replace("functions", "api")):
            pages = self.logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
            streams = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
            # A hundred streams at a time: the engine answers at most 10,000 lines, and does not page.
            for some in batched(streams, 100, strict=False):
                found = self.logs.filter_log_events(logGroupName=group, logStreamNames=list(some))["events"]
                assert len(found) < 10_000, "not all lines were seen"
                yield from (event["message"] for event in found)

    @contextmanager
    def without(self, partition: str, sort: str) -> Iterator[dict[str, Any]]:
        """The table without one of its items, which is put back at the end as it was."""
        table = self.stack.outputs["TableName"]
        key = {"PK": {"S": partition}, "SK": {"S": sort}}
        item = self.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        self.dynamodb.delete_item(TableName=table, Key=key)
        try:
            yield item
        finally:
            self.dynamodb.put_item(TableName=table, Item=item)

    @contextmanager
    def with_a_changed(self, partition: str, sort: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[None]:
        """The table with one of its items changed behind the ledger's back, and mended at the end."""
        with self.without(partition, sort) as item:
            self.dynamodb.put_item(TableName=self.stack.outputs["TableName"], Item=change(item))
            yield

    def signed_link(self, invoice: Invoice) -> str:
        """A link to pay as an e-mail would bring it, for invoices whose mail has none, or is not looked at."""
        arn = self.stack.outputs["LinkSecretArn"]
        secret = json.loads(self.stack.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])["current"]
        links = PaymentLinks([secret.encode()], self.stack.outputs["PublicUrl"])
        link = links.link(invoice.customer.id, invoice.id, self.clock.now)
        self.told.add(link.rpartition("/")[2])
        return link

    def posts_webhook(
        self,
        event: dict[str, Any] | bytes,
        *,
        secret: str | None = None,
        age_s: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Post an event to the webhook's address, signed as the gateway does unless `headers` say otherwise."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        signature = signature_header(payload, [secret or self.keys.webhook_secret], int(time.time()) - age_s)
        sent = {"Stripe-Signature": signature} if headers is None else headers
        return self.anonymous.request("POST", "/webhooks/stripe", content=payload, headers=sent, key=None)

    @contextmanager
    def listens_to_the_bus(self) -> Iterator["Listener"]:
        """A queue that gets every event of the stack's bus until the block ends."""
        events, bus, name = self.stack.client("events"), self.stack.outputs["BusName"], f"listener-{uuid4().hex[:8]}"
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["remit"]}))
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
        try:
            yield Listener(self, url)
        finally:
            events.remove_targets(Rule=name, EventBusName=bus, Ids=["1"])
            events.delete_rule(Name=name, EventBusName=bus)
            self.sqs.delete_queue(QueueUrl=url)

    def publishes(self, entry: dict[str, Any], detail: dict[str, Any]) -> None:
        """Put an event on the stack's bus."""
        answer = self.stack.client("events").put_events(Entries=[entry | {"Detail": json.dumps(detail)}])
        assert answer["FailedEntryCount"] == 0

    def has_told_the_customer_of(self, entry_id: str) -> None:
        """The notifications function has dealt with this entry, whether or not there was anything to send."""

        def dealt_with() -> bool:
            page = self.logs.filter_log_events(
                logGroupName=self.stack.outputs["FunctionLogsName"], filterPattern=f'"{entry_id}"', limit=1000
            )
            return any('"notified"' in e["message"] and f'"{entry_id}"' in e["message"] for e in page["events"])

        eventually(dealt_with, f"the notification of {entry_id}")


@contextmanager
def running_world(name: str, reuse: bool = False) -> Iterator[World]:
    """A new stack with its gateway, until the block ends; or, with `reuse`, one of that name that runs already."""
    with ExitStack() as stack_of_things:
        if reuse:
            stack = Stack(name=name)
            world = World(stack, f"http://{HOST}:{stack.state()['gateway_port']}", gateway_process.ensure_keys(stack))
        else:
            port = free_port()
            address = f"http://{HOST}:{port}"
            parameters = {
                "GatewayApiBase": address,
                "CheckoutOrigin": address,
                "ClockMode": "test",
                "ScheduleState": "DISABLED",
            }
            stack = stack_of_things.enter_context(running_stack(name, persist=False, parameters=parameters, enforce_iam=True))
            double = stack_of_things.enter_context(gateway_process.running_gateway(stack, port))
            world = World(stack, double.url, double.keys)
        world.opens()
        yield world
