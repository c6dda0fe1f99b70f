"""What all tests share: property tests that are the same everywhere, and what was left out."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings

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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say at the end which tests did not run, and what they need."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("tests that did not run")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count} skipped: {reason}")
