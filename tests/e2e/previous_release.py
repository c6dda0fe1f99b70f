"""The release before this one, as a checkout of its own that runs with this environment."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.repository import ROOT

COMMITS_BACK = 20
"""How far back the previous release is where no tag names one."""
BUILT = ("node_modules", "build")
"""What a checkout builds; the older one uses this one's."""


class NoPreviousRelease(Exception):
    """The clone has none; the message says why, and how to get one."""


@dataclass(frozen=True, slots=True)
class PreviousRelease:
    """One commit; `name` is its tag, or its place before this one."""

    commit: str
    name: str

    @classmethod
    def find(cls, root: Path = ROOT) -> "PreviousRelease":
        """The newest tag before this commit, or a commit some way back; in a shallow clone the
        oldest that it has. Raises NoPreviousRelease.
        """
        commits = _git(
            root, "rev-list", "--first-parent", f"--max-count={COMMITS_BACK + 1}", "HEAD"
        )
        if commits is None:
            raise NoPreviousRelease(f"{root} is no git clone, so it has no previous release.")
        _, *earlier = commits.split()
        if not earlier:
            raise NoPreviousRelease(
                "This clone has one commit only, so there is no previous release to deploy first: "
                "run git fetch --unshallow --tags."
            )
        tag = _git(root, "describe", "--tags", "--abbrev=0", "HEAD^")
        if tag:
            return cls(str(_git(root, "rev-parse", f"{tag}^{{commit}}")), tag)
        return cls(earlier[-1], f"{len(earlier)} commits back")

    def check_out(self, folder: Path, root: Path = ROOT) -> None:
        """Write the release's files into the folder, beside what this checkout has built."""
        archive = subprocess.run(
            ["git", "-C", str(root), "archive", self.commit], capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        for name in BUILT:
            (folder / name).symlink_to(root / name)


def _git(root: Path, *arguments: str) -> str | None:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
