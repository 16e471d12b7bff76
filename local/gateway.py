"""The payment gateway's double beside a local stack: its port, its keys, and its process."""

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.stack import HOST, ROOT, Stack, StackError, free_port

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10


@dataclass(frozen=True)
class Keys:
    """What Remit and the gateway share: the API's key, and the secret that signs webhooks."""

    api_key: str
    webhook_secret: str


@dataclass(frozen=True)
class Gateway:
    url: str
    keys: Keys


def choose_port(stack: Stack) -> int:
    """The port of this stack's gateway: the one that it was deployed with, while that is free.

    It is chosen before the deployment, which takes the gateway's address as a parameter.
    """
    port = free_port(stack.state().get("gateway_port"))
    stack.remember(gateway_port=port)
    return port


def ensure_keys(stack: Stack) -> Keys:
    """The keys in the stack's secret; made up at the first start, as an operator puts in the gateway's own on AWS."""
    client = stack.client("secretsmanager")
    arn = stack.outputs["GatewaySecretArn"]
    stored = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    if stored["api_key"] == "not-set":
        stored = {"api_key": f"sk_test_{secrets.token_hex(16)}", "webhook_secret": f"whsec_{secrets.token_hex(16)}"}
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(stored))
    return Keys(api_key=stored["api_key"], webhook_secret=stored["webhook_secret"])


@contextmanager
def running_gateway(stack: Stack, port: int, *options: str) -> Iterator[Gateway]:
    """The double, sending its webhooks to the deployed stack, until the block ends. ``options`` go to its command line."""
    keys = ensure_keys(stack)
    command = [sys.executable, "-m", "local.stripe_double", "--host", HOST, "--port", str(port)]
    command += ["--webhook-url", stack.outputs["WebhookUrl"], "--webhook-secret", keys.webhook_secret]
    if stack.persist:
        command += ["--state", str(stack.directory / "gateway.json")]
    log = stack.directory / "gateway.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_it_listens(process, port, str(log))
        yield Gateway(url=f"http://{HOST}:{port}", keys=keys)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackError(f"The payment gateway's double did not start; see {log}")
        time.sleep(0.1)
