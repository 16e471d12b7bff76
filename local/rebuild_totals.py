"""``make rebuild-totals``: count all journal entries anew and compare them with the firm's totals.

For the local stack, and for one on AWS with ``--stack-name remit-prod``. ``--replace`` reads the new totals from then on;
without it, nothing that is read changes. The firm can work on meanwhile.
"""

import argparse
import json
import sys
import time
from typing import Any

import boto3

from local.stack import Stack, StackError

OUTPUT = "TotalsRebuildArn"


def rebuild(state_machines: Any, machine: str, *, replace: bool, pause_s: float = 1.0) -> int:
    """Run the state machine, wait for its end and say what came of it; the exit status."""
    started = state_machines.start_execution(stateMachineArn=machine, input=json.dumps({"replace": replace}))
    while (found := state_machines.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
        time.sleep(pause_s)
    if found["status"] != "SUCCEEDED":
        print(f"{found.get('error', found['status'])}: {found.get('cause', 'see the log of the function')}", file=sys.stderr)
        return 1
    done = json.loads(found["output"])
    print(f"{done['accounts']} accounts counted, {done['differences']} figures differed")
    for difference in done["first"]:
        print(f"  {difference}")
    print("The new totals are read from now on" if replace else "The totals are what the entries say")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.rebuild_totals", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--replace", action="store_true", help="read the new totals from then on")
    parser.add_argument("--stack-name", help="a stack on AWS, with the caller's credentials; the local one by default")
    options = parser.parse_args(arguments)
    try:
        if options.stack_name:
            described = boto3.client("cloudformation").describe_stacks(StackName=options.stack_name)["Stacks"][0]
            outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
            return rebuild(boto3.client("stepfunctions"), outputs[OUTPUT], replace=options.replace)
        stack = Stack(name="run")
        return rebuild(stack.client("stepfunctions"), stack.outputs[OUTPUT], replace=options.replace)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
