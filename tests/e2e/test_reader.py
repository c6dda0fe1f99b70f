"""The pages of docs/how-to, pasted into a shell, in an order that works on one stage."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import PREDICTIONS, TRIALS, brought_up, ops
from tests.how_to import FOLDER, find_missing, paste, read_page, read_pages
from tests.repository import CONTRACT_TOML, ROOT
from tests.unit.receiver import receiving

SECONDS = 1_200
FIRST = ("slack", "weekly-retraining")
"""Before anything is trained: the first model passes the gate and waits for an approval."""
AFTER_DEMO = (
    "first-mail",
    "yesterdays-mail",
    "drift-of-a-day",
    "prove-a-prediction",
    "explain-a-patient",
    "notebook",
    "costs",
    "learn-from-labels",
    "erase-a-person",
    "add-a-feature",
    "roll-back",
)
"""The rollback goes back behind the model that learned from one more column."""
NEEDS_AN_ACCOUNT = ("ci", "give-access")
"""Pages without a step that a laptop can run."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Shell:
    """A reader's shell: the folder stands for the checkout, where pages write beside its files."""

    laptop: Path
    folder: Path
    environment: Mapping[str, str]

    def paste(self, name: str, *, typed: str = "") -> None:
        """Paste a page's commands, and look for what it quotes."""
        page = read_page(FOLDER / f"{name}.md")
        paste(page, self.folder, self.environment, typed=typed, seconds=SECONDS)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A stage on which nothing was trained, and a shell whose laptop it is."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copy(CONTRACT_TOML, folder)
    (folder / "examples").symlink_to(ROOT / "examples")
    users = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    with brought_up(tmp_path_factory.mktemp("reader"), {}) as target:
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OPS_LOCAL": str(target.folder),
        }
        yield Shell(target.folder, folder, users | own)


def test_every_page_is_pasted_or_needs_an_account() -> None:
    pasted = {page.name for page in read_pages() if any(b.pasted for b in page.commands)}
    assert {f"{name}.md" for name in FIRST + AFTER_DEMO} == pasted
    assert {f"{name}.md" for name in NEEDS_AN_ACCOUNT} == {
        page.name for page in read_pages() if page.name not in pasted
    }


def test_notifications_go_to_the_webhook_that_the_page_sets(shell: Shell) -> None:
    with receiving() as receiver:
        shell.paste("slack", typed=f"{receiver.url}\n")
    (received,) = receiver.accepted
    assert "This is a test of the webhook" in received.body.decode()


def test_a_weekly_training_waits_for_the_approval_that_the_page_gives(shell: Shell) -> None:
    shell.paste("weekly-retraining")


def test_the_first_page_quotes_what_the_demo_prints(shell: Shell) -> None:
    """The page's first command installs into the checkout, so a smaller demo stands for it."""
    (demo, *_) = read_page(FOLDER / "first-mail.md").commands
    assert "make demo\n" == demo.text
    size = ("--rows", "10000", "--trials", str(TRIALS), "--predictions", str(PREDICTIONS))
    done = ops(shell.laptop, "demo", *size, timeout=SECONDS)
    assert 0 == done.returncode, done.stderr + done.stdout
    assert [] == find_missing(demo.quoted, done.stdout)


@pytest.mark.parametrize("name", AFTER_DEMO)
def test_what_a_page_says_can_be_pasted(shell: Shell, name: str) -> None:
    if name == "explain-a-patient" and shutil.which("curl") is None:
        pytest.skip("curl is not installed here (Debian: apt-get install curl).")
    shell.paste(name)
