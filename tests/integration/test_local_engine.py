"""The local engine behaves as AWS where ministack alone does not (see ``local/engine``)."""

import io
import json
import os
import signal
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.engine import addresses
from local.stack import Stack, free_port, running_engine

ROLE_TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
)
PATIENCE_S = 20


@pytest.fixture(scope="module")
def engine() -> Iterator[Stack]:
    with running_engine(name="test-engine", enforce_iam=True, say=lambda _: None) as stack:
        yield stack


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file in which functions note what they were called with: they run on this very machine."""
    return tmp_path / "notes.jsonl"


def noted(notes: Path) -> list[Any]:
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def eventually[T](look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while not (seen := look()):
        assert time.monotonic() < deadline, "It did not happen in time"
        time.sleep(0.1)
    return seen


def archive(code: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("handler.py", textwrap.dedent(code))
    return content.getvalue()


NOTE = """
import json, os
def note(what):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(what) + "\\n")
"""


def create_function(engine: Stack, name: str, code: str, notes: Path) -> str:
    iam = engine.client("iam")
    role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=ROLE_TRUST)["Role"]["Arn"]
    created = engine.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="handler.handler",
        Role=role,
        Code={"ZipFile": archive(NOTE + textwrap.dedent(code))},
        Environment={"Variables": {"NOTES": str(notes)}},
    )
    return created["FunctionArn"]


def create_queue(engine: Stack, name: str, **attributes: str) -> tuple[str, str]:
    sqs = engine.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(engine: Stack, queue_url: str) -> list[Any]:
    messages = engine.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in messages]


def create_table(engine: Stack, name: str) -> str:
    created = engine.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": field, "AttributeType": "S"} for field in ("PK", "SK", "group")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "groups",
                "KeySchema": [{"AttributeName": "group", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return created["TableDescription"]["LatestStreamArn"]


def put(engine: Stack, table: str, key: str, **fields: str) -> None:
    item = {"PK": {"S": "a"}, "SK": {"S": key}} | {name: {"S": value} for name, value in fields.items()}
    engine.client("dynamodb").put_item(TableName=table, Item=item)


def create_stack(engine: Stack, name: str, template: str) -> dict[str, str]:
    cloudformation = engine.client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateBody=textwrap.dedent(template), Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


# ---- HTTP API -------------------------------------------------------------------------------------------------------

API_TEMPLATE = """
    Transform: AWS::Serverless-2016-10-31
    Resources:
      Pool: {Type: AWS::Cognito::UserPool, Properties: {UserPoolName: shop}}
      Scopes:
        Type: AWS::Cognito::UserPoolResourceServer
        Properties:
          UserPoolId: !Ref Pool
          Identifier: shop
          Name: shop
          Scopes: [{ScopeName: read, ScopeDescription: r}, {ScopeName: write, ScopeDescription: w}]
      Client:
        Type: AWS::Cognito::UserPoolClient
        DependsOn: Scopes
        Properties:
          UserPoolId: !Ref Pool
          GenerateSecret: true
          AllowedOAuthFlowsUserPoolClient: true
          AllowedOAuthFlows: [client_credentials]
          AllowedOAuthScopes: [shop/read, shop/write]
      Api:
        Type: AWS::Serverless::HttpApi
        Properties:
          Auth:
            DefaultAuthorizer: Jwt
            Authorizers:
              Jwt:
                IdentitySource: $request.header.Authorization
                JwtConfiguration:
                  issuer: !Sub https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}
                  audience: [!Ref Client]
      Function:
        Type: AWS::Serverless::Function
        Properties:
          Runtime: python3.13
          Handler: index.handler
          InlineCode: |
            import json
            def handler(event, context):
                if event["rawPath"] == "/open/crash":
                    raise ValueError("a secret detail")
                return {"statusCode": 200, "body": json.dumps(event)}
          Events:
            Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: '/open/{name}', Method: GET, Auth: {Authorizer: NONE}}}
            Read:
              Type: HttpApi
              Properties: {ApiId: !Ref Api, Path: /items, Method: GET, Auth: {AuthorizationScopes: [shop/read]}}
            Write:
              Type: HttpApi
              Properties: {ApiId: !Ref Api, Path: /items, Method: POST, Auth: {AuthorizationScopes: [shop/write]}}
    Outputs:
      ApiId: {Value: !Ref Api}
      PoolId: {Value: !Ref Pool}
      ClientId: {Value: !Ref Client}
