"""What happens by itself as the clock moves on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local.stripe_double import checkout_sessions, debits, disputes, payments, refunds
from local.stripe_double.sandbox import Sandbox

ACTIONS: Mapping[str, Callable[[Sandbox, str], None]] = {
    checkout_sessions.EXPIRE: checkout_sessions.expire_when_due,
    debits.SETTLE: checkout_sessions.settle_debit,
    disputes.LAPSE: disputes.lapse,
    payments.EXPIRE_AUTHORIZATION: payments.expire_authorization,
    refunds.COMPLETE: refunds.complete,
    refunds.FAIL: refunds.fail_when_due,
}


def run_due_jobs(sandbox: Sandbox) -> None:
    """Do every job whose time has come, earliest first."""
    while job := sandbox.take_due_job():
        ACTIONS[job.action](sandbox, job.object_id)
