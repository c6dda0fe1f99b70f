"""The CDK application: context -> settings -> stacks."""

import sys
from pathlib import Path

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from domain.deployment import PROJECT, stack_name
from stacks.monitoring.monitoring import MonitoringStack
from stacks.serving.serving import ServingStack
from stacks.settings import Settings
from stacks.stage import SettingsError
from stacks.storage.storage import StorageStack
from stacks.target import EMULATOR_NETWORK, Aws, Emulator, Target, TaskNetwork
from stacks.tracking.tracking import TrackingStack, mlflow_url
from stacks.training.training import TrainingStack


def build(app: App, settings: Settings) -> None:
    """Add the stage's stacks: Storage <- Tracking <- Training <- Serving <- Monitoring."""
    name = settings.stage.name
    storage = StorageStack(
        app, stack_name(name, "Storage"), stage=settings.stage, contract=settings.contract
    )
    target, network, tracking_url = _place(app, settings, storage)
    training = TrainingStack(
        app,
        stack_name(name, "Training"),
        settings=settings,
        target=target,
        storage=storage,
        network=network,
        mlflow_url=tracking_url,
    )
    serving = ServingStack(
        app, stack_name(name, "Serving"), settings=settings, target=target, storage=storage
    )
    MonitoringStack(
        app,
        stack_name(name, "Monitoring"),
        settings=settings,
        target=target,
        storage=storage,
        training=training,
        serving=serving,
    )
    Tags.of(app).add("Project", PROJECT)
    Tags.of(app).add("Stage", name)


def _place(app: App, settings: Settings, storage: StorageStack) -> tuple[Target, TaskNetwork, str]:
    """What differs between AWS and an emulator: artefacts, network, tracking server."""
    if settings.target == "emulator":
        return Emulator(endpoint=settings.endpoint), EMULATOR_NETWORK, settings.mlflow_url
    stage = settings.stage
    target = Aws(base_image=stage.base_image, rds_bundle_url=stage.rds_bundle_url)
    tracking = TrackingStack(
        app,
        stack_name(stage.name, "Tracking"),
        settings=settings,
        target=target,
        storage=storage,
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return target, tracking.network, mlflow_url(stage)


def main() -> None:
    """Synthesise, or say in one sentence what is wrong with the context."""
    app = App()
    try:
        settings = Settings.from_context(app.node.try_get_context, Path(__file__).parent)
    except SettingsError as error:
        sys.exit(str(error))
    build(app, settings)
    app.synth()


if __name__ == "__main__":
    main()
