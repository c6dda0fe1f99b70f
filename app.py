"""The CDK application: it turns the context into settings, and settings into stacks."""

import sys
from pathlib import Path

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from stacks.common import assets
from stacks.monitoring.monitoring import MonitoringStack
from stacks.serving.serving import ServingStack
from stacks.settings import Settings
from stacks.stage import SettingsError
from stacks.storage.storage import StorageStack
from stacks.target import EMULATOR_NETWORK, Aws, Emulator, Target, TaskNetwork
from stacks.tracking.sharing import import_network
from stacks.tracking.tracking import TrackingStack, mlflow_url
from stacks.training.training import TrainingStack


def build(app: App, settings: Settings) -> None:
    """Add the stacks of a deployment; each may use those before it.

    Storage <- Tracking <- Training <- Serving <- Monitoring

    Without Tracking where the deployment uses another one's tracking server.
    """
    names = settings.names
    storage = StorageStack(app, names.stack("Storage"), settings=settings)
    target, network, tracking_url = _choose_target(app, settings, storage)
    training = TrainingStack(
        app,
        names.stack("Training"),
        settings=settings,
        target=target,
        storage=storage,
        network=network,
        mlflow_url=tracking_url,
    )
    serving = ServingStack(
        app,
        names.stack("Serving"),
        settings=settings,
        target=target,
        storage=storage,
        training=training,
    )
    MonitoringStack(
        app,
        names.stack("Monitoring"),
        settings=settings,
        target=target,
        storage=storage,
        training=training,
        serving=serving,
    )
    Tags.of(app).add("Deployment", names.name)
    Tags.of(app).add("Stage", names.stage)


def _choose_target(
    app: App, settings: Settings, storage: StorageStack
) -> tuple[Target, TaskNetwork, str]:
    """The target, the network of the training tasks, and the URL of the tracking server."""
    if settings.target == "emulator":
        return (
            Emulator(endpoint=settings.endpoint, operator=settings.operator),
            EMULATOR_NETWORK,
            settings.mlflow_url,
        )
    stage = settings.stage
    target = Aws(base_image=stage.base_image, rds_bundle_url=stage.rds_bundle_url)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    if settings.shares_tracking:
        network = import_network(settings.tracking)
    else:
        network = TrackingStack(
            app,
            settings.names.stack("Tracking"),
            settings=settings,
            target=target,
            storage=storage,
        ).network
    return target, network, mlflow_url(settings.tracking)


def main() -> None:
    """Write the templates, or say in one sentence what is wrong with the context."""
    app = App()
    try:
        settings = Settings.from_context(app.node.try_get_context, Path(__file__).parent)
    except SettingsError as error:
        sys.exit(str(error))
    build(app, settings)
    for staged in Path(app.synth().directory).glob("asset.*"):
        is_zip = not (staged / "Dockerfile").exists()
        if is_zip and settings.target == "aws" and assets.runs_runtimes_python():
            assets.compile_modules(staged)
        assets.fix_modes(staged)


if __name__ == "__main__":
    main()