"""


@pytest.fixture(scope="module")
def api(engine: Stack) -> dict[str, str]:
    outputs = create_stack(engine, "api", API_TEMPLATE)
    client = engine.client("cognito-idp").describe_user_pool_client(UserPoolId=outputs["PoolId"], ClientId=outputs["ClientId"])
    secret = client["UserPoolClient"]["ClientSecret"]
    answer = httpx.post(
        f"{engine.endpoint_url}/oauth2/token",
        data={"grant_type": "client_credentials", "scope": "shop/read"},
        auth=(outputs["ClientId"], secret),
    )
    return {"url": addresses.api_url(engine.endpoint_url, outputs["ApiId"]), "id": outputs["ApiId"], **answer.json()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_an_apis_address_is_known_before_it_is_deployed(api: dict[str, str]) -> None:
    assert api["id"] == addresses.api_id("api", "Api")


def test_a_route_without_an_authorizer_is_open(api: dict[str, str]) -> None:
    answer = httpx.get(f"{api['url']}/open/door")
    assert answer.status_code == 200
    assert answer.json()["pathParameters"] == {"name": "door"}


def test_a_token_opens_the_routes_of_its_scopes_only(api: dict[str, str]) -> None:
    assert httpx.get(f"{api['url']}/items", headers=bearer(api["access_token"])).status_code == 200
    assert httpx.post(f"{api['url']}/items", headers=bearer(api["access_token"])).status_code == 403


def test_a_missing_or_forged_token_is_refused(api: dict[str, str]) -> None:
    head, _, signature = api["access_token"].rpartition(".")
    forged = f"{head}.{'A' * len(signature)}"
    assert httpx.get(f"{api['url']}/items").status_code == 401
    assert httpx.get(f"{api['url']}/items", headers=bearer(forged)).status_code == 401


def test_cookies_come_in_their_own_list(api: dict[str, str]) -> None:
    event = httpx.get(f"{api['url']}/open/door", headers={"Cookie": "a=1; b=2"}).json()
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-forwarded-proto"] == "https"


def test_a_crash_answers_500_without_details(api: dict[str, str]) -> None:
    answer = httpx.get(f"{api['url']}/open/crash")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


# ---- Functions ------------------------------------------------------------------------------------------------------


def test_an_error_has_its_class_name_and_the_worker_lives_on(engine: Stack, notes: Path) -> None:
    code = """
        class CardDeclinedError(Exception): pass
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            if event["fail"]:
                raise CardDeclinedError("no funds")
            return calls
    """
    create_function(engine, "errors", code, notes)
    invoke = engine.client("lambda").invoke
    failed = invoke(FunctionName="errors", Payload=json.dumps({"fail": True}))
    error = json.loads(failed["Payload"].read())
    assert failed["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("CardDeclinedError", "no funds")
    again = invoke(FunctionName="errors", Payload=json.dumps({"fail": False}))
    assert json.loads(again["Payload"].read()) == 2


def test_the_engines_own_packages_are_out_of_a_functions_reach(engine: Stack, notes: Path) -> None:
    code = """
        import importlib.util
        def handler(event, context):
            return [name for name in ("ministack", "botocore", "yaml") if importlib.util.find_spec(name)]
    """
    create_function(engine, "bare", code, notes)
    assert json.loads(engine.client("lambda").invoke(FunctionName="bare")["Payload"].read()) == []


# ---- Streams --------------------------------------------------------------------------------------------------------

STREAM_READER = """
    def handler(event, context):
        keys = [r["dynamodb"]["Keys"]["SK"]["S"] for r in event["Records"]]
        note(keys)
        if "poison" in keys:
            raise ValueError("poison")
