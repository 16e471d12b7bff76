"""What each function loads, and how many clients it makes: cold starts kept short without timing anything.

Each handler is imported alone, in a process of its own, as Lambda does it: its folder and the shared layer on the path.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.handlers import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).with_name("probe.py")
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))

HEAVY = ("boto3", "pynamodb", "pydantic", "stripe", "jinja2", "msgspec", "ulid")
"""Packages that cost a cold start. A function may load those below and no others of them."""

NEEDS: dict[str, set[str]] = {
    "accounting_export": {"boto3"},  # pynamodb is loaded by the steps that use it
    "account_dunning": {"boto3", "pynamodb", "pydantic", "msgspec", "jinja2"},
    "accounts": {"pynamodb", "pydantic", "msgspec", "ulid"},
    "auditor": {"boto3", "pynamodb", "msgspec"},
    "auto_top_up": {"pynamodb", "msgspec", "ulid"},
    "agenda": {"boto3", "pynamodb", "msgspec", "stripe"},
    "clock": {"pynamodb", "pydantic", "msgspec"},
    "credits": {"pynamodb", "pydantic", "msgspec", "ulid"},
    "dunning": {"boto3", "pynamodb", "msgspec", "jinja2"},
    "dunning_trials": {"boto3", "pynamodb", "pydantic", "msgspec", "ulid"},
    "firm": {"pynamodb", "pydantic", "msgspec"},
    "health": set(),
    "invoicing": {"pynamodb", "pydantic", "msgspec", "ulid"},
    "invoice_batches": {"pynamodb", "msgspec"},
    "mail_events": {"boto3", "pynamodb", "msgspec"},
    "notifications": {"boto3", "pynamodb", "msgspec", "jinja2"},
    "operations": {"boto3", "pynamodb", "pydantic", "msgspec", "ulid"},
    "outbox": {"boto3"},
    "payment_events": {"pynamodb", "msgspec"},
    "payment_page": {"boto3", "pynamodb", "msgspec", "stripe", "jinja2", "ulid"},
    "payment_webhooks": {"boto3", "pynamodb", "msgspec", "stripe"},
    "payments": {"boto3", "pynamodb", "pydantic", "msgspec", "stripe", "ulid"},
    "recurring_payments": {"pynamodb", "msgspec", "ulid"},  # stripe is loaded by the step that uses it
    "subscriptions": {"pynamodb", "pydantic", "msgspec", "ulid"},
    "wallet": {"pynamodb", "pydantic", "msgspec", "ulid"},
    "summaries": {"boto3", "pynamodb", "msgspec", "jinja2"},
    "summary_schedules": {"pynamodb", "pydantic", "msgspec", "ulid"},
    "policy_trial": {"boto3", "pynamodb", "msgspec"},
    "projections": {"pynamodb", "msgspec"},
    "templates": {"boto3", "pynamodb", "pydantic", "msgspec", "jinja2", "ulid"},
    "totals": {"pynamodb", "pydantic", "msgspec"},
    "totals_rebuild": {"pynamodb", "msgspec"},
    "refunds": {"pynamodb", "pydantic", "msgspec", "ulid"},
}

NEVER = ("moto", "pytest", "hypothesis", "requests", "docker", "jwt", "yaml", "tests", "local", "pkg_resources", "setuptools")
"""Tools of development, and what only they bring: no function may come to need them."""

CLIENTS: dict[str, set[str]] = {
    "account_dunning": {"dynamodb", "sesv2", "secretsmanager"},
    "accounting_export": {"s3"},
    "auditor": {"dynamodb", "s3"},
    "agenda": {"dynamodb", "secretsmanager"},
    "dunning": {"dynamodb", "sesv2", "secretsmanager"},
    "dunning_trials": {"dynamodb", "stepfunctions", "s3"},
    "health": set(),
    "notifications": {"dynamodb", "sesv2", "secretsmanager"},
    "operations": {"dynamodb", "stepfunctions", "s3"},
    "outbox": {"events"},
    "payment_page": {"dynamodb", "secretsmanager"},
    "summaries": {"dynamodb", "sesv2", "secretsmanager"},
    "payment_webhooks": {"dynamodb", "sqs", "secretsmanager"},
    "payments": {"dynamodb", "secretsmanager"},
    "templates": {"dynamodb", "secretsmanager"},
    "policy_trial": {"dynamodb", "s3"},
}
"""The AWS services that a function talks to; those not named here talk to DynamoDB alone."""


@cache
def reports() -> dict[str, dict[str, Any]]:
    """What each function loaded and made, all probed side by side."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(FUNCTIONS, pool.map(probe, FUNCTIONS), strict=True))


def probe(function: str) -> dict[str, Any]:
    folder = ROOT / "functions" / function
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"], "PYTHONPATH": f"{folder}:{ROOT / 'layers/shared'}"}
    done = subprocess.run(
        [sys.executable, str(PROBE), function],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def test_every_function_is_in_the_table() -> None:
    assert sorted(NEEDS) == FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_what_its_job_needs_and_nothing_else_that_is_heavy(function: str) -> None:
    """On failure the chain says who brought the package in: each module with the one that imported it first."""
    chains = reports()[function]["chains"]
    unwanted = {package: chains[package] for package in HEAVY if package in chains and package not in NEEDS[function]}
    assert not unwanted, "\n".join(f"{package}: {' -> '.join(chain)}" for package, chain in unwanted.items())
    missing = NEEDS[function] - set(chains)
    assert not missing, f"the table allows what {function} no longer loads: {missing}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_loads_tools_of_development(function: str) -> None:
    chains = reports()[function]["chains"]
    unwanted = {package: chains[package] for package in NEVER if package in chains}
    assert not unwanted, "\n".join(f"{package}: {' -> '.join(chain)}" for package, chain in unwanted.items())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_makes_one_client_a_service_however_many_record_classes_it_uses(function: str) -> None:
    clients: list[str] = reports()[function]["clients"]
    assert len(clients) == len(set(clients)), f"made more than once: {sorted(clients)}"
    assert set(clients) == CLIENTS.get(function, {"dynamodb"})
