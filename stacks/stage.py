"""A stage: one entry of `stages` in cdk.json, parsed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, get_args, get_type_hints

from aws_cron_expression_validator.validator import AWSCronExpressionValidator

from domain import retention, task_size
from domain.drift.drift import MINIMUM_VALUES
from domain.errors import DomainError
from domain.mode import Mode
from domain.retention import Retention
from domain.webhook import FORMATS
from stacks import training_table

ARCHITECTURES = ("arm64", "x86_64")
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731)

MODES: tuple[str, ...] = get_args(Mode)
MAIL_IDENTITIES = ("address", "domain", "none")
WEBHOOKS = ("none", *FORMATS)
LOGINS = ("none", "cognito")
MFA = ("optional", "required")
SSL_MODES = ("require", "verify-ca", "verify-full")
"""libpq's modes that encrypt; `verify-full` also checks who answers."""

_KINDS = {bool: "true or false", int: "a whole number", str: "a text"}
_STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")
_INSTANCE = re.compile(r"[a-z]+[0-9]+[a-z]*\.[0-9]*[a-z]+")
_PROVIDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{2,31}")
_CRON = re.compile(r"cron\((?P<fields>[^()]+)\)")
_HTTPS = re.compile(r"https://[^\s/]+/\S+")


class SettingsError(DomainError):
    """A context value that can't be used. The message says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The settings in which stages differ: one entry of `stages` in cdk.json.

    `contract`: path of its data contract, from the repository on. `retain`: the data outlives its
    stack, and no stack can be deleted by mistake. `tracing`: X-Ray traces of functions and
    trainings; `flow_logs`: a log of the VPC's connections. `*_days`: how long logs, query results,
    rejected records and overwritten objects are kept. `stream_seconds`: Firehose's buffer, 60-900.
    `training_cpu` in CPU units (1024 = 1 vCPU), `training_memory` in MiB, and so for MLflow.
    `database_instance`: a class of RDS without its ``db.``. `budget_usd`: a month's spending in the
    account that mails a warning. `drift_schedule` is an EventBridge Scheduler expression in UTC, as
    are `training_schedule` and `compaction_schedule`, which are empty for no schedule.
    `minimum_rows`: a window with fewer independent predictions gets no verdict, and one with more
    predictions than `athena_rows` is read by Athena instead of being streamed. `approval`: a model
    that passed the gate waits `approval_hours` for an operator's answer. `retraining` is the
    retrain guard's mode (`off`, `suggest`, `auto`), with `retraining_cool_down_hours` between two
    trainings and `retraining_monthly_limit` trainings in 30 days that it starts or suggests.
    `probation` is the mode in which a new champion is compared with the one before for
    `probation_days`.
    `alarm_errors`: so many failed or throttled requests in five minutes raise an alarm;
    `alarm_drift_days`: so many days without a drift run. `board`: a dashboard in CloudWatch.
    `mail_identity`: what the stage makes SES verify, the mail addresses, the sender's domain, or
    nothing (`none`), because the account has verified them already; an account has each identity
    only once. `webhook`: the format of the messages that go to a webhook beside the mails, or
    `none`.
    `login`: how people prove who they are, by signing in to a user pool of Amazon Cognito, or
    `none`, where they have the API key as services do. `login_mfa`: whether a second factor is
    `optional` or `required`.
    `base_image` is what the three images build on, `rds_bundle_url` where the certificates of RDS
    come from (empty: they are left out), `database_sslmode` libpq's word for how they are used.
    Four may be left out. `login_provider` is the name of an identity provider of the user pool at
    which people may sign in, too. `tracking` names the deployment whose tracking server all
    deployments of the stage use. `training` replaces defaults of `training_job.settings`.
    `retention` says for how many days records are kept, see `domain.retention`.
    """

    name: str
    contract: str
    retain: bool
    tracing: bool
    flow_logs: bool
    architecture: str
    log_days: int
    athena_days: int
    rejected_days: int
    noncurrent_days: int
    stream_seconds: int
    training_cpu: int
    training_memory: int
    training_spot: bool
    training_schedule: str
    compaction_schedule: str
    mlflow_cpu: int
    mlflow_memory: int
    mlflow_readonly_root: bool
    database_instance: str
    database_gb: int
    database_backup_days: int
    database_multi_az: bool
    budget_usd: int
    requests_per_second: int
    request_burst: int
    requests_per_day: int
    drift_schedule: str
    minimum_rows: int
    athena_rows: int
    approval: bool
    approval_hours: int
    retraining: str
    retraining_cool_down_hours: int
    retraining_monthly_limit: int
    probation: str
    probation_days: int
    alarm_errors: int
    alarm_drift_days: int
    board: bool
    mail_identity: str
    webhook: str
    login: str
    login_mfa: str
    base_image: str
    rds_bundle_url: str
    database_sslmode: str
    login_provider: str = ""
    tracking: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)

    @classmethod
    def parse(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Read one entry; raises SettingsError naming every problem at once."""
        hints = get_type_hints(cls)
        optional = ("training", "retention", "tracking", "login_provider")
        for found in ("name", *optional):
            del hints[found]
        unknown = set(document) - {*hints, *optional}
        problems = [f"{n} is not a setting" for n in sorted(unknown)]
        problems += training_table.find_problems(document.get("training", {}))
        problems += retention.find_problems(document.get("retention", {}))
        for setting, kind in hints.items():
            if setting not in document:
                problems.append(f"{setting} is missing")
            elif type(document[setting]) is not kind:
                problems.append(f"{setting} must be {_KINDS[kind]}")
            elif kind is int and document[setting] < 1:
                problems.append(f"{setting} must be at least 1")
        if problems:
            raise SettingsError(
                f"The settings of stage {name} can't be used: {'; '.join(problems)}."
            )
        kept = Retention(**document.get("retention", {}))
        stage = cls(name=name, **{**document, "retention": kept})
        stage._check()
        return stage

    def _check(self) -> None:
        rules = {
            "its name must be 1-12 lower-case letters and digits": _STAGE.fullmatch(self.name),
            f"architecture must be one of {', '.join(ARCHITECTURES)}": self.architecture
            in ARCHITECTURES,
            f"log_days must be one of {', '.join(map(str, LOG_DAYS))}": self.log_days in LOG_DAYS,
            "stream_seconds must be 60-900": 60 <= self.stream_seconds <= 900,
            "mlflow_cpu and mlflow_memory must be a size that Fargate has": self.mlflow_memory
            in task_size.MEMORY.get(self.mlflow_cpu, ()),
            "database_instance must look like t4g.micro": _INSTANCE.fullmatch(
                self.database_instance
            ),
            "database_gb must be 20-65536": 20 <= self.database_gb <= 65_536,
            "database_backup_days must be 1-35": self.database_backup_days <= 35,
            "training_cpu and training_memory must be a size that Fargate has": self.training_memory
            in task_size.MEMORY.get(self.training_cpu, ()),
            "training_schedule must be empty or look like cron(0 3 ? * SUN *)": (
                not self.training_schedule or _is_cron(self.training_schedule)
            ),
            "compaction_schedule must be empty or look like cron(0 3 * * ? *)": (
                not self.compaction_schedule or _is_cron(self.compaction_schedule)
            ),
            "drift_schedule must look like cron(0 14 * * ? *)": _is_cron(self.drift_schedule),
            f"minimum_rows must be at least {MINIMUM_VALUES}": self.minimum_rows >= MINIMUM_VALUES,
            "approval_hours must be 1-720": self.approval_hours <= 720,
            f"retraining must be one of {', '.join(MODES)}": self.retraining in MODES,
            f"probation must be one of {', '.join(MODES)}": self.probation in MODES,
            "probation_days must be 1-365": self.probation_days <= 365,
            "alarm_drift_days must be 1-7": self.alarm_drift_days <= 7,
            f"mail_identity must be one of {', '.join(MAIL_IDENTITIES)}": self.mail_identity
            in MAIL_IDENTITIES,
            f"webhook must be one of {', '.join(WEBHOOKS)}": self.webhook in WEBHOOKS,
            f"login must be one of {', '.join(LOGINS)}": self.login in LOGINS,
            f"login_mfa must be one of {', '.join(MFA)}": self.login_mfa in MFA,
            "login_provider must be empty or the name of an identity provider": (
                not self.login_provider or _PROVIDER.fullmatch(self.login_provider)
            ),
            "base_image must be the name of an image": re.fullmatch(r"\S+", self.base_image),
            "rds_bundle_url must be empty or an https URL": (
                not self.rds_bundle_url or _HTTPS.fullmatch(self.rds_bundle_url)
            ),
            f"database_sslmode must be one of {', '.join(SSL_MODES)}": self.database_sslmode
            in SSL_MODES,
            "without an rds_bundle_url database_sslmode must be require": (
                self.rds_bundle_url or self.database_sslmode == "require"
            ),
        }
        problems = [sentence for sentence, holds in rules.items() if not holds]
        if problems:
            raise SettingsError(
                f"The settings of stage {self.name} can't be used: {'; '.join(problems)}."
            )


def _is_cron(expression: str) -> bool:
    """Whether it is one of EventBridge's, where one of the two day fields must be ``?``."""
    found = _CRON.fullmatch(expression)
    if found is None:
        return False
    try:
        AWSCronExpressionValidator.validate(found["fields"])
    except ValueError:
        return False
    return True
