"""What each role may do, and what it may not, by evaluating the synthesised policies.

`NEEDED` lists the calls of every documented flow. Each of them must be allowed, nothing else may
be, and each statement must be needed by one of them. `FORBIDDEN` lists calls that would do harm.
The evaluator is the emulator's own.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from tests.infra.assembly import Assembly, as_list

DATA, MODELS, PREDICTIONS, REPORTS = (
    f"{{{name}.Arn}}" for name in ("Data", "Models", "Predictions", "Reports")
)
SERVING = f"{MODELS}/serving"
BUNDLE = f"{SERVING}/bundles/3-0a1b2c3d"
POINTER, LOCK = f"{SERVING}/champion.json", f"{SERVING}/lock.json"
ENTRY = f"{SERVING}/ledger/00000001-promote-3-0a1b2c3d.json"
DAY = "dt=2026-02-01"
KEY, TOPIC_KEY = "{DataKey.Arn}", "{OperationsKey.Arn}"
TOPIC, BUS, MACHINE = "{OperationsTopic}", "{Bus.Arn}", "{TrainingMachine}"
SECRET, DATABASE_SECRET = "{ReportSecret}", "{DatabaseInstanceSecretAttachment}"


def arn(service: str, resource: str) -> str:
    """A resource of this account and region, as the templates write it."""
    return f"arn:{{AWS::Partition}}:{service}:{{AWS::Region}}:{{AWS::AccountId}}:{resource}"


EXECUTION = arn("states", "execution:circle-dev-training:8f14e45f")
WORKGROUP = arn("athena", "workgroup/circle-dev")
IMAGES = arn(
    "ecr",
    'repository/{"Fn::Sub": "cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}"}',
)
CLUSTER = {"ecs:cluster": "{Cluster.Arn}"}
TO_ECS = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}

Calls = list[tuple[str, list[str]]]


def log_of(name: str) -> Calls:
    """What whoever logs into a group of its own needs."""
    return [("logs:CreateLogStream logs:PutLogEvents", [f"{{{name}Log.Arn}}"])]


def glue(*tables: str) -> list[str]:
    """The catalog, the database and tables of it."""
    names = ("catalog", "database/{Database}", *(f"table/{{Database}}/{table}" for table in tables))
    return [arn("glue", name) for name in names]


def delivery(log: str, table: str, group: str) -> Calls:
    """A Firehose stream with Parquet conversion, as AWS's documentation lists it."""
    folders = [f"{PREDICTIONS}/{log}/{DAY}/a.parquet", f"{PREDICTIONS}/rejected/{log}/x/{DAY}/a"]
    return [
        ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", folders),
        ("s3:GetBucketLocation s3:ListBucket s3:ListBucketMultipartUploads", [PREDICTIONS]),
        ("kms:GenerateDataKey kms:Decrypt", [KEY]),
        ("glue:GetTable glue:GetTableVersion glue:GetTableVersions", glue(f"{{{table}}}")),
        ("logs:PutLogEvents", [f"{{{group}Log.Arn}}"]),
    ]


def start_of_task(name: str) -> Calls:
    """What ECS needs to start a container."""
    pull = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
    return [(pull, [IMAGES]), ("ecr:GetAuthorizationToken", ["*"]), *log_of(name)]


