"""A CDK application with many deployments at once: ``python -m tests.e2e.many_app``.

The context has an object `contracts`, the path of a contract by each deployment's name; the rest is
that of one deployment.
"""

import json
from pathlib import Path

from aws_cdk import App

from app import build
from stacks.common import assets
from stacks.settings import Settings
from tests.repository import ROOT


def main() -> None:
    """Write the templates of all of them."""
    app = App()
    contracts = json.loads(app.node.try_get_context("contracts"))
    for name, path in contracts.items():
        own = {"name": name, "contract": path}
        settings = Settings.from_context(
            lambda key, own=own: own.get(key) or app.node.try_get_context(key),  # type: ignore[misc]
            ROOT,
        )
        build(app, settings)
    for staged in Path(app.synth().directory).glob("asset.*"):
        assets.fix_modes(staged)


if __name__ == "__main__":
    main()
