"""Which release the upgrade starts from, in each kind of clone."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.previous_release import COMMITS_BACK, NoPreviousRelease, PreviousRelease


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of three commits, of which the file `a` holds the number."""
    folder = tmp_path / "repository"
    folder.mkdir()
    _git(folder, "init", "--quiet")
    for number in range(3):
        (folder / "a").write_text(str(number))
        _git(folder, "add", "a")
        _git(folder, "commit", "--quiet", "-m", f"{number}")
    return folder


def test_the_newest_tag_before_this_commit_is_the_previous_release(repository: Path) -> None:
    _git(repository, "tag", "v1", "HEAD^^")
    _git(repository, "tag", "v3")  # this commit itself
    found = PreviousRelease.find(repository)
    assert ("v1", _git(repository, "rev-parse", "v1")) == (found.name, found.commit)


def test_without_a_tag_it_is_a_commit_some_way_back(repository: Path) -> None:
    assert "2 commits back" == PreviousRelease.find(repository).name
    for number in range(COMMITS_BACK):
        _git(repository, "commit", "--quiet", "--allow-empty", "-m", f"more {number}")
    assert f"{COMMITS_BACK} commits back" == PreviousRelease.find(repository).name


@pytest.mark.parametrize(("depth", "name"), [(1, None), (2, "1 commits back")])
def test_a_shallow_clone_uses_what_it_has_or_says_how_to_get_more(
    repository: Path, tmp_path: Path, depth: int, name: str | None
) -> None:
    clone = tmp_path / "clone"
    _git(tmp_path, "clone", "--quiet", f"--depth={depth}", f"file://{repository}", str(clone))
    if name is not None:
        assert name == PreviousRelease.find(clone).name
        return
    with pytest.raises(NoPreviousRelease, match="git fetch --unshallow --tags"):
        PreviousRelease.find(clone)


def test_files_without_git_have_no_previous_release(tmp_path: Path) -> None:
    with pytest.raises(NoPreviousRelease, match="is no git clone"):
        PreviousRelease.find(tmp_path)


def test_the_release_is_checked_out_beside_what_this_checkout_has_built(
    repository: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "older"
    PreviousRelease.find(repository).check_out(folder, repository)
    assert "0" == (folder / "a").read_text()
    assert (repository / "build") == (folder / "build").readlink()
