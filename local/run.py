"""``make run``: the whole of Remit on this machine, and one walk through the main job.

Starts the engine, builds and deploys the stack, starts the payment gateway's double, runs ``local.walkthrough``, and
then keeps everything running until Ctrl-C. The data survives; the next start takes seconds.
"""

import os
import signal
import subprocess
import sys
import time
from typing import NoReturn

from local import gateway
from local.stack import HOST, ROOT, Stack, StackError, running_stack, say_to_terminal

STACK_NAME = "run"


def run() -> None:
    stack = Stack(name=STACK_NAME)
    if stack.running:
        raise StackError(f"It already runs, at {stack.endpoint_url}: stop it with 'make stop' first")
    port = gateway.choose_port(stack)
    parameters = {
        "GatewayApiBase": f"http://{HOST}:{port}",
        "CheckoutOrigin": f"http://{HOST}:{port}",
        "ClockMode": "test",
    }
    named_port = int(os.environ.get("REMIT_PORT", "0")) or None
    with (
        running_stack(name=STACK_NAME, persist=True, parameters=parameters, port=named_port) as deployed,
        gateway.running_gateway(deployed, port) as double,
    ):
        say_to_terminal(f"Payment gateway's double at {double.url}\n")
        walk(deployed)
        say_to_terminal("\nEverything runs. Ctrl-C stops it; 'make run' continues with the same data, 'make clean' removes it.")
        while deployed.running:
            time.sleep(1)
        say_to_terminal("The engine was stopped from elsewhere")


def walk(stack: Stack) -> None:
    """Run the walkthrough in a process of its own; a failure there leaves the stack running, to be looked at."""
    environment = {**os.environ, **stack.environment, "REMIT_STACK": stack.name, "PYTHONPATH": str(ROOT / "layers" / "shared")}
    done = subprocess.run([sys.executable, "-m", "local.walkthrough"], cwd=ROOT, env=environment)
    if done.returncode != 0:
        say_to_terminal(f"The walkthrough failed (exit code {done.returncode}); the engine's log is {stack.log_file}")


def main() -> int:
    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        run()
    except StackError as error:
        say_to_terminal(str(error))
        return 1
    except KeyboardInterrupt:
        say_to_terminal("Stopped; the data is kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