"""
PARTIAL_STREAM_READER = """
    def handler(event, context):
        note([r["dynamodb"]["Keys"]["SK"]["S"] for r in event["Records"]])
        failed = [r["dynamodb"]["SequenceNumber"] for r in event["Records"] if r["dynamodb"]["Keys"]["SK"]["S"] == "poison"]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed[:1]]}
"""


def map_stream(engine: Stack, stream_arn: str, function: str, failures_arn: str, **settings: Any) -> None:
    engine.client("lambda").create_event_source_mapping(
        EventSourceArn=stream_arn,
        FunctionName=function,
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": failures_arn}},
        **settings,
    )


def test_a_poison_record_is_split_off_and_its_batch_goes_on(engine: Stack, notes: Path) -> None:
    stream_arn = create_table(engine, "poisoned")
    failures_url, failures_arn = create_queue(engine, "poisoned-failures")
    create_function(engine, "strict-reader", STREAM_READER, notes)
    for key in ("1", "2", "poison", "3", "4"):
        put(engine, "poisoned", key)
    map_stream(engine, stream_arn, "strict-reader", failures_arn, BisectBatchOnFunctionError=True)

    failures = [json.loads(body) for body in eventually(lambda: receive(engine, failures_url))]
    assert [failure["DDBStreamBatchInfo"]["batchSize"] for failure in failures] == [1]
    assert failures[0]["requestContext"]["condition"] == "RetryAttemptsExhausted"
    put(engine, "poisoned", "5")
    succeeded = eventually(lambda: [keys for keys in noted(notes) if "poison" not in keys and "5" in keys] and noted(notes))
    assert [key for keys in succeeded for key in keys if "poison" not in keys] == ["1", "2", "3", "4", "5"]
    assert succeeded.count(["poison"]) == 2  # the first time, and one retry


def test_a_partial_failure_repeats_from_the_failed_record_on(engine: Stack, notes: Path) -> None:
    stream_arn = create_table(engine, "partial")
    failures_url, failures_arn = create_queue(engine, "partial-failures")
    create_function(engine, "partial-reader", PARTIAL_STREAM_READER, notes)
    for key in ("1", "poison", "2"):
        put(engine, "partial", key)
    map_stream(engine, stream_arn, "partial-reader", failures_arn, FunctionResponseTypes=["ReportBatchItemFailures"])

    failures = [json.loads(body) for body in eventually(lambda: receive(engine, failures_url))]
    assert failures[0]["DDBStreamBatchInfo"]["batchSize"] == 2
    assert noted(notes) == [["1", "poison", "2"], ["poison", "2"]]


def test_a_failing_mapping_does_not_delay_another(engine: Stack, notes: Path) -> None:
    stream_arn = create_table(engine, "shared")
    _, failures_arn = create_queue(engine, "shared-failures")
    create_function(engine, "hopeless", "def handler(event, context):\n    raise ValueError", notes)
    create_function(engine, "diligent", STREAM_READER, notes)
    put(engine, "shared", "1")
    lambda_client = engine.client("lambda")
    lambda_client.create_event_source_mapping(EventSourceArn=stream_arn, FunctionName="hopeless", StartingPosition="TRIM_HORIZON")
    map_stream(engine, stream_arn, "diligent", failures_arn)
    assert eventually(lambda: noted(notes)) == [["1"]]


# ---- Events and queues ----------------------------------------------------------------------------------------------


def test_a_rules_target_is_retried_and_then_given_up_on(engine: Stack, notes: Path) -> None:
    arn = create_function(
        engine, "listener", "def handler(event, context):\n    note(event['detail'])\n    raise ValueError", notes
    )
    failures_url, failures_arn = create_queue(engine, "listener-failures")
    engine.client("lambda").put_function_event_invoke_config(
        FunctionName="listener", MaximumRetryAttempts=2, DestinationConfig={"OnFailure": {"Destination": failures_arn}}
    )
    events = engine.client("events")
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["remit"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "remit", "DetailType": "InvoiceIssued", "Detail": '{"number": 7}'}])
    failure = json.loads(eventually(lambda: receive(engine, failures_url))[0])
    assert failure["requestPayload"]["detail"] == {"number": 7}
    assert noted(notes) == [{"number": 7}] * 3


def test_a_queues_failed_message_alone_returns_and_ends_as_a_dead_letter(engine: Stack, notes: Path) -> None:
    code = """
        def handler(event, context):
            note([r["body"] for r in event["Records"]])
            return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "bad"]}
    """
    create_function(engine, "worker", code, notes)
    dead_url, dead_arn = create_queue(engine, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = create_queue(engine, "work", VisibilityTimeout="1", RedrivePolicy=redrive)
    engine.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName="worker", FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    for body in ("good", "bad"):
        engine.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    assert eventually(lambda: receive(engine, dead_url)) == ["bad"]
    handled = [body for batch in noted(notes) for body in batch]
    assert (handled.count("good"), handled.count("bad")) == (1, 2)


# ---- Tables ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def priced(engine: Stack) -> str:
    """A table with two items of about 5,000 bytes and one small one, in one partition."""
    create_table(engine, "priced")
    for key, size in (("1", 4_900), ("2", 4_900), ("3", 10)):
        put(engine, "priced", key, body="x" * size, group="g")
    return "priced"


def key(sort: str) -> dict[str, Any]:
    return {"PK": {"S": "a"}, "SK": {"S": sort}}


@pytest.mark.parametrize(
    ("sort", "consistent", "units"), [("1", True, 2.0), ("1", False, 1.0), ("3", True, 1.0), ("none", False, 0.5)]
)
def test_a_get_costs_by_4_kb(engine: Stack, priced: str, sort: str, consistent: bool, units: float) -> None:
    answer = engine.client("dynamodb").get_item(
        TableName=priced, Key=key(sort), ConsistentRead=consistent, ProjectionExpression="PK", ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"]["CapacityUnits"] == units


def test_a_query_costs_by_the_sum_of_what_it_evaluates(engine: Stack, priced: str) -> None:
    query = engine.client("dynamodb").query
    asked: dict[str, Any] = {
        "TableName": priced,
        "ReturnConsumedCapacity": "INDEXES",
        "ExpressionAttributeValues": {":v": {"S": "a"}},
    }
    full = query(KeyConditionExpression="PK = :v", ConsistentRead=True, **asked)
    assert full["ConsumedCapacity"]["CapacityUnits"] == 3.0  # 9.9 KB together, not 2 + 2 + 1
    filtered = query(KeyConditionExpression="PK = :v", FilterExpression="SK = :v", ConsistentRead=True, **asked)
    assert (filtered["Count"], filtered["ConsumedCapacity"]["CapacityUnits"]) == (0, 3.0)
    asked["ExpressionAttributeValues"] = {":v": {"S": "g"}}
    projected = query(IndexName="groups", KeyConditionExpression="#g = :v", ExpressionAttributeNames={"#g": "group"}, **asked)
    assert projected["Count"] == 3
    assert projected["ConsumedCapacity"]["GlobalSecondaryIndexes"]["groups"]["CapacityUnits"] == 0.5


def test_items_got_together_round_up_each(engine: Stack, priced: str) -> None:
    dynamodb = engine.client("dynamodb")
    keys = [key("1"), key("2"), key("3")]
    batch = dynamodb.batch_get_item(RequestItems={priced: {"Keys": keys}}, ReturnConsumedCapacity="TOTAL")
    assert batch["ConsumedCapacity"] == [{"TableName": priced, "CapacityUnits": 2.5}]
    actions = [{"Get": {"TableName": priced, "Key": each}} for each in keys]
    transaction = dynamodb.transact_get_items(TransactItems=actions, ReturnConsumedCapacity="TOTAL")
    assert transaction["ConsumedCapacity"][0]["CapacityUnits"] == 10.0


def test_a_template_sets_the_time_to_live_and_the_alphabet_of_secrets(engine: Stack) -> None:
    template = """
        Resources:
          Table:
            Type: AWS::DynamoDB::Table
            Properties:
              BillingMode: PAY_PER_REQUEST
              AttributeDefinitions: [{AttributeName: PK, AttributeType: S}]
              KeySchema: [{AttributeName: PK, KeyType: HASH}]
              TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
          Secret:
            Type: AWS::SecretsManager::Secret
            Properties: {GenerateSecretString: {PasswordLength: 200, ExcludePunctuation: true}}
        Outputs:
          Table: {Value: !Ref Table}
          Secret: {Value: !GetAtt Secret.Id}
    """
    outputs = create_stack(engine, "data", template)
    described = engine.client("dynamodb").describe_time_to_live(TableName=outputs["Table"])["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    secret = engine.client("secretsmanager").get_secret_value(SecretId=outputs["Secret"])["SecretString"]
    assert len(secret) == 200
    assert secret.isalnum()


# ---- State machines and rights --------------------------------------------------------------------------------------


def run_machine(engine: Stack, name: str, states: dict[str, Any], rights: list[dict[str, Any]], given: Any) -> dict[str, Any]:
    iam = engine.client("iam")
    role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=ROLE_TRUST)["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **right} for right in rights]}
    iam.put_role_policy(RoleName=f"{name}-role", PolicyName="rights", PolicyDocument=json.dumps(policy))
    machines = engine.client("stepfunctions")
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    machine = machines.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]

    def ended() -> dict[str, Any] | None:
        described = machines.describe_execution(executionArn=execution)
        return None if described["status"] == "RUNNING" else described

    return eventually(ended)


FAN_OUT = {
    "Type": "Map",
    "ItemsPath": "$.items",
    "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"run.$": "$.run"}},
    "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Pass",
        "States": {"Pass": {"Type": "Pass", "End": True}},
    },
    "End": True,
}
START_ITSELF = {"Action": "states:StartExecution", "Resource": "arn:aws:states:us-east-1:000000000000:stateMachine:*"}


def test_a_distributed_map_groups_its_items(engine: Stack) -> None:
    ended = run_machine(engine, "batches", {"Fan": FAN_OUT}, [START_ITSELF], {"run": "r1", "items": [1, 2, 3]})
    assert json.loads(ended["output"]) == [
        {"BatchInput": {"run": "r1"}, "Items": [1, 2]},
        {"BatchInput": {"run": "r1"}, "Items": [3]},
    ]


FROM_A_FILE = {name: value for name, value in FAN_OUT.items() if name != "ItemsPath"} | {
    "ItemReader": {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSONL"},
        "Parameters": {"Bucket": "items", "Key.$": "$.key"},
    }
}


def test_a_distributed_map_reads_its_items_from_a_file_and_only_by_right(engine: Stack) -> None:
    s3 = engine.client("s3")
    s3.create_bucket(Bucket="items")
    s3.put_object(Bucket="items", Key="lists/1.jsonl", Body=b'{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    given = {"run": "r1", "key": "lists/1.jsonl"}
    reading = [START_ITSELF, {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::items/lists/*"}]
    ended = run_machine(engine, "reader", {"Fan": FROM_A_FILE}, reading, given)
    assert [batch["Items"] for batch in json.loads(ended["output"])] == [[{"n": 1}, {"n": 2}], [{"n": 3}]]
    elsewhere = [START_ITSELF, {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::items/others/*"}]
    ended = run_machine(engine, "reader-elsewhere", {"Fan": FROM_A_FILE}, elsewhere, given)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Permissions")


def test_a_batch_that_fails_fails_a_distributed_map_that_tolerates_none(engine: Stack) -> None:
    refusal = {"Type": "Fail", "Error": "TooMuchError", "Cause": "three"}
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.Items[0]", "NumericEquals": 3, "Next": "Refuse"}], "Default": "Take"}
    processor = FAN_OUT["ItemProcessor"] | {
        "StartAt": "Choose",
        "States": {"Choose": choice, "Refuse": refusal, "Take": {"Type": "Succeed"}},
    }
    strict = {**FAN_OUT, "ItemProcessor": processor, "ToleratedFailurePercentage": 0}
    ended = run_machine(engine, "strict", {"Fan": strict}, [START_ITSELF], {"run": "r1", "items": [1, 2, 3]})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")


def test_a_distributed_map_writes_its_results_to_s3(engine: Stack) -> None:
    s3 = engine.client("s3")
    s3.create_bucket(Bucket="results")
    write = {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::results/runs*"}
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "results", "Prefix": "runs"}}
    ended = run_machine(
        engine, "writer", {"Fan": {**FAN_OUT, "ResultWriter": writer}}, [START_ITSELF, write], {"run": "r1", "items": [1, 2, 3]}
    )
    details = json.loads(ended["output"])["ResultWriterDetails"]
    manifest = json.load(s3.get_object(Bucket="results", Key=details["Key"])["Body"])
    results = json.load(s3.get_object(Bucket="results", Key=manifest["ResultFiles"]["SUCCEEDED"][0]["Key"])["Body"])
    assert [json.loads(row["Input"])["Items"] for row in results] == [[1, 2], [3]]


def test_a_distributed_map_may_start_executions_only_by_right(engine: Stack) -> None:
    ended = run_machine(
        engine,
        "no-children",
        {"Fan": FAN_OUT},
        [{"Action": "states:StopExecution", "Resource": "*"}],
        {"run": "r1", "items": [1]},
    )
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Permissions")


def test_a_task_needs_its_roles_right(engine: Stack) -> None:
    create_table(engine, "guarded")
    states = {
        "Put": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {"TableName": "guarded", "Item": {"PK": {"S": "a"}, "SK": {"S": "1"}}},
            "End": True,
        }
    }
    table_arn = "arn:aws:dynamodb:us-east-1:000000000000:table/guarded"
    granted = run_machine(engine, "granted", states, [{"Action": "dynamodb:PutItem", "Resource": table_arn}], {})
    assert granted["status"] == "SUCCEEDED"
    elsewhere = run_machine(engine, "elsewhere", states, [{"Action": "dynamodb:PutItem", "Resource": f"{table_arn}-other"}], {})
    assert (elsewhere["status"], elsewhere["error"]) == ("FAILED", "States.Permissions")


def test_mail_is_checked_by_its_sender(engine: Stack) -> None:
    import boto3
    from botocore.exceptions import ClientError

    iam = engine.client("iam")
    iam.create_user(UserName="mailer")
    right = {
        "Effect": "Allow",
        "Action": "ses:SendEmail",
        "Resource": "arn:aws:ses:us-east-1:000000000000:identity/*",
        "Condition": {"StringEquals": {"ses:FromAddress": "billing@example.com"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [right]})
    iam.put_user_policy(UserName="mailer", PolicyName="mail", PolicyDocument=policy)
    keys = iam.create_access_key(UserName="mailer")["AccessKey"]
    for sender in ("billing@example.com", "boss@example.com"):
        engine.client("ses").verify_email_identity(EmailAddress=sender)
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
    mailer = session.client("sesv2", endpoint_url=engine.endpoint_url)
    content: Any = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}}
    mailer.send_email(
        FromEmailAddress="Remit <billing@example.com>", Destination={"ToAddresses": ["c@example.org"]}, Content=content
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        mailer.send_email(FromEmailAddress="boss@example.com", Destination={"ToAddresses": ["c@example.org"]}, Content=content)


# ---- State ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack that keeps its data over a stop, and saves them often."""
    monkeypatch.setenv("REMIT_AUTOSAVE_INTERVAL_S", "0.2")
    stack = Stack(name=f"test-restart-{os.getpid()}", persist=True, enforce_iam=False, say=lambda _: None)
    stack.clean()
    try:
        stack.start(port=free_port())
        yield stack
    finally:
        stack.clean()


