"""What a state machine caught, as a sentence for the one who asked for the work."""

import json
from typing import Any

_OWN_ERRORS = {"ConflictError", "InvalidError", "LedgerBrokenError", "NotFoundError", "RuleError", "TransientError"}
"""Errors whose text is written for people; of others only the name is shown."""


def told(error: dict[str, Any]) -> str:
    """`control_totals_differ: …` for an error of ours, the bare name for any other (`States.Timeout`).

    `error` is what a `Catch` puts into the state: `{"Error": its class, "Cause": Lambda's JSON}`.
    """
    if error["Error"] not in _OWN_ERRORS:
        return str(error["Error"])
    try:
        return str(json.loads(error["Cause"])["errorMessage"])
    except (KeyError, TypeError, ValueError):
        return str(error["Error"])
