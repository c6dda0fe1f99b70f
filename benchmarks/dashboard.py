"""Measure how long the dashboard's first page takes in a browser, on the emulator.

The deployment holds a year of runs. The baseline is the same page over an empty deployment, in the
same run of the benchmark; the difference is what 365 runs and 100,000 predictions cost. Both are
medians of several visits in new browser contexts, where nothing is cached, after one visit that
warms up the functions.
"""

import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Figure, main
from ops.laptop import ROOT, Laptop
from ops.local import emulator
from ops.local.deploy import deploy
from ops.local.processes import free_port
from ops.target import Target
from tests.integration.dashboard.world import Stores, contract

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RUNS = 365
PREDICTIONS = 100_000
VISITS = 7
CHROMIUM = "/usr/bin/chromium"


def measure(seed: int) -> Iterator[Figure]:
    """Deploy, visit the empty page, fill the stores, and visit again."""
    from playwright.sync_api import sync_playwright

    with _deployed() as target, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        before = _visits(browser, target, ".empty")
        buckets = (target.bucket(name) for name in ("models", "predictions", "reports"))
        text = (ROOT / "contract.toml").read_text()
        Stores(*buckets).fill(
            contract(text), now=datetime.now(UTC), runs=RUNS, predictions=PREDICTIONS, seed=seed
        )
        after = _visits(browser, target, ".tick")
        browser.close()
    usable, whole = (statistics.median(column) for column in zip(*after, strict=True))
    baseline = statistics.median(first for first, _ in before)
    yield Figure("first page usable, median", usable, "s", "<= 1")
    yield Figure("first page usable, slowest of the visits", max(first for first, _ in after), "s")
    yield Figure("  the same over an empty deployment (baseline)", baseline, "s")
    yield Figure("  times the baseline", usable / baseline, "")
    yield Figure("with predictions per day, median", whole, "s")
    sizes = [len(gzip.compress(path.read_bytes())) for path in (ROOT / "web").iterdir()]
    yield Figure("own assets, gzipped", sum(sizes) / 1024, "KiB", "<= 300")


@contextmanager
def _deployed() -> Iterator[Target]:
    with tempfile.TemporaryDirectory(prefix="dashboard-") as folder:
        laptop = Laptop(folder=Path(folder), aws_port=free_port(), mlflow_port=free_port())
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(laptop.aws_env())
        emulator.start(laptop, os.environ)
        try:
            deploy(laptop, os.environ, contract=None, mail_to=None)
            yield Target.on_laptop(laptop)
        finally:
            emulator.stop(laptop)


def _visits(browser: "Browser", target: Target, sign: str) -> list[tuple[float, float]]:
    """Return ``(usable, complete)`` in seconds for each visit.

    `sign`: selector of an element that shows that the page is usable.
    """
    url, key = f"{target.deployment.api_url}/", target.api_key()
    return [_visit(browser, url, key, sign) for _ in range(VISITS + 1)][1:]


def _visit(browser: "Browser", url: str, key: str, sign: str) -> tuple[float, float]:
    context = browser.new_context()
    context.add_init_script(f"sessionStorage.setItem(`circle-key ${{location.pathname}}`, '{key}')")
    page = context.new_page()
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator(f"#main {sign}").first.wait_for(state="attached")
    usable = time.perf_counter() - start
    page.locator(".waiting").wait_for(state="detached", timeout=60_000)
    complete = time.perf_counter() - start
    context.close()
    return usable, complete


if __name__ == "__main__":
    main("dashboard", measure)
