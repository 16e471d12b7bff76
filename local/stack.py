"""Run the deployed stack on this machine: the local engine, and ``sam build`` and ``sam deploy`` against it.

On the command line, ``python -m local.stack --help``. In tests::

    with running_stack(name="test", persist=False, parameters={"ClockMode": "test"}) as stack:
        httpx.get(f"{stack.outputs['ApiUrl']}/health")
        stack.client("dynamodb").describe_table(TableName=stack.outputs["TableName"])

Each stack has a name and a directory, ``.local/<name>``, that holds all its state: the engine's data, its log and
``state.json`` (process, port, parameters, outputs). Stacks of different names do not disturb each other.
"""

import argparse
import base64
import fcntl
import hashlib
import http.client
import json
import os
import platform
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from local import stored_forms
from local.engine import addresses

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
SAM_CONFIG = ROOT / "samconfig.toml"
# What a deployment is made of: when none of it has changed, there is nothing to build or deploy.
SOURCES = ("functions", "layers", "statemachines", "template.yaml", "requirements", "samconfig.toml")

ENGINE_PYTHON = ROOT / ".venv-engine" / "bin" / "python"
SAM = ROOT / ".venv-sam" / "bin" / "sam"

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
STACK_NAME = "remit"
API_LOGICAL_ID = "HttpApi"
ARTIFACTS_BUCKET = "remit-artifacts"
DELETED = "DELETE_COMPLETE"
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
PREFERRED_PORT = 4566
HOST = "127.0.0.1"
HEALTH_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    # Nothing may reach a real account by accident.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
# A caller's settings that would change how the engine, the functions or the SAM CLI behave.
FOREIGN_VARIABLES = ("AWS_", "SAM_", "PYTHON", "VIRTUAL_ENV", "MINISTACK_", "LAMBDA_")

Say = Callable[[str], None]


class StackError(Exception):
    """The local stack cannot do what was asked; the message is for the person at the terminal."""


