"""Environment variables of the inspection function."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """The stores that it reads, and the bucket where it records each view.

    `context`: the deployed contract's context columns, as `DeployedContext.to_text` writes them.
    `query_seconds`: after how long a query is stopped; an answer takes three of them, and the
    gateway waits 29 seconds.
    """

    data_bucket: str
    models_bucket: str
    reports_bucket: str
    database: str
    workgroup: str
    metrics_namespace: str
    context: str | None = None
    query_seconds: float = 8.0
