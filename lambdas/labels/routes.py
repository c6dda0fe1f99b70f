"""The route of the labels function."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from adapters.api.proxy import Api
from adapters.api.request import Request
from adapters.api.rest import Answer, answer
from adapters.streams import RecordStream
from adapters.telemetry import Observation, Telemetry
from domain import metrics
from domain.api.people import ROUTES as PEOPLES_ROUTES
from domain.contract.context import Context
from lambdas.labels.accept import accept, read_labels


@dataclass(frozen=True, slots=True)
class Labels:
    """The route and its stream.

    `target` is the name of a label's boolean field, `reference` the column that the contract has
    for the caller's own id of a prediction.
    """

    stream: RecordStream
    target: str
    reference: Context | None

    def accept(self, request: Request, observation: Observation) -> Answer:
        """POST /labels, and POST /people/labels for somebody who signed in."""
        labels = read_labels(
            request.json(),
            target=self.target,
            reference=self.reference,
            now=datetime.now(UTC),
        )
        fallbacks = accept(labels=labels, stream=self.stream)
        observation.count(metrics.INSTANCES, len(labels))
        observation.count(metrics.LOG_FALLBACKS, fallbacks)
        return answer(HTTPStatus.OK, {"accepted": len(labels)})


def build(
    *, stream: RecordStream, target: str, reference: Context | None, telemetry: Telemetry
) -> Api:
    """Build the function's API."""
    labels = Labels(stream=stream, target=target, reference=reference)
    routes = {("POST", "/labels"): labels.accept, ("POST", "/people/labels"): labels.accept}
    return Api(routes=routes, telemetry=telemetry, errors={}, needed=PEOPLES_ROUTES)