def kill(stack: Stack) -> None:
    os.kill(stack.state()["pid"], signal.SIGKILL)
    eventually(lambda: not stack.running)


def has_saved(stack: Stack, service: str, text: str) -> bool:
    state = stack.directory / "data" / f"{service}.json"
    return state.exists() and text in state.read_text()


UNREADY_READER = """
    def handler(event, context):
        if not os.path.exists(os.environ["NOTES"]):
            raise RuntimeError("not ready")
        note([r["dynamodb"]["Keys"]["SK"]["S"] for r in event["Records"]])
"""


def create_stream_reader(engine: Stack, table: str, code: str, notes: Path) -> None:
    stream_arn = create_table(engine, table)
    create_function(engine, f"{table}-reader", code, notes)
    engine.client("lambda").create_event_source_mapping(
        EventSourceArn=stream_arn, FunctionName=f"{table}-reader", StartingPosition="TRIM_HORIZON", BatchSize=5
    )


def test_data_survives_a_restart(lasting: Stack) -> None:
    create_table(lasting, "kept")
    put(lasting, "kept", "1")
    first_port = lasting.port
    lasting.stop()
    lasting.start()
    assert lasting.port == first_port
    assert lasting.client("dynamodb").get_item(TableName="kept", Key=key("1"))["Item"] == key("1")


