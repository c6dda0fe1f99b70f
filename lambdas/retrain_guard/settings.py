"""Environment variables of the retrain guard."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`mode` is a `domain.mode.Mode`. `cool_down_hours`: minimum time between two trainings.

    `monthly_limit`: trainings in 30 days. `label_maturity_days`: None if the training uses no
    labels of production.
    """

    data_bucket: str
    event_bus: str
    predictions_bucket: str
    reports_bucket: str
    state_machine_arn: str
    mode: str
    cool_down_hours: float
    monthly_limit: int
    label_maturity_days: int | None = None
