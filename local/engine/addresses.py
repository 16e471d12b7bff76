"""Addresses that the engine and its users must agree on. Imports nothing of ministack."""

import hashlib


def api_id(stack_name: str, logical_id: str) -> str:
    """The eight hexadecimal digits that address an HTTP API, derived so that its URL is known before it is deployed."""
    return hashlib.sha256(f"{stack_name}/{logical_id}".encode()).hexdigest()[:8]


def api_url(endpoint_url: str, an_api_id: str) -> str:
    """Where the engine serves an HTTP API; AWS serves it at ``https://<id>.execute-api.<region>.amazonaws.com``."""
    return f"{endpoint_url}/_aws/execute-api/{an_api_id}"
