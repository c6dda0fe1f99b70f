"""Structured log lines and embedded metrics of a function, on stdout.

No body, no feature value and no exception message ever comes here: a message may quote what was
sent. An exception is logged as its type and the places it passed through.
"""

import json
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.aws import error_code
from domain import metrics

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_encode = json.JSONEncoder(separators=(",", ":")).encode
_UNITS = {metrics.LATENCY: "Milliseconds", metrics.LAST_RUN_AGE: "Seconds"}


@dataclass
class Observation:
    """What one request adds to the metrics; `properties` can be searched but are no dimensions."""

    counts: dict[str, float] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    by_field: Mapping[str, int] = field(default_factory=dict)

    def count(self, metric: str, value: float = 1) -> None:
        """Add to a metric of `domain.metrics`."""
        self.counts[metric] = self.counts.get(metric, 0) + value


@dataclass
class Telemetry:
    """The log of one function, and its metrics in the deployment's namespace.

    `correlation_id`: of the request that is being answered, for its log lines.
    """

    service: metrics.Service
    namespace: str
    correlation_id: str | None = None

    @cached_property
    def log(self) -> "Logger":
        """The structured logger. Never log anything that a client sent."""
        from aws_lambda_powertools import Logger  # here, because most requests log nothing

        return Logger(service=self.service)

    def inform(self, message: str, **facts: Any) -> None:
        """Log something that happened as it should."""
        self.log.info(message, **facts, **self._request())

    def warn(self, message: str, **facts: Any) -> None:
        """Log that something is wrong which did not fail the request."""
        self.log.warning(message, **facts, **self._request())

    def log_failure(self, message: str, error: BaseException) -> None:
        """Log an exception by its type (AWS's code, if it has one) and places, without its text."""
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
        code = error_code(error) or None
        self.log.error(
            message, error=type(error).__name__, code=code, places=places, **self._request()
        )

    def _request(self) -> dict[str, Any]:
        return {"correlation_id": self.correlation_id} if self.correlation_id else {}

    def emit(self, observation: Observation) -> None:
        """Write the metrics of one request, unless there are none."""
        if observation.counts:
            self._emit(observation.counts, observation.properties, {})
        for name, count in observation.by_field.items():
            self._emit({metrics.FIELD_ERRORS: count}, observation.properties, {"field": name})

    def _emit(
        self,
        counts: Mapping[str, float],
        properties: Mapping[str, Any],
        dimensions: Mapping[str, str],
    ) -> None:
        units = [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in counts]
        directive = {
            "Namespace": self.namespace,
            "Dimensions": [["service", *dimensions]],
            "Metrics": units,
        }
        line = {
            "_aws": {
                "Timestamp": time.time_ns() // 1_000_000,
                "CloudWatchMetrics": [directive],
            },
            "service": self.service,
            **dimensions,
            **properties,
            **counts,
        }
        print(_encode(line))  # noqa: T201 - CloudWatch reads metrics from stdout
