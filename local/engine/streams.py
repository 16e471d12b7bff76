"""Fix of DynamoDB stream mappings: retries end, batches split, partial failures count, and mappings are independent."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import dynamodb, lambda_svc

RETRY_DELAY_MAX_S = 5.0
UNLIMITED = -1


def install() -> None:
    """Replace the poller of stream mappings.

    Stock: a batch that fails is repeated for ever and blocks its mapping; ``MaximumRetryAttempts``,
    ``BisectBatchOnFunctionError`` and ``ReportBatchItemFailures`` are ignored; and all mappings share one thread, so a
    slow function delays every other. AWS: see ``_deliver``; each mapping has its own position and pace.
    """
    lambda_svc._poll_dynamodb_streams = poll


def poll() -> bool:
    """Start the next batch of every idle mapping; true if there was one."""
    started = False
    for account_id, region, mapping in lambda_svc._iter_all_esms():
        with _scope(account_id, region):
            started = _start_next_batch(mapping) or started
    return started


@contextmanager
def _scope(account_id: str, region: str) -> Iterator[None]:
    account = lambda_svc._request_account_id.set(account_id)
    place = lambda_svc._request_region.set(region)
    try:
        yield
    finally:
        lambda_svc._request_account_id.reset(account)
        lambda_svc._request_region.reset(place)


def _start_next_batch(mapping: dict) -> bool:
    mapping_id, stream_arn = mapping["UUID"], mapping.get("EventSourceArn", "")
    table_name = _table_of(stream_arn)
    if table_name is None or not mapping.get("Enabled", True) or lambda_svc._esm_inflight.get(mapping_id):
        return False
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    table = dynamodb._tables.get(table_name)
    if function is None or not table or table.get("LatestStreamArn") != stream_arn:
        return False

    lambda_svc._init_stream_position(mapping_id, stream_arn, mapping.get("StartingPosition", "LATEST"))
    position = max(lambda_svc._dynamodb_stream_positions[mapping_id], dynamodb.stream_start_position(table_name))
    records = dynamodb.stream_records_since(table_name, position, int(mapping.get("BatchSize", 100)))
    if not records:
        return False
    batch = lambda_svc._apply_filter_criteria(records, mapping)
    lambda_svc._dispatch_esm_batch(mapping_id, _process, mapping, function, batch, position + len(records))
    return True


def _table_of(stream_arn: str) -> str | None:
    try:
        source = parse_arn(stream_arn)
    except ArnParseError:
        return None
    table_and_label = lambda_svc._dynamodb_stream_table_from_arn_spec(source) if source.service == "dynamodb" else None
    return table_and_label[0] if table_and_label else None


def _process(mapping: dict, function: dict, batch: list[dict], next_position: int) -> None:
    if batch:
        _deliver(mapping, function, batch, attempts=0)
    # Only a finished batch moves the position: a batch cut short by a restart is delivered again, as on AWS.
    lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = next_position


def _deliver(mapping: dict, function: dict, batch: list[dict], attempts: int) -> None:
    """Deliver a batch until it succeeds, is exhausted or is too old, by AWS's rules.

    - A raised error fails the whole batch. With ``BisectBatchOnFunctionError`` the batch is split in two, which does
      not count as a retry.
    - With ``ReportBatchItemFailures`` everything from the first reported record on is delivered again; an empty or
      unknown identifier fails the whole batch.
    - After ``MaximumRetryAttempts`` (or past ``MaximumRecordAgeInSeconds``) what is left goes, as a description without
      the records, to the on-failure destination, and the stream moves on.
    """
    limit = _setting(mapping, "MaximumRetryAttempts")
    while batch and mapping.get("Enabled", True) and _exists(mapping):
        result = lambda_svc._execute_function(function, {"Records": batch})
        failed = _failed_part(mapping, batch, result)
        if not failed:
            mapping["LastProcessingResult"] = f"OK - {len(batch)} records"
            return
        mapping["LastProcessingResult"] = "FAILED"
        lambda_svc.logger.warning("%s failed on %d stream records", mapping["FunctionName"], len(failed))
        if len(failed) < len(batch):
            attempts = 0  # the checkpoint moved: the retries are those of the record that now comes first
        condition = _reason_to_give_up(mapping, failed, attempts, limit)
        if condition:
            lambda_svc._send_ddb_stream_failure_record(mapping, function, failed, mapping["EventSourceArn"], result, condition)
            return
        time.sleep(min(0.2 * 2**attempts, RETRY_DELAY_MAX_S))
        if result.get("error") and mapping.get("BisectBatchOnFunctionError") and len(failed) > 1:
            middle = len(failed) // 2
            _deliver(mapping, function, failed[:middle], attempts)
            batch = failed[middle:]
        else:
            batch, attempts = failed, attempts + 1


def _setting(mapping: dict, name: str) -> int:
    value = mapping.get(name)
    return UNLIMITED if value is None else int(value)


def _exists(mapping: dict) -> bool:
    return lambda_svc._esms.get(mapping["UUID"]) is not None


def _failed_part(mapping: dict, batch: list[dict], result: dict) -> list[dict]:
    if result.get("error"):
        return batch
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return []
    body = result.get("body")
    failures = (body.get("batchItemFailures") or []) if isinstance(body, dict) else []
    if not failures:
        return []
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
    reported = {failure.get("itemIdentifier") for failure in failures}
    if not reported <= set(numbers):
        return batch
    return batch[min(numbers.index(number) for number in reported) :]


def _reason_to_give_up(mapping: dict, failed: list[dict], attempts: int, limit: int) -> str | None:
    age_max_s = _setting(mapping, "MaximumRecordAgeInSeconds")
    oldest = float(failed[0]["dynamodb"].get("ApproximateCreationDateTime", time.time()))
    if age_max_s != UNLIMITED and time.time() - oldest > age_max_s:
        return "MaxRecordAgeExceeded"
    can_split = mapping.get("BisectBatchOnFunctionError") and len(failed) > 1
    if limit != UNLIMITED and attempts >= limit and not can_split:
        return "RetryAttemptsExhausted"
    return None
