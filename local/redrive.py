"""``make redrive``: send what rests in a dead-letter queue back to where it came from.

For the local stack, and for one on AWS with ``--stack-name remit-prod``. Only the gateway's events come from a queue,
so they can be moved back; every other dead letter is a description of what was given up on, and its redrive is
the named command.
"""

import argparse
import sys
from typing import Any

import boto3

from local.stack import Stack, StackError

GATEWAY_EVENTS = "gateway-events"

OUTPUTS = {
    GATEWAY_EVENTS: "GatewayEventDeadLettersUrl",
    "dunning": "DunningDeadLettersUrl",
    "notifications": "EventDeadLettersUrl",
    "outbox": "StreamDeadLettersUrl",
    "projections": "ProjectionDeadLettersUrl",
    "recurring-payments": "RecurringPaymentsDeadLettersUrl",
    "schedules": "ScheduleDeadLettersUrl",
    "summaries": "SummaryDeadLettersUrl",
}
"""Queue → the stack's output that names it."""

REMEDIES = {
    "dunning": "its accounts are still in the agenda, and the next run takes them: POST /dunning-runs runs now",
    "notifications": "each holds its event; invoke the notifications function with it",
    "outbox": "each names a stream record; publish the entry it stands for by invoking the outbox function",
    "projections": "the next entry of the same account counts them too; `make rebuild-totals` counts all at once",
    "recurring-payments": "what they name is still in the agenda: the next run takes it, POST /recurring-payment-runs now",
    "schedules": "the next run of the schedule catches up",
    "summaries": "its accounts are still in the agenda, and the next run takes them, within a quarter of an hour",
}


def waiting(sqs: Any, url: str) -> int:
    """How many messages rest in the queue, about."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def move_back(sqs: Any, dead_letters: str, queue: str) -> int:
    """Send each message to the queue again, then take it off here: after a crash in between it goes twice, which is
    harmless, and never not at all. (SQS's own StartMessageMoveTask does the same; the local engine has none.)"""
    moved = 0
    while messages := sqs.receive_message(QueueUrl=dead_letters, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def redrive(sqs: Any, outputs: dict[str, str], names: list[str]) -> None:
    """Say what rests where; move back what can be moved back."""
    for name in names:
        url = outputs[OUTPUTS[name]]
        count = waiting(sqs, url)
        if count and name == GATEWAY_EVENTS:
            moved = move_back(sqs, url, outputs["GatewayEventsUrl"])
            print(f"{name}: {moved} sent back; an event that was applied meanwhile changes nothing")
        else:
            print(f"{name}: {count} resting" + (f"; {REMEDIES[name]}" if count else ""))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.redrive", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("queue", nargs="?", choices=sorted(OUTPUTS), help="one queue; all by default")
    parser.add_argument("--stack-name", help="a stack on AWS, with the caller's credentials; the local one by default")
    options = parser.parse_args(arguments)
    names = [options.queue] if options.queue else sorted(OUTPUTS)
    try:
        if options.stack_name:
            described = boto3.client("cloudformation").describe_stacks(StackName=options.stack_name)["Stacks"][0]
            outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
            redrive(boto3.client("sqs"), outputs, names)
        else:
            stack = Stack(name="run")
            redrive(stack.client("sqs"), stack.outputs, names)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
