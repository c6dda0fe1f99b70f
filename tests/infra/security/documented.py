"""Calls that the roles need and that the end-to-end tests can't record, each with who makes it.

Together with `tests/recorder/calls.json` this is all that a role may do. A call that the tests do
record has no place here.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from tests.recorder.calls import Call

DATA, MODELS, PREDICTIONS, REPORTS = (
    f"{{{name}.Arn}}" for name in ("Data", "Models", "Predictions", "Reports")
)
SERVING = f"{MODELS}/serving"
BUNDLE = f"{SERVING}/bundles/3-0a1b2c3d"
POINTER, LOCK = f"{SERVING}/champion.json", f"{SERVING}/lock.json"
ENTRY = f"{SERVING}/ledger/00000001-promote-3-0a1b2c3d.json"
DAY = "dt=2026-02-01"
KEY = "{DataKey.Arn}"
TOPIC, BUS, MACHINE = "{OperationsTopic}", "{Bus.Arn}", "{TrainingMachine}"
SECRET, DATABASE_SECRET = "{ReportSecret}", "{DatabaseInstanceSecretAttachment}"
ALERTS = f"{REPORTS}/alerts/state.json"


def arn(service: str, resource: str) -> str:
    """A resource of this account and region, as the templates write it."""
    return f"arn:{{AWS::Partition}}:{service}:{{AWS::Region}}:{{AWS::AccountId}}:{resource}"


EXECUTION = arn("states", "execution:circle-dev-training:8f14e45f")
IMAGES = arn(
    "ecr",
    'repository/{"Fn::Sub": "cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}"}',
)

Calls = list[tuple[str, list[str]]]
"""(actions, resources)"""
Documented = dict[str, dict[str, Calls]]
"""Role → who makes the calls, and when → the calls."""

LAMBDA = "Lambda itself: for its log, and for an event on which the function failed"
ENCRYPTION = "S3, Secrets Manager or SNS, in the caller's name, for what is encrypted"
ABSENCE = "S3 itself: without it, a missing object would be refused instead of not found"
ABORT = "the S3 client, when an upload in parts fails"
FALLBACK = "while the stream refuses records: tests/faults"
ATHENA = "Athena, in the caller's name"
FIREHOSE = "Firehose itself, as AWS documents it"
ECS = "ECS itself: it pulls the image, opens the log and reads the secrets before the task starts"
ECS_EXEC = "the agent of ECS Exec, by which an operator forwards MLflow's port"
MACHINE_ITSELF = "Step Functions itself, as the machine's definition says"
SCHEDULER = "EventBridge Scheduler itself"
XRAY = "Lambda or Step Functions, for a traced call"
FLOWS = "the VPC, for its flow log"
FAILURE = "when a step fails: tests/faults"
WORKERS = "when a step asks for workers, processes here: tests/unit/training_job/cluster"
PERSON = "an erasure of somebody from whom a model has learned: tests/e2e/test_own_table.py"


def log_of(name: str) -> Calls:
    """What whoever logs into a group of its own needs."""
    return [("logs:CreateLogStream logs:PutLogEvents", [f"{{{name}Log.Arn}}"])]


def glue(*tables: str) -> list[str]:
    """The catalog, the database and tables of it."""
    names = ("catalog", "database/{Database}", *(f"table/{{Database}}/{table}" for table in tables))
    return [arn("glue", name) for name in names]


def delivery(log: str, table: str, group: str) -> dict[str, Calls]:
    """A Firehose stream with Parquet conversion, as AWS's documentation lists it."""
    folders = [f"{PREDICTIONS}/{log}/{DAY}/a.parquet", f"{PREDICTIONS}/rejected/{log}/x/{DAY}/a"]
    return {
        FIREHOSE: [
            ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", folders),
            ("s3:GetBucketLocation s3:ListBucket s3:ListBucketMultipartUploads", [PREDICTIONS]),
            ("kms:GenerateDataKey kms:Decrypt", [KEY]),
            ("glue:GetTable glue:GetTableVersion glue:GetTableVersions", glue(f"{{{table}}}")),
            ("logs:PutLogEvents", [f"{{{group}Log.Arn}}"]),
        ]
    }


def start_of_task(name: str) -> Calls:
    """What ECS needs to start a container."""
    pull = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
    return [(pull, [IMAGES]), ("ecr:GetAuthorizationToken", ["*"]), *log_of(name)]


