"""Secrets, from Secrets Manager and nowhere else, kept for five minutes so that a rotated one is soon used."""

import json
import os
from typing import Any

from aws_lambda_powertools.utilities import parameters

LIFETIME_S = 300


def secret(arn_variable: str, field: str) -> str:
    """One field of the JSON secret whose ARN is in the environment variable."""
    return str(_fields(arn_variable)[field])


def secrets(arn_variable: str, *names: str) -> list[str]:
    """Several fields, those that are set: the current secret first, then the one being rotated out."""
    found = _fields(arn_variable)
    return [str(found[name]) for name in names if found.get(name)]


def _fields(arn_variable: str) -> dict[str, Any]:
    text = parameters.get_secret(os.environ[arn_variable], max_age=LIFETIME_S)
    fields: dict[str, Any] = json.loads(text)
    return fields
