"""`ops upload` destroys nothing, and names every problem before it changes anything."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.s3 import Bucket
from domain import keys
from ops.commands.data import upload as command
from ops.commands.data.upload import IfExists, upload
from ops.errors import OpsError

JANUARY, FEBRUARY = "a,b\n1,2\n", "a,b\n3,4\n"


@pytest.fixture
def target(moto_bucket: Bucket) -> Any:
    return SimpleNamespace(bucket=lambda _: moto_bucket)


def _file(folder: Path, text: str, name: str = "data.csv") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_text(text)
    return path


def _stored(bucket: Bucket) -> dict[str, str]:
    found = {}
    for entry in bucket.list(keys.RAW):
        stored = bucket.get(entry.key)
        assert stored is not None
        found[entry.key] = stored.data.decode()
    return found


def _upload(target: Any, *files: Path, **options: Any) -> Any:
    return upload(target, list(files), **{"replace": False, **options})


def test_another_file_of_the_same_name_is_refused_and_nothing_changes(
    target: Any, moto_bucket: Bucket, tmp_path: Path
) -> None:
    _upload(target, _file(tmp_path / "jan", JANUARY))
    other = _file(tmp_path / "feb", "more", "other.csv")
    with pytest.raises(OpsError, match=r"feb/data\.csv would overwrite raw/data\.csv") as refused:
        _upload(target, other, _file(tmp_path / "feb", FEBRUARY))
    assert "--if-exists rename" in refused.value.next_step
    assert {"raw/data.csv": JANUARY} == _stored(moto_bucket)


def test_another_file_of_the_same_name_and_size_is_another_file(
    target: Any, moto_bucket: Bucket, tmp_path: Path
) -> None:
    assert len(JANUARY) == len(FEBRUARY)
    _upload(target, _file(tmp_path / "jan", JANUARY))
    with pytest.raises(OpsError):
        _upload(target, _file(tmp_path / "feb", FEBRUARY))


def test_the_same_content_again_is_no_problem(
    target: Any, moto_bucket: Bucket, tmp_path: Path
) -> None:
    _upload(target, _file(tmp_path / "jan", JANUARY))
    answer = _upload(target, _file(tmp_path / "copy", JANUARY))
    assert ([], ["raw/data.csv"]) == (answer.data["uploaded"], answer.data["unchanged"])
    assert {"raw/data.csv": JANUARY} == _stored(moto_bucket)


def test_renamed_both_are_kept_and_a_repeat_adds_none(
    target: Any, moto_bucket: Bucket, tmp_path: Path
) -> None:
    _upload(target, _file(tmp_path / "jan", JANUARY))
    for _ in range(2):
        answer = _upload(target, _file(tmp_path / "feb", FEBRUARY), if_exists=IfExists.RENAME)
    assert "is stored as raw/data-" in str(answer.shown[0])
    assert [FEBRUARY, JANUARY] == sorted(_stored(moto_bucket).values(), reverse=True)


def test_overwritten_it_says_so(target: Any, moto_bucket: Bucket, tmp_path: Path) -> None:
    _upload(target, _file(tmp_path / "jan", JANUARY))
    answer = _upload(target, _file(tmp_path / "feb", FEBRUARY), if_exists=IfExists.OVERWRITE)
    assert "raw/data.csv is overwritten." in answer.shown
    assert {"raw/data.csv": FEBRUARY} == _stored(moto_bucket)


@pytest.mark.parametrize("before", ["", "older"], ids=["a new name", "overwritten"])
@pytest.mark.parametrize("rival", ["another", JANUARY], ids=["another content", "the same"])
def test_of_two_uploads_at_once_the_slower_one_overwrites_nothing(
    moto_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, rival: str
) -> None:
    target = SimpleNamespace(bucket=lambda _: moto_bucket)
    if before:
        moto_bucket.put("raw/data.csv", before.encode())
    settle = command._settle_names

    def settle_and_lose(*arguments: Any) -> Any:
        settled = settle(*arguments)
        moto_bucket.put("raw/data.csv", rival.encode())
        return settled

    monkeypatch.setattr(command, "_settle_names", settle_and_lose)
    files = [_file(tmp_path, JANUARY), _file(tmp_path, FEBRUARY, "next.csv")]
    options = {"if_exists": IfExists.OVERWRITE, "replace": False}
    if rival == JANUARY:
        _upload(target, *files, **options)
    else:
        with pytest.raises(OpsError, match=r"else changed raw/data\.csv meanwhile") as lost:
            _upload(target, *files, **options)
        assert "Run the command again" in lost.value.next_step
    assert {"raw/data.csv": rival, "raw/next.csv": FEBRUARY} == _stored(moto_bucket)


def test_a_call_that_loses_a_file_names_those_that_it_has_overwritten(
    moto_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = SimpleNamespace(bucket=lambda _: moto_bucket)
    names = ["first.csv", "lost.csv", "new.csv", "last.csv"]
    for name in ("first.csv", "lost.csv", "last.csv", "other.csv"):
        moto_bucket.put(f"raw/{name}", b"older")
    settle = command._settle_names

    def settle_and_lose(*arguments: Any) -> Any:
        settled = settle(*arguments)
        moto_bucket.put("raw/lost.csv", b"another")
        return settled

    monkeypatch.setattr(command, "_settle_names", settle_and_lose)
    files = [_file(tmp_path, JANUARY, name) for name in names]
    with pytest.raises(OpsError) as lost:
        _upload(target, *files, if_exists=IfExists.OVERWRITE, replace=True)
    assert (
        "Somebody else changed raw/lost.csv meanwhile, and that stays."
        " This call has overwritten raw/first.csv and raw/last.csv." == str(lost.value)
    )
    stored = dict.fromkeys((f"raw/{name}" for name in names), JANUARY)
    assert stored | {"raw/lost.csv": "another", "raw/other.csv": "older"} == _stored(moto_bucket)


@pytest.mark.parametrize("choice", [IfExists.REFUSE, IfExists.OVERWRITE])
def test_two_files_of_one_name_in_one_call_are_refused(
    target: Any, moto_bucket: Bucket, tmp_path: Path, choice: IfExists
) -> None:
    files = [_file(tmp_path / "jan", JANUARY), _file(tmp_path / "feb", FEBRUARY)]
    with pytest.raises(OpsError, match=r"feb/data\.csv would overwrite .*jan/data\.csv"):
        _upload(target, *files, if_exists=choice)
    assert {} == _stored(moto_bucket)


def test_two_files_of_one_name_are_both_kept_when_renamed(
    target: Any, moto_bucket: Bucket, tmp_path: Path
) -> None:
    files = [_file(tmp_path / "jan", JANUARY), _file(tmp_path / "feb", FEBRUARY)]
    _upload(target, *files, if_exists=IfExists.RENAME)
    assert 2 == len(_stored(moto_bucket))


def test_a_folders_files_keep_their_paths_and_what_tools_left_is_ignored(
    target: Any, moto_bucket: Bucket, tmp_path: Path
) -> None:
    folder = tmp_path / "ward"
    _file(folder / "jan", JANUARY)
    _file(folder / "feb", FEBRUARY)
    for place, name in (
        (folder, "._data.csv"),
        (folder, "README.txt"),
        (folder / ".ipynb_checkpoints", "data.csv"),
        (folder / "__MACOSX" / "jan", "data.csv"),
        (folder / "_temporary", "data.csv"),
    ):
        _file(place, "junk", name)
    answer = _upload(target, folder)
    assert {"raw/ward/feb/data.csv": FEBRUARY, "raw/ward/jan/data.csv": JANUARY} == _stored(
        moto_bucket
    )
    assert 5 == len(answer.data["ignored"])
    assert 5 == sum(str(line).startswith("Ignored: ") for line in answer.shown)


def test_what_is_no_file_of_a_folder_is_listed(target: Any, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    _file(folder, JANUARY)
    _file(elsewhere, FEBRUARY)
    (folder / "linked.csv").symlink_to(elsewhere / "data.csv")
    (folder / "more").symlink_to(elsewhere)
    (folder / "around").symlink_to(folder)
    (folder / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    os.mkfifo(folder / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket.csv"))
        answer = _upload(target, folder)
    assert ["raw/data/data.csv", "raw/data/linked.csv"] == answer.data["uploaded"]
    others = ("around", "gone.csv", "more", "pipe.csv", "socket.csv")
    assert [str(folder / name) for name in others] == answer.data["ignored"]


UNFIT = {
    "_export.csv": "_export.csv would be ignored",
    "._data.csv": "._data.csv would be ignored",
    "~$data.csv": "~$data.csv would be ignored",
    os.fsdecode(b"M\xe4rz.csv"): "has bytes in its name that are no UTF-8: rename it",
}


@pytest.mark.parametrize(("name", "part"), UNFIT.items(), ids=[ascii(name) for name in UNFIT])
def test_a_file_whose_name_would_not_be_read_is_refused(
    target: Any, moto_bucket: Bucket, tmp_path: Path, name: str, part: str
) -> None:
    with pytest.raises(OpsError) as refused:
        _upload(target, _file(tmp_path, JANUARY), _file(tmp_path, FEBRUARY, name))
    assert part in str(refused.value)
    assert {} == _stored(moto_bucket)


def test_a_folder_whose_name_would_not_be_read_is_refused(target: Any, tmp_path: Path) -> None:
    _file(tmp_path / "_old", JANUARY)
    with pytest.raises(OpsError, match=r"its name, or its folder's, begins with"):
        _upload(target, tmp_path / "_old")


def test_a_pipe_is_no_file(target: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(OpsError, match=r"pipe\.csv is no file"):
        _upload(target, tmp_path / "pipe.csv")


NAMES = [
    "a b.csv",
    "a+b.csv",
    "100%.csv",
    "new\nline.csv",
    "patients?x=1&y.csv",
    "größe.csv",
    "'\".csv",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_characters_is_kept(
    target: Any, moto_bucket: Bucket, tmp_path: Path, name: str
) -> None:
    _upload(target, _file(tmp_path, JANUARY, name))
    _upload(target, _file(tmp_path, JANUARY, name))
    assert {f"raw/{name}": JANUARY} == _stored(moto_bucket)


def test_a_folder_without_a_table_is_refused(target: Any, tmp_path: Path) -> None:
    _file(tmp_path / "empty", "junk", "README.txt")
    with pytest.raises(OpsError, match=r"empty holds no \.csv"):
        _upload(target, tmp_path / "empty")


def test_replace_removes_what_was_not_named_after_the_upload(
    target: Any, moto_bucket: Bucket, tmp_path: Path
) -> None:
    _upload(target, _file(tmp_path, JANUARY, "old.csv"))
    _upload(target, _file(tmp_path, FEBRUARY, "new.csv"), replace=True)
    assert {"raw/new.csv": FEBRUARY} == _stored(moto_bucket)