DEAD: Calls = [("sqs:SendMessage", ["{DeadLettersQueue.Arn}"])]
ENCRYPT: Calls = [("kms:Decrypt kms:GenerateDataKey", [KEY])]
TRACES: Calls = [("xray:PutTraceSegments xray:PutTelemetryRecords", ["*"])]
FAIL: Calls = [("states:SendTaskFailure", [MACHINE])]
TASKS = ("training", "promotion", "erasure", "compaction")
SENDERS: Calls = [
    (
        "ses:SendEmail",
        [
            arn("ses", "identity/team@example.org"),
            arn("ses", "identity/example.org"),
            arn("ses", "configuration-set/{MailConfiguration}"),
        ],
    ),
]
SES = "SES itself: it authorises a mail against whatever of these it has verified"
LEARNED = [
    f"{MODELS}/mlflow/1/a/artifacts/table.json",
    f"{MODELS}/studies/a/journal.log",
    f"{BUNDLE}/reference.parquet",
    f"{BUNDLE}/card.json",
    f"{REPORTS}/runs/a/summary.json",
]
"""What may hold rows or ids of a person, besides data and predictions."""

SMALL = [f"{PREDICTIONS}/{log}/{DAY}/a.parquet" for log in ("log", "labels")]
COMPACTED = [
    f"{PREDICTIONS}/{log}/{DAY}/compact-1769904000000-0a1b2c3d4e5f6071.parquet"
    for log in ("log", "labels")
]
"""Objects of the logs, and what they are merged into."""

