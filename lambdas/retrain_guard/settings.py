"""What the retrain guard is told by its stack."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`cool_down_hours`: least time between the starts of two trainings."""

    data_bucket: str
    event_bus: str
    state_machine_arn: str
    cool_down_hours: float = 24.0
