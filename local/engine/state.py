"""Fixes of persistence: the state on disk is recent, and the streams of tables are part of it."""

import os
import threading
import time
from typing import Any

from ministack import app
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb, lambda_svc

AUTOSAVE_INTERVAL_S = float(os.environ.get("REMIT_AUTOSAVE_INTERVAL_S", "10"))
STREAMS = "streams"  # the part of DynamoDB's state that is added here


def install() -> None:
    _save_periodically()
    _save_streams_with_their_tables()


def _save_periodically() -> None:
    """Keep the state on disk while the engine runs.

    Stock: state is saved only after a clean shutdown, so a killed engine loses everything. AWS does not lose data.
    """
    load, save = app._load_persisted_state, app.save_all
    saving = threading.Lock()

    def load_then_keep_saving() -> None:
        load()
        # Not earlier: a save before everything is loaded would overwrite the rest with nothing.
        threading.Thread(target=keep_saving, daemon=True).start()

    def keep_saving() -> None:
        while True:
            time.sleep(AUTOSAVE_INTERVAL_S)
            try:
                app.save_all(app._build_persistence_save_dict())
            except Exception:  # noqa: BLE001 - whatever it is, the next round must come
                app.logger.exception("The periodic save of the engine's state failed; it is tried again")

    def save_one_at_a_time(services: dict) -> None:
        # The last save, at shutdown, may meet a periodic one, whose older state must not end up on top.
        with saving:
            save(services)

    app._load_persisted_state = load_then_keep_saving
    app.save_all = save_one_at_a_time


def _save_streams_with_their_tables() -> None:
    """Save stream records, and the positions of mappings in them, in one file with the tables.

    Stock: the positions are saved, with Lambda's state, but the records are not. After a restart a stream counts from
    zero again, while its mappings still wait at their old position: nothing is delivered until as many new records have
    come, and those are skipped. AWS keeps records for a day.

    It must be one file, which is replaced as a whole: in a killed engine's state two files are of different moments.
    Requests to DynamoDB wait while it is copied, so a transaction is in it whole, with its records. Tasks of state
    machines and expiries do not wait, and mappings move on; so positions are copied first and records last: then a
    record may be delivered twice, but none is lost.
    """
    stock_state, stock_load, stock_handle = dynamodb.get_state, dynamodb.load_persisted_state, dynamodb.handle_request
    stock_load_functions = lambda_svc.load_persisted_state
    in_one_moment = threading.Lock()

    async def handle_request(*request: Any) -> tuple:
        with in_one_moment:  # DynamoDB's handler awaits nothing, so the lock is never held by a suspended request
            return await stock_handle(*request)

    def get_state() -> dict:
        with in_one_moment:
            positions = _copy(lambda_svc._dynamodb_stream_positions)
            state = stock_state()
            # Records never change. They come before the count of those trimmed off: the other way round, a record that
            # expires in between would shift the rest, and one of them would be skipped.
            records = AccountRegionScopedDict.from_dict({k: list(v) for k, v in dynamodb._stream_records.all_items()})
            streams = {"positions": positions, "records": records, "trimmed": _copy(dynamodb._stream_trimmed)}
            return state | {STREAMS: streams}

    def load(data: dict) -> None:
        # State from before this fix has no streams. Then the mappings start anew, from their starting positions.
        streams = data.get(STREAMS, {})
        lambda_svc._dynamodb_stream_positions.update(streams.get("positions", {}))
        dynamodb._stream_records.update(streams.get("records", {}))
        dynamodb._stream_trimmed.update(streams.get("trimmed", {}))
        stock_load(data)

    def load_functions(data: dict) -> None:
        stock_load_functions(data | {"dynamodb_stream_positions": {}})

    dynamodb.handle_request = handle_request
    dynamodb.get_state, dynamodb.load_persisted_state = get_state, load
    lambda_svc.load_persisted_state = load_functions


def _copy(scoped: AccountRegionScopedDict) -> AccountRegionScopedDict:
    return AccountRegionScopedDict.from_dict(scoped.to_dict())
