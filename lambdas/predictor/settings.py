"""What the predictor is told by its stack."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`champion_seconds`: how long a loaded champion is served before the pointer is read again."""

    models_bucket: str
    predictions_bucket: str
    log_stream: str
    metrics_namespace: str
    champion_seconds: float = 60.0
