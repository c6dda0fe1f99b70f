"""The application, synthesised once per target and stage, as plain data."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from app import build
from stacks.settings import Settings
from tests.infra.assembly import Assembly
from tests.infra.security.rights import Policies, read_policies
from tests.repository import ROOT


def cdk_context() -> dict[str, object]:
    """The context that ships in cdk.json."""
    context: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context


@pytest.fixture(scope="session")
def applications(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], tuple[App, Assembly]]:
    """``applications("aws", "dev")``: that target's and stage's application, and its templates."""

    @cache
    def run(target: str, stage: str) -> tuple[App, Assembly]:
        return _synthesised(tmp_path_factory.mktemp(f"{target}-{stage}"), target, stage)

    return run


@pytest.fixture(scope="session")
def synthesise(
    applications: Callable[[str, str], tuple[App, Assembly]],
) -> Callable[[str, str], Assembly]:
    """``synthesise("aws", "dev")``: that target's and stage's templates."""
    return lambda target, stage: applications(target, stage)[1]


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Assembly]:
    """``varied("aws", retain=True)``: that target's stage dev, with other settings.

    `context`: what else `-c` would say.
    """

    def run(target: str, context: dict[str, str] | None = None, **changes: object) -> Assembly:
        stages: Any = cdk_context()["stages"]
        others = {"stages": {"dev": stages["dev"] | changes}} | (context or {})
        return _synthesised(tmp_path_factory.mktemp("varied"), target, "dev", others)[1]

    return run


def _synthesised(
    folder: Path, target: str, stage: str, others: Mapping[str, object] | None = None
) -> tuple[App, Assembly]:
    context = cdk_context() | {
        "target": target,
        "stage": stage,
        "mail_from": "sender@example.org",
        "mail_to": "team@example.org",
    }
    app = App(context=context | dict(others or {}), outdir=str(folder))
    build(app, Settings.from_context(app.node.try_get_context, ROOT))
    app.synth()
    return app, Assembly.read(folder)


@pytest.fixture(scope="session")
def aws(synthesise: Callable[[str, str], Assembly]) -> Assembly:
    """Target aws, stage dev."""
    return synthesise("aws", "dev")


@pytest.fixture(scope="session")
def emulator(synthesise: Callable[[str, str], Assembly]) -> Assembly:
    """Target emulator, stage dev."""
    return synthesise("emulator", "dev")


@pytest.fixture(scope="session")
def prod(synthesise: Callable[[str, str], Assembly]) -> Assembly:
    """Target aws, stage prod."""
    return synthesise("aws", "prod")


@pytest.fixture(scope="session")
def policies(aws: Assembly) -> Policies:
    """The statements of each role of target aws, stage dev."""
    return read_policies(aws)
