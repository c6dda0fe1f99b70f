"""The three images, built from the very assets that a deployment would build them from."""

import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.infra.assembly import Assembly
from tests.infra.conftest import synthesise  # noqa: F401 - a fixture

AS_IT_RUNS = ("--read-only", "--tmpfs=/tmp:mode=1777")
"""As Fargate and Lambda run it: a read-only root, and a /tmp of its own."""


@dataclass(frozen=True)
class Image:
    """A built image."""

    tag: str

    def python(self, *arguments: str, program: str = "python") -> str:
        """Call Python in it, without a network; returns what it prints."""
        options = (*AS_IT_RUNS, "--network=none", f"--entrypoint={program}")
        return docker("run", "--rm", *options, self.tag, *arguments).strip()

    @contextmanager
    def running(self, environ: dict[str, str], *command: str) -> Iterator[str]:
        """Its name while it runs in the background, on this machine's network."""
        name = f"circle-{uuid.uuid4().hex[:8]}"
        variables = [f"--env={key}={value}" for key, value in environ.items()]
        options = (*AS_IT_RUNS, "--network=host", f"--name={name}", *variables)
        docker("run", "--detach", *options, self.tag, *command)
        try:
            yield name
        finally:
            docker("rm", "--force", name)

    @property
    def gigabytes(self) -> float:
        """Its size, unpacked, base included."""
        (found,) = json.loads(docker("image", "inspect", self.tag))
        return float(found["Size"] / 1e9)


def docker(*arguments: str) -> str:
    """Call the engine; a failure shows what it said."""
    result = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=1800
    )
    assert 0 == result.returncode, (result.stdout + result.stderr)[-3000:]
    return result.stdout


def logs(name: str) -> str:
    """What a container said, on both of its streams."""
    command = ["docker", "logs", name]
    merged = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    return merged.stdout


@pytest.fixture(scope="session")
def image(synthesise: Callable[[str, str], Assembly]) -> Callable[[str], Image]:  # noqa: F811 - pytest's way
    """``image("mlflow")``: that target of the Dockerfile for stage dev, built once."""
    aws = synthesise("aws", "dev")

    @cache
    def build(target: str) -> Image:
        source = aws.image_assets()[target]
        folder = Path(aws.folder / source["directory"])
        tag = f"circle/{target}"
        # BASE_IMAGE and RDS_BUNDLE_URL of the environment take the place of the stage's.
        options = [
            f"--build-arg={name}={os.environ.get(name, own)}"
            for name, own in source["dockerBuildArgs"].items()
        ]
        if "BUILD_NETWORK" in os.environ:
            options.append(f"--network={os.environ['BUILD_NETWORK']}")
        file = str(folder / source["dockerFile"])
        docker("build", "--tag", tag, "--target", target, "--file", file, *options, str(folder))
        return Image(tag)

    return build
