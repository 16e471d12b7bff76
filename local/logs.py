"""Follow the functions' logs of the running local stack: ``python -m local.logs``."""

import sys
import time
from typing import Any

from local.stack import Stack, StackError

POLL_INTERVAL_S = 1.0


def follow(stack: Stack) -> None:
    """Print log lines as they come, until interrupted."""
    logs = stack.client("logs")
    group = stack.outputs["FunctionLogsName"]
    since, printed = 0, set[str]()
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        for event in (event for page in pages for event in page["events"] if event["eventId"] not in printed):
            printed.add(event["eventId"])
            since = max(since, event["timestamp"])
            print(_line(event), flush=True)
        time.sleep(POLL_INTERVAL_S)


def _line(event: dict[str, Any]) -> str:
    moment = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
    return f"{moment} {event['message'].rstrip()}"


def main() -> int:
    stack = Stack()
    try:
        if not stack.running:
            raise StackError("The local stack does not run: start it with 'make run'")
        follow(stack)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
