"""Environment variables of the training container."""

from dataclasses import dataclass

from domain.environment import Environment

MAXIMUM_SEARCH_MINUTES = 24 * 60
MAXIMUM_SEED = 2**31 - 1
MAXIMUM_TRIALS = 1000
"""The longest search that an execution's input or a stage may ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """Settings of every step.

    `contract`: the contract's TOML text, packed (`domain.packed_text`). `split_salt` decides which
    side a row falls on. `trials`, `seed` and `search_minutes` (None: no limit) are defaults that an
    execution's input may override.
    `bad_row_share`: the largest share of rows that may break the contract. `processes`: parallel
    tuning processes; 0 means one per vCPU. `delivery_seconds`: how long the streams may hold a
    record before it is in its bucket. `retention`: see `domain.retention`.

    Labelled predictions of the last `production_days` days are rows of the dataset, too (0: none),
    if they are at least `label_maturity_days` old; the newest `production_test_share` of them are
    for testing. A challenger's answers to the requests of the last `replay_days` days are compared
    with those that were given (0: not at all).

    `engine`, `workers` and `scheduler` are defaults, too (see `training_job.cluster.engine`).
    `worker_...`: where and how a step starts the tasks that work for it; several names are joined
    by commas.

    `operator_command`: how the operator's command line is called for this deployment.

    `guard_principal`, `probation_principal` and `people_principal`: how the ARNs of those parts
    begin, from the account on, such as ``123456789012:assumed-role/circle-dev-guard/``.
    """

    data_bucket: str
    models_bucket: str
    predictions_bucket: str
    reports_bucket: str
    mlflow_tracking_uri: str
    model_name: str
    contract: str
    split_salt: str = "mlops.circle"
    trials: int = 30
    search_minutes: int | None = None
    processes: int = 0
    seed: int = 1
    bad_row_share: float = 0.01
    production_days: int = 90
    label_maturity_days: int = 7
    production_test_share: float = 0.3
    replay_days: int = 30
    guard_principal: str = ""
    probation_principal: str = ""
    people_principal: str | None = None
    operator_command: str = "ops"
    delivery_seconds: int = 0
    retention: str | None = None
    engine: str = "local"
    workers: int = 0
    scheduler: str = ""
    worker_cluster: str = ""
    worker_family: str = ""
    worker_container: str = ""
    worker_subnets: str = ""
    worker_security_groups: str = ""
    worker_provider: str = "FARGATE"