def say_to_terminal(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@dataclass
class Stack:
    """A stack by name, whether it runs or not.

    ``persist`` keeps the data over a stop. ``enforce_iam`` makes the engine refuse what a function's or state machine's
    role does not allow, as AWS does.
    """

    name: str = "run"
    persist: bool = True
    enforce_iam: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)
    say: Say = say_to_terminal

    # ---- Where it is ------------------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        return LOCAL / self.name

    @property
    def state_file(self) -> Path:
        return self.directory / "state.json"

    @property
    def log_file(self) -> Path:
        return self.directory / "engine.log"

    @property
    def data(self) -> Path:
        """What the engine keeps over a stop."""
        return self.directory / "data"

    def state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_text())
            return state
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def remember(self, **changes: Any) -> None:
        """Keep facts about this stack in its state file."""
        self.directory.mkdir(parents=True, exist_ok=True)
        content = json.dumps(self.state() | changes, indent=2)
        draft = self.state_file.with_suffix(".tmp")
        draft.write_text(content + "\n")
        draft.replace(self.state_file)

    @property
    def port(self) -> int:
        port = self.state().get("port")
        if not port:
            raise StackError(f"The stack {self.name!r} has never been started")
        return int(port)

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        return addresses.api_url(self.endpoint_url, addresses.api_id(STACK_NAME, API_LOGICAL_ID))

    @property
    def outputs(self) -> dict[str, str]:
        """The template's outputs, with AWS's public host names replaced by the engine's."""
        outputs: dict[str, str] | None = self.state().get("outputs")
        if outputs is None:
            raise StackError(f"The stack {self.name!r} is not deployed")
        return outputs

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables by which boto3, the AWS CLI and the SAM CLI reach this stack and nothing else."""
        return CREDENTIALS | {"AWS_ENDPOINT_URL": self.endpoint_url}

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client of this stack, with the rights of the account's root."""
        return self._session.client(service, endpoint_url=self.endpoint_url, **settings)

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    def access_token(self, scope: str | None = None, client: str = "OperatorClientId") -> str:
        """A bearer token for the API: of all scopes of the client, or of those named (separated by spaces)."""
        client_id = self.outputs[client]
        described = self.client("cognito-idp").describe_user_pool_client(
            UserPoolId=self.outputs["UserPoolId"], ClientId=client_id
        )
        basic = base64.b64encode(f"{client_id}:{described['UserPoolClient']['ClientSecret']}".encode()).decode()
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        return str(self._request("POST", "/oauth2/token", urllib.parse.urlencode(form), headers)["access_token"])

    def sent_mail(self) -> list[dict[str, Any]]:
        """All mail that the stack has sent, oldest first: ``To``, ``Subject``, ``BodyHtml``, ``BodyText`` and more."""
        messages: list[dict[str, Any]] = self._request("GET", "/_ministack/ses/messages")["messages"].get(ACCOUNT_ID, [])
        return messages

    def scale_waits(self, factor: float) -> None:
        """Make the waits of state machines take ``factor`` times as long; 0 skips them."""
        setting = json.dumps({"stepfunctions._SFN_WAIT_SCALE": factor})
        self._request("POST", "/_ministack/config", setting, {"Content-Type": "application/json"})

    def _request(self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None) -> Any:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise StackError(f"{method} {path} answered {answer.status}: {content.decode(errors='replace')}")
        return json.loads(content)

    def physical_id(self, logical_id: str) -> str:
        """The name that CloudFormation gave to a resource of the template."""
        detail = self.client("cloudformation").describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=logical_id)
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])

    # ---- Engine -----------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        pid = int(self.state().get("pid") or 0)
        return bool(pid) and _is_engine(pid) and self._healthy(timeout_s=2)

    def start(self, port: int | None = None) -> None:
        """Start the engine, unless it runs; returns when it answers. `StackError` for data of another version."""
        forms = stored_forms.fingerprint() if self.persist else None
        self._require_data_of(forms)
        if self.running:
            if port and port != self.port:
                raise StackError(f"The stack {self.name!r} already runs on port {self.port}; stop it first")
            return
        if not ENGINE_PYTHON.exists() or not SAM.exists():
            raise StackError("The environments are missing: run 'make setup' first")
        if not self.persist:
            self.clean()
        self.directory.mkdir(parents=True, exist_ok=True)
        chosen = self._choose_port(port)
        if chosen != self.state().get("port"):
            # Addresses that were deployed (queues, the API) carry the port.
            self.remember(deployed=None)
        started = time.monotonic()
        process = subprocess.Popen(
            [str(ENGINE_PYTHON), "-m", "local.engine"],
            cwd=ROOT,
            env=self._engine_environment(chosen),
            stdin=subprocess.DEVNULL,
            stdout=self.log_file.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us only, and we stop the engine in good order
        )
        self.remember(name=self.name, pid=process.pid, port=chosen, forms=forms)
        while not self._healthy(timeout_s=1):
            if process.poll() is not None or time.monotonic() - started > HEALTH_TIMEOUT_S:
                process.kill()
                tail = "\n".join(self.log_file.read_text().splitlines()[-20:])
                raise StackError(f"The engine did not start; the end of {self.log_file}:\n{tail}")
            time.sleep(0.1)
        self.say(f"Engine started on {HOST}:{chosen} in {time.monotonic() - started:.1f} s")

    def stop(self) -> None:
        """Stop the engine; it saves its data first when the stack persists."""
        pid = self.state().get("pid")
        if pid and _is_engine(int(pid)):
            _terminate(int(pid))
        if not self.persist:
            self.clean()
        elif self.state_file.exists():
            self.remember(pid=None)

    def clean(self) -> None:
        """Remove the stack with all its data."""
        pid = self.state().get("pid")
        if pid and _is_engine(int(pid)):
            _terminate(int(pid))
        shutil.rmtree(self.directory, ignore_errors=True)

    def _require_data_of(self, forms: str | None) -> None:
        """What was stored in another form would be met later, by a request that ends in an error of the server."""
        if self.persist and self.data.exists() and self.state().get("forms") != forms:
            raise StackError(f"The data in {self.directory} was stored by another version of Remit: remove it with 'make clean'")

    def _choose_port(self, named: int | None) -> int:
        if named:
            if not _is_free(named):
                raise StackError(f"Port {named} is taken by another program; name another one with REMIT_PORT")
            return named
        return free_port(self.state().get("port"), PREFERRED_PORT if self.persist else None)

    def _engine_environment(self, port: int) -> dict[str, str]:
        temporary = self.directory / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # unpacked functions of the last run
        temporary.mkdir(parents=True)
        persist = "1" if self.persist else "0"
        return _own_environment() | {
            "AUTH": "true" if self.enforce_iam else "false",
            "BIND_HOST": HOST,  # its default is every network interface
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": persist,
            "STATE_DIR": str(self.data),
            "S3_PERSIST": persist,
            "S3_DATA_DIR": str(self.directory / "s3"),
            "TMPDIR": str(temporary),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # AWS waits a minute before it retries an asynchronous call
            "POWERTOOLS_TRACE_DISABLED": "1",
        }

    def _healthy(self, timeout_s: float) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    # ---- Deployment -------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """Build and deploy the template, unless nothing has changed since the last time."""
        parameters = self._all_parameters()
        fingerprint = _fingerprint(parameters)
        # The second look is for an engine that was killed before it had saved the deployment.
        if self.state().get("deployed") == fingerprint and self._stack_status() in SETTLED:
            self.say("Nothing has changed since the last deployment")
            return
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        with _build_lock():
            # One build serves every local stack. The lock is held until the artifacts are uploaded.
            self._sam(
                "Building the functions and the shared layer (about a minute the first time)",
                ["build", "--build-dir", str(LOCAL / "build"), "--cache-dir", str(_build_cache())],
                ["--parameter-overrides", *overrides],
            )
            self._ensure_artifacts_bucket()
            self._remove_failed_first_deployment()
            self._sam(
                "Deploying the stack",
                ["deploy", "--template-file", str(LOCAL / "build" / "template.yaml"), "--stack-name", STACK_NAME],
                ["--s3-bucket", ARTIFACTS_BUCKET, "--region", REGION, "--parameter-overrides", *overrides],
            )
        # On AWS the operator proves that the sender's address is theirs; here it is simply declared.
        self.client("ses").verify_email_identity(EmailAddress=parameters["MailFrom"])
        self.remember(deployed=fingerprint, parameters=parameters, outputs=self._read_outputs())

    def _all_parameters(self) -> dict[str, str]:
        defaults = {
            "Stage": "local",
            "FunctionArchitecture": machine_architecture(),
            "PublicUrl": self.api_url,
            "DeletionProtection": "false",
            "MailFrom": "billing@example.com",
        }
        return defaults | dict(self.parameters)

    def _sam(self, doing: str, command: list[str], options: list[str]) -> None:
        self.say(doing)
        started = time.monotonic()
        settings = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5", "REMIT_BUILD_FOR": "host"}
        environment = _own_environment() | self.environment | settings
        # sam checks that it finds the functions' Python itself, not a launcher such as pyenv's shim.
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        done = subprocess.run(
            [str(SAM), command[0], "--config-file", str(SAM_CONFIG), "--config-env", "local", *command[1:], *options],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        log = self.directory / f"sam-{command[0]}.log"
        log.write_text(done.stdout)
        if done.returncode != 0:
            lines = [line for line in done.stdout.splitlines() if line.strip()]
            reasons = self._failure_reasons() if command[0] == "deploy" else []
            raise StackError("\n".join([f"'sam {command[0]}' failed; its whole output is in {log}", *reasons, *lines[-8:]]))
        self.say(f"  done in {time.monotonic() - started:.1f} s")

    def _ensure_artifacts_bucket(self) -> None:
        s3 = self.client("s3")
        if ARTIFACTS_BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=ARTIFACTS_BUCKET)

    def _stack_status(self) -> str | None:
        stacks = self.client("cloudformation").list_stacks()["StackSummaries"]
        alive = [stack for stack in stacks if stack["StackName"] == STACK_NAME and stack["StackStatus"] != DELETED]
        return alive[0]["StackStatus"] if alive else None

    def _remove_failed_first_deployment(self) -> None:
        """A stack whose creation was rolled back can only be deleted; ``sam deploy`` would refuse it."""
        if self._stack_status() == "ROLLBACK_COMPLETE":
            cloudformation = self.client("cloudformation")
            cloudformation.delete_stack(StackName=STACK_NAME)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK_NAME, WaiterConfig={"Delay": 1})

    def _failure_reasons(self) -> list[str]:
        if self._stack_status() is None:
            return []
        events = self.client("cloudformation").describe_stack_events(StackName=STACK_NAME)["StackEvents"]
        failures = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        return [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failures[:5]]

    def _read_outputs(self) -> dict[str, str]:
        described = self.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        return {name: self._locally(value) for name, value in sorted(outputs.items())}

    def _locally(self, value: str) -> str:
        an_api_id = addresses.api_id(STACK_NAME, API_LOGICAL_ID)
        value = value.replace(f"https://{an_api_id}.execute-api.{REGION}.amazonaws.com", self.api_url)
        if ".amazoncognito.com/" in value:
            # The engine serves every user pool's token endpoint under its own address.
            value = f"{self.endpoint_url}/{value.split('.amazoncognito.com/', 1)[1]}"
        return value


