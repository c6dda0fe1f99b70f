"""What all tests share: property tests that are the same everywhere, and what was left out."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile(
    "house",
    deadline=None,  # a busy machine is no defect
    derandomize=True,  # a failure here is a failure everywhere
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # fixtures here are values, not state
        HealthCheck.too_slow,
    ],
)
settings.load_profile("house")


class DeploymentScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests that share a deployment run in one process: those of a folder below integration or
    e2e, and those of any other module.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.partition("::")[0])
        has_folder = len(path.relative_to("tests").parts) > 2  # integration/dashboard/test_runs.py
        return str(path.parent if has_folder else path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Schedule `--dist loadscope` by deployments; else as xdist does."""
    return DeploymentScheduling(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say at the end which tests did not run, and what they need."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("tests that did not run")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count} skipped: {reason}")
