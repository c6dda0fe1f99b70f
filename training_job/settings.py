"""Environment variables of the training container."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """Settings of every step.

    `contract`: the contract's TOML text. `split_salt` decides which side a row falls on. `trials`,
    and `seed` are defaults that an execution's input may override. `bad_row_share`: the largest
    share of rows that may break the contract. `processes`: parallel tuning processes; 0 means one
    per vCPU.
    """

    data_bucket: str
    models_bucket: str
    predictions_bucket: str
    mlflow_tracking_uri: str
    model_name: str
    contract: str
    split_salt: str = "mlops.circle"
    trials: int = 30
    processes: int = 0
    seed: int = 1
    bad_row_share: float = 0.01
