"""`cdk deploy -c target=emulator` works by itself: the CDK's command line and an emulator."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.deployment import Deployment
from ops.laptop import ACCOUNT, REGION, Laptop
from ops.local.deploy import CLI
from tests.repository import ROOT


@pytest.mark.slow
def test_the_cdk_alone_deploys_to_an_emulator(
    emulator: Laptop, aws: Callable[[str], Any], tmp_path: Path
) -> None:
    environ = os.environ | emulator.aws_env() | {"CDK_DISABLE_LEGACY_EXPORT_WARNING": "1"}
    environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    common = ["--no-notices", "--output", str(tmp_path)]
    commands = (
        ["bootstrap", f"aws://{ACCOUNT}/{REGION}", "-c", "target=emulator"],
        ["deploy", "--all", "--require-approval", "never", "-c", "target=emulator"],
    )
    for command in commands:
        result = subprocess.run(
            ["node", str(CLI), *command, *common],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == result.returncode, result.stderr[-2000:]
    stacks = aws("cloudformation").describe_stacks()["Stacks"]
    outputs = {o["OutputKey"]: o["OutputValue"] for s in stacks for o in s.get("Outputs", [])}
    assert "circle-dev" == Deployment.from_outputs(outputs).event_bus