def test_consumers_are_served_after_a_restart(lasting: Stack, notes: Path) -> None:
    create_stream_reader(lasting, "changes", STREAM_READER, notes)
    code = """
        def handler(event, context):
            note(event["detail"] if "detail" in event else event["Records"][0]["body"])
    """
    handler = create_function(lasting, "consumer", code, notes)
    queue_url, queue_arn = create_queue(lasting, "jobs")
    lasting.client("lambda").create_event_source_mapping(EventSourceArn=queue_arn, FunctionName="consumer")
    lasting.client("events").put_rule(Name="all", EventPattern=json.dumps({"source": ["remit"]}))
    lasting.client("events").put_targets(Rule="all", Targets=[{"Id": "1", "Arn": handler}])

    def feed(number: str) -> list[Any]:
        put(lasting, "changes", number)
        lasting.client("sqs").send_message(QueueUrl=queue_url, MessageBody=f"job {number}")
        lasting.client("events").put_events(
            Entries=[{"Source": "remit", "DetailType": "Happened", "Detail": json.dumps({"number": number})}]
        )
        return [[number], f"job {number}", {"number": number}]

    put(lasting, "changes", "0")
    eventually(lambda: noted(notes) == [["0"]])
    before = feed("1")
    eventually(lambda: all(event in noted(notes) for event in before))
    lasting.stop()
    lasting.start()
    after = feed("2")
    eventually(lambda: all(event in noted(notes) for event in after))
    # Its batch was finished, as the next one had come: it is not delivered again.
    assert noted(notes).count(["0"]) == 1


