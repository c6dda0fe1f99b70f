"""Environment variables of the retrain guard."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`cool_down_hours`: minimum time between the starts of two trainings."""

    data_bucket: str
    event_bus: str
    reports_bucket: str
    state_machine_arn: str
    cool_down_hours: float = 24.0
