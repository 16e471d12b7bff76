"""Fixes of DynamoDB: read capacity by bytes, and time to live from the template."""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

READ_UNIT_BYTES = 4096
EVENTUAL, CONSISTENT, TRANSACTIONAL = 0.5, 1.0, 2.0


def install() -> None:
    _price_reads_by_bytes()
    _apply_time_to_live()
    _stream_expired_items()


def read_units(size_bytes: int, price: float) -> float:
    """Read units of ``size_bytes``: one price per 4 KB begun, at least one. 5,000 bytes read consistently cost 2."""
    return price * max(1, -(-size_bytes // READ_UNIT_BYTES))


def _price_reads_by_bytes() -> None:
    """Report ``ConsumedCapacity`` of reads as AWS bills them.

    Stock: a read costs one unit (half, when eventually consistent) whatever its size, ``TransactGetItems`` two an
    item, and ``BatchGetItem`` reports nothing. AWS: a query or scan adds up the bytes of what it evaluated, in the
    index's own projection and before filters, and rounds the sum up to 4 KB; items that are got one by one, also in a
    batch or a transaction, round up each.
    """
    evaluated = threading.local()
    paginate, report = dynamodb._paginate_evaluated_items, dynamodb._add_consumed_capacity

    def remember_page(items: list, limit: Any, table: dict, index_name: str | None = None) -> tuple:
        page, more = paginate(items, limit, table, index_name)
        project = (lambda item: dynamodb._apply_index_projection(item, table, index_name)) if index_name else None
        evaluated.bytes = sum(dynamodb._item_size_bytes(project(item) if project else item) for item in page)
        return page, more

    def add_consumed_capacity(result: dict, data: dict, table_name: str, write: bool = False, **details: Any) -> None:
        report(result, data, table_name, write, **details)
        consumed = result.get("ConsumedCapacity")
        if write or not consumed:
            return
        size = _stored_bytes(table_name, data["Key"]) if "Key" in data else evaluated.bytes
        stock_units = consumed["CapacityUnits"]
        units = read_units(size, CONSISTENT if data.get("ConsistentRead") else EVENTUAL)
        consumed["CapacityUnits"] = units
        parts = [consumed.get("Table"), *(consumed.get("GlobalSecondaryIndexes") or {}).values()]
        for part in parts:
            if part and part["CapacityUnits"] == stock_units:  # the others are the zeros beside it
                part["CapacityUnits"] = units

    dynamodb._paginate_evaluated_items = remember_page
    dynamodb._add_consumed_capacity = add_consumed_capacity
    dynamodb._batch_get_item = _reporting(dynamodb._batch_get_item, _batch_get_units)
    dynamodb._transact_get_items = _reporting(dynamodb._transact_get_items, _transact_get_units)


def _stored_bytes(table_name: str, key: dict) -> int:
    table = dynamodb._tables.get(dynamodb._normalize_table_name(table_name))
    item = dynamodb._get_item_by_key(table, key) if table else None
    return dynamodb._item_size_bytes(item) if item else 0


def _batch_get_units(data: dict) -> dict[str, float]:
    return {
        table_name: sum(
            read_units(_stored_bytes(table_name, key), CONSISTENT if request.get("ConsistentRead") else EVENTUAL)
            for key in request["Keys"]
        )
        for table_name, request in data["RequestItems"].items()
    }


def _transact_get_units(data: dict) -> dict[str, float]:
    units: dict[str, float] = {}
    for action in data["TransactItems"]:
        get = action["Get"]
        cost = read_units(_stored_bytes(get["TableName"], get["Key"]), TRANSACTIONAL)
        units[get["TableName"]] = units.get(get["TableName"], 0.0) + cost
    return units


def _reporting(stock: Callable[[dict], tuple], units_of: Callable[[dict], dict[str, float]]) -> Callable[[dict], tuple]:
    def operation(data: dict) -> tuple:
        status, headers, body = stock(data)
        detail = data.get("ReturnConsumedCapacity", "NONE")
        if status != 200 or detail == "NONE":
            return status, headers, body
        consumed = [{"TableName": name, "CapacityUnits": units} for name, units in units_of(data).items()]
        if detail == "INDEXES":
            consumed = [{**entry, "Table": {"CapacityUnits": entry["CapacityUnits"]}} for entry in consumed]
        answer = json.loads(body) | {"ConsumedCapacity": consumed}
        return status, headers, json.dumps(answer, ensure_ascii=False).encode()

    return operation


def _apply_time_to_live() -> None:
    """Stock: a template's ``TimeToLiveSpecification`` is ignored. AWS: it is switched on with the table."""

    def applying(stock: Callable[..., tuple], properties_at: int) -> Callable[..., tuple]:
        def handler(*args: Any, **kwargs: Any) -> tuple:
            result = stock(*args, **kwargs)
            wanted = args[properties_at].get("TimeToLiveSpecification")
            if wanted:
                specification = {
                    "Enabled": str(wanted.get("Enabled")).lower() == "true",
                    "AttributeName": wanted.get("AttributeName", ""),
                }
                dynamodb._update_ttl({"TableName": result[0], "TimeToLiveSpecification": specification})
            return result

        return handler

    stock = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"] = {
        **stock,
        "create": applying(stock["create"], properties_at=1),
        "update": applying(stock["update"], properties_at=2),
    }


def _stream_expired_items() -> None:
    """Stock: an expired item vanishes silently. AWS: the stream tells its removal, with the service as the user."""
    remove = dynamodb._remove_item

    def remove_item(table: dict, partition_key: str, sort_key: str) -> dict | None:
        old = remove(table, partition_key, sort_key)
        caller = sys._getframe(1)
        if old and caller.f_code.co_name == "_ttl_reaper":
            scope = caller.f_locals
            responses.set_request_account_id(scope["account_id"])
            responses.set_request_region(scope["region"])
            dynamodb._emit_stream_event(scope["table_name"], "REMOVE", old, None)
            records = dynamodb._stream_records.get(scope["table_name"])
            if records:
                records[-1]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return old

    dynamodb._remove_item = remove_item