@pytest.mark.parametrize("end", [Stack.stop, kill])
def test_a_record_that_waits_is_delivered_after_a_restart(lasting: Stack, notes: Path, end: Callable[[Stack], None]) -> None:
    create_stream_reader(lasting, "waiting", UNREADY_READER, notes)
    put(lasting, "waiting", "1")
    eventually(lambda: has_saved(lasting, "lambda", "waiting/stream") and has_saved(lasting, "dynamodb", '"SK": {"S": "1"}'))
    end(lasting)
    notes.touch()
    lasting.start()
    put(lasting, "waiting", "2")
    assert eventually(lambda: {key for batch in noted(notes) for key in batch} >= {"1", "2"})


def test_a_kill_loses_no_record_of_an_item_that_is_kept(lasting: Stack, notes: Path) -> None:
    """The saved state is older than the kill: the reader's position, the records and the table fit together all the same."""
    create_stream_reader(lasting, "busy", STREAM_READER, notes)
    put(lasting, "busy", "first")
    eventually(lambda: has_saved(lasting, "lambda", "busy/stream") and has_saved(lasting, "dynamodb", "first"))
    for number in range(100):
        put(lasting, "busy", str(number))
    kill(lasting)
    lasting.start()
    put(lasting, "busy", "last")
    kept = {item["SK"]["S"] for item in lasting.client("dynamodb").scan(TableName="busy")["Items"]}
    assert kept >= {"first", "last"}
    assert eventually(lambda: kept <= {key for batch in noted(notes) for key in batch})