DEAD: Calls = [("sqs:SendMessage", ["{DeadLettersQueue.Arn}"])]
TRACES: Calls = [("xray:PutTraceSegments xray:PutTelemetryRecords", ["*"])]
ANSWER: Calls = [
    ("states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat", [MACHINE])
]
PUBLISH: Calls = [("sns:Publish", [TOPIC]), ("kms:Decrypt kms:GenerateDataKey", [TOPIC_KEY])]
LOGGED = [f"{PREDICTIONS}/log/{DAY}/a.parquet", f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"]
RUN = [f"{REPORTS}/runs/a/summary.json", f"{REPORTS}/requests/a.json"]
ALERTS = f"{REPORTS}/alerts/state.json"
DECISION = f"{REPORTS}/retraining/0123456789abcdef.json"

TASKS = ("training", "promotion")

NEEDED: dict[str, Calls] = {
    "PredictorRole": [
        *log_of("Predictor"),
        ("s3:GetObject", [POINTER, f"{BUNDLE}/bundle.json.gz", f"{BUNDLE}/card.json"]),
        ("s3:ListBucket", [MODELS]),
        ("firehose:PutRecordBatch", ["{PredictionLogDeliveryStream.Arn}"]),
        ("s3:PutObject", [f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
    ],
    "LabelsRole": [
        *log_of("Labels"),
        ("firehose:PutRecordBatch", ["{LabelsDeliveryStream.Arn}"]),
        ("s3:PutObject", [f"{PREDICTIONS}/fallback/labels/{DAY}/a.jsonl"]),
        ("kms:GenerateDataKey", [KEY]),
    ],
    "DashboardBackendRole": [
        *log_of("DashboardBackend"),
        ("s3:GetObject", [*RUN, ALERTS, POINTER, ENTRY, f"{BUNDLE}/card.json", *LOGGED]),
        ("s3:PutObject", [f"{REPORTS}/requests/a.json"]),
        ("s3:ListBucket", [REPORTS, MODELS, PREDICTIONS]),
        ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", [f"{PREDICTIONS}/athena/a.csv"]),
        ("s3:GetBucketLocation", [PREDICTIONS]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
        ("secretsmanager:GetSecretValue", [SECRET]),
        ("events:PutEvents", [BUS]),
        (
            "athena:StartQueryExecution athena:GetQueryExecution athena:GetQueryResults "
            "athena:StopQueryExecution",
            [WORKGROUP],
        ),
        (
            "glue:GetDatabase glue:GetTable glue:GetPartitions",
            glue("prediction_log", "prediction_log_fallback"),
        ),
    ],
    "DriftRole": [
        *log_of("Drift"),
        ("s3:GetObject", [POINTER, f"{BUNDLE}/reference.parquet", *LOGGED]),
        ("s3:GetObject", [f"{PREDICTIONS}/labels/{DAY}/a.parquet"]),
        ("s3:GetObject s3:PutObject", [*RUN, ALERTS]),
        ("s3:ListBucket", [MODELS, PREDICTIONS, REPORTS]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
        ("secretsmanager:GetSecretValue", [SECRET]),
        ("events:PutEvents", [BUS]),
        (
            "ses:SendEmail",
            [
                *(arn("ses", f"identity/{name}@example.org") for name in ("sender", "team")),
                arn("ses", "identity/example.org"),
                arn("ses", "configuration-set/{MailConfiguration}"),
            ],
        ),
        *PUBLISH,
        *DEAD,
    ],
    "Clock": [("lambda:InvokeFunction", ["{DriftFunction.Arn}"]), *DEAD],
    "RetrainingGuardRole": [
        *log_of("RetrainingGuard"),
        ("states:ListExecutions states:StartExecution", [MACHINE]),
        ("states:DescribeExecution", [EXECUTION]),
        ("s3:ListBucket", [DATA, REPORTS]),
        ("s3:GetObject s3:PutObject", [DECISION]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
        ("events:PutEvents", [BUS]),
        *PUBLISH,
        *DEAD,
    ],
    "TaskWatcherRole": [*log_of("TaskWatcher"), ("states:SendTaskFailure", [MACHINE]), *DEAD],
    "TrainingRole": [
        ("ecs:RunTask", [arn("ecs", f"task-definition/circle-dev-{task}:7") for task in TASKS]),
        (
            "iam:PassRole",
            [
                f"{{{task}Task{role}Role.Arn}}"
                for task in ("Steps", "Promotion")
                for role in ("Task", "Execution")
            ],
        ),
        ("events:PutEvents", [BUS]),
    ],
    "StepsTaskTaskRole": [
        *ANSWER,
        ("states:DescribeExecution", [EXECUTION]),
        ("s3:ListBucket", [DATA, MODELS]),
        ("s3:GetObject", [f"{DATA}/raw/patients.csv", POINTER]),
        (
            "s3:GetObject s3:PutObject s3:AbortMultipartUpload",
            [
                f"{DATA}/datasets/a/train.parquet",
                f"{DATA}/scoring/out/part-00000.parquet",
                f"{MODELS}/mlflow/1/a/artifacts/model.ubj",
                f"{MODELS}/studies/a/journal.log",
                f"{BUNDLE}/bundle.json.gz",
                LOCK,
            ],
        ),
        (
            "s3:PutObject s3:AbortMultipartUpload",
            [f"{PREDICTIONS}/log/{DAY}/batch-a.parquet"],
        ),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
    ],
    "PromotionTaskTaskRole": [
        *ANSWER,
        ("s3:ListBucket", [MODELS]),
        ("s3:GetObject", [f"{BUNDLE}/bundle.json.gz", POINTER, ENTRY]),
        ("s3:PutObject", [POINTER, ENTRY, f"{SERVING}/check.json"]),
        ("kms:Decrypt kms:GenerateDataKey", [KEY]),
    ],
    "StepsTaskExecutionRole": start_of_task("Steps"),
    "PromotionTaskExecutionRole": start_of_task("Promotion"),
    "MlflowTaskExecutionRole": [
        *start_of_task("Mlflow"),
        # CDK grants the description together with the value.
        ("secretsmanager:GetSecretValue secretsmanager:DescribeSecret", [DATABASE_SECRET]),
        ("kms:Decrypt", [KEY]),
    ],
    "MlflowTaskTaskRole": [
        ("s3:ListBucket", [MODELS]),
        ("s3:GetObject", [f"{MODELS}/mlflow/1/a/artifacts/model.ubj"]),
        ("kms:Decrypt", [KEY]),
        (
            "ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel "
            "ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel",
            ["*"],
        ),
    ],
    "PredictionLogDeliveryRole": delivery("log", "PredictionLogTable", "PredictionLogDelivery"),
    "LabelsDeliveryRole": delivery("labels", "LabelsTable", "LabelsDelivery"),
}

PROD: dict[str, Calls] = {
    # Traces, which only prod pays for.
    **{
        f"{name}Role": TRACES
        for name in (
            "Predictor",
            "Labels",
            "DashboardBackend",
            "Drift",
            "RetrainingGuard",
            "TaskWatcher",
        )
    },
    "TrainingRole": [
        *TRACES,
        ("xray:GetSamplingRules xray:GetSamplingTargets", ["*"]),
    ],
    # A log of the network's connections.
    "FlowsRole": [
        ("logs:CreateLogStream logs:PutLogEvents logs:DescribeLogStreams", ["{FlowsLog.Arn}"])
    ],
}
"""What the roles of prod need beyond `NEEDED`."""

NOT_OURS = {"ApiRestCloudWatchRole"}
"""The role of API Gateway's logs, which has AWS's own policy."""

OTHER_MACHINE = arn("states", "stateMachine:heart-dev-training")
OTHER_BUS = arn("events", "event-bus/heart-dev")
FORBIDDEN = [
    # What serves: only a promotion may write it, and nobody may delete it.
    *((role, "s3:PutObject", POINTER) for role in NEEDED if role != "PromotionTaskTaskRole"),
    ("StepsTaskTaskRole", "s3:PutObject", ENTRY),
    ("StepsTaskTaskRole", "s3:PutObject", f"{SERVING}/check.json"),
    ("PromotionTaskTaskRole", "s3:PutObject", f"{BUNDLE}/bundle.json.gz"),
    ("PromotionTaskTaskRole", "s3:PutObject", LOCK),
    ("PromotionTaskTaskRole", "s3:DeleteObject", POINTER),
    ("PromotionTaskTaskRole", "s3:DeleteObject", ENTRY),
    ("PromotionTaskTaskRole", "s3:DeleteObjectVersion", POINTER),
    # Data and the log of features: who doesn't need them can't read or write them.
    ("PredictorRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("PredictorRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("PredictorRole", "s3:PutObject", f"{PREDICTIONS}/fallback/labels/{DAY}/a.jsonl"),
    ("PredictorRole", "s3:GetObject", f"{BUNDLE}/reference.parquet"),
    ("PredictorRole", "firehose:PutRecordBatch", "{LabelsDeliveryStream.Arn}"),
    ("LabelsRole", "firehose:PutRecordBatch", "{PredictionLogDeliveryStream.Arn}"),
    ("LabelsRole", "s3:GetObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("LabelsRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("LabelsRole", "kms:Decrypt", KEY),
    ("DashboardBackendRole", "s3:GetObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("DashboardBackendRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("DashboardBackendRole", "s3:PutObject", f"{REPORTS}/runs/a/summary.json"),
    ("DashboardBackendRole", "s3:PutObject", ALERTS),
    ("DashboardBackendRole", "athena:StartQueryExecution", arn("athena", "workgroup/primary")),
    ("DriftRole", "s3:GetObject", f"{DATA}/raw/patients.csv"),
    ("DriftRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("StepsTaskTaskRole", "s3:PutObject", f"{DATA}/raw/patients.csv"),
    ("StepsTaskTaskRole", "s3:PutObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("StepsTaskTaskRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    ("StepsTaskTaskRole", "s3:DeleteObject", f"{DATA}/raw/patients.csv"),
    ("PromotionTaskTaskRole", "s3:GetObject", f"{DATA}/datasets/a/train.parquet"),
    ("PromotionTaskTaskRole", "s3:ListBucket", DATA),
    ("MlflowTaskTaskRole", "s3:PutObject", f"{MODELS}/mlflow/1/a/artifacts/model.ubj"),
    ("MlflowTaskTaskRole", "s3:GetObject", POINTER),
    ("PredictionLogDeliveryRole", "s3:PutObject", f"{PREDICTIONS}/labels/{DAY}/a.parquet"),
    ("LabelsDeliveryRole", "s3:GetObject", f"{PREDICTIONS}/log/{DAY}/a.parquet"),
    # Deletions and the settings of buckets.
    *((role, "s3:DeleteObject", f"{PREDICTIONS}/log/{DAY}/a.parquet") for role in NEEDED),
    *((role, "s3:PutBucketPolicy", MODELS) for role in NEEDED),
    *((role, "kms:ScheduleKeyDeletion", KEY) for role in NEEDED),
    # Secrets.
    ("PredictorRole", "secretsmanager:GetSecretValue", SECRET),
    ("StepsTaskTaskRole", "secretsmanager:GetSecretValue", DATABASE_SECRET),
    ("MlflowTaskTaskRole", "secretsmanager:GetSecretValue", DATABASE_SECRET),
    ("DriftRole", "secretsmanager:PutSecretValue", SECRET),
    # Roles and other principals.
    *((role, "iam:PassRole", "{MlflowTaskTaskRole.Arn}") for role in NEEDED),
    *((role, "sts:AssumeRole", "{PromotionTaskTaskRole.Arn}") for role in NEEDED),
    ("RetrainingGuardRole", "states:StopExecution", EXECUTION),
    ("RetrainingGuardRole", "s3:PutObject", ALERTS),
    ("RetrainingGuardRole", "s3:GetObject", f"{DATA}/raw/patients.csv"),
    ("DashboardBackendRole", "states:StartExecution", MACHINE),
    ("DashboardBackendRole", "lambda:InvokeFunction", "{DriftFunction.Arn}"),
    ("Clock", "lambda:InvokeFunction", "{PredictorFunction.Arn}"),
    ("TaskWatcherRole", "states:SendTaskSuccess", MACHINE),
    # Other deployments in the account.
    ("RetrainingGuardRole", "states:StartExecution", OTHER_MACHINE),
    (
        "RetrainingGuardRole",
        "states:DescribeExecution",
        arn("states", "execution:heart-dev-training:8f14e45f"),
    ),
    ("TrainingRole", "ecs:RunTask", arn("ecs", "task-definition/heart-dev-training:7")),
    ("DriftRole", "events:PutEvents", OTHER_BUS),
    ("DriftRole", "ses:SendEmail", arn("ses", "identity/other@example.net")),
    ("DashboardBackendRole", "athena:GetQueryResults", arn("athena", "workgroup/heart-dev")),
    ("DashboardBackendRole", "glue:GetTable", arn("glue", "table/heart_dev/prediction_log")),
    ("StepsTaskTaskRole", "states:SendTaskSuccess", OTHER_MACHINE),
]
"""(role, action, resource)."""

Statement = dict[str, Any]


Policies = dict[str, list[Statement]]
"""The statements of each role, with references written out."""


@dataclass(frozen=True)
class Stage:
    """The policies of one stage, and the calls that its roles need."""

    policies: Policies
    needed: dict[str, Calls]

    def calls(self, role: str) -> list[tuple[str, str]]:
        """(action, resource) of everything that the role needs."""
        found = self.needed[role]
        return [(a, r) for actions, resources in found for a in actions.split() for r in resources]


@pytest.fixture(scope="module")
def policies(aws: Assembly) -> Policies:
    """Those of dev."""
    return _read(aws)


@pytest.fixture(scope="module", params=["dev", "prod"])
def stage(request: pytest.FixtureRequest, synthesise: Callable[[str, str], Assembly]) -> Stage:
    """What a stage's roles may and must do; prod's names are written as dev's."""
    assembly = synthesise("aws", request.param)
    needed = NEEDED if request.param == "dev" else _add(NEEDED, PROD)
    return Stage(_read(assembly), needed)


def _add(left: dict[str, Calls], right: dict[str, Calls]) -> dict[str, Calls]:
    return {role: left.get(role, []) + right.get(role, []) for role in left | right}


def _read(assembly: Assembly) -> Policies:
    roles = {role.name for role in assembly.resources("AWS::IAM::Role")} - NOT_OURS
    return {role: [_plain(assembly, s) for s in assembly.statements(role)] for role in roles}


def _plain(aws: Assembly, statement: Statement) -> Statement:
    plain = {
        k: [aws.text(v).replace("circle-prod", "circle-dev") for v in as_list(statement[k])]
        for k in ("Action", "Resource")
    }
    conditions = {
        operator: {key: [aws.text(v) for v in as_list(value)] for key, value in keys.items()}
        for operator, keys in statement.get("Condition", {}).items()
    }
    return {"Effect": statement["Effect"], **plain, "Condition": conditions}


def allows(statements: list[Statement], action: str, resource: str, **context: str) -> bool:
    """Whether the statements of one role allow a call."""
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    request = EvalContext(
        principal_arn="arn:aws:sts::123456789012:assumed-role/role/session",
        principal_type="AssumedRole",
        principal_account="123456789012",
        action=action,
        resource_arn=resource,
        region="eu-central-1",
        secure_transport=True,
        service_context=dict(context),
    )
    return bool(evaluate(request, [parse_policy_document(document)]).decision == "Allow")


def with_context(statements: list[Statement], action: str, resource: str) -> bool:
    """Whether a call is allowed as the state machine makes it."""
    return allows(statements, action, resource, **CLUSTER, **TO_ECS)


def test_every_role_is_in_the_table(stage: Stage) -> None:
    assert set(stage.needed) == set(stage.policies)


def test_every_call_that_a_flow_makes_is_allowed(stage: Stage) -> None:
    refused = [
        (role, *call)
        for role, statements in stage.policies.items()
        for call in stage.calls(role)
        if not with_context(statements, *call)
    ]
    assert [] == refused


def test_every_action_on_every_resource_is_needed_by_a_flow(stage: Stage) -> None:
    unneeded = [
        (role, action, resource)
        for role, statements in stage.policies.items()
        for statement in statements
        for action in statement["Action"]
        for resource in statement["Resource"]
        if not any(
            with_context([{**statement, "Action": [action], "Resource": [resource]}], *call)
            for call in stage.calls(role)
        )
    ]
    assert [] == unneeded


def test_without_any_one_of_its_statements_a_role_lacks_a_call(stage: Stage) -> None:
    superfluous = [
        (role, statement)
        for role, statements in stage.policies.items()
        for n, statement in enumerate(statements)
        if all(
            with_context(statements[:n] + statements[n + 1 :], *call) for call in stage.calls(role)
        )
    ]
    assert [] == superfluous


def test_at_least_forty_calls_are_forbidden() -> None:
    assert len(FORBIDDEN) == len(set(FORBIDDEN)) >= 40


@pytest.mark.parametrize(("role", "action", "resource"), FORBIDDEN)
def test_what_would_do_harm_is_refused(
    policies: dict[str, list[Statement]], role: str, action: str, resource: str
) -> None:
    assert not with_context(policies[role], action, resource)


def test_tasks_run_on_the_deployments_own_cluster_and_roles_go_to_ecs_only(
    policies: dict[str, list[Statement]],
) -> None:
    machine = policies["TrainingRole"]
    task, role = arn("ecs", "task-definition/circle-dev-training:7"), "{StepsTaskTaskRole.Arn}"
    assert allows(machine, "ecs:RunTask", task, **CLUSTER)
    assert not allows(machine, "ecs:RunTask", task, **{"ecs:cluster": arn("ecs", "cluster/heart")})
    assert allows(machine, "iam:PassRole", role, **TO_ECS)
    lambda_ = {"iam:passedtoservice": "lambda.amazonaws.com"}
    assert not allows(machine, "iam:PassRole", role, **lambda_)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": ["s3:*"], "Resource": ["*"]}, True),
        ({"Action": ["s3:Get*"], "Resource": [f"{MODELS}/serving/*"]}, True),
        ({"Action": ["s3:PutObject"], "Resource": ["*"]}, False),
        ({"Action": ["s3:GetObject"], "Resource": [f"{MODELS}/mlflow/*"]}, False),
        ({"Effect": "Deny", "Action": ["s3:GetObject"], "Resource": ["*"]}, False),
    ],
)
def test_the_evaluator_knows_wildcards_and_denials(
    statement: dict[str, Any], expected: bool
) -> None:
    assert expected is allows([{"Effect": "Allow", **statement}], "s3:GetObject", POINTER)