@contextmanager
def running_stack(
    name: str = "test",
    persist: bool = False,
    parameters: Mapping[str, str] | None = None,
    enforce_iam: bool = True,
    port: int | None = None,
    say: Say = say_to_terminal,
) -> Iterator[Stack]:
    """A deployed stack, stopped at the end; with ``persist=False`` it starts empty and leaves nothing behind."""
    stack = Stack(name=name, persist=persist, enforce_iam=enforce_iam, parameters=parameters or {}, say=say)
    try:
        stack.start(port=port)
        stack.deploy()
        yield stack
    finally:
        stack.stop()


@contextmanager
def running_engine(name: str, enforce_iam: bool = False, say: Say = say_to_terminal) -> Iterator[Stack]:
    """An empty engine without a deployment, for tests that bring their own tables and functions."""
    stack = Stack(name=name, persist=False, enforce_iam=enforce_iam, say=say)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def machine_architecture() -> str:
    """This machine's architecture by Lambda's name for it."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def _own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}


def _fingerprint(parameters: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for source in SOURCES:
        path = ROOT / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"\n{file.relative_to(ROOT)}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _build_cache() -> Path:
    """The SAM CLI's cache knows the sources but not the script that packages them: a changed script gets a new one."""
    script = (ROOT / "layers" / "build.py").read_bytes()
    return LOCAL / "cache" / hashlib.sha256(script).hexdigest()[:16]


