"""Environment variables of the labels function."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`target`: the contract's target, the name of a label's boolean field.

    `context`: the deployed contract's context columns, as `DeployedContext.to_text` writes them.
    """

    predictions_bucket: str
    labels_stream: str
    target: str
    metrics_namespace: str
    context: str | None = None
