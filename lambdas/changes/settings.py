"""Environment variables of the changes function."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """The stores that it reads, and the state machine that makes the changes.

    `operator_command`: how the operator's command line is called for this deployment.
    """

    models_bucket: str
    reports_bucket: str
    state_machine_arn: str
    metrics_namespace: str
    operator_command: str
