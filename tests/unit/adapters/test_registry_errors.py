"""What MLflow's client raises, in our words: whether waiting can help."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from mlflow.entities import Experiment, LifecycleStage

from adapters.registry import (
    ExperimentDeleted,
    RegistryRefused,
    RegistryUnavailable,
    Tracking,
)
from domain.failures import ADVICE


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """Answers each call with the status and error code that its URL begins with."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, status, code, *_ = self.path.split("/")
            body = json.dumps({"error_code": code, "message": "a patient's value"}).encode()
            self.send_response(int(status))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that the standard library looks for

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("403/PERMISSION_DENIED", RegistryRefused),
        ("400/INVALID_PARAMETER_VALUE", RegistryRefused),
        ("400/BAD_REQUEST", RegistryUnavailable),
        ("429/REQUEST_LIMIT_EXCEEDED", RegistryUnavailable),
        ("500/INTERNAL_ERROR", RegistryUnavailable),
        ("503/TEMPORARILY_UNAVAILABLE", RegistryUnavailable),
    ],
)
def test_a_refusal_is_told_from_a_server_in_trouble_without_its_text(
    server: http.server.ThreadingHTTPServer, path: str, error: type[Exception]
) -> None:
    tracking = Tracking(f"http://127.0.0.1:{server.server_port}/{path}", "model")
    with pytest.raises(RegistryUnavailable) as found:
        tracking.finish("run")
    assert error is found.type
    assert "patient" not in str(found.value)


def test_a_server_that_is_gone_is_unavailable(server: http.server.ThreadingHTTPServer) -> None:
    server.server_close()
    with pytest.raises(RegistryUnavailable) as found:
        Tracking(f"http://127.0.0.1:{server.server_port}", "model").finish("run")
    assert RegistryUnavailable is found.type


def test_a_disk_that_is_full_is_no_matter_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlflow.MlflowClient.set_terminated", full)
    with pytest.raises(OSError, match="No space left"):
        Tracking("http://127.0.0.1:1", "model").finish("run")


def test_a_deleted_experiment_is_named_with_the_command_that_restores_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deleted = Experiment("7", "circle-dev-x", "s3://models", LifecycleStage.DELETED)
    monkeypatch.setattr("mlflow.MlflowClient.get_experiment_by_name", lambda *_: deleted)
    with pytest.raises(ExperimentDeleted) as found:
        Tracking("http://mlflow:5000", "circle-dev-x").experiment_id()
    command = "MLFLOW_TRACKING_URI=http://mlflow:5000 mlflow experiments restore --experiment-id 7"
    assert f"Experiment circle-dev-x was deleted in MLflow. This restores it: {command}" == str(
        found.value
    )
    assert "Restore the experiment" in ADVICE["ExperimentDeleted"]