@contextmanager
def _build_lock() -> Iterator[None]:
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_port(*preferred: int | None) -> int:
    """The first of the preferred ports that is free, or any free one."""
    for port in preferred:
        if port and _is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _is_engine(pid: int) -> bool:
    """Whether the process exists and is an engine: after a reboot the number may belong to anything."""
    shown = subprocess.run(["ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True).stdout
    return "local.engine" in shown and not shown.lstrip().startswith("Z")


def _terminate(pid: int) -> None:
    """Stop an engine that this or an earlier command started."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _is_engine(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.1)


# ---- Command line -------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.stack", description="Run the stack on this machine")
    parser.add_argument("command", choices=["start", "stop", "deploy", "outputs", "env", "token", "status", "clean"])
    parser.add_argument("--name", default="run", help="which stack; each has its own data and port (default: run)")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("REMIT_PORT", "0")) or None, help="default: $REMIT_PORT or free"
    )
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a template parameter, for 'deploy'"
    )
    options = parser.parse_args(arguments)
    stack = Stack(name=options.name, parameters=dict(pair.split("=", 1) for pair in options.parameter))
    try:
        _run(options.command, stack, options.port)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(command: str, stack: Stack, port: int | None) -> None:
    if command == "start":
        stack.start(port)
    elif command == "deploy":
        stack.start(port)
        remembered = {name: value for name, value in stack.state().get("parameters", {}).items() if name != "PublicUrl"}
        stack.parameters = remembered | dict(stack.parameters)
        stack.deploy()
    elif command == "stop":
        stack.stop()
    elif command == "clean":
        stack.clean()
    elif command == "outputs":
        print(json.dumps(stack.outputs, indent=2))
    elif command == "env":
        for name, value in stack.environment.items():
            print(f"export {name}={shlex.quote(value)}")
    elif command == "token":
        print(f"export API={shlex.quote(stack.api_url)}")
        print(f"export TOKEN={shlex.quote(stack.access_token())}")
    elif command == "status":
        print(f"{stack.name}: running at {stack.endpoint_url}" if stack.running else f"{stack.name}: stopped")


if __name__ == "__main__":
    sys.exit(main())
