"""Start ministack, the local engine, with this project's fixes: ``.venv-engine/bin/python -m local.engine``.

ministack plays AWS on one machine. Where it differs from AWS in a way that Remit would notice, a module of this package
mends it at start. Each fix states what stock ministack does, what AWS does, and is held by
``tests/integration/test_local_engine.py``. They reach into ministack's private names, so they are bound to one release;
a newer one needs them re-checked, and may make some of them unnecessary.

The settings are ministack's own environment variables; ``local.stack`` sets them.
"""

import os
import sys
import threading
import time
from importlib.metadata import version

SUPPORTED_RELEASE = "1.5.33"
AUTOSAVE_INTERVAL_S = 10.0


def save_state_periodically(interval_s: float) -> None:
    """Keep the state on disk while the engine runs.

    Stock: state is saved only after a clean shutdown, so a killed engine loses everything. AWS does not lose data.
    """
    from ministack import app

    while True:
        time.sleep(interval_s)
        try:
            app.save_all(app._build_persistence_save_dict())
        except Exception:  # noqa: BLE001 - whatever it is, the next round must come
            # A table that changes while it is being copied raises here.
            app.logger.exception("The periodic save of the engine's state failed; it is tried again")


def main() -> None:
    installed = version("ministack")
    if installed != SUPPORTED_RELEASE:
        sys.exit(f"These fixes are for ministack {SUPPORTED_RELEASE}, not {installed}: check them again first")

    from local.engine import access, events, functions, http_api, secrets, state_machines, streams, tables

    for fixes in (http_api, functions, streams, events, tables, state_machines, secrets, access):
        fixes.install()
    if os.environ.get("PERSIST_STATE") == "1":
        threading.Thread(target=save_state_periodically, args=(AUTOSAVE_INTERVAL_S,), daemon=True).start()

    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
