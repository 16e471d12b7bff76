"""What a month of 10,000 invoices costs: the figures of `benchmarks.budgets`, times how often each comes, at list prices.

README holds the text that `page` writes, and tests/integration/test_budgets.py compares them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.metering import Cost

INVOICES = 10_000

USD_PER_MILLION_WRU, USD_PER_MILLION_RRU = 0.625, 0.125
"""On demand, us-east-1, list price: https://aws.amazon.com/dynamodb/pricing/on-demand/"""

INVOCATION_MS, MEMORY_MB = 100, 512
USD_PER_GB_SECOND = 0.0000133334
"""Of a function on arm64: https://aws.amazon.com/lambda/pricing/"""


@dataclass(frozen=True)
class Step:
    """What happens to each invoice: so many times a measured operation."""

    what: str
    operation: str
    times: int = 1


STEPS = (
    Step("ordered, of 10 lines", "place an order of 10 lines"),
    Step("issued", "… when all before it are paid"),
    Step("mailed", "e-mail an invoice"),
    Step("its card payment started", "start a card payment"),
    Step("paid, by the first of the gateway's events", "payment webhook to posted and allocated"),
    Step("the gateway's two other events", "another event of the same payment", 2),
    Step("receipted", "e-mail a receipt"),
    Step("its two mails reported as delivered", "the report that a mail was delivered", 2),
    Step("its two entries counted in the totals, each alone", "count an entry in the totals: alone", 2),
)


@dataclass(frozen=True)
class Service:
    """What else each invoice asks for: so many of something that costs so much a million."""

    what: str
    times: int
    usd_per_million: float

    @property
    def usd(self) -> float:
        return self.times * INVOICES / 1e6 * self.usd_per_million


SERVICES = (
    # At most: three requests of the API, three webhooks, three messages of the queue, six writes with an entry or the payment,
    # and two each that are counted, told and reported.
    Service(
        f"invocations of {INVOCATION_MS} ms at {MEMORY_MB} MB on arm64",
        3 + 3 + 3 + 6 + 2 + 2 + 2,
        0.20 + INVOCATION_MS * MEMORY_MB / 1024 / 1000 * USD_PER_GB_SECOND * 1e6,
    ),
    Service("calls of the HTTP API", 3 + 3, 1.00),
    Service("requests of the queue", 3 * 3, 0.40),
    Service("events on the bus", 2, 1.00),
    Service("mails at SES", 2, 100.0),
)


def page(costs: Mapping[str, Cost]) -> str:
    """README's account of the month. `costs`: what the operations cost, by name; `KeyError` when a step was not measured."""
    rows = [(step, costs[step.operation]) for step in STEPS]
    writes = sum(step.times * cost.wru for step, cost in rows)
    reads = sum(step.times * cost.rru for step, cost in rows)
    table = (writes * USD_PER_MILLION_WRU + reads * USD_PER_MILLION_RRU) * INVOICES / 1e6
    lines = ["| each invoice | write units | read units |", "|---|---|---|"]
    lines += [f"| {step.what} | {_times(step.times, cost.wru)} | {_times(step.times, cost.rru)} |" for step, cost in rows]
    lines += [f"| **together** | **{writes:g}** | **{reads:g}** |", ""]
    lines += [f"| {INVOICES:,} of them | for each | USD per million | USD |", "|---|---|---|---|"]
    lines += [f"| DynamoDB: write units | {writes:g} | {USD_PER_MILLION_WRU:g} | {_usd(writes, USD_PER_MILLION_WRU)} |"]
    lines += [f"| DynamoDB: read units | {reads:g} | {USD_PER_MILLION_RRU:g} | {_usd(reads, USD_PER_MILLION_RRU)} |"]
    lines += [f"| {each.what} | {each.times} | {each.usd_per_million:.3g} | {each.usd:.2f} |" for each in SERVICES]
    lines += [f"| **together** | | | **{table + sum(each.usd for each in SERVICES):.2f}** |"]
    return "\n".join(lines)


def _times(times: int, units: float) -> str:
    return f"{times} × {units:g}" if times > 1 else f"{units:g}"


def _usd(units: float, usd_per_million: float) -> str:
    return f"{units * INVOICES / 1e6 * usd_per_million:.2f}"
