"""Start ministack, the local engine, with this project's fixes: ``.venv-engine/bin/python -m local.engine``.

ministack plays AWS on one machine. Where it differs from AWS in a way that Remit would notice, a module of this package
mends it at start. Each fix states what stock ministack does, what AWS does, and is held by
``tests/integration/test_local_engine.py``. They reach into ministack's private names, so they are bound to one release;
a newer one needs them re-checked, and may make some of them unnecessary.

The settings are ministack's own environment variables; ``local.stack`` sets them.
"""

import sys
from importlib.metadata import version

SUPPORTED_RELEASE = "1.5.33"


def main() -> None:
    installed = version("ministack")
    if installed != SUPPORTED_RELEASE:
        sys.exit(f"These fixes are for ministack {SUPPORTED_RELEASE}, not {installed}: check them again first")

    from local.engine import access, events, functions, http_api, secrets, state, state_machines, streams, tables

    for fixes in (http_api, functions, streams, events, tables, state_machines, secrets, access, state):
        fixes.install()

    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
