"""Fix of EventBridge: rules and schedules invoke functions asynchronously."""

import json
from typing import Any

from ministack.services import eventbridge, lambda_svc


def install() -> None:
    """Deliver events to functions through Lambda's asynchronous queue.

    Stock: a rule's or schedule's target function is invoked once, and a failure is dropped. AWS: the invocation is
    asynchronous, so the function's own ``EventInvokeConfig`` decides: two retries unless it says otherwise, then the
    on-failure destination. (A rule's own dead-letter queue takes only what could not be handed to Lambda at all.)
    """

    def dispatch(function_arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(function_arn)
        if not function or not config:
            eventbridge.logger.warning("An event's target, function %s, was not found", name)
            return
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), _event(payload))

    eventbridge._dispatch_to_lambda = dispatch


def _event(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (json.JSONDecodeError, TypeError):
        return {"body": payload}
