"""``python -m local.stripe_double``: run the double until it is interrupted."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from local.stripe_double import control_routes
from local.stripe_double.clock import RemoteClock
from local.stripe_double.server import running_double
from local.stripe_double.store import StateFileError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.stripe_double",
        description="A stateful double of the Stripe API for local work and tests. Moves no money.",
        epilog="Control calls: " + "; ".join(control_routes.calls()),
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=12111, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--public-url", help="address that session links carry (default: where it listens)")
    parser.add_argument("--webhook-url", help="where events are sent; none are sent without it")
    parser.add_argument("--webhook-secret", help="signing secret, whsec_… (default: made up and printed)")
    parser.add_argument("--delivery-workers", type=int, default=1, help="webhooks sent at a time (default: 1)")
    parser.add_argument("--state", type=Path, help="JSON file that keeps the state over restarts")
    parser.add_argument("--clock-url", help='take the time from this URL ({"now": …})')
    parser.add_argument("--business-name", default="Sample firm", help="firm on the payment page")
    parser.add_argument("--verbose", action="store_true", help="log every request")
    return parser.parse_args()


def main() -> int:
    given = _arguments()
    logging.basicConfig(
        level=logging.DEBUG if given.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with running_double(
            webhook_url=given.webhook_url,
            webhook_secret=given.webhook_secret,
            host=given.host,
            port=given.port,
            public_url=given.public_url,
            state=given.state,
            clock=RemoteClock(given.clock_url) if given.clock_url else None,
            business_name=given.business_name,
            delivery_workers=given.delivery_workers,
        ) as double:
            print(f"Stripe double: {double.url}", flush=True)
            print(f"Webhooks go to: {given.webhook_url or 'nowhere (no --webhook-url)'}", flush=True)
            if not given.webhook_secret:
                print(f"Webhook secret: {double.webhook_secret}", flush=True)
            stopping.wait()
    except OSError as error:
        print(f"Can't listen on {given.host}:{given.port}: {error.strerror}", file=sys.stderr)
        return 1
    except StateFileError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
