"""What happens by itself as the clock moves on.

Further gateway behaviour that takes time (bank debits that settle, disputes that close) joins this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local.stripe_double import checkout_sessions, payments, refunds
from local.stripe_double.sandbox import Sandbox

ACTIONS: Mapping[str, Callable[[Sandbox, str], None]] = {
    checkout_sessions.EXPIRE: checkout_sessions.expire_when_due,
    payments.EXPIRE_AUTHORIZATION: payments.expire_authorization,
    refunds.COMPLETE: refunds.complete,
    refunds.FAIL: refunds.fail,
}


def run_due_jobs(sandbox: Sandbox) -> None:
    """Do every job whose time has come, earliest first."""
    while job := sandbox.take_due_job():
        ACTIONS[job.action](sandbox, job.object_id)
