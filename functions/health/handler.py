"""GET /health: whether the API is up, and which release answers. Touches no data and needs no rights."""

import json
import os
from typing import Any


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer with the product's name, its release and the deployed stage."""
    body = {"name": "remit", "version": os.environ["RELEASE"], "stage": os.environ["STAGE"]}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
