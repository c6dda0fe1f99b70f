"""Environment variables of the predictor."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`champion_seconds`: seconds between two looks at the champion pointer.

    `operator_command`: how the operator's command line is called for this deployment, for the log.
    `has_login`: whether people sign in; unset where they don't.
    `context`: the deployed contract's context columns, as `DeployedContext.to_text` writes them.
    """

    models_bucket: str
    predictions_bucket: str
    log_stream: str
    metrics_namespace: str
    operator_command: str
    context: str | None = None
    champion_seconds: float = 60.0
    has_login: bool | None = None
