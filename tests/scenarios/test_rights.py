"""Least privilege, read from template.yaml; that these rights suffice is proved by every other scenario, with IAM enforced."""

import json
from typing import Any

import pytest

from local.stack import ROOT
from tests.scenarios.template import functions, resources, template
from tests.scenarios.world import World

READS, WRITES = "dynamodb:BatchGetItem", "dynamodb:PutItem"

RIGHTS: dict[str, set[str]] = {
    "HealthFunction": set(),
    "FirmFunction": {READS, WRITES},
    "AccountsFunction": {READS, WRITES, "dynamodb:Query"},
    "InvoicingFunction": {READS, WRITES, "dynamodb:Query"},
    "InvoiceBatchesFunction": {READS, WRITES, "dynamodb:Query"},
    "PaymentsFunction": {READS, WRITES, "dynamodb:Query", "secretsmanager:GetSecretValue"},
    "CreditsFunction": {READS, WRITES, "dynamodb:Query"},
    "RefundsFunction": {READS, WRITES, "dynamodb:Query"},
    "SubscriptionsFunction": {READS, WRITES, "dynamodb:Query"},
    "WalletFunction": {READS, WRITES, "dynamodb:Query"},
    "AutoTopUpFunction": {READS, WRITES, "dynamodb:Query", "sqs:SendMessage"},
    "PaymentPageFunction": {READS, WRITES, "secretsmanager:GetSecretValue"},
    "PaymentWebhooksFunction": {READS, "sqs:SendMessage", "secretsmanager:GetSecretValue"},
    "PaymentEventsFunction": {READS, WRITES, "dynamodb:Query", "secretsmanager:GetSecretValue"},
    "AgendaFunction": {READS, WRITES, "dynamodb:Query", "sqs:SendMessage", "secretsmanager:GetSecretValue"},
    "OutboxFunction": {"events:PutEvents", "sqs:SendMessage"},
    "ProjectionsFunction": {READS, WRITES, "dynamodb:Query", "sqs:SendMessage"},
    "NotificationsFunction": {READS, WRITES, "secretsmanager:GetSecretValue", "ses:SendEmail", "sqs:SendMessage"},
    "MailEventsFunction": {READS, WRITES, "sqs:SendMessage"},
    "TemplatesFunction": {READS, WRITES, "dynamodb:Query", "secretsmanager:GetSecretValue"},
    "FindDueFunction": {READS, WRITES, "dynamodb:Query"},
    "DunFunction": {READS, WRITES, "dynamodb:Query", "secretsmanager:GetSecretValue", "ses:SendEmail"},
    "SummarySchedulesFunction": {READS, WRITES, "dynamodb:Query"},
    "FindChangedSchedulesFunction": {READS, "dynamodb:Query"},
    "PlanSummariesFunction": {READS, WRITES, "dynamodb:Query"},
    "FindSummariesFunction": {READS, "dynamodb:Query"},
    "TellAccountFunction": {READS, WRITES, "dynamodb:Query", "secretsmanager:GetSecretValue", "ses:SendEmail"},
    "FindDueSubscriptionsFunction": {READS, "dynamodb:Query"},
    "RenewFunction": {READS, WRITES},
    "FindDueCollectionsFunction": {READS, "dynamodb:Query"},
    "CollectFunction": {READS, WRITES, "secretsmanager:GetSecretValue"},
    "ExportPrepareFunction": {READS, WRITES},
    "ExportWriteFilesFunction": {READS, "dynamodb:Query", "s3:PutObject", "s3:AbortMultipartUpload"},
    "ExportPublishFunction": {READS, WRITES, "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
    "ExportRecordFailureFunction": {READS, WRITES},
    "AuditListFunction": {"dynamodb:Query", "s3:PutObject", "s3:AbortMultipartUpload"},
    "AuditAccountsFunction": {"dynamodb:Query", "s3:PutObject", "s3:AbortMultipartUpload"},
    "AuditReportFunction": {READS, "dynamodb:Query", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
    "TrialListFunction": {READS, "dynamodb:Query", "s3:PutObject", "s3:AbortMultipartUpload"},
    "TrialAccountsFunction": {READS, "dynamodb:Query", "s3:PutObject", "s3:AbortMultipartUpload"},
    "TrialSummarizeFunction": {READS, WRITES, "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
    "TrialRecordFailureFunction": {READS, WRITES},
    "DunningTrialsFunction": {READS, WRITES, "dynamodb:Query", "states:StartExecution", "s3:GetObject"},
    "TotalsFunction": {READS, "dynamodb:Query"},
    "TotalsRebuildFunction": {READS, WRITES, "dynamodb:BatchWriteItem", "dynamodb:Query"},
    "OperationsFunction": {
        READS,
        WRITES,
        "states:StartExecution",
        "states:ListExecutions",
        "states:DescribeExecution",
        "states:GetExecutionHistory",
        "states:StopExecution",
        "s3:GetObject",
    },
    "AccountDunningFunction": {READS, WRITES, "dynamodb:Query", "secretsmanager:GetSecretValue", "ses:SendEmail"},
    "ClockFunction": {READS, WRITES},
}
"""Function → every action that its policies allow. A new right is a line here, and somebody's decision."""


def statements(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements that are written out; SAM's own policy templates name one action set and one resource each."""
    policies = properties.get("Policies", [])
    return [statement for policy in policies for statement in policy.get("Statement", [])]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


ROLES = functions() | resources("AWS::Serverless::StateMachine")


def test_every_function_has_the_rights_it_needs_and_no_other() -> None:
    """O1"""
    allowed = {
        name: {action for statement in statements(properties) for action in listed(statement["Action"])}
        for name, properties in functions().items()
    }
    assert allowed == RIGHTS


@pytest.mark.parametrize("name", ROLES)
def test_no_wildcards(name: str) -> None:
    """O1: no action with `*`; no resource that is only `*`, and one that ends in it names what it is part of."""
    for statement in statements(ROLES[name]):
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource", "Principal"} & statement.keys()
        assert not [action for action in listed(statement["Action"]) if "*" in action]
        for resource in listed(statement["Resource"]):
            text = resource if isinstance(resource, str) else next(iter(resource.values()))
            assert text != "*"
            if "*" in str(text):
                assert str(text).endswith((":*", "/*", "-dunning*", "-account-summaries*")), text
                assert str(text).endswith("${AWS::AccountId}:*") <= ("Condition" in statement), f"{text} needs a condition"


@pytest.mark.parametrize("name", functions())
def test_no_secret_is_in_an_environment(name: str) -> None:
    """G5, O1: secrets are read from Secrets Manager; the environment only names them."""
    variables = template()["Globals"]["Function"]["Environment"]["Variables"] | functions()[name].get("Environment", {}).get(
        "Variables", {}
    )
    for variable, value in variables.items():
        if any(word in variable for word in ("SECRET", "KEY", "TOKEN", "PASSWORD")):
            assert variable.endswith("_ARN"), variable
            assert isinstance(value, dict), variable
            assert next(iter(value.values())).endswith("Secret.Id"), variable


def test_no_secret_is_in_a_deployed_environment(world: World) -> None:
    """G5, O1: also as deployed, and in the template's own text."""
    secrets = []
    for output in ("GatewaySecretArn", "LinkSecretArn"):
        stored = world.stack.client("secretsmanager").get_secret_value(SecretId=world.stack.outputs[output])
        secrets += list(json.loads(stored["SecretString"]).values())
    client = world.stack.client("lambda")
    for function in client.get_paginator("list_functions").paginate().build_full_result()["Functions"]:
        environment = json.dumps(function.get("Environment", {}))
        assert not [secret for secret in secrets if secret in environment], function["FunctionName"]
    text = (ROOT / "template.yaml").read_text()
    assert not [word for word in ("sk_test_", "sk_live_", "whsec_", "AKIA") if word in text]


def test_what_is_stored_is_encrypted_and_not_public() -> None:
    """O1, G5"""
    (table,) = resources("AWS::DynamoDB::Table").values()
    assert "SSESpecification" not in table, "DynamoDB always encrypts; its own key costs nothing per request"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    (bucket,) = resources("AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    for name, queue in resources("AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"], name


def test_every_asynchronous_path_ends_in_a_dead_letter_queue_that_is_watched() -> None:
    """O1, G4"""
    queues = {name for name in resources("AWS::SQS::Queue") if name.endswith("DeadLetters")}
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"].partition(".")[0]
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "AWS/SQS"
    }
    assert watched == queues
    for name, properties in functions().items():
        for event in properties.get("Events", {}).values():
            details = json.dumps(event["Properties"])
            if event["Type"] in ("DynamoDB", "EventBridgeRule", "ScheduleV2"):
                assert "DeadLetters" in details, name
    for name, machine in resources("AWS::Serverless::StateMachine").items():
        for event in machine.get("Events", {}).values():
            assert "DeadLetters" in json.dumps(event["Properties"]["DeadLetterConfig"]), name
    assert "DeadLetters" in json.dumps(resources("AWS::SQS::Queue")["GatewayEvents"]["RedrivePolicy"])


def test_the_clock_moves_on_test_stacks_only() -> None:
    """O3"""
    clock = template()["Resources"]["ClockFunction"]
    assert clock["Condition"] == "IsTestStack"
    assert template()["Parameters"]["ClockMode"]["Default"] == "real"


def test_iam_is_enforced_on_this_stack(world: World) -> None:
    """O2: a role does only what it may; otherwise these scenarios would prove nothing about rights."""
    iam, name = world.stack.client("iam"), world.stack.physical_id("CreditsFunctionRole")
    policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
    kept = {policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in policies}
    customer = world.a_customer()
    body = {"amount_minor": 1, "currency": "EUR", "tax_option": "waived", "reason": "x"}
    try:
        for policy in policies:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        answer = world.api.request("POST", f"{customer.path}/credits", body)
        assert (answer.status, answer.code) == (500, "internal_error")
        assert "AccessDenied" not in answer.text, "the caller is not told what is wrong inside"
    finally:
        for policy, document in kept.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    assert world.api.request("POST", f"{customer.path}/credits", body).status == 201
