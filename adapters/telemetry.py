"""Structured log lines and embedded metrics of a function, on stdout.

No body, no feature value and no exception message ever comes here: a message may quote what was
sent. An exception is logged as its type and the places it passed through.
"""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from adapters.aws import error_code
from domain import metrics

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


@dataclass(frozen=True)
class Telemetry:
    """The log of one function, and its metrics in the deployment's namespace."""

    service: metrics.Service
    namespace: str

    @cached_property
    def log(self) -> Logger:
        """The structured logger. Never log anything that a client sent."""
        return Logger(service=self.service)

    def log_failure(self, message: str, error: BaseException) -> None:
        """Log an exception by its type (AWS's code, if it has one) and places, without its text."""
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
        code = error_code(error) or None
        self.log.error(message, error=type(error).__name__, code=code, places=places)

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
        # One provider per line, so that no metric of a request gets into the next one's line.
        line = AmazonCloudWatchEMFProvider(namespace=self.namespace, service=self.service)
        for name, value in dimensions.items():
            line.add_dimension(name, value)
        for name, number in counts.items():
            line.add_metric(name, _UNITS.get(name, "Count"), number)
        for name, text in properties.items():
            line.add_metadata(name, text)
        line.flush_metrics()
