"""Fixes of IAM enforcement (``AUTH=true``): the rights of state machines, and of senders of mail.

The engine checks the calls that a function makes, by its role. These fixes extend that to what it leaves out, so that a
right missing from the template shows here and not first on AWS.
"""

import json
from collections.abc import Iterator
from contextvars import ContextVar
from email.utils import parseaddr
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

role_of_execution: ContextVar[str] = ContextVar("role_of_execution", default="")


def install() -> None:
    if app.AUTH:
        _check_tasks_of_state_machines()
        _check_senders_of_mail()


def _check_tasks_of_state_machines() -> None:
    """Check each task of a state machine against the machine's role.

    Stock: tasks run with all rights. AWS: each task needs the right to do what it does, and a distributed map the rights
    to start executions of its own machine, to read its items and to write its results; without it the task fails. (On
    AWS the error's name varies by service; here it is ``States.Permissions`` for all.) Of ``aws-sdk`` tasks for other
    services than those of ``_required_rights`` only the action is checked, not the resource.
    """
    execute_task, invoke = stepfunctions._execute_task, stepfunctions._invoke_resource
    invoke_with_callback, run_distributed_map = stepfunctions._invoke_with_callback, stepfunctions._run_distributed_map

    def execute_as_role(state: dict, raw_input: Any, execution: dict, context: dict) -> tuple:
        token = role_of_execution.set(_role_of(execution))
        try:
            return execute_task(state, raw_input, execution, context)
        finally:
            role_of_execution.reset(token)

    def checked_invoke(resource: str, parameters: Any) -> Any:
        _require(_required_rights(resource, parameters))
        return invoke(resource, parameters)

    def checked_invoke_with_callback(resource: str, parameters: Any, *details: Any) -> Any:
        _require(_required_rights(resource, parameters))
        return invoke_with_callback(resource, parameters, *details)

    def checked_distributed_map(state: dict, raw: Any, effective: Any, iterator: dict, execution: dict, context: dict):
        token = role_of_execution.set(_role_of(execution))
        try:
            _require([("states:StartExecution", _machine_arn(execution)), *_rights_to_files(state, effective, context)])
        finally:
            role_of_execution.reset(token)
        return run_distributed_map(state, raw, effective, iterator, execution, context)

    stepfunctions._execute_task = execute_as_role
    stepfunctions._invoke_resource = checked_invoke
    stepfunctions._invoke_with_callback = checked_invoke_with_callback
    stepfunctions._run_distributed_map = checked_distributed_map


def _rights_to_files(state: dict, effective: Any, context: dict) -> Iterator[tuple[str, str]]:
    """What a distributed map itself reads its items from and writes its results to."""
    for field, action in (("ItemReader", "s3:GetObject"), ("ResultWriter", "s3:PutObject")):
        parameters = state.get(field, {}).get("Parameters")
        if not parameters:
            continue
        given = stepfunctions._resolve_params_obj(parameters, effective, context)
        if state[field].get("Resource", "").endswith("listObjectsV2"):
            yield "s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}"
        else:
            yield action, f"arn:aws:s3:::{given['Bucket']}/{given.get('Key') or given.get('Prefix', '')}"


def _machine_arn(execution: dict) -> str:
    """The machine's ARN; a child execution of a distributed map has that of its machine, with ``/label`` added."""
    return execution["stateMachineArn"].split("/")[0]


def _role_of(execution: dict) -> str:
    machine = stepfunctions._state_machines.get(_machine_arn(execution)) or {}
    return machine.get("roleArn", "")


def _required_rights(resource: str, parameters: Any) -> Iterator[tuple[str, str]]:
    """Pairs of IAM action and resource that a task needs; the resource ``""`` stands for any."""
    if ":function:" in resource:
        yield "lambda:InvokeFunction", resource
        return
    service, _, action = resource.split(":::", 1)[-1].removeprefix("aws-sdk:").partition(":")
    action = action.split(".", 1)[0]  # without .sync, .sync:2 and .waitForTaskToken
    given = parameters if isinstance(parameters, dict) else {}
    if service == "lambda" and action == "invoke":
        yield "lambda:InvokeFunction", _arn("lambda", "function:", given.get("FunctionName", ""))
    elif service == "dynamodb" and "TableName" in given:
        yield f"dynamodb:{_capital(action)}", _arn("dynamodb", "table/", given["TableName"])
    elif service in ("states", "sfn") and action == "startExecution":
        yield "states:StartExecution", given.get("StateMachineArn", "")
    elif service in ("events", "eventbridge") and action == "putEvents":
        for entry in given.get("Entries", []):
            yield "events:PutEvents", _arn("events", "event-bus/", entry.get("EventBusName", "default"))
    elif service == "sqs" and action == "sendMessage":
        yield "sqs:SendMessage", _arn("sqs", "", given.get("QueueUrl", "").rsplit("/", 1)[-1])
    else:
        yield f"{service}:{_capital(action)}", ""


def _arn(service: str, prefix: str, name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:{service}:{get_region()}:{get_account_id()}:{prefix}{name}"


def _capital(action: str) -> str:
    return action[:1].upper() + action[1:]


def _require(rights: Any) -> None:
    role = role_of_execution.get()
    policies = iam_evaluator._gather_role_policies(role.rsplit("/", 1)[-1], get_account_id())
    for action, resource in rights:
        if not _allowed(role, policies, action, resource):
            raise stepfunctions._ExecutionError(
                "States.Permissions", f"{role} is not authorized to perform: {action} on resource: {resource or '*'}"
            )


def _allowed(role: str, policies: list, action: str, resource: str) -> bool:
    if not resource:
        allowing = (statement for policy in policies for statement in policy if statement.effect == "Allow")
        return any(iam_evaluator.fnmatch_iam(action, pattern) for grant in allowing for pattern in grant.actions)
    question = iam_evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    return iam_evaluator.evaluate(question, policies).decision == "Allow"


def _check_senders_of_mail() -> None:
    """Check ``ses:SendEmail`` on the sender's identity, with the condition key ``ses:FromAddress``.

    Stock: SES v2 sends are checked on the resource ``*`` without condition keys, so a policy that names an identity or
    a sender, as a least-privilege one does, denies every mail.
    """
    stock = app._enforce_ses_v2

    def enforce(method: str, path: str, headers: dict, body: bytes, query_params: dict, request_id: str) -> Any:
        if method != "POST" or not path.rstrip("/").endswith("/outbound-emails"):
            return stock(method, path, headers, body, query_params, request_id)
        request = json.loads(body)
        _, sender = parseaddr(request.get("FromEmailAddress", ""))
        identity = request.get("FromEmailAddressIdentityArn") or _arn("ses", "identity/", sender)
        return app._enforce_data_plane(
            "sesv2",
            iam_actions.extract_iam_action("ses", method, path, headers, body, query_params),
            headers,
            query_params,
            request_id,
            resource_arn=identity,
            named_resource=identity,
            service_context={"ses:FromAddress": sender},
        )

    app._enforce_ses_v2 = enforce
