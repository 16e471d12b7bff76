"""``make audit``: prove the whole ledger now, and say what was proved.

Starts the auditor's state machine on the local stack, or on one on AWS with ``--stack-name remit-prod``, waits for its
end, and prints the report. Exit code 1 if anything differs, with every difference in a sentence.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3

from local.stack import Stack, StackError

PATIENCE_S = 6 * 3600
PAUSE_S = 1.0
ENDINGS = {"SUCCEEDED": "", "FAILED": "LedgerBrokenError"}
"""Status of an execution that has written a report → the error that it then has."""


@dataclass(frozen=True)
class Deployed:
    """A stack's outputs, and how to reach its services."""

    outputs: dict[str, str]
    client: Callable[..., Any]


def local_stack(name: str) -> Deployed:
    stack = Stack(name=name)
    return Deployed(stack.outputs, stack.client)


def stack_on_aws(name: str) -> Deployed:
    described = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return Deployed({output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}, boto3.client)


def run(deployed: Deployed, name: str) -> dict[str, Any]:
    """Run the auditor to its end, as the execution of that name; returns its report."""
    machines = deployed.client("stepfunctions")
    started = machines.start_execution(stateMachineArn=deployed.outputs["AuditorArn"], name=name, input="{}")
    deadline = time.monotonic() + PATIENCE_S
    while (ended := machines.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise StackError(f"The audit {name} still runs after {PATIENCE_S} s")
        time.sleep(PAUSE_S)
    if ENDINGS.get(ended["status"]) != ended.get("error", ""):
        raise StackError(f"The audit {name} did not end well: {ended['status']} {ended.get('error')} {ended.get('cause')}")
    report: dict[str, Any] = json.loads(b"".join(read(deployed, f"audits/{name}/report.json")))
    return report


def read(deployed: Deployed, key: str) -> Iterator[bytes]:
    """A file of the stack's bucket, line by line."""
    stored = deployed.client("s3").get_object(Bucket=deployed.outputs["BucketName"], Key=key)
    yield from stored["Body"].iter_lines(keepends=True)


def tell(deployed: Deployed, report: dict[str, Any]) -> None:
    folder = f"s3://{deployed.outputs['BucketName']}/audits/{report['audit_id']}/"
    print(f"Audit {report['audit_id']}")
    for name in ("accounts", "entries", "documents"):
        print(f"   {name:<12} {report[name]:>10}")
    for proof in report["series"]:
        print(f"   {proof['series']:<12} {proof['count']:>10} numbers, the last is {proof['last']}")
    print(f"   {'differences':<12} {report['differences']:>10}")
    for line in read(deployed, report["files"]["differences.jsonl"]):
        difference = json.loads(line)
        where = " ".join(each for each in (difference["account_id"], difference["currency"]) if each)
        print(f"      {where}: {difference['sentence']}" if where else f"      {difference['sentence']}")
    print(f"   report       {folder}report.json")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.audit", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--stack", default="run", help="which local stack (default: run)")
    parser.add_argument("--stack-name", help="a stack on AWS, with the caller's credentials")
    parser.add_argument("--name", help="the execution's name; one that ran already cannot run again (default: by the time)")
    options = parser.parse_args(arguments)
    try:
        deployed = stack_on_aws(options.stack_name) if options.stack_name else local_stack(options.stack)
        report = run(deployed, options.name or f"by-hand-{datetime.now(UTC):%Y-%m-%dT%H%M%S}")
        tell(deployed, report)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if report["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
