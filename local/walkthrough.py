"""One walk through the main job, told in plain words: from an order to a paid invoice in the books.

``make run`` does it once on a fresh stack; ``make walk`` does it again, with new customers. Everything goes through
the deployed stack's own doors: its HTTP API with a token, the payment page, the gateway's webhooks, the mailbox.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx

from local.stack import HOST, Stack, say_to_terminal
from remit.adapters.email.formatting import money_text
from remit.domain.automations import Automation

PATIENCE_S = 60

FIRM: dict[str, Any] = {
    "name": "Bright Lamp Studio",
    "email": "billing@brightlamp.example",
    "address": {"line1": "Keizersgracht 1", "postal_code": "1015 CC", "city": "Amsterdam", "country": "NL"},
    "time_zone": "Europe/Amsterdam",
    "default_currency": "EUR",
    "tax_ids": [{"type": "eu_vat", "value": "NL123456782B01"}],
    "tax_codes": [
        {"code": "VAT21", "kind": "standard", "rate": "21"},
        {"code": "VAT9", "kind": "standard", "rate": "9"},
        {"code": "EXEMPT", "kind": "exempt", "reason": "Education, article 132 of Directive 2006/112/EC"},
    ],
    "terms": [
        {"id": "on_receipt", "name": "Due on receipt", "parts": [{"due": {"rule": "on_receipt"}}]},
        {"id": "net30", "name": "Net 30", "parts": [{"due": {"rule": "net_days", "days": 30}}]},
        {
            "id": "early",
            "name": "2 % off within 10 days, net 30",
            "parts": [{"due": {"rule": "net_days", "days": 30}}],
            "discount": {"percent": "2", "days": 10},
        },
        {
            "id": "thirds",
            "name": "Three instalments, a month apart",
            "parts": [
                {"due": {"rule": "on_receipt"}, "percent": "34"},
                {"due": {"rule": "net_days", "days": 30}, "percent": "33"},
                {"due": {"rule": "net_days", "days": 60}, "percent": "33"},
            ],
        },
        {
            "id": "on_delivery",
            "name": "30 % now, the rest 14 days after delivery",
            "parts": [{"due": {"rule": "on_receipt"}, "percent": "30"}, {"due": {"rule": "after_delivery", "days": 14}}],
        },
    ],
    "switches": dict.fromkeys(Automation, True),
}

POLICY = {"reminders": [{"offset_days": -3}], "tiers": [{"from_days": 3}, {"from_days": 14}, {"from_days": 30}]}
"""The standard policy: a reminder three days before the due date, then notices in three tiers."""

ORDER = {
    "lines": [
        {"description": "Photography, half a day", "unit_price_minor": 48000, "tax_code": "VAT21", "category": "services"},
        {"description": "Prints", "quantity": "12", "unit_price_minor": 1250, "tax_code": "VAT21", "category": "goods"},
        {"description": "Photo book", "unit_price_minor": 3950, "tax_code": "VAT9", "category": "goods"},
    ]
}


class WalkError(Exception):
    """A step did not end as it should; the message says which and how."""


class Walk:
    """The stack as its users see it, with a little memory."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.gateway = f"http://{HOST}:{stack.state()['gateway_port']}"
        headers = {"Authorization": f"Bearer {stack.access_token()}"}
        self.api = httpx.Client(base_url=stack.api_url, headers=headers, timeout=60)
        self.run = hashlib.sha256(os.urandom(16)).hexdigest()[:8]
        self.calls = 0
        self.examples: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """Call the API as an operator would; every POST carries an Idempotency-Key."""
        self.calls += 1
        headers = {"Idempotency-Key": f"walk-{self.run}-{self.calls}"} if method == "POST" else {}
        answer = self.api.request(method, path, json=body, headers=headers)
        if answer.status_code != expect:
            raise WalkError(f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def control(self, path: str, body: Any = None) -> Any:
        """Tell the gateway's double to do something, such as playing the customer."""
        answer = httpx.post(f"{self.gateway}/_control/{path}", json=body or {}, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def set_clock(self, now: datetime) -> None:
        """Move the stack's clock, and the gateway's with it."""
        self.call("PUT", "/clock", {"now": now.isoformat()})
        self.set_gateway_clock()

    def set_clock_to(self, day: date) -> None:
        """Move to nine in the morning of that day, where the firm is."""
        self.set_clock(datetime.combine(day, time_of_day(9), ZoneInfo(FIRM["time_zone"])))

    def run_to_the_end(self, path: str, machine: str, times: int = 1) -> None:
        """Start so many runs side by side, as an operator would, and wait until all of them have ended."""
        arn = self.stack.outputs[machine].replace(":stateMachine:", ":execution:")
        client = self.stack.client("stepfunctions")
        for name in [self.call("POST", path, expect=202)["id"] for _ in range(times)]:
            ended = until(f"the end of {name}", partial(_ended, client, f"{arn}:{name}"))
            if ended != "SUCCEEDED":
                raise WalkError(f"{path}: {name} {ended}")

    def set_gateway_clock(self) -> None:
        """The gateway lives at the same time as the stack: what it reports is booked on that day."""
        behind = datetime.fromisoformat(self.call("GET", "/clock")["now"]).timestamp() - self.gateway_time()
        if behind >= 1:
            self.control("clock", {"advance_seconds": int(behind)})

    def gateway_time(self) -> float:
        now = httpx.get(f"{self.gateway}/_control/clock", timeout=30).raise_for_status().json()["now"]
        return float(now) if isinstance(now, int | float) else datetime.fromisoformat(now).timestamp()

    def mail(self, to: str, subject: str) -> list[dict[str, Any]]:
        """The messages in the local mailbox to this address whose subject holds these words."""
        return [m for m in self.stack.sent_mail() if to in str(m["To"]) and subject.lower() in m["Subject"].lower()]


def until[T](what: str, look: Callable[[], T | None]) -> T:
    """Look until there is something, for a minute at the most."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.25)
    raise WalkError(f"{what} did not happen within {PATIENCE_S} s")


def _ended(states: Any, execution_arn: str) -> str | None:
    """How the execution has ended; None while it runs."""
    status: str = states.describe_execution(executionArn=execution_arn)["status"]
    return None if status == "RUNNING" else status


def say(text: str = "") -> None:
    print(text, flush=True)


def euro(amount_minor: int) -> str:
    return money_text(amount_minor, "EUR")


def open_account(walk: Walk, name: str) -> dict[str, Any]:
    slug = re.sub(r"[^a-z]+", ".", name.lower())
    address = {"line1": "Dorpsstraat 5", "postal_code": "3511 AB", "city": "Utrecht", "country": "NL"}
    body = {"name": name, "email": f"{slug}.{walk.run}@customer.example", "address": address}
    account: dict[str, Any] = walk.call("POST", "/accounts", body, expect=201)
    return account


def invoice_for(walk: Walk, account: dict[str, Any], term: str) -> dict[str, Any]:
    base = f"/accounts/{account['id']}"
    order = walk.call("POST", f"{base}/orders", ORDER | {"term_id": term}, expect=201)
    invoice: dict[str, Any] = walk.call("POST", f"{base}/invoices", {"order_id": order["id"]}, expect=201)
    return invoice


def step_1_invoice(walk: Walk) -> tuple[dict[str, Any], dict[str, Any]]:
    say("1. An order becomes an invoice")
    walk.call("PUT", "/firm", FIRM)
    walk.call("PUT", "/dunning-policies/standard", POLICY)
    account = open_account(walk, "Windmill Books")
    quote = walk.call("POST", f"/accounts/{account['id']}/quotes", ORDER)
    for offer in quote["offers"]:
        due, discount = offer["parts"][0], offer["discount"]
        early = f", or {euro(discount['payable_minor'])} by {discount['until']}" if discount else ""
        say(f"   offered: {offer['term']['name']:<41} {euro(due['amount_minor'])} due {due['due_date']}{early}")
    invoice = invoice_for(walk, account, "on_receipt")
    totals = invoice["totals"]
    say(
        f"   issued {invoice['number']} to {account['name']}: {euro(totals['net_minor'])} net",
    )
    for tax in totals["taxes"]:
        say(f"     {tax['tax_code']['code']:<6} {euro(tax['taxable_minor']):>12} → {euro(tax['tax_minor'])}")
    say(f"     to pay {euro(totals['gross_minor'])}, posted as entry {invoice['entries'][0]}")
    return account, invoice


def step_2_mail(walk: Walk, account: dict[str, Any], invoice: dict[str, Any]) -> str:
    say("2. The invoice is e-mailed, with a link to pay")
    message = until("the invoice's e-mail", lambda: walk.mail(account["email"], invoice["number"]))[0]
    found = re.search(re.escape(walk.stack.outputs["PublicUrl"]) + r"/pay/[\w.\-]+", message["BodyText"])
    if not found:
        raise WalkError("the e-mail has no link to pay")
    say(f"   “{message['Subject']}” to {account['email']}, HTML and text")
    say(f"   {found[0][:100]}…")
    return found[0]


def step_3_card(walk: Walk, account: dict[str, Any], invoice: dict[str, Any], link: str) -> None:
    say("3. The customer pays by card; the gateway's webhooks come twice and in reverse order")
    page = httpx.get(link, timeout=30)
    if invoice["number"] not in page.text:
        raise WalkError("the payment page does not show the invoice")
    checkout = httpx.post(link, timeout=30)
    session = checkout.headers["Location"].rsplit("/", 1)[-1].split("?")[0].split("#")[0]
    say(f"   the page shows {invoice['number']}; its button leads to the gateway's own page, so no card data comes near us")
    walk.control("deliveries/hold")
    walk.control(f"checkout/sessions/{session}/pay", {"card": "pm_card_chargeDeclined"})
    walk.control(f"checkout/sessions/{session}/pay", {"card": "pm_card_visa"})
    walk.control("deliveries/duplicate", {"next": 20, "copies": 1})
    walk.control("deliveries/release", {"order": "reversed"})
    path = f"/accounts/{account['id']}/invoices/{invoice['id']}"
    paid = until("the payment", lambda: (found := walk.call("GET", path))["status"] == "paid" and found)
    payment = walk.call("GET", f"/accounts/{account['id']}/payments")["payments"][0]
    say(f"   a first card was declined, a second paid: {invoice['number']} is {paid['status']}")
    for transaction in payment["transactions"]:
        say(f"     {transaction['type']:<8} {transaction['id']} {euro(transaction['amount_minor'])}")
    until("the receipt", lambda: walk.mail(account["email"], "receipt") or walk.mail(account["email"], "received"))
    say(f"   a receipt was sent to {account['email']}")


def step_4_bank_transfer(walk: Walk) -> dict[str, Any]:
    say("4. A bank transfer is recorded by hand, part of it allocated; a goodwill credit is given")
    account = open_account(walk, "Harbour Café")
    invoice = invoice_for(walk, account, "net30")
    base = f"/accounts/{account['id']}"
    today = walk.call("GET", "/clock")["now"][:10]
    body = {
        "amount_minor": 80000,
        "currency": "EUR",
        "method": "bank_transfer",
        "value_date": today,
        "reference": f"Invoice {invoice['number']}",
        "allocations": [{"invoice_id": invoice["id"], "amount_minor": 50000}],
    }
    payment = walk.call("POST", f"{base}/payments", body, expect=201)
    say(
        f"   {euro(80000)} came in: {euro(50000)} for {invoice['number']}, {euro(payment['unapplied_minor'])} is unapplied credit"
    )
    goodwill = {"amount_minor": 2420, "currency": "EUR", "tax_option": "included", "tax_code": "VAT21", "reason": "Late delivery"}
    credit = walk.call("POST", f"{base}/credits", goodwill, expect=201)
    say(f"   goodwill of {euro(credit['gross_minor'])}, of which {euro(credit['tax_minor'])} is tax given back")
    wish = {"name": "Monthly", "cron": "0 8 1 * *", "time_zone": "Europe/Amsterdam", "content": "open_invoices"}
    schedule = walk.call("POST", "/summary-schedules", wish, expect=201)
    walk.call("PUT", f"{base}/summary-schedules/{schedule['id']}")
    say(f"   a summary of what is open goes out on the first of each month: next {schedule['next_runs'][0]['local'][:16]}")
    return account


def step_5_dunning(walk: Walk) -> None:
    say("5. One invoice is not paid: a reminder before it is due, a notice after")
    account = open_account(walk, "Forgetful & Sons")
    invoice = invoice_for(walk, account, "net30")
    due = date.fromisoformat(invoice["parts"][0]["due_date"])
    say(f"   {invoice['number']} is due {due}")
    until("the invoice's e-mail", lambda: walk.mail(account["email"], invoice["number"]))
    for day in (due - timedelta(days=3), due + timedelta(days=4)):
        walk.set_clock_to(day)
        known = len(walk.mail(account["email"], ""))
        walk.run_to_the_end("/dunning-runs", "DunningArn", times=2)
        subjects = [message["Subject"] for message in walk.mail(account["email"], "")][known:]
        if len(subjects) != 1:
            raise WalkError(f"{len(subjects)} letters were sent on {day} instead of one: {subjects}")
        say(f"   {day}: two runs side by side sent one letter, “{subjects[0]}”")


def step_6_subscription(walk: Walk) -> None:
    say("6. A subscription bills itself; the saved card is declined once, and tried again")
    account = open_account(walk, "Evergreen Yoga")
    base = f"/accounts/{account['id']}"
    card = save_card(walk, base)
    walk.call("PATCH", base, {"collect_automatically": True})
    line = {"description": "Studio hire", "unit_price_minor": 9900, "tax_code": "VAT21", "category": "services"}
    plan = {"id": f"studio-{walk.run}", "name": "Studio hire", "currency": "EUR", "interval": {"unit": "month"}}
    walk.call("POST", "/plans", plan | {"lines": [line], "term_id": "on_receipt"}, expect=201)
    made = walk.call("POST", f"{base}/subscriptions", {"plan_id": plan["id"]}, expect=201)

    def invoices() -> list[dict[str, Any]]:
        """The invoices of the subscription, newest first, after a run of recurring payments."""
        walk.run_to_the_end("/recurring-payment-runs", "RecurringPaymentsArn", times=2)
        found = walk.call("GET", f"{base}/subscriptions/{made['id']}")
        return [walk.call("GET", f"{base}/invoices/{item['invoice_id']}") for item in found["invoices"]]

    first = invoices()[0]
    paid = until("the first charge", lambda: _paid(walk, base, first))
    price = euro(paid["totals"]["gross_minor"])
    say(f"   {first['number']} for period 1: {price} charged to the saved {card['label']}")

    walk.control(f"payment_methods/{card['id']}", {"decline_code": "insufficient_funds"})
    walk.set_clock_to(date.fromisoformat(walk.call("GET", f"{base}/subscriptions/{made['id']}")["next_bill_on"]))
    renewed = invoices()
    if [invoice["subscription"]["period"] for invoice in renewed] != [2, 1]:
        raise WalkError("two runs side by side did not bill the second period once")
    second = f"{base}/invoices/{renewed[0]['id']}"
    told = until("the letter about the declined card", lambda: walk.mail(account["email"], "failed"))[0]
    collection = until("the declined charge", lambda: (found := _collection(walk, second))["why"] == "retry_later" and found)
    attempt = collection["attempts"][0]
    say(f"   {renewed[0]['number']} for period 2: {attempt['outcome']}, {attempt['reason']}; again on {collection['next_on']}")
    say(f"   “{told['Subject']}”, with a link to pay")

    walk.control(f"payment_methods/{card['id']}", {"behaves_as": "pm_card_visa"})
    walk.set_clock_to(date.fromisoformat(collection["next_on"]))
    invoices()
    until("the second charge", lambda: _paid(walk, base, renewed[0]))
    outcomes = [each["outcome"] for each in _collection(walk, second)["attempts"]]
    say(f"   {renewed[0]['number']} is paid: {', '.join(outcomes)}; its receipt is sent")


def save_card(walk: Walk, base: str) -> dict[str, Any]:
    """The customer saves a card on the gateway's page; the card, once the gateway has told of it."""
    page = walk.call("POST", f"{base}/payment-methods/setup", {"return_url": "https://shop.example/account"}, expect=201)
    session = urlsplit(page["setup_url"]).path.rsplit("/", 1)[-1]
    walk.control(f"checkout/sessions/{session}/pay", {"card": "pm_card_visa"})
    saved: list[dict[str, Any]] = until("the saved card", lambda: walk.call("GET", f"{base}/payment-methods")["methods"])
    return saved[0]


def _paid(walk: Walk, base: str, invoice: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = walk.call("GET", f"{base}/invoices/{invoice['id']}")
    return found if found["status"] == "paid" else None


def _collection(walk: Walk, invoice: str) -> dict[str, Any]:
    found: dict[str, Any] = walk.call("GET", invoice)["collection"]
    return found


def step_7_export(walk: Walk, period: str) -> None:
    say(f"7. {period} is exported for the accountants")
    export = walk.call("POST", "/exports", {"period": period}, expect=202)
    done = until("the export", lambda: (found := walk.call("GET", f"/exports/{export['id']}"))["status"] != "running" and found)
    if done["status"] != "done":
        raise WalkError(f"the export failed: {done['failure']}")
    with tempfile.TemporaryDirectory() as folder:
        for name, url in done["urls"].items():
            Path(folder, name).write_bytes(httpx.get(url, timeout=30).raise_for_status().content)
        say(f"   {', '.join(sorted(done['urls']))}")
        for line in checks(Path(folder)):
            say(f"   {line}")
    for currency, totals in done["control_totals"]["currencies"].items():
        say(f"   {currency}: {json.dumps(totals)[:200]}…")


def checks(folder: Path) -> Iterator[str]:
    """What the accounting programs themselves say of the journals."""
    bean_check = Path(sys.executable).parent / "bean-check"
    subprocess.run([bean_check, folder / "journal.beancount"], check=True)
    yield "bean-check accepts journal.beancount"
    if shutil.which("hledger"):
        subprocess.run(["hledger", "check", "-s", "-f", folder / "journal.hledger"], check=True)
        command = ["hledger", "balance", "-f", str(folder / "journal.hledger"), "Assets:Receivable", "--depth", "2"]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield f"hledger check -s accepts journal.hledger; it says: {report.splitlines()[0].strip()}"
    else:
        yield "hledger is not installed, so only bean-check has read the journals"


def step_8_why(walk: Walk, account: dict[str, Any]) -> None:
    say(f"8. Why this balance? ({account['name']})")
    found = walk.call("GET", f"/accounts/{account['id']}/balances/EUR/explanation")
    for line in found["entries"]:
        entry = line["entry"]
        say(f"   {entry['effective_on']}  {entry['kind']:<18} {euro(line['change_minor']):>14} {euro(line['running_minor']):>14}")
    proof = walk.call("GET", f"/accounts/{account['id']}/replay")
    series = f"INV-{found['entries'][0]['entry']['effective_on'][:4]}"
    numbers = walk.call("GET", f"/number-series/{series}")
    if proof["differences"] or numbers["gaps"]:
        raise WalkError(f"the ledger does not prove itself: {proof['differences']} {numbers['gaps']}")
    say(f"   replaying {proof['entries']} entries gives the same balance and {proof['documents']} documents, chain intact")
    say(f"   series {series}: 1 to {numbers['last']} without a gap")


def where_is_what(walk: Walk, account: dict[str, Any]) -> None:
    """What to try next."""
    outputs, name = walk.stack.outputs, walk.stack.name
    say("\nWhat is where")
    say(f"   API        {walk.stack.api_url}   (described in openapi.json)")
    say(f"   Mail       {walk.stack.endpoint_url}/_ministack/ses/messages")
    say(f"   Gateway    {walk.gateway}/_control   (the Stripe double: GET it for what it can do)")
    say(f"   Webhook    {outputs['WebhookUrl']}")
    say('   Token      eval "$(make -s token)"   sets TOKEN and API for an hour')
    say("\nTry it")
    for line in (
        'curl -s $API/accounts -H "Authorization: Bearer $TOKEN"',
        f'curl -s $API/accounts/{account["id"]}/overview -H "Authorization: Bearer $TOKEN"',
        f'curl -s $API/accounts/{account["id"]}/balances/EUR/explanation -H "Authorization: Bearer $TOKEN"',
        'curl -s $API/accounts -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: my-first" -H "Content-Type: '
        'application/json" -d \'{"name": "My customer", "email": "me@customer.example"}\'',
        'curl -s -X POST $API/dunning-runs -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: run-1"',
    ):
        say(f"   {line}")
    say(f"   python3 -m json.tool .local/{name}/state.json   # everything else about this stack")


def walk_once(stack: Stack) -> None:
    walk = Walk(stack)
    walk.set_gateway_clock()
    account, invoice = step_1_invoice(walk)
    link = step_2_mail(walk, account, invoice)
    step_3_card(walk, account, invoice, link)
    customer = step_4_bank_transfer(walk)
    step_5_dunning(walk)
    step_6_subscription(walk)
    step_7_export(walk, invoice["issued_on"][:7])
    step_8_why(walk, customer)
    stack.remember(walked_with=customer["id"])
    where_is_what(walk, customer)


def main() -> int:
    """Walk, unless this stack was walked already; ``--again`` walks anyway."""
    stack = Stack(name=os.environ.get("REMIT_STACK", "run"))
    known = stack.state().get("walked_with")
    try:
        if known and "--again" not in sys.argv[1:]:
            say("The sample data is there; 'make walk' walks through the main job again.")
            where_is_what(Walk(stack), {"id": known})
        else:
            walk_once(stack)
    except (WalkError, httpx.HTTPError, subprocess.CalledProcessError) as error:
        say_to_terminal(f"The walk stopped: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