DOCUMENTED: Documented = {
    "PredictorRole": {
        LAMBDA: log_of("Predictor"),
        ABSENCE: [("s3:ListBucket", [MODELS])],
        FALLBACK: [("s3:PutObject", [f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"])],
        ENCRYPTION: ENCRYPT,
    },
    "LabelsRole": {
        LAMBDA: log_of("Labels"),
        FALLBACK: [("s3:PutObject", [f"{PREDICTIONS}/fallback/labels/{DAY}/a.jsonl"])],
        ENCRYPTION: [("kms:GenerateDataKey", [KEY])],
    },
    "DashboardBackendRole": {
        LAMBDA: log_of("DashboardBackend"),
        ENCRYPTION: ENCRYPT,
        ATHENA: [
            ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", [f"{PREDICTIONS}/athena/a.csv"]),
            (
                "s3:GetObject",
                [
                    f"{PREDICTIONS}/log/{DAY}/a.parquet",
                    f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl",
                ],
            ),
            ("s3:GetBucketLocation s3:ListBucket", [PREDICTIONS]),
            (
                "glue:GetDatabase glue:GetTable glue:GetPartitions",
                glue("prediction_log", "prediction_log_fallback"),
            ),
        ],
        "when somebody acknowledges an incident: tests/unit/lambdas/dashboard": [
            (
                "s3:GetObject s3:PutObject",
                [f"{REPORTS}/alerts/acknowledgements/daily-1769904000000.json"],
            )
        ],
        "for the page Health: tests/unit/lambdas/dashboard/test_health.py": [
            ("s3:GetObject", [f"{REPORTS}/probation/00000002.json", f"{SERVING}/check.json"])
        ],
        "when a query takes longer than the page waits: tests/unit/adapters": [
            ("athena:StopQueryExecution", [arn("athena", "workgroup/circle-dev")])
        ],
    },
    "DriftRole": {
        LAMBDA: [*log_of("Drift"), *DEAD],
        ENCRYPTION: ENCRYPT,
        SES: SENDERS,
        FALLBACK: [("s3:GetObject", [f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"])],
        "after a promotion: tests/unit/monitoring_job/probation": [
            ("s3:GetObject s3:PutObject", [f"{REPORTS}/probation/00000002.json"]),
            ("states:StartExecution", [MACHINE]),
        ],
        "once labels were drawn: tests/unit/monitoring_job/test_drawn_labels.py": [
            ("s3:GetObject", [f"{PREDICTIONS}/label_draws/a/draw.json"])
        ],
        "for a window with more than `athena_rows`: tests/integration/test_drift.py": [
            (
                "athena:StartQueryExecution athena:GetQueryExecution athena:GetQueryResults"
                " athena:StopQueryExecution",
                [arn("athena", "workgroup/circle-dev")],
            )
        ],
        ATHENA: [
            ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", [f"{PREDICTIONS}/athena/a.csv"]),
            ("s3:GetBucketLocation", [PREDICTIONS]),
            ("glue:GetDatabase glue:GetTable glue:GetPartitions", glue("prediction_log")),
        ],
    },
    "DecisionsNotifierRole": {
        LAMBDA: [*log_of("DecisionsNotifier"), ("sns:Publish", [TOPIC]), *DEAD],
        ENCRYPTION: ENCRYPT,
        ABSENCE: [("s3:ListBucket", [REPORTS])],
        SES: SENDERS,
    },
    "Clock": {SCHEDULER: [("lambda:InvokeFunction", ["{DriftFunction.Arn}"]), *DEAD]},
    "RetrainingGuardRole": {
        LAMBDA: [*log_of("RetrainingGuard"), ("sns:Publish", [TOPIC]), *DEAD],
        ENCRYPTION: ENCRYPT,
        "unless a training ran in the last day: tests/integration/test_retrain_guard.py": [
            ("states:StartExecution", [MACHINE])
        ],
    },
    "TaskWatcherRole": {LAMBDA: [*log_of("TaskWatcher"), *DEAD]},
    "TrainingRole": {
        MACHINE_ITSELF: [
            ("ecs:RunTask", [arn("ecs", f"task-definition/circle-dev-{task}:7") for task in TASKS]),
            (
                "iam:PassRole",
                [
                    f"{{{task}Task{role}Role.Arn}}"
                    for task in ("Steps", "Promotion", "Erasure", "Compaction")
                    for role in ("Task", "Execution")
                ],
            ),
            ("events:PutEvents", [BUS]),
        ]
    },
    "StepsTaskTaskRole": {
        ABORT: [
            (
                "s3:AbortMultipartUpload",
                [
                    f"{DATA}/datasets/a/train.parquet",
                    f"{DATA}/scoring/out/part-00000.parquet",
                    f"{MODELS}/mlflow/1/a/artifacts/model.ubj",
                    f"{MODELS}/studies/a/journal.log",
                    f"{BUNDLE}/bundle.json.gz",
                    LOCK,
                    f"{PREDICTIONS}/log/{DAY}/batch-a.parquet",
                ],
            )
        ],
        FALLBACK: [("s3:GetObject", [f"{PREDICTIONS}/fallback/log/{DAY}/a.jsonl"])],
        "once predictions have labels: tests/unit/training_job/dataset": [
            ("s3:GetObject", [f"{PREDICTIONS}/labels/{DAY}/a.parquet"])
        ],
        WORKERS: [
            ("ecs:RunTask", [arn("ecs", "task-definition/circle-dev-training:7")]),
            ("ecs:StopTask", [arn("ecs", "task/Cluster/8f14e45f")]),
            ("iam:PassRole", [f"{{StepsTask{role}Role.Arn}}" for role in ("Task", "Execution")]),
        ],
        ENCRYPTION: ENCRYPT,
    },
    "PromotionTaskTaskRole": {FAILURE: FAIL, ENCRYPTION: ENCRYPT},
    "ErasureTaskTaskRole": {
        FAILURE: FAIL,
        ENCRYPTION: ENCRYPT,
        ABSENCE: [("s3:ListBucket", [MODELS, PREDICTIONS, REPORTS])],
        PERSON: [
            ("s3:GetObject s3:GetObjectVersion", [f"{BUNDLE}/bundle.json.gz", *LEARNED]),
            ("s3:PutObject s3:DeleteObjectVersion", LEARNED),
        ],
        "when the answer to a rewritten object was lost: tests/unit/adapters/test_s3_versions.py": [
            ("s3:GetObject", [f"{PREDICTIONS}/log/{DAY}/a.parquet"])
        ],
        "while another execution runs: tests/unit/training_job/erasure/test_writers.py": [
            ("states:DescribeExecution states:GetExecutionHistory", [EXECUTION])
        ],
    },
    "CompactionTaskTaskRole": {
        "a compaction of labels: tests/unit/training_job/compaction": [
            ("s3:GetObject s3:DeleteObject", SMALL[1:]),
            ("s3:GetObject s3:PutObject", COMPACTED[1:]),
        ],
        "where an erasure came between: tests/unit/training_job/compaction/test_erasure.py": [
            ("s3:ListBucketVersions", [PREDICTIONS]),
            ("s3:DeleteObjectVersion", COMPACTED),
        ],
        "while another execution runs: tests/unit/training_job/compaction/test_erasure.py": [
            ("states:DescribeExecution states:GetExecutionHistory", [EXECUTION])
        ],
        FAILURE: FAIL,
        ENCRYPTION: ENCRYPT,
    },
    "StepsTaskExecutionRole": {ECS: start_of_task("Steps")},
    "PromotionTaskExecutionRole": {ECS: start_of_task("Promotion")},
    "ErasureTaskExecutionRole": {ECS: start_of_task("Erasure")},
    "CompactionTaskExecutionRole": {ECS: start_of_task("Compaction")},
    "MlflowTaskExecutionRole": {
        ECS: [
            *start_of_task("Mlflow"),
            # CDK grants the description together with the value.
            ("secretsmanager:GetSecretValue secretsmanager:DescribeSecret", [DATABASE_SECRET]),
            ("kms:Decrypt", [KEY]),
        ]
    },
    "MlflowTaskTaskRole": {
        ENCRYPTION: [("kms:Decrypt", [KEY])],
        ECS_EXEC: [
            (
                "ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel "
                "ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel",
                ["*"],
            )
        ],
    },
    "PredictionLogDeliveryRole": delivery("log", "PredictionLogTable", "PredictionLogDelivery"),
    "LabelsDeliveryRole": delivery("labels", "LabelsTable", "LabelsDelivery"),
}

WEBHOOK: Documented = {
    f"{name}Role": {
        "to send to the webhook of a stage that has one: tests/unit/adapters/webhook": [
            ("secretsmanager:GetSecretValue", ["{WebhookSecret}"])
        ]
    }
    for name in ("Drift", "DecisionsNotifier")
}
"""What the roles of a stage with a webhook need beyond `DOCUMENTED`."""

LOGIN: Documented = {
    "ChangesPeopleRole": {
        LAMBDA: log_of("ChangesPeople"),
        "to change what serves for somebody who signed in: tests/integration/sign_in": [
            ("states:StartExecution states:SendTaskSuccess", [MACHINE]),
            (
                "s3:GetObject",
                [POINTER, f"{BUNDLE}/bundle.json.gz", f"{REPORTS}/proposals/train-1.json"],
            ),
            ("s3:ListBucket", [MODELS, REPORTS]),
        ],
        ENCRYPTION: [("kms:Decrypt", [KEY])],
    },
    "InspectionBackendRole": {
        LAMBDA: log_of("InspectionBackend"),
        ENCRYPTION: ENCRYPT,
        ATHENA: [
            ("s3:GetObject s3:PutObject s3:AbortMultipartUpload", [f"{PREDICTIONS}/athena/a.csv"]),
            (
                "s3:GetObject",
                [
                    f"{PREDICTIONS}/{part}{log}/{DAY}/a.parquet"
                    for part in ("", "fallback/")
                    for log in ("log", "labels")
                ],
            ),
            ("s3:GetBucketLocation s3:ListBucket", [PREDICTIONS]),
            (
                "glue:GetDatabase glue:GetTable glue:GetPartitions",
                glue("prediction_log", "prediction_log_fallback", "labels", "labels_fallback"),
            ),
        ],
        "to show one prediction to somebody who may inspect: tests/integration/sign_in": [
            (
                "athena:StartQueryExecution athena:GetQueryExecution athena:GetQueryResults"
                " athena:StopQueryExecution",
                [arn("athena", "workgroup/circle-dev")],
            ),
            ("s3:GetObject", [f"{BUNDLE}/bundle.json.gz"]),
            (
                "s3:GetObject",
                [
                    f"{DATA}/erasures/20260201T000000-0a1b2c3d/{name}.json"
                    for name in ("certificate", "erased_predictions")
                ],
            ),
            ("s3:ListBucket", [DATA, MODELS]),
            ("s3:PutObject", [f"{REPORTS}/prediction_views/0a1b/1770000000000-0a1b.json"]),
        ],
    },
}
"""What the roles of a stage with a login need beyond `DOCUMENTED`."""

PROD: Documented = {
    # Traces, which only prod pays for.
    **{
        f"{name}Role": {XRAY: TRACES}
        for name in (
            "Predictor",
            "Labels",
            "DashboardBackend",
            "Drift",
            "RetrainingGuard",
            "DecisionsNotifier",
            "TaskWatcher",
        )
    },
    "TrainingRole": {
        XRAY: [*TRACES, ("xray:GetSamplingRules xray:GetSamplingTargets", ["*"])],
    },
    # A log of the network's connections.
    "FlowsRole": {
        FLOWS: [
            ("logs:CreateLogStream logs:PutLogEvents logs:DescribeLogStreams", ["{FlowsLog.Arn}"])
        ]
    },
}
"""What the roles of prod need beyond `DOCUMENTED`."""


def list_calls(documented: Documented) -> Iterator[Call]:
    """The documented calls one by one."""
    for role, reasons in documented.items():
        for calls in reasons.values():
            for actions, resources in calls:
                for action in actions.split():
                    yield from ((role, action, resource) for resource in resources)


def is_documented(call: Call) -> bool:
    """Whether a recorded call, whose resource may hold a ``*``, is one of the documented."""
    role, action, pattern = call
    return any(
        (role, action) == (owner, listed) and fnmatchcase(resource, pattern)
        for owner, listed, resource in list_calls(DOCUMENTED)
    )
