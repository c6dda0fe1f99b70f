"""MLflow: runs of the training, and the registry of model versions.

The registry mirrors what serves; it is never asked what serves (that is the champion pointer).
"""

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LifecycleStage,
    Metric,
    Param,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
)
from requests.exceptions import RequestException

CHAMPION = "champion"
PROFILED = ("splits", "columns", "production")
"""Parts of a dataset's manifest that MLflow shows with it."""
EXECUTION_TAG = "circle.execution"
ERROR_TAG = "circle.error"
SHA256_TAG = "circle.bundle_sha256"
KIND_TAG = "mlflow.experimentKind"
KIND = "custom_model_development"
"""Without it, MLflow's pages guess what an experiment is for, and show menus of language models."""


class RegistryUnavailable(Exception):
    """MLflow can't be reached or answers with an error; trying again later may help."""


class RegistryRefused(RegistryUnavailable):
    """MLflow answers and refuses; trying again won't help, though there is no registry either."""


class ExperimentDeleted(RegistryRefused):
    """Somebody deleted the experiment in MLflow, which keeps it and its name in the trash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedModel:
    """A model as MLflow stores and loads it.

    `code`: a file that MLflow runs to load it, with the files in `artifacts`, by name. `signature`
    and `example`: what it takes; the example is made up. `sha256`: of its bundle.
    """

    code: Path
    artifacts: Mapping[str, str]
    signature: Any
    example: Any
    sha256: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tracking:
    """One experiment and one registered model of the same name on one tracking server.

    `artifacts`: URL of the folder for the artifacts of an experiment that is new. Deployments that
    share a server keep theirs in buckets of their own. None: where the server puts them.
    """

    uri: str
    model_name: str
    artifacts: str | None = None

    @property
    def client(self) -> mlflow.MlflowClient:
        """A client of that server; cheap, and not picklable, so made anew in each process."""
        return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment_id(self) -> str:
        """The experiment's id; creates the experiment when it is missing.

        Raises ExperimentDeleted for one that is in MLflow's trash.
        """
        with _translated():
            found = self.client.get_experiment_by_name(self.model_name)
            if found is not None:
                if found.lifecycle_stage == LifecycleStage.DELETED:
                    raise ExperimentDeleted(
                        f"Experiment {self.model_name} was deleted in MLflow. This restores it: "
                        f"MLFLOW_TRACKING_URI={self.uri} mlflow experiments restore "
                        f"--experiment-id {found.experiment_id}"
                    )
                if KIND_TAG not in found.tags:
                    self.client.set_experiment_tag(found.experiment_id, KIND_TAG, KIND)
                return str(found.experiment_id)
            try:
                return str(
                    self.client.create_experiment(
                        self.model_name, self.artifacts, tags={KIND_TAG: KIND}
                    )
                )
            except MlflowException:
                found = self.client.get_experiment_by_name(self.model_name)
                if found is None:
                    raise
                return str(found.experiment_id)  # somebody else created it in between

    def run_of(self, execution: str) -> str:
        """Id of the run that belongs to an execution: found, or created."""
        experiment = self.experiment_id()
        with _translated():
            found = self._run_of(experiment, execution)
            if found is not None:
                return found
            name = f"training of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            tags = {EXECUTION_TAG: execution, MLFLOW_RUN_NAME: name}
            return str(self.client.create_run(experiment, tags=tags).info.run_id)

    def _run_of(self, experiment: str, execution: str) -> str | None:
        tagged = f"tags.`{EXECUTION_TAG}` = '{execution}'"
        found = self.client.search_runs([experiment], tagged, max_results=1)
        return str(found[0].info.run_id) if found else None

    def log_trial(
        self,
        *,
        experiment: str,
        parent_run: str,
        name: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        began: float,
    ) -> None:
        """One finished trial as a child run; `began` in seconds since the epoch."""
        client, now = self.client, int(time.time() * 1000)
        with _translated():
            run = client.create_run(
                experiment,
                start_time=int(began * 1000),
                tags={MLFLOW_PARENT_RUN_ID: parent_run, MLFLOW_RUN_NAME: name},
            )
            client.log_batch(
                run.info.run_id,
                metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
                params=[Param(key, str(value)) for key, value in params.items()],
            )
            client.set_terminated(run.info.run_id)

    def log_dataset(
        self, run_id: str, *, source: str, manifest: Mapping[str, Any], columns: Mapping[str, str]
    ) -> None:
        """The dataset as the run's input, and its manifest as an artifact.

        `source`: where it lies. `columns`: name → type. A repeated call changes nothing.
        """
        schema = [{"name": n, "type": kind, "required": False} for n, kind in columns.items()]
        profile = {name: manifest[name] for name in PROFILED if name in manifest}
        dataset = Dataset(
            name=self.model_name,
            digest=str(manifest["dataset_id"]),
            source_type="s3",
            source=json.dumps({"uri": source}),
            schema=json.dumps({"mlflow_colspec": schema}),
            profile=json.dumps(profile),
        )
        context = InputTag(MLFLOW_DATASET_CONTEXT, "training")
        with _translated():
            self.client.log_inputs(run_id, [DatasetInput(dataset, [context])])
            self.client.log_text(run_id, json.dumps(manifest, indent=2), "manifest.json")

    def log_final(
        self,
        run_id: str,
        *,
        name: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        documents: Mapping[str, Any],
    ) -> None:
        """The final model's figures in the execution's run; `documents` become JSON artifacts.

        `name`: what the run is called from now on.
        """
        now = int(time.time() * 1000)
        with _translated():
            self.client.log_batch(
                run_id,
                metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
                params=[Param(key, str(value)) for key, value in params.items()],
                tags=[RunTag(key, value) for key, value in {**tags, MLFLOW_RUN_NAME: name}.items()],
            )
            for path, document in documents.items():
                self.client.log_text(run_id, json.dumps(document, indent=2), path)

    def log_files(self, run_id: str, folder: Path, name: str) -> None:
        """The files of a folder as artifacts under `name`."""
        with _translated():
            self.client.log_artifacts(run_id, str(folder), name)

    def close_abandoned_trials(self, parent_run: str) -> None:
        """Close child runs that a killed step left running, as killed if they have no figures."""
        child = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent_run}' and attributes.status = 'RUNNING'"
        experiment = self.experiment_id()
        with _translated():
            for run in self.client.search_runs([experiment], child):
                status = "FINISHED" if run.data.metrics else "KILLED"
                self.client.set_terminated(run.info.run_id, status=status)

    def finish(self, run_id: str) -> None:
        """Close the execution's run."""
        with _translated():
            self.client.set_terminated(run_id)

    def fail(self, execution: str, error: str) -> None:
        """Close the run of an execution that failed with that error, if it has one.

        A retried state finds the run again, and `finish` closes it anew.
        """
        with _translated():
            experiment = self.client.get_experiment_by_name(self.model_name)
            run_id = experiment and self._run_of(str(experiment.experiment_id), execution)
            if run_id:
                self.client.set_tag(run_id, ERROR_TAG, error)
                self.client.set_terminated(run_id, status="FAILED")

    def describe(self, number: str, *, model: str, version: str) -> None:
        """Write the descriptions of the registered model and of one version."""
        with _translated():
            self.client.update_registered_model(self.model_name, description=model)
            self.client.update_model_version(self.model_name, number, description=version)

    def register(self, *, run_id: str, model: PackagedModel) -> str:
        """Log a model and register it; returns the version's number.

        A repeated call for the same run and bundle returns the version that is already there.

        MLflow's client repeats a request whose answer was lost, so one call may make several
        versions; all but the first are deleted.
        """
        with _translated():
            if not self._find_versions(run_id, model.sha256):
                self._register(run_id, model)
            first, *others = self._find_versions(run_id, model.sha256)
            for number in others:
                self._delete_version(number)
            return str(first)

    def _delete_version(self, number: int) -> None:
        try:
            self.client.delete_model_version(self.model_name, str(number))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # a repetition finds it gone
                raise

    def _find_versions(self, run_id: str, sha256: str) -> list[int]:
        """Numbers of the versions of a run that have this hash, in ascending order."""
        found = self.client.search_model_versions(f"run_id = '{run_id}'")
        return sorted(
            int(version.version)
            for version in found
            if version.name == self.model_name and version.tags.get(SHA256_TAG) == sha256
        )

    def _register(self, run_id: str, model: PackagedModel) -> None:
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        with warnings.catch_warnings(), mlflow.start_run(run_id=run_id):
            # Type hints would make MLflow check rows by its own rules instead of the contract's.
            warnings.filterwarnings("ignore", message=".*Add type hints to the `predict` method")
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(model.code),
                artifacts=dict(model.artifacts),
                signature=model.signature,
                input_example=model.example,
                model_config={"sha256": model.sha256},
                metadata=dict(model.metadata),
                pip_requirements=["pandas"],  # inferring them would start a process
            )
        # The tag comes with the version: a process that is killed here leaves none without it.
        mlflow.register_model(
            logged.model_uri,
            self.model_name,
            tags={SHA256_TAG: model.sha256},
            await_registration_for=0,
        )

    def champion(self) -> str | None:
        """The number that the alias `champion` names, if any."""
        with _translated():
            try:
                found = self.client.get_model_version_by_alias(self.model_name, CHAMPION)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            return str(found.version)

    def sha256_of(self, number: str) -> str | None:
        """The hash of the bundle that a version was registered with; None for no such version."""
        with _translated():
            try:
                found = self.client.get_model_version(self.model_name, number)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
            sha256: str | None = found.tags.get(SHA256_TAG)
            return sha256

    def set_champion(self, number: str) -> None:
        """Point the alias `champion` at a version's number."""
        with _translated():
            self.client.set_registered_model_alias(self.model_name, CHAMPION, number)


@contextmanager
def _translated() -> Iterator[None]:
    """MLflow's and its transport's errors as ours; their own texts may quote anything."""
    try:
        yield
    except (RequestException, ConnectionError, TimeoutError) as error:
        raise RegistryUnavailable(_DOWN.format(type(error).__name__)) from error
    except MlflowException as error:
        # What MLflow says of a server that it can't reach is an internal error too.
        status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]  # it has no types
        # Its database refuses a row that is there already: a repetition of a lost answer's request.
        if status >= 500 or status == 429 or error.error_code == "BAD_REQUEST":
            raise RegistryUnavailable(_DOWN.format(error.error_code)) from error
        raise RegistryRefused(f"MLflow refused what was asked ({error.error_code}).") from error


_DOWN = "MLflow did not do what was asked ({}); is the tracking server up?"
